/**
 * The drift monitors in the loop: at every boundary of `monitors.dataDrift.every` the window that ends there is compared, the
 * findings are written as signals and decisions, and the team hears, monitor by monitor, when something moved and when that is
 * over. Drift by itself alerts and explains; whether it retrains is the trigger's business.
 */
import type { ModelSpec } from "../config/spec.ts";
import {
  type DriftSignal,
  driftSignalRecord,
  HOUR_MS,
  type Instant,
  type Json,
  type NewDecision,
} from "../core/index.ts";
import { extendGrid, frameOfGrid } from "../data/index.ts";
import { compareProfiles, type DriftReport, findingsOf } from "../monitor/index.ts";
import { driftAlertKey, raiseAlert, resolveAlert } from "./alerts.ts";
import type { LoopContext } from "./context.ts";
import { diagnose } from "./diagnose.ts";
import {
  calibrateChampion,
  compareLabels,
  comparePredictions,
  currentInputs,
  type DriftBasis,
  driftBasis,
  referenceFor,
} from "./drift-window.ts";
import { advanceProfiles, buildGrid, profileState, tidyProfiles } from "./profiles.ts";
import type { TimeRange } from "./profile-view.ts";

/** Where the monitors of a model stand. */
interface DriftNotes {
  /** End of the newest window that was compared. */
  readonly to: Instant;
  readonly version: string;
}
const notesKey = (model: string) => `drift:${model}`;
const calibrationKey = (model: string) => `drift-thresholds:${model}`;

export type StoredCalibration = Awaited<ReturnType<typeof calibrateChampion>> & { readonly at: Instant };

/** The thresholds from history, if they are those of this version. */
export async function storedCalibration(
  context: LoopContext,
  model: string,
  version: string,
): Promise<StoredCalibration | undefined> {
  const stored = (await context.store.settings.get(calibrationKey(model))) as unknown as StoredCalibration | undefined;
  return stored?.version === version ? stored : undefined;
}

/** Counts what arrived, where a monitor will ask for it. @returns true when nothing is left */
export async function countProfiles(context: LoopContext, spec: ModelSpec): Promise<boolean> {
  if (spec.monitors.dataDrift === null || context.live.champion(spec.name) === undefined) return true;
  return advanceProfiles(context, spec);
}

/**
 * Compares the window that is due, with what the other folds of the tick appended counted too.
 * @returns when there is something to do again
 */
export async function monitorDrift(
  context: LoopContext,
  spec: ModelSpec,
  { at, isCounted }: { readonly at: Instant; readonly isCounted: boolean },
): Promise<Instant> {
  const every = spec.monitors.dataDrift?.everyMs;
  if (every === undefined || context.live.champion(spec.name) === undefined) return Number.POSITIVE_INFINITY;
  if (!isCounted || !(await advanceProfiles(context, spec))) return at;
  await watchDrift(context, spec, at);
  if ((await profileState(context, spec.name)).building !== null) return at;
  return (Math.floor(at / every) + 1) * every;
}

const remembered = new WeakMap<LoopContext, Map<string, DriftNotes>>();

/** What was compared; asked of the store only when this process does not know of a comparison as new as `to`. */
async function driftNotes(context: LoopContext, model: string, to: Instant): Promise<DriftNotes | undefined> {
  const memory = remembered.get(context) ?? new Map<string, DriftNotes>();
  remembered.set(context, memory);
  const known = memory.get(model);
  if (known !== undefined && known.to >= to) return known;
  const stored = (await context.store.settings.get(notesKey(model))) as DriftNotes | undefined;
  if (stored !== undefined) memory.set(model, stored);
  return stored;
}

/** Compares the window that ended at the last boundary, unless that was done. */
async function watchDrift(context: LoopContext, spec: ModelSpec, at: Instant): Promise<void> {
  const settings = spec.monitors.dataDrift;
  if (settings === null) return;
  const to = Math.floor(at / settings.everyMs) * settings.everyMs;
  const notes = await driftNotes(context, spec.name, to);
  if (notes !== undefined && notes.to >= to) return;
  const bare = await driftBasis(context, spec);
  if (bare === undefined) return;
  const basis = await withHistory(context, bare, at);
  const range = { from: to - settings.windowMs, to };
  const signals = await signalsOf(context, basis, range, at);
  await context.store.decisions.recordAll(signals.map((signal) => decisionOf(signal, basis)));
  await context.store.settings.saveSignals(signals.filter((signal) => signal.rows > 0).map(driftSignalRecord));
  await announce(context, signals);
  await context.store.settings.set(notesKey(spec.name), { to, version: basis.champion.name });
  await extendIfLeft(context, basis, range);
  await tidyProfiles(context, spec.name);
  context.emit("drift", spec.name, { to, verdict: signals[0]?.verdict ?? null });
}

/** Thresholds are learned again for every new champion. */
export async function withHistory(context: LoopContext, basis: DriftBasis, at: Instant): Promise<DriftBasis> {
  const { spec, champion } = basis;
  let calibration = await storedCalibration(context, spec.name, champion.name);
  if (calibration === undefined) {
    calibration = { ...(await calibrateChampion(context, basis)), at };
    await context.store.settings.set(calibrationKey(spec.name), calibration as unknown as Json);
  }
  return { ...basis, options: { ...basis.options, history: calibration.thresholds } };
}

async function signalsOf(
  context: LoopContext,
  basis: DriftBasis,
  range: TimeRange,
  at: Instant,
): Promise<DriftSignal[]> {
  const { spec, settings, champion, options } = basis;
  const { source, profile, other } = await currentInputs(context, basis, range);
  const reference = await referenceFor(context, basis, { kind: settings.reference, range, source });
  const common = { model: spec.name, version: champion.name, at, ...range };
  const signals = [
    signalOf(
      { ...common, monitor: "data-drift", reference: settings.reference },
      compareProfiles(reference, profile, options),
    ),
  ];
  const predictions = await comparePredictions(context, basis, range);
  if (predictions !== undefined) {
    signals.push(signalOf({ ...common, monitor: "prediction-drift", reference: "training" }, predictions));
  }
  const labels = await compareLabels(context, basis, range);
  if (labels !== undefined) {
    signals.push({
      ...common,
      monitor: "label-shift",
      reference: "training",
      verdict: labels.verdict,
      share: labels.verdict === "cannot-tell" ? null : Number(labels.verdict === "drift"),
      shareThreshold: 0,
      rows: labels.rows,
      referenceRows: basis.training.labels?.rows ?? 0,
      findings: [labels.finding],
      reason: labels.reason,
    });
  }
  // Only where the same model is both asked and fed: one side alone has nothing to be skewed against.
  if (Math.min(profile.rows, other.rows) >= options.minRows) {
    const [served, collected] = source === "prediction" ? [profile, other] : [other, profile];
    const skew = compareProfiles({ ...basis.training, reference: collected }, served, { ...options, history: {} });
    signals.push(signalOf({ ...common, monitor: "training-serving-skew", reference: "trailing" }, skew));
  }
  return signals;
}

type SignalHead = Pick<DriftSignal, "monitor" | "model" | "version" | "at" | "from" | "to" | "reference">;

function signalOf(head: SignalHead, report: DriftReport): DriftSignal {
  return {
    ...head,
    verdict: report.verdict,
    share: report.share,
    shareThreshold: report.shareThreshold,
    rows: report.currentRows,
    referenceRows: report.referenceRows,
    ...(report.rowsNeeded === undefined ? {} : { rowsNeeded: report.rowsNeeded }),
    findings: findingsOf(report),
    reason: report.reason,
  };
}

const RULES: Readonly<Record<DriftSignal["monitor"], string>> = {
  "data-drift": "Data drift P(x)",
  "prediction-drift": "Prediction drift P(ŷ)",
  "label-shift": "Label shift P(y)",
  "training-serving-skew": "Training-serving skew",
};
/** Findings kept with a decision: what a person reads first. */
const SHOWN_FINDINGS = 5;

function decisionOf(signal: DriftSignal, { options, settings }: DriftBasis): NewDecision {
  const outcome = signal.verdict === "drift" ? "yes" : signal.verdict === "no-drift" ? "no" : "cannot-tell";
  return {
    model: signal.model,
    kind: "monitor",
    subject: signal.monitor,
    outcome,
    rule: `${RULES[signal.monitor]}: the last ${settings.windowMs / HOUR_MS} h against ${signal.reference}; a PSI above ${options.minimumEffect}, chance and history, at level ${options.level.toPrecision(2)}.`,
    inputs: {
      version: signal.version,
      rows: signal.rows,
      referenceRows: signal.referenceRows,
      ...(signal.rowsNeeded === undefined ? {} : { rowsNeeded: signal.rowsNeeded }),
      ...(signal.rows === 0 ? {} : { from: signal.from, to: signal.to }),
      findings: signal.findings.slice(0, SHOWN_FINDINGS) as unknown as Json,
    },
    threshold: signal.shareThreshold,
    reason: signal.reason,
    version: signal.version,
    at: signal.at,
  };
}

/** Each monitor has an alert of its own: what moved, and what to do about it, differ. What cannot be told neither opens nor closes one. */
async function announce(context: LoopContext, signals: readonly DriftSignal[]): Promise<void> {
  for (const { model, monitor, reason } of signals.filter(({ verdict }) => verdict === "no-drift"))
    await resolveAlert(context, driftAlertKey(model, monitor), reason);
  const moved = signals.filter(({ verdict }) => verdict === "drift");
  const [first] = moved;
  if (first === undefined) return;
  const { sentences } = await diagnose(context, first.model);
  for (const signal of moved) {
    const { model, monitor } = signal;
    await raiseAlert(context, {
      model,
      key: driftAlertKey(model, monitor),
      type: `monitor.${monitor}`,
      severity: "warning",
      title: `${TITLES[monitor]} in ${model}`,
      message: `${signal.reason} ${comparedWith(signal)}`,
      evidence: { diagnosis: sentences, ...decisionEvidence(signal) },
    });
  }
}

const TITLES: Readonly<Record<DriftSignal["monitor"], string>> = {
  "data-drift": "Data drift",
  "prediction-drift": "Prediction drift",
  "label-shift": "Label shift",
  "training-serving-skew": "Training-serving skew",
};

const REFERENCES: Readonly<Record<DriftSignal["reference"], (version: string) => string>> = {
  training: (version) => `the rows ${version} learned from`,
  trailing: () => "the windows before",
  "same-season": () => "the same season before",
};

function comparedWith({ monitor, version, reference }: DriftSignal): string {
  switch (monitor) {
    case "data-drift":
      return `Compared with ${REFERENCES[reference](version)}.`;
    case "prediction-drift":
      return `The answers of ${version} are compared with those on its holdout.`;
    case "label-shift":
      return `Mature labels are compared with those ${version} learned from.`;
    case "training-serving-skew":
      return "Requests are compared with the rows collected in the same window: the two may be made differently.";
  }
}

function decisionEvidence(signal: DriftSignal) {
  const { version, rows, from, to, share, findings } = signal;
  return { version, rows, from, to, share, findings: findings.slice(0, SHOWN_FINDINGS) as unknown as Json };
}

/** Values beside the grid above which it is extended. */
const OVERFLOW_SHARE = 0.01;
/** Events looked at for the new cells. */
const OVERFLOW_SAMPLE = 20_000;

/** Numbers of the window that leave the grid: it gets cells there, and the log is counted anew. */
async function extendIfLeft(context: LoopContext, basis: DriftBasis, range: TimeRange): Promise<void> {
  const { profile, source } = await currentInputs(context, basis, range);
  if (profile.rows < basis.options.minRows) return;
  const grid = basis.layout.features.map((feature) => feature.grid);
  const leaves = profile.features.some((feature, i) => {
    const own = grid[i];
    // A number counted by its values has no range to leave: what is new there is unseen, and is reported as such.
    const isRange = own?.kind === "number" && own.values === undefined;
    return isRange && feature.below + feature.above > OVERFLOW_SHARE * profile.rows;
  });
  if (!leaves) return;
  const recent = await context.store.log.recent(basis.spec.name, { kind: source, limit: OVERFLOW_SAMPLE });
  const features = recent.flatMap((event) =>
    event.kind === "prediction" || event.kind === "observation" ? [event.features] : [],
  );
  const frame = frameOfGrid(grid, features);
  const rows = Uint32Array.from({ length: frame.rows }, (_, i) => i);
  const extended = extendGrid(grid, frame, rows);
  const next = grid.map((own, i) => {
    const wider = extended[i];
    return own.kind === "number" && own.values === undefined && wider !== undefined ? wider : own;
  });
  await buildGrid(context, basis.spec.name, next);
}
