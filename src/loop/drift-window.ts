/** One comparison: which counts are the current window, which the reference, and by what thresholds they are judged. */
import type { ModelSpec } from "../config/spec.ts";
import {
  DAY_MS,
  type DriftSignal,
  type DriftVerdict,
  type Instant,
  plural,
  type VersionRecord,
} from "../core/index.ts";
import {
  type FeatureProfile,
  layoutOf,
  overGrid,
  type Profile,
  type ProfileLayout,
  profileOf,
  type ReferenceColumn,
  type ReferenceProfile,
} from "../data/index.ts";
import {
  budgetShares,
  calibrateDrift,
  compareProfiles,
  type DataDriftSpec,
  type DriftCalibration,
  type DriftOptions,
  type DriftReference,
  type DriftReport,
  driftOptions,
  labelCounts,
  labelMeanShift,
  levelOf,
} from "../monitor/index.ts";
import type { LoopContext } from "./context.ts";
import type { InputSource } from "./drift-contract.ts";
import { windowCounters } from "./performance.ts";
import { referenceOf } from "./profile-reference.ts";
import { countedRange, type TimeRange, windowCounts } from "./profile-view.ts";
import { activeGrid, scoreScope } from "./profiles.ts";

/** Everything about a model that its comparisons share. */
export interface DriftBasis {
  readonly spec: ModelSpec;
  readonly settings: DataDriftSpec;
  readonly champion: VersionRecord;
  readonly gridId: string;
  readonly layout: ProfileLayout;
  /** The champion's training rows, over the active grid. */
  readonly training: ReferenceProfile;
  readonly options: DriftOptions;
}

/** Undefined before the first champion, while its grid is being counted, or when the monitors are off. */
export async function driftBasis(context: LoopContext, spec: ModelSpec): Promise<DriftBasis | undefined> {
  const settings = spec.monitors.dataDrift;
  if (settings === null) return undefined;
  const [champion, active] = await Promise.all([
    context.store.registry.champion(spec.name),
    activeGrid(context, spec.name),
  ]);
  if (champion === undefined || active === undefined) return undefined;
  const own = await referenceOf(context, champion);
  const training = covered(own, active.grid);
  if (training === undefined) return undefined;
  const options = driftOptions({
    minimumEffect: settings.minimumEffect,
    minRows: settings.minRows,
    level: levelOf(budgetShares(spec.monitors).comparison, settings.everyMs),
    share: settings.share ?? driftShare(training),
  });
  return { spec, settings, champion, gridId: active.id, layout: layoutOf(active.grid), training, options };
}

const driftShare = (training: ReferenceProfile) => (training.importance === undefined ? 0 : 0.1);

/** Undefined while the counters do not cover the champion's grid: it was promoted a moment ago. */
function covered(reference: ReferenceProfile, grid: ReferenceProfile["grid"]): ReferenceProfile | undefined {
  try {
    return overGrid(reference, grid);
  } catch {
    return undefined;
  }
}

export async function inputProfiles(
  context: LoopContext,
  basis: DriftBasis,
  source: InputSource,
  ranges: readonly TimeRange[],
): Promise<Profile[]> {
  const query = { model: basis.spec.name, grid: basis.gridId, scope: source, size: basis.layout.size };
  const vectors = await windowCounts(context, query, ranges);
  return vectors.map((vector) => profileOf(basis.layout, vector));
}

/**
 * What the model was asked about, where that is enough to tell; an import of history in the same window must not hide it. Else, as for
 * a model that is only fed rows, whichever has more rows.
 */
export async function currentInputs(
  context: LoopContext,
  basis: DriftBasis,
  range: TimeRange,
): Promise<{ readonly source: InputSource; readonly profile: Profile; readonly other: Profile }> {
  const [asked] = (await inputProfiles(context, basis, "prediction", [range])) as [Profile];
  const [collected] = (await inputProfiles(context, basis, "observation", [range])) as [Profile];
  return asked.rows >= Math.min(collected.rows, basis.options.minRows)
    ? { source: "prediction", profile: asked, other: collected }
    : { source: "observation", profile: collected, other: asked };
}

/** Windows that a trailing or same-season reference sums. */
const REFERENCE_WINDOWS = 4;

export function referenceRanges(kind: DriftReference, range: TimeRange, settings: DataDriftSpec): TimeRange[] {
  const width = range.to - range.from;
  if (kind === "trailing") return [{ from: range.from - REFERENCE_WINDOWS * width, to: range.from }];
  return Array.from({ length: REFERENCE_WINDOWS }, (_, i) => {
    const back = (i + 1) * settings.seasonMs;
    return { from: range.from - back, to: range.to - back };
  });
}

/** The reference of a window: the training rows, or the sum of earlier windows of the same source. */
export async function referenceFor(
  context: LoopContext,
  basis: DriftBasis,
  choice: { readonly kind: DriftReference; readonly range: TimeRange; readonly source: InputSource },
): Promise<ReferenceProfile> {
  if (choice.kind === "training") return basis.training;
  const ranges = referenceRanges(choice.kind, choice.range, basis.settings);
  const query = { model: basis.spec.name, grid: basis.gridId, scope: choice.source, size: basis.layout.size };
  const vectors = await windowCounts(context, query, ranges);
  const sum = new Float64Array(basis.layout.size);
  for (const vector of vectors)
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (vector[i] as number);
  return { ...basis.training, reference: profileOf(basis.layout, sum) };
}

/** One column of its own: a score or a label. */
export function compareColumn(
  reference: ReferenceColumn,
  current: FeatureProfile,
  rows: number,
  options: DriftOptions,
): DriftReport {
  const whole: ReferenceProfile = {
    format: 1,
    grid: [reference.grid],
    rare: {},
    reference: { rows: reference.rows, features: [reference.profile] },
  };
  return compareProfiles(whole, { rows, features: [current] }, { ...options, share: 0, history: {} });
}

export async function comparePredictions(
  context: LoopContext,
  basis: DriftBasis,
  range: TimeRange,
): Promise<DriftReport | undefined> {
  const { scores } = basis.training;
  if (scores === undefined) return undefined;
  const layout = layoutOf([scores.grid]);
  const scope = scoreScope(basis.champion.name);
  const query = { model: basis.spec.name, grid: basis.gridId, scope, size: layout.size };
  const [vector] = (await windowCounts(context, query, [range])) as [Float64Array];
  const current = profileOf(layout, vector);
  return compareColumn(scores, current.features[0] as FeatureProfile, current.rows, basis.options);
}

/** Labels that are mature: the window lies a label delay back. */
export function labelRange(spec: ModelSpec, range: TimeRange): TimeRange {
  return { from: range.from - spec.labelDelayMs, to: range.to - spec.labelDelayMs };
}

export interface LabelShift {
  readonly report?: DriftReport;
  readonly verdict: DriftVerdict;
  readonly reason: string;
  readonly rows: number;
  readonly finding: DriftSignal["findings"][number];
}

export async function compareLabels(
  context: LoopContext,
  basis: DriftBasis,
  range: TimeRange,
): Promise<LabelShift | undefined> {
  const { labels } = basis.training;
  if (labels === undefined) return undefined;
  const { spec, options, champion } = basis;
  const window = labelRange(spec, range);
  const values = await windowCounters(context, { model: spec.name, version: champion.name, ...window });
  const rows = Number(values["n"] ?? 0n);
  if (spec.schema.task !== "regression") {
    const report = compareColumn(labels, labelCounts(spec.schema.task, labels, values), rows, options);
    const first = report.features[0] as DriftReport["features"][number];
    const { verdict, reason } = first;
    const { statistic, value, threshold, ratio } = first;
    return {
      report,
      verdict,
      reason,
      rows,
      finding: { feature: "label", verdict, statistic, value, threshold, ratio },
    };
  }
  const shift = rows >= options.minRows ? labelMeanShift(labels, values, options) : null;
  const verdict: DriftVerdict = shift === null ? "cannot-tell" : shift.value > shift.threshold ? "drift" : "no-drift";
  const reason =
    shift === null
      ? `${plural(rows, "mature label is", "mature labels are")} in the window; ${options.minRows} are needed to tell.`
      : `The mean label moved by ${shift.value.toPrecision(3)} standard deviations of the training labels; ${shift.threshold.toPrecision(3)} is the threshold.`;
  return {
    verdict,
    reason,
    rows,
    finding: {
      feature: "label",
      verdict,
      statistic: "meanShift",
      value: shift?.value ?? null,
      threshold: shift?.threshold ?? null,
      ratio: shift === null ? null : shift.value / shift.threshold,
    },
  };
}

/** The champion's training time in windows, newest first: at most a year of them. */
const MAX_CHUNKS = 52;

/** Thresholds by the history of the rows the champion learned from. */
export async function calibrateChampion(
  context: LoopContext,
  basis: DriftBasis,
): Promise<DriftCalibration & { readonly version: string; readonly source: InputSource }> {
  const { spec, settings, champion } = basis;
  const counted = await countedRange(context, { model: spec.name, grid: basis.gridId }, ["prediction", "observation"]);
  const { windowMs } = spec.data;
  const from = Math.max(
    counted?.from ?? Number.POSITIVE_INFINITY,
    windowMs === undefined ? 0 : champion.trainedThrough - windowMs,
  );
  const ranges: TimeRange[] = [];
  // Days that were summed can only be cut at midnight.
  let to: Instant = Math.floor(champion.trainedThrough / DAY_MS) * DAY_MS;
  while (ranges.length < MAX_CHUNKS && to - settings.windowMs >= from) {
    ranges.push({ from: to - settings.windowMs, to });
    to -= settings.windowMs;
  }
  const whole = ranges.length === 0 ? undefined : { from: to, to: (ranges[0] as TimeRange).to };
  const source = whole === undefined ? "observation" : (await currentInputs(context, basis, whole)).source;
  const profiles = await inputProfiles(context, basis, source, ranges);
  return { ...calibrateDrift(basis.training, profiles, basis.options), version: champion.name, source };
}
