/** What callers ask about drift: one window in full, and every window of a stretch of time as a heatmap of features. */
import { fail, HOUR_MS, type Instant, nearestWord } from "../core/index.ts";
import type { Profile, ReferenceProfile } from "../data/index.ts";
import { compareProfiles, type DriftReference, type DriftReport, type FeatureDrift } from "../monitor/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import type {
  DriftFeatureView,
  DriftHeatCell,
  DriftHeatmap,
  DriftQuery,
  DriftSurface,
  DriftView,
  InputSource,
} from "./drift-contract.ts";
import { storedCalibration } from "./drift.ts";
import {
  compareLabels,
  comparePredictions,
  currentInputs,
  type DriftBasis,
  driftBasis,
  inputProfiles,
  referenceFor,
} from "./drift-window.ts";
import { multivariateView } from "./multivariate.ts";
import { countedRange } from "./profile-view.ts";

export function driftSurface(context: LoopContext): DriftSurface {
  return {
    drift: (query) => view(context, query),
    driftOf: (query) => featureView(context, query),
    multivariateDrift: (query) => multivariateView(context, query),
  };
}

const EMPTY_HEATMAP: DriftHeatmap = { ends: [], windowMs: 0, rows: [] };
const NOTHING = {
  window: null,
  source: null,
  reference: null,
  calibration: null,
  data: null,
  prediction: null,
  label: null,
  skew: null,
  heatmap: EMPTY_HEATMAP,
} as const;

interface Prepared {
  readonly basis: DriftBasis;
  readonly calibration: DriftView["calibration"];
  readonly kind: DriftReference;
  readonly range: { readonly from: Instant; readonly to: Instant };
}

/** Thresholds as the monitor uses them: with the history that was learned at promotion. */
async function prepare(context: LoopContext, query: DriftQuery): Promise<Prepared | undefined> {
  const spec = modelSpec(context, query.model);
  const bare = await driftBasis(context, spec);
  if (bare === undefined) return undefined;
  const stored = await storedCalibration(context, spec.name, bare.champion.name);
  const basis = { ...bare, options: { ...bare.options, history: stored?.thresholds ?? {} } };
  const to = query.to ?? Math.ceil(context.worldClock.now() / HOUR_MS) * HOUR_MS;
  const from = query.from ?? to - basis.settings.windowMs;
  if (!(from < to)) {
    throw fail("BODY_INVALID", {
      message: `The window begins at ${from} and ends at ${to}.`,
      remedy: "Give a `from` before `to`, in milliseconds since 1970.",
    });
  }
  return { basis, calibration: stored ?? null, kind: query.reference ?? basis.settings.reference, range: { from, to } };
}

async function view(context: LoopContext, query: DriftQuery): Promise<DriftView> {
  const spec = modelSpec(context, query.model);
  const prepared = await prepare(context, query);
  const champion = context.live.champion(spec.name)?.version ?? null;
  if (prepared === undefined) {
    const isOff = spec.monitors.dataDrift === null;
    const state = isOff ? "off" : champion === null ? "no-champion" : "counting";
    return { model: spec.name, version: champion, state, ...NOTHING };
  }
  const { basis, calibration, kind, range } = prepared;
  const { source, profile, other } = await currentInputs(context, basis, range);
  const reference = await referenceFor(context, basis, { kind, range, source });
  const data = compareProfiles(reference, profile, basis.options);
  const predictions = await comparePredictions(context, basis, range);
  const labels = await compareLabels(context, basis, range);
  const isBoth = Math.min(profile.rows, other.rows) >= basis.options.minRows;
  const [served, collected] = source === "prediction" ? [profile, other] : [other, profile];
  return {
    model: spec.name,
    version: basis.champion.name,
    state: "ready",
    window: range,
    source,
    reference: kind,
    calibration,
    data,
    prediction: predictions?.features[0] ?? null,
    label:
      labels === undefined
        ? null
        : {
            verdict: labels.verdict,
            reason: labels.reason,
            rows: labels.rows,
            finding: labels.finding,
            feature: labels.report?.features[0] ?? null,
          },
    skew: isBoth
      ? compareProfiles({ ...basis.training, reference: collected }, served, { ...basis.options, history: {} })
      : null,
    heatmap: await heatmap(context, { basis, kind, source, data, to: range.to }),
  };
}

/** Columns of the heatmap at most, and features, so that a page of a model of 1,000 features stays small. */
const MAX_COLUMNS = 30;
const MAX_FEATURES = 60;

/** The last windows that hold anything, one every `every`. */
async function windowEnds(context: LoopContext, basis: DriftBasis, to: Instant): Promise<Instant[]> {
  const query = { model: basis.spec.name, grid: basis.gridId };
  const counted = await countedRange(context, query, ["prediction", "observation"]);
  if (counted === undefined) return [];
  const every = basis.settings.everyMs;
  const last = Math.min(Math.ceil(to / every) * every, Math.ceil(counted.to / every) * every);
  const ends: Instant[] = [];
  for (let end = last; end > counted.from && ends.length < MAX_COLUMNS; end -= every) ends.unshift(end);
  return ends;
}

interface HeatParts {
  readonly basis: DriftBasis;
  readonly kind: DriftReference;
  readonly source: InputSource;
  readonly data: DriftReport;
  readonly to: Instant;
}

async function heatmap(context: LoopContext, parts: HeatParts): Promise<DriftHeatmap> {
  const { basis, data } = parts;
  const names = data.features.slice(0, MAX_FEATURES).map((one) => one.feature);
  const ends = await windowEnds(context, basis, parts.to);
  const reports = await reportsAt(context, parts, ends, new Set(names));
  const predictions = [];
  for (const to of ends) {
    predictions.push(
      (await comparePredictions(context, basis, { from: to - basis.settings.windowMs, to }))?.features[0],
    );
  }
  const cell = (one: FeatureDrift | undefined): DriftHeatCell | null =>
    one === undefined || one.currentRows === 0 ? null : { ratio: one.ratio, verdict: one.verdict };
  const rows = names.map((feature) => ({
    feature,
    cells: reports.map((report) => cell(report.features.find((one) => one.feature === feature))),
  }));
  const hasPredictions = predictions.some((one) => one !== undefined && one.currentRows > 0);
  return {
    ends,
    windowMs: basis.settings.windowMs,
    rows: hasPredictions ? [{ feature: "prediction", cells: predictions.map(cell) }, ...rows] : rows,
  };
}

/** Reports of the windows that end at the given instants, of some features. */
async function reportsAt(
  context: LoopContext,
  parts: Pick<HeatParts, "basis" | "kind" | "source">,
  ends: readonly Instant[],
  names: ReadonlySet<string>,
): Promise<DriftReport[]> {
  const { basis, kind, source } = parts;
  const ranges = ends.map((to) => ({ from: to - basis.settings.windowMs, to }));
  const profiles = await inputProfiles(context, basis, source, ranges);
  const reports: DriftReport[] = [];
  for (const [i, range] of ranges.entries()) {
    const reference = await referenceFor(context, basis, { kind, range, source });
    reports.push(compareProfiles(only(reference, names), onlyProfile(profiles[i] as Profile, names), basis.options));
  }
  return reports;
}

const onlyProfile = (profile: Profile, names: ReadonlySet<string>): Profile => ({
  rows: profile.rows,
  features: profile.features.filter((feature) => names.has(feature.name)),
});

function only(reference: ReferenceProfile, names: ReadonlySet<string>): ReferenceProfile {
  return {
    ...reference,
    grid: reference.grid.filter((feature) => names.has(feature.name)),
    reference: onlyProfile(reference.reference, names),
  };
}

async function featureView(
  context: LoopContext,
  query: DriftQuery & { readonly feature: string },
): Promise<DriftFeatureView> {
  const prepared = await prepare(context, query);
  if (prepared === undefined) {
    throw fail("MODEL_NOT_READY", {
      message: `Model ${query.model} has no counted reference yet.`,
      remedy: "Wait for its first version, and for the tick after it.",
    });
  }
  const { basis, kind, range } = prepared;
  const names = basis.layout.features.map((feature) => feature.grid.name);
  if (!names.includes(query.feature)) {
    const near = nearestWord(query.feature, names);
    throw fail("COLUMN_UNKNOWN", {
      message: `Model ${query.model} has no feature ${JSON.stringify(query.feature.slice(0, 80))}.${near === undefined ? "" : ` Closest: "${near}".`}`,
      remedy: `Name one of ${names.slice(0, 20).join(", ")}${names.length > 20 ? ", …" : ""}.`,
    });
  }
  const { source, profile } = await currentInputs(context, basis, range);
  const reference = await referenceFor(context, basis, { kind, range, source });
  const data = compareProfiles(reference, profile, basis.options);
  const ends = await windowEnds(context, basis, range.to);
  const reports = await reportsAt(context, { basis, kind, source }, ends, new Set([query.feature]));
  return {
    model: query.model,
    feature: data.features.find((one) => one.feature === query.feature) as FeatureDrift,
    series: reports.map((report, i) => {
      const one = report.features[0] as FeatureDrift;
      return {
        to: ends[i] as Instant,
        rows: one.currentRows,
        value: one.value,
        threshold: one.threshold,
        verdict: one.verdict,
      };
    }),
  };
}
