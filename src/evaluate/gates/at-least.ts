/** The metric itself: its one-sided bound reaches a bar, not its point. */
import {
  choiceField,
  type GateCheck,
  metricSubject,
  metricWord,
  numberField,
  type Outcome,
  plural,
  type Task,
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
  show,
  Z_ONE_SIDED,
} from "./gate.ts";

type AtLeast = Extract<GateSpec, { kind: "atLeast" }>;
const fields = (task: Task) => ({
  metric: choiceField("The metric to judge by.", metricsFor(task)),
  value: numberField("The bar, in the metric's unit."),
});
const nameOf = ({ metric, value }: AtLeast) => `${metricWord(metric)} ${higherIsBetter(metric) ? "≥" : "≤"} ${value}`;

function judge(spec: AtLeast, { report }: GateContext): GateCheck {
  const { metric, value: threshold } = spec;
  const value = report.candidate[metric];
  const stated = report.candidateIntervals[metric];
  const higher = higherIsBetter(metric);
  const base = { gate: `atLeast(${metric}, ${threshold})`, threshold, rows: report.rows };
  if (value === undefined || value === null || stated === undefined) {
    const reason = `${metricSubject(metric)} is undefined on this holdout of ${plural(report.rows, "row")}.`;
    return { ...base, outcome: "cannot-tell", reason };
  }
  const interval = atLook(value, stated, report);
  const [low, high] = interval;
  const cautious = higher ? low : high;
  const hopeful = higher ? high : low;
  const better = (bound: number) => (higher ? bound >= threshold : bound <= threshold);
  const outcome: Outcome = better(cautious) ? "yes" : better(hopeful) ? "cannot-tell" : "no";
  const standardError = (stated[1] - stated[0]) / (2 * Z_ONE_SIDED);
  const distance = better(value) ? Math.abs(value - threshold) : 0;
  const rowsNeeded = neededRows({ rows: report.rows, standardError, distance, z: lookZ(report) });
  const name = nameOf(spec);
  const reasons = {
    yes: `${metricSubject(metric)} is ${show(value)}, at worst ${show(cautious)} at 95 %: ${name} holds.`,
    no: `${metricSubject(metric)} is ${show(value)}, at best ${show(hopeful)} at 95 %: ${name} does not hold.`,
    "cannot-tell": `${metricSubject(metric)} is ${show(value)} with bounds ${show(low)} to ${show(high)} on ${plural(report.rows, "row")}: ${name} cannot be told.${advice(rowsNeeded)}`,
  };
  return {
    ...base,
    outcome,
    value,
    interval,
    ...(outcome === "cannot-tell" && rowsNeeded !== undefined ? { rowsNeeded } : {}),
    reason: reasons[outcome],
  };
}

export const atLeast: GateKind<AtLeast, ReturnType<typeof fields>> = {
  kind: "atLeast",
  description: "The one-sided 95 % bound of the metric reaches the value (for errors: stays at or below it).",
  fields,
  resolve: (values) => ({ kind: "atLeast", ...values }),
  subject: ({ metric, value }) => `atLeast(${metric}, ${value})`,
  rule: (spec) => `The bound of ${nameOf(spec)} holds.`,
  metrics: ({ metric }) => [metric],
  judge,
  samples: [
    {
      spec: { kind: "atLeast", metric: "rocAuc", value: 0.75 },
      passes: sampleContext({}),
      refuses: sampleContext({ candidate: { rocAuc: 0.6 }, candidateIntervals: { rocAuc: [0.58, 0.62] } }),
    },
  ],
};
