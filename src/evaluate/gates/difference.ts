/** Paired differences with another model: not worse than the champion, better than it, better than the baseline. */
import {
  choiceField,
  type GateCheck,
  metricSubject,
  metricWord,
  numberField,
  optional,
  type Outcome,
  type PairedDifference,
  plural,
  type Task,
  withDefault,
} from "../../core/index.ts";
import { metricsFor } from "../../stats/index.ts";
import type { GateSpec } from "../spec.ts";
import {
  advice,
  atLook,
  type GateContext,
  type GateKind,
  higherIsBetter,
  lookZ,
  neededRows,
  sampleContext,
  sampleDifference,
  show,
  Z_ONE_SIDED,
} from "./gate.ts";

type NoWorse = Extract<GateSpec, { kind: "noWorseThanChampion" }>;
type Better = Extract<GateSpec, { kind: "betterThanChampion" }>;
type Baseline = Extract<GateSpec, { kind: "betterThanBaseline" }>;

const metricField = (task: Task) => choiceField("The metric to judge by.", metricsFor(task));

/**
 * Margin when none is configured: one standard error of the champion's own metric on this holdout. A difference smaller than
 * what the holdout can resolve about the champion itself is not evidence of harm.
 */
export function derivedMargin(difference: PairedDifference): number {
  return difference.championStandardError;
}

/** 80 % normal quantile: the chance with which the advised rows settle it for two equal models. */
const Z_POWER = 0.8416212335729143;

interface Question {
  readonly gate: string;
  readonly metric: string;
  readonly difference: PairedDifference | undefined;
  /** What must be shown: not worse by more than the margin, or better by at least the margin; margin ≥ 0, in the metric's unit. */
  readonly show: "not worse" | "better";
  readonly margin: number;
  readonly against: string;
  readonly how: string;
}

function judgeDifference(question: Question, { report }: GateContext): GateCheck {
  const { difference, margin, metric, against, gate } = question;
  if (difference === undefined) {
    const reason = `${metricSubject(metric)} is undefined for one of the two on ${plural(report.rows, "row")}.`;
    return { gate, outcome: "cannot-tell", rows: report.rows, reason };
  }
  const sign = higherIsBetter(metric) ? -1 : 1;
  // "Harm" is positive when the candidate is worse, whichever way the metric points.
  const harm = sign * difference.difference;
  const interval = atLook(difference.difference, difference.interval, report);
  const [low, high] = interval;
  const harmLow = sign > 0 ? low : -high;
  const harmHigh = sign > 0 ? high : -low;
  const mustBeBetter = question.show === "better";
  const allowed = mustBeBetter && margin > 0 ? -margin : margin;
  // Superiority is strict, and refused when even the hopeful bound does not reach it; non-inferiority when harm is certain.
  const isYes = mustBeBetter ? harmHigh < allowed : harmHigh <= allowed;
  const isNo = mustBeBetter ? harmLow >= allowed : harmLow > 0;
  const outcome: Outcome = isYes ? "yes" : isNo ? "no" : "cannot-tell";
  const standardError = (difference.interval[1] - difference.interval[0]) / (2 * Z_ONE_SIDED);
  const z = lookZ(report);
  const common = { rows: difference.rows, standardError };
  // Planned for two equal models, so that four of five such holdouts would settle it; the estimate of a small one is mostly noise.
  const planned = mustBeBetter ? undefined : neededRows({ ...common, distance: margin, z: z + Z_POWER });
  const rowsNeeded = planned ?? neededRows({ ...common, distance: allowed - harm, z });
  const values = `${metricSubject(metric)} ${show(difference.candidate)} against ${show(difference.champion)} of ${against} on ${plural(difference.rows, "row")}`;
  const bounds = `difference ${show(difference.difference)}, 90 % interval ${show(low)} to ${show(high)}, margin ${show(margin)} (${question.how})`;
  const verdict = {
    yes: `It is ${question.show}.`,
    no: mustBeBetter ? "It is not better." : "It is worse.",
    "cannot-tell": `The evidence does not settle it.${advice(rowsNeeded)}`,
  }[outcome];
  return {
    gate,
    outcome,
    value: difference.difference,
    threshold: allowed,
    interval,
    rows: difference.rows,
    ...(outcome === "cannot-tell" && rowsNeeded !== undefined ? { rowsNeeded } : {}),
    reason: `${values}: ${bounds}. ${verdict}`,
  };
}

const championDifference = (metric: string, { report }: GateContext) =>
  report.differences.find((one) => one.metric === metric);

function withoutChampion(gate: string, { report, champion }: GateContext): GateCheck | undefined {
  if (report.championVersion !== undefined) return undefined;
  const reason =
    champion === undefined
      ? "There is no champion to compare with."
      : `Champion ${champion} cannot answer these rows, so there is nothing to compare with.`;
  return { gate, outcome: "yes", rows: report.rows, reason };
}

const noWorseFields = (task: Task) => ({
  metric: metricField(task),
  margin: optional(numberField("How much worse it may be, in the metric's unit.", { min: 0 })),
});
export const noWorseThanChampion: GateKind<NoWorse, ReturnType<typeof noWorseFields>> = {
  kind: "noWorseThanChampion",
  description:
    "Not worse than the champion on the same rows by more than the margin; by default one standard error of the champion.",
  fields: noWorseFields,
  resolve: ({ metric, margin }) => ({
    kind: "noWorseThanChampion",
    metric,
    ...(margin === undefined ? {} : { margin }),
  }),
  subject: ({ metric }) => `noWorseThanChampion(${metric})`,
  rule: ({ metric, margin }) =>
    `The candidate's ${metricWord(metric)} is not worse than the champion's by more than ${margin ?? "one standard error of the champion"}.`,
  metrics: ({ metric }) => [metric],
  judge(spec, context) {
    const { metric, margin } = spec;
    const gate = this.subject(spec);
    const difference = championDifference(metric, context);
    return (
      withoutChampion(gate, context) ??
      judgeDifference(
        {
          gate,
          metric,
          difference,
          show: "not worse",
          margin: margin ?? (difference === undefined ? 0 : derivedMargin(difference)),
          against: `champion ${context.report.championVersion ?? ""}`,
          how: margin === undefined ? "one standard error of the champion" : "as configured",
        },
        context,
      )
    );
  },
  samples: [
    {
      spec: { kind: "noWorseThanChampion", metric: "logLoss", margin: 0.01 },
      passes: sampleContext({ differences: [sampleDifference(0, 0.005)] }),
      refuses: sampleContext({ differences: [sampleDifference(0.03, 0.005)] }),
    },
  ],
};

const betterFields = (task: Task) => ({
  metric: metricField(task),
  by: withDefault(numberField("How much better it must be, in the metric's unit.", { min: 0 }), 0),
});
export const betterThanChampion: GateKind<Better, ReturnType<typeof betterFields>> = {
  kind: "betterThanChampion",
  description: "Better than the champion on the same rows, by at least `by` with 95 % confidence.",
  fields: betterFields,
  resolve: (values) => ({ kind: "betterThanChampion", ...values }),
  subject: ({ metric, by }) => `betterThanChampion(${metric}${by === 0 ? "" : `, ${by}`})`,
  rule: ({ metric, by }) =>
    `The candidate's ${metricWord(metric)} is better than the champion's${by === 0 ? "" : ` by ${by}`}.`,
  metrics: ({ metric }) => [metric],
  judge(spec, context) {
    const { metric, by } = spec;
    const gate = this.subject(spec);
    return (
      withoutChampion(gate, context) ??
      judgeDifference(
        {
          gate,
          metric,
          difference: championDifference(metric, context),
          show: "better",
          margin: by,
          against: `champion ${context.report.championVersion ?? ""}`,
          how: "must be better by it",
        },
        context,
      )
    );
  },
  samples: [
    {
      spec: { kind: "betterThanChampion", metric: "logLoss", by: 0.005 },
      passes: sampleContext({ differences: [sampleDifference(-0.02, 0.005)] }),
      refuses: sampleContext({ differences: [sampleDifference(0, 0.001)] }),
    },
    {
      spec: { kind: "betterThanChampion", metric: "logLoss", by: 0 },
      passes: sampleContext({ differences: [sampleDifference(-0.02, 0.005)] }),
      // The very same model: no number of rows makes it better than itself.
      refuses: sampleContext({ differences: [sampleDifference(0, 0)] }),
    },
  ],
};

const baselineFields = (task: Task) => ({ metric: metricField(task) });
export const betterThanBaseline: GateKind<Baseline, ReturnType<typeof baselineFields>> = {
  kind: "betterThanBaseline",
  description: "Better than always answering the majority class (regression: the mean).",
  fields: baselineFields,
  resolve: (values) => ({ kind: "betterThanBaseline", ...values }),
  subject: ({ metric }) => `betterThanBaseline(${metric})`,
  rule: ({ metric }) => `The candidate's ${metricWord(metric)} is better than the baseline's.`,
  metrics: ({ metric }) => [metric],
  judge(spec, context) {
    const { report } = context;
    return judgeDifference(
      {
        gate: this.subject(spec),
        metric: spec.metric,
        difference: report.baselineDifferences.find((one) => one.metric === spec.metric),
        show: "better",
        margin: 0,
        against: `the "${report.baseline.trainer}" baseline`,
        how: "must be better",
      },
      context,
    );
  },
  samples: [
    {
      spec: { kind: "betterThanBaseline", metric: "logLoss" },
      passes: sampleContext({ baselineDifferences: [sampleDifference(-0.1, 0.02)] }),
      refuses: sampleContext({ baselineDifferences: [sampleDifference(0.1, 0.02)] }),
    },
  ],
};
