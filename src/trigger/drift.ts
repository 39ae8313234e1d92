/**
 * The findings of the drift monitors as triggers. Data drift alone is no harm done: it alerts and explains by itself, and
 * retrains only where a policy asks for it here. A finding older than the last run's snapshot was that run's reason, not the next's.
 */
import { type DriftSignal, listField, numberField, optional, textField, metricWord } from "../core/index.ts";
import { partPrefix } from "../data/index.ts";
import type { TriggerSpec } from "./spec.ts";
import type { TriggerState } from "./state.ts";
import { type LeafJudgement, QUIET_STATE, showInstant, type TriggerKind } from "./trigger.ts";

export type DataDriftSpec = Extract<TriggerSpec, { kind: "dataDrift" }>;
export type PredictionDriftSpec = Extract<TriggerSpec, { kind: "predictionDrift" }>;
export type ConceptDriftTriggerSpec = Extract<TriggerSpec, { kind: "conceptDrift" }>;

const fields = {
  share: optional(
    numberField("Importance-weighted share of drifted features from which it fires (0.3 is three tenths).", {
      min: 0.001,
      max: 1,
    }),
  ),
  features: optional(
    listField("Only these features; any of them that drifts fires.", textField("A feature."), { min: 1 }),
  ),
};

const names = (findings: readonly { readonly feature: string }[]) =>
  findings
    .slice(0, 5)
    .map((one) => one.feature)
    .join(", ");

/** The feature nearest to or furthest beyond its own threshold, and what made that threshold. */
function furthest(finding: DriftSignal["findings"][number] | undefined) {
  if (finding === undefined) return {};
  const { feature, statistic, value, threshold, thresholdFrom } = finding;
  return {
    furthest: feature,
    [statistic]: value,
    threshold,
    ...(thresholdFrom === undefined ? {} : { thresholdFrom }),
  };
}

/** The champion's newest signal, unless the last run has seen its window already. */
function fresh(state: TriggerState, monitor: string): DriftSignal | LeafJudgement {
  const signal = state.drift.get(monitor);
  const nothing = { outcome: "cannot-tell" as const, inputs: {} };
  if (signal === undefined || signal.version !== state.champion?.version)
    return { ...nothing, reason: "The monitor has not judged the live version yet." };
  const inputs = { at: signal.at, share: signal.share, rows: signal.rows, version: signal.version };
  if (state.lastRunAt !== null && signal.at <= state.lastRunAt) {
    if (signal.verdict === "cannot-tell") return undecided(signal);
    return { outcome: "no", reason: "Nothing newer than the last run's snapshot has been judged.", inputs };
  }
  return signal;
}

function undecided(signal: DriftSignal, reason = "The monitor cannot tell: its current window has too few rows.") {
  const { at, share, rows, version } = signal;
  const inputs = { at, share, rows, version, rowsNeeded: signal.rowsNeeded ?? null };
  return { outcome: "cannot-tell" as const, reason, inputs };
}

type Finding = DriftSignal["findings"][number];

/** Whether a finding is of a feature of the definition: texts, vectors and images are watched part by part. */
const isOf = ({ feature }: Finding, name: string) => feature === name || feature.startsWith(partPrefix(name));

/** Weight of the features that may have moved: what the share would be at most, less what it is. */
function openShare(findings: readonly Finding[]): number {
  const wholes = new Map<string, Finding>();
  for (const one of findings) {
    const name = one.feature.split(partPrefix(""))[0] as string;
    const known = wholes.get(name);
    if (known === undefined || one.verdict === "drift" || known.verdict === "no-drift") wholes.set(name, one);
  }
  return [...wholes.values()]
    .filter((one) => one.verdict === "cannot-tell")
    .reduce((sum, one) => sum + (one.importance ?? 1 / wholes.size), 0);
}

const isSignal = (found: DriftSignal | LeafJudgement): found is DriftSignal => "monitor" in found;

function judgeShare(spec: DataDriftSpec, signal: DriftSignal): LeafJudgement {
  const { at, rows, version, findings } = signal;
  const drifted = findings.filter((one) => one.verdict === "drift");
  const threshold = spec.share ?? signal.shareThreshold;
  const share = signal.share ?? 0;
  const inputs = {
    at,
    share: signal.share,
    limitFrom: spec.share === undefined ? "the monitor" : "the definition",
    ...furthest(findings[0]),
    drifted: drifted.map((one) => one.feature),
    rows,
    version,
  };
  if (share >= threshold && drifted.length > 0) {
    const reason = `Data drift P(x) in ${names(drifted)} (share ${share.toPrecision(2)}) against ${version}, judged ${showInstant(at)}.`;
    return { outcome: "yes", reason, inputs, threshold };
  }
  // The monitor has asked this of its own share; a definition's may lie elsewhere.
  const canReach = spec.share === undefined ? signal.verdict === "cannot-tell" : isOpen(signal, threshold);
  if (canReach) return { ...undecided(signal), threshold };
  return { outcome: "no", reason: "The features are distributed as expected.", inputs, threshold };
}

function isOpen({ share, findings }: DriftSignal, threshold: number): boolean {
  if (share === null) return true;
  const open = openShare(findings);
  return open > 0 && share + open >= threshold;
}

/** Each by its own finding: what the others show neither hides nor excuses it. */
function judgeFeatures(wanted: readonly string[], signal: DriftSignal): LeafJudgement {
  const { at, share, rows, version } = signal;
  const findings = signal.findings.filter((one) => wanted.some((name) => isOf(one, name)));
  const drifted = findings.filter((one) => one.verdict === "drift");
  const inputs = {
    at,
    share,
    ...furthest(findings[0]),
    drifted: drifted.map((one) => one.feature),
    rows,
    version,
  };
  if (drifted.length > 0) {
    const reason = `Data drift P(x) in ${names(drifted)} (share ${(share ?? 0).toPrecision(2)}) against ${version}, judged ${showInstant(at)}.`;
    return { outcome: "yes", reason, inputs };
  }
  const unknown = wanted.filter((name) => {
    const own = findings.filter((one) => isOf(one, name));
    return own.length === 0 || own.some((one) => one.verdict === "cannot-tell");
  });
  if (unknown.length > 0)
    return undecided(signal, `The monitor cannot tell of ${unknown.join(", ")}: too few rows have a value.`);
  return { outcome: "no", reason: "The features are distributed as expected.", inputs };
}

export const dataDrift: TriggerKind<DataDriftSpec, typeof fields> = {
  kind: "dataDrift",
  description: "When the features of new rows are distributed otherwise than the champion's training rows.",
  fields: () => fields,
  resolve: ({ share, features }) => ({
    kind: "dataDrift",
    ...(share === undefined ? {} : { share }),
    ...(features === undefined ? {} : { features }),
  }),
  subject: (spec) =>
    `dataDrift(${[...(spec.features ?? []), ...(spec.share === undefined ? [] : [spec.share])].join(", ")})`,
  rule: (spec) =>
    spec.features === undefined
      ? `Retrain when data drift P(x) covers ${spec.share === undefined ? "the monitor's share" : `a share of ${spec.share}`} of the features, weighted by importance.`
      : `Retrain when data drift P(x) is found in ${spec.features.join(" or ")}.`,
  judge(spec, state) {
    const signal = fresh(state, "data-drift");
    if (!isSignal(signal)) return signal;
    return spec.features === undefined ? judgeShare(spec, signal) : judgeFeatures(spec.features, signal);
  },
  samples: [
    {
      spec: { kind: "dataDrift" },
      fires: seeing("data-drift", "drift", 0.6),
      rests: seeing("data-drift", "no-drift", 0.1),
    },
    {
      spec: { kind: "dataDrift", features: ["age"] },
      fires: seeing("data-drift", "drift", 0.6),
      rests: seeing("data-drift", "drift", 0.6, "job"),
    },
  ],
};

const noFields = {};

export const predictionDrift: TriggerKind<PredictionDriftSpec, typeof noFields> = {
  kind: "predictionDrift",
  description: "When the champion's answers are distributed otherwise than on its reference rows.",
  fields: () => noFields,
  resolve: () => ({ kind: "predictionDrift" }),
  subject: () => "predictionDrift",
  rule: () => "Retrain when prediction drift P(ŷ) is found.",
  judge(_, state) {
    const signal = fresh(state, "prediction-drift");
    if (!isSignal(signal)) return signal;
    if (signal.verdict === "cannot-tell") return undecided(signal);
    const inputs = { at: signal.at, share: signal.share, rows: signal.rows, version: signal.version };
    return signal.verdict === "drift"
      ? { outcome: "yes", reason: `Prediction drift P(ŷ) of ${signal.version}: ${signal.reason}`, inputs }
      : { outcome: "no", reason: "The answers are distributed as expected.", inputs };
  },
  samples: [
    {
      spec: { kind: "predictionDrift" },
      fires: seeing("prediction-drift", "drift", 1),
      rests: seeing("prediction-drift", "no-drift", 0),
    },
  ],
};

/** Labels below which a detector has hardly begun: KSWIN's window, and three searches of ADWIN. */
export const MIN_LOSSES_SEEN = 100;

export const conceptDrift: TriggerKind<ConceptDriftTriggerSpec, typeof noFields> = {
  kind: "conceptDrift",
  description: "When the champion's losses grew, by the detector of `monitors.conceptDrift`.",
  fields: () => noFields,
  resolve: () => ({ kind: "conceptDrift" }),
  subject: () => "conceptDrift",
  rule: () => "Retrain when the detector of concept drift P(y|x) finds larger losses.",
  judge(_, state) {
    const seen = state.concept;
    if (seen === null)
      return {
        outcome: "cannot-tell",
        reason: "No labels of the live version's predictions have arrived.",
        inputs: {},
      };
    const { version, metric, detector, alarm } = seen;
    const { threshold, thresholdFrom } = seen;
    const inputs = {
      version,
      metric,
      detector,
      ...(threshold === undefined ? {} : { threshold }),
      ...(thresholdFrom === undefined ? {} : { thresholdFrom }),
      seen: seen.seen,
      meanBefore: alarm?.meanBefore ?? null,
      meanNow: alarm?.meanNow ?? null,
      alarmAt: alarm?.at ?? null,
    };
    if (alarm !== null && (state.lastRunAt === null || alarm.at > state.lastRunAt)) {
      const reason = `Concept drift P(y|x): the loss (${metricWord(metric)}) of ${version} rose from ${alarm.meanBefore.toPrecision(3)} to ${alarm.meanNow.toPrecision(3)}, found by ${detector} ${showInstant(alarm.at)}.`;
      return { outcome: "yes", reason, inputs };
    }
    if (seen.seen < MIN_LOSSES_SEEN)
      return {
        outcome: "cannot-tell",
        reason: `Fewer than ${MIN_LOSSES_SEEN} labels of ${version} have arrived.`,
        inputs,
      };
    return { outcome: "no", reason: `The losses of ${version} have not grown since the last run.`, inputs };
  },
  samples: [
    {
      spec: { kind: "conceptDrift" },
      fires: suspecting({ at: QUIET_STATE.now, meanBefore: 0.2, meanNow: 0.5 }),
      rests: suspecting(null),
    },
  ],
};

function suspecting(alarm: NonNullable<TriggerState["concept"]>["alarm"]): TriggerState {
  return { ...QUIET_STATE, concept: { version: "v1", metric: "logLoss", detector: "adwin", seen: 900, alarm } };
}

function seeing(
  monitor: DriftSignal["monitor"],
  verdict: DriftSignal["verdict"],
  share: number,
  feature = "age",
): TriggerState {
  const { now } = QUIET_STATE;
  const signal: DriftSignal = {
    monitor,
    model: "m",
    version: "v1",
    at: now,
    from: now - 1,
    to: now,
    reference: "training",
    verdict,
    share,
    shareThreshold: 0.3,
    rows: 500,
    referenceRows: 500,
    findings: [{ feature, verdict, statistic: "psi", value: 0.4, threshold: 0.1, ratio: 4 }],
    reason: "It moved.",
  };
  return { ...QUIET_STATE, drift: new Map([[monitor, signal]]) };
}
