/**
 * Retraining when it pays: the champion's excess loss over what it had when it was new, times the predictions of the horizon,
 * times what a unit of loss costs, against the price of a run. The gain is an upper estimate, since it assumes that a new
 * version does as well as the champion did when it was new; the gate judges the candidate whatever it says.
 */
import {
  choiceField,
  durationField,
  formatDuration,
  metricWord,
  numberField,
  plural,
  type Task,
  withDefault,
} from "../core/index.ts";
import type { TriggerSpec } from "./spec.ts";
import { type PerformanceEvidence, performanceKey, type TriggerState } from "./state.ts";
import { type LeafJudgement, QUIET_STATE, type TriggerKind } from "./trigger.ts";

export type WorthItSpec = Extract<TriggerSpec, { kind: "worthIt" }>;

/** Metrics that are a mean over rows: only these can be multiplied by a number of predictions. */
const METRICS = {
  binary: ["accuracy", "logLoss", "brier"],
  multiclass: ["accuracy", "logLoss", "brier"],
  regression: ["mae"],
  forecast: ["mae"],
  recommend: ["hitShare"],
} as const satisfies Record<Task, readonly string[]>;

const price = (description: string) => numberField(description, { min: 0, max: 1e15 });

const fields = (task: Task) => ({
  metric: withDefault(choiceField("The loss that costs money.", METRICS[task]), METRICS[task][0]),
  pricePerLoss: numberField(
    "What one prediction costs more when its loss is larger by one unit of the metric; for accuracy: an error.",
    { min: 1e-12, max: 1e15 },
  ),
  pricePerRun: price("What a run costs, in the same currency."),
  pricePerRow: withDefault(price("What training on one more labelled row costs."), 0),
  horizon: withDefault(durationField("How long a new version is expected to serve.", { min: "1h" }), "30d"),
  window: withDefault(durationField("Width of the window of mature examples, in event time.", { min: "1h" }), "30d"),
  minRows: withDefault(
    numberField("With fewer mature labelled rows in the window it cannot tell.", { min: 1, max: 1e9, integer: true }),
    200,
  ),
});

const MONTH_MS = 2_592_000_000;
const sample: WorthItSpec = {
  kind: "worthIt",
  metric: "accuracy",
  pricePerLoss: 2,
  pricePerRun: 50,
  pricePerRow: 0.01,
  horizonMs: MONTH_MS,
  windowMs: MONTH_MS,
  minRows: 200,
};
const evidence: PerformanceEvidence = {
  version: "v1",
  value: 0.85,
  rows: 900,
  reference: 0.9,
  higherIsBetter: true,
  predictions: 1_000,
};
const seeing = (one: PerformanceEvidence): TriggerState => ({
  ...QUIET_STATE,
  labelsSince: 1,
  performance: new Map([[performanceKey("accuracy", MONTH_MS), one]]),
});

export const worthIt: TriggerKind<WorthItSpec, ReturnType<typeof fields>> = {
  kind: "worthIt",
  description: "When the expected gain of a new version exceeds what a run costs.",
  fields,
  resolve: ({ horizon, window, ...rest }) => ({ kind: "worthIt", ...rest, horizonMs: horizon, windowMs: window }),
  subject: (spec) => `worthIt(${spec.metric})`,
  rule: (spec) =>
    `Retrain when the excess loss (${metricWord(spec.metric)}), at ${spec.pricePerLoss} a unit over the predictions of ${formatDuration(spec.horizonMs)}, costs more than a run (${spec.pricePerRun}${spec.pricePerRow === 0 ? "" : ` and ${spec.pricePerRow} a row`}).`,
  judge(spec, state) {
    const seen = state.performance.get(performanceKey(spec.metric, spec.windowMs));
    if (seen === undefined || seen.version === null || seen.reference === null)
      return { outcome: "cannot-tell", reason: "There is no live version with a reference value.", inputs: {} };
    if (seen.rows < spec.minRows || seen.value === null) {
      const reason = `Fewer than ${plural(spec.minRows, "mature labelled prediction")} of ${seen.version} ${spec.minRows === 1 ? "is" : "are"} in the window.`;
      return { outcome: "cannot-tell", reason, inputs: { version: seen.version, rows: seen.rows } };
    }
    return weigh(spec, state, { ...seen, value: seen.value, reference: seen.reference });
  },
  samples: [
    // 0.05 × 1,000 × 2 = 100 against 50 + 0.01 × 1,000 = 60.
    { spec: sample, fires: seeing(evidence), rests: seeing({ ...evidence, value: 0.88 }) },
  ],
};

function weigh(
  spec: WorthItSpec,
  state: TriggerState,
  seen: PerformanceEvidence & { readonly value: number; readonly reference: number },
): LeafJudgement {
  const { version, value, reference, interval, higherIsBetter } = seen;
  const predictions = ((seen.predictions ?? seen.rows) * spec.horizonMs) / spec.windowMs;
  const gainOf = (one: number) =>
    (higherIsBetter ? reference - one : one - reference) * predictions * spec.pricePerLoss;
  const cost = spec.pricePerRun + spec.pricePerRow * state.labelled;
  const gain = gainOf(value);
  const sure = interval === undefined ? gain : Math.min(gainOf(interval[0]), gainOf(interval[1]));
  const inputs = { version, value, reference, rows: seen.rows, predictions, gain, gainAtLeast: sure, cost };
  const judged = { inputs, threshold: cost };
  if (gain <= cost) return { outcome: "no", reason: `A new version would not earn back what a run costs.`, ...judged };
  const text = (one: number) => Number(one.toPrecision(3)).toLocaleString("en-US");
  // Half the price is risked on a gain that may be none: the interval must at least leave out "no loss at all".
  if (sure <= 0)
    return {
      outcome: "cannot-tell",
      reason: `The gain of a new version would pay for a run, but its interval reaches down to none.`,
      ...judged,
    };
  return {
    outcome: "yes",
    reason: `A new version is expected to gain ${text(gain)} in ${formatDuration(spec.horizonMs)} (${metricWord(spec.metric)} of ${version} ${value.toPrecision(3)}, ${reference.toPrecision(3)} when new); a run costs ${text(cost)}.`,
    ...judged,
  };
}
