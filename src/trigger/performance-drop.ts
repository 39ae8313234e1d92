/**
 * The champion's realised metric over the newest mature examples against what it had on its holdout. Fires when the whole
 * one-sided 95 % interval of the current window lies beyond the limit, or, where the metric has no interval, when the value
 * does. A value beyond the limit whose interval still reaches back is `cannot-tell`.
 */
import {
  booleanField,
  choiceField,
  durationField,
  fail,
  formatDuration,
  metricSubject,
  metricWord,
  numberField,
  optional,
  plural,
  type Task,
  withDefault,
} from "../core/index.ts";
import { metricsFor } from "../stats/index.ts";
import type { TriggerSpec } from "./spec.ts";
import { type PerformanceEvidence, performanceKey } from "./state.ts";
import { QUIET_STATE, type TriggerKind } from "./trigger.ts";

export type PerformanceDropSpec = Extract<TriggerSpec, { kind: "performanceDrop" }>;

/** The standard error of an accuracy near 0.9 is 0.02 on 200 rows: a drop of 0.1 can be told from noise. */
const DEFAULT_MIN_ROWS = 200;
const DEFAULT_WINDOW = "30d";
const DEFAULT_RELATIVE = 0.1;

const fields = (task: Task) => ({
  metric: choiceField("The metric to watch.", metricsFor(task)),
  relative: optional(
    numberField("Share of the reference value it may get worse by (0.1 is a tenth).", { min: 0.001, max: 1000 }),
  ),
  absolute: optional(numberField("How much worse it may get, in the metric's unit.", { min: 1e-9, max: 1e12 })),
  window: withDefault(
    durationField("Width of the window of mature examples, in event time.", { min: "1h" }),
    DEFAULT_WINDOW,
  ),
  estimated: withDefault(
    booleanField("Judge by what the version's scores say of it, before labels arrive. Blind to concept drift."),
    false,
  ),
  minRows: withDefault(
    numberField("With fewer mature labelled rows in the window it cannot tell.", { min: 1, max: 1e9, integer: true }),
    DEFAULT_MIN_ROWS,
  ),
});

function limitOf(spec: PerformanceDropSpec, evidence: PerformanceEvidence, reference: number): number {
  const allowed = spec.absolute ?? Math.abs(reference) * (spec.relative ?? DEFAULT_RELATIVE);
  return evidence.higherIsBetter ? reference - allowed : reference + allowed;
}

/** Where the limit comes from, in words. */
function limitOrigin({ absolute, relative = DEFAULT_RELATIVE }: PerformanceDropSpec): string {
  if (absolute !== undefined) return `the holdout's value and the ${absolute} of the definition`;
  return `the holdout's value and ${relative === DEFAULT_RELATIVE ? "the default of " : ""}${percent(relative)} % of it`;
}

/** Metrics that confidence-based estimation (classes) and direct loss estimation (numbers) give. */
export const ESTIMABLE: ReadonlySet<string> = new Set(["logLoss", "rocAuc", "accuracy", "f1", "brier", "mae", "rmse"]);

const percent = (share: number) => Number((share * 100).toPrecision(4));

const sample: PerformanceDropSpec = {
  kind: "performanceDrop",
  metric: "logLoss",
  relative: 0.1,
  windowMs: 2_592_000_000,
  minRows: 200,
};
const evidence: PerformanceEvidence = { version: "v1", value: 0.34, rows: 500, reference: 0.3, higherIsBetter: false };
const seeing = (one: PerformanceEvidence, metric = "logLoss") => ({
  ...QUIET_STATE,
  labelsSince: 1,
  performance: new Map([[performanceKey(metric, sample.windowMs), one]]),
});

export const performanceDrop: TriggerKind<PerformanceDropSpec, ReturnType<typeof fields>> = {
  kind: "performanceDrop",
  description: "When the champion's realised metric gets worse than on its holdout by more than an allowance.",
  fields,
  resolve({ metric, relative, absolute, window, minRows, estimated }, path) {
    if (estimated && !ESTIMABLE.has(metric)) {
      throw fail("CONFIG_INVALID", {
        message: `\`${path}.metric\` is "${metric}", which cannot be estimated without labels.`,
        remedy: `Use one of ${[...ESTIMABLE].join(", ")}, or leave \`estimated\` out.`,
        details: { path: `${path}.metric` },
      });
    }
    if (relative !== undefined && absolute !== undefined) {
      throw fail("CONFIG_INVALID", {
        message: `\`${path}\` has both \`relative\` and \`absolute\`; the two would contradict each other.`,
        remedy: "Keep one of them.",
        details: { path },
      });
    }
    const allowed = absolute === undefined ? { relative: relative ?? DEFAULT_RELATIVE } : { absolute };
    const source = estimated ? { estimated: true as const } : {};
    return { kind: "performanceDrop", metric, ...allowed, windowMs: window, minRows, ...source };
  },
  subject: (spec) => `performanceDrop(${spec.metric}${spec.estimated === true ? ", estimated" : ""})`,
  rule: (spec) =>
    `Retrain when ${spec.estimated === true ? "estimated " : ""}${metricWord(spec.metric)} over the last ${formatDuration(spec.windowMs)} of ${spec.estimated === true ? "predictions" : "mature examples"} is worse than on the holdout by ${spec.absolute ?? `${percent(spec.relative ?? DEFAULT_RELATIVE)} % of its value`}, on at least ${plural(spec.minRows, "row")}.`,
  judge(spec, state) {
    const seen = state.performance.get(performanceKey(spec.metric, spec.windowMs, spec.estimated));
    if (seen === undefined || seen.version === null || seen.reference === null)
      return { outcome: "cannot-tell", reason: "There is no live version with a reference value.", inputs: {} };
    return judgeEvidence(spec, seen, seen.reference);
  },
  samples: [
    { spec: sample, fires: seeing(evidence), rests: seeing({ ...evidence, value: 0.329 }) },
    {
      spec: { ...sample, metric: "rocAuc" },
      fires: seeing({ ...evidence, value: 0.7, reference: 0.8, higherIsBetter: true }, "rocAuc"),
      rests: seeing({ ...evidence, value: 0.9, reference: 0.8, higherIsBetter: true }, "rocAuc"),
    },
  ],
};

function judgeEvidence(spec: PerformanceDropSpec, seen: PerformanceEvidence, reference: number) {
  const { version, value, rows, higherIsBetter, interval } = seen;
  const threshold = limitOf(spec, seen, reference);
  const inputs = {
    version,
    value,
    reference,
    limitFrom: limitOrigin(spec),
    rows,
    low: interval?.[0] ?? null,
    high: interval?.[1] ?? null,
  };
  const worse = (one: number) => (higherIsBetter ? one < threshold : one > threshold);
  if (rows < spec.minRows || value === null) {
    const reason = `Fewer than ${plural(spec.minRows, `${spec.estimated === true ? "estimated" : "mature labelled"} prediction`)} of ${version} ${spec.minRows === 1 ? "is" : "are"} in the window.`;
    return { outcome: "cannot-tell" as const, reason, inputs, threshold };
  }
  if (!worse(value)) {
    const reason = `${metricSubject(spec.metric)} of ${version} is within its limit.`;
    return { outcome: "no" as const, reason, inputs, threshold };
  }
  if (interval !== undefined && !worse(higherIsBetter ? interval[1] : interval[0])) {
    const reason = `${metricSubject(spec.metric)} of ${version} is beyond its limit, but its interval still reaches back.`;
    return { outcome: "cannot-tell" as const, reason, inputs, threshold };
  }
  const what = spec.estimated === true ? `Estimated ${metricWord(spec.metric)}` : metricSubject(spec.metric);
  const reason = `${what} of ${version} is ${value.toPrecision(4)} on ${plural(rows, spec.estimated === true ? "prediction" : "mature row")}, limit ${threshold.toPrecision(4)} (${reference.toPrecision(4)} on its holdout).`;
  return { outcome: "yes" as const, reason, inputs, threshold };
}
