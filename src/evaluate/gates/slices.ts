/**
 * No slice of the rows may have become worse. Every slice is one paired test of "worse by more than the margin"; the share of
 * false alarms among the refused ones is held by Benjamini-Hochberg, so that many slices do not mean many false refusals.
 */
import {
  choiceField,
  type GateCheck,
  listField,
  metricWord,
  numberField,
  optional,
  plural,
  type SliceDifference,
  type Task,
  textField,
  withDefault,
} from "../../core/index.ts";
import { type MetricName, metricsFor } from "../../stats/index.ts";
import type { GateSpec } from "../spec.ts";
import { type GateContext, type GateKind, sampleContext, show } from "./gate.ts";

export type SlicesSpec = Extract<GateSpec, { kind: "slices" }>;

/** Share of false alarms among refused slices: a slice that is worse by chance costs a look, one that is overlooked costs users. */
const FALSE_DISCOVERY_SHARE = 0.1;
/** A slice of this many rows has a standard error of about 0.07 in accuracy; below it, nothing is learned (reference value). */
const DEFAULT_MIN_ROWS = 50;

const SLICE_METRICS: Partial<Record<Task, MetricName>> = { regression: "mae", forecast: "mae", recommend: "ndcg" };

const fields = (task: Task) => ({
  features: optional(
    listField(
      "Features whose values are the slices; absent: every feature, and pairs of common values.",
      textField("A feature."),
      {
        min: 1,
      },
    ),
  ),
  metric: withDefault(choiceField("The metric to judge by.", metricsFor(task)), SLICE_METRICS[task] ?? "logLoss"),
  margin: withDefault(numberField("How much worse a slice may be, in the metric's unit.", { min: 0 }), 0),
  minRows: withDefault(
    numberField("Smaller slices are not judged.", { min: 20, max: 1e9, integer: true }),
    DEFAULT_MIN_ROWS,
  ),
});

/** How the evidence of a gate is found again in the report. */
export function isSliceEvidenceOf(spec: SlicesSpec, evidence: { metric: string; margin: number; minRows: number }) {
  return evidence.metric === spec.metric && evidence.margin === spec.margin && evidence.minRows === spec.minRows;
}

function judge(this: { subject: (spec: SlicesSpec) => string }, spec: SlicesSpec, { report }: GateContext): GateCheck {
  const gate = this.subject(spec);
  const base = { gate, rows: report.rows, threshold: spec.margin };
  if (report.championVersion === undefined) {
    return { ...base, outcome: "yes", reason: "There is no champion to compare slices with." };
  }
  const evidence = report.sliceDifferences?.find((one) => isSliceEvidenceOf(spec, one));
  if (evidence === undefined || evidence.differences.length === 0) {
    const small = evidence?.tooSmall ?? 0;
    return {
      ...base,
      outcome: "cannot-tell",
      rowsNeeded: report.rows * 2,
      reason: `None of ${plural(small, "slice")} has the ${plural(spec.minRows, "row")} it takes to be judged on ${plural(report.rows, "held-out row")}.`,
    };
  }
  const { differences, tooSmall } = evidence;
  const worse = differences.filter((one) => one.adjusted <= FALSE_DISCOVERY_SHARE);
  const judged = `${plural(differences.length, "slice was", "slices were")} judged by ${metricWord(spec.metric)}, ${tooSmall} ${tooSmall === 1 ? "is" : "are"} smaller than ${plural(spec.minRows, "row")}`;
  if (worse.length === 0) {
    return { ...base, outcome: "yes", reason: `${judged}: none is worse.` };
  }
  const list = worse
    .toSorted((a, b) => a.adjusted - b.adjusted)
    .slice(0, 5)
    .map(
      (one) =>
        `${one.slice} (${show(one.candidate)} against ${show(one.champion)} on ${plural(one.rows, "row")}, adjusted p ${one.adjusted.toPrecision(2)})`,
    )
    .join(", ");
  return { ...base, outcome: "no", value: worse.length, reason: `${judged}: worse in ${worse.length}: ${list}.` };
}

const sample = (adjusted: number): SliceDifference => ({
  slice: "job=nurse",
  metric: "logLoss",
  rows: 200,
  candidate: 0.4,
  champion: 0.3,
  difference: 0.1,
  standardError: 0.02,
  shrunken: 0.08,
  p: adjusted,
  adjusted,
});
const spec: SlicesSpec = { kind: "slices", metric: "logLoss", margin: 0, minRows: 50 };
const evidence = { metric: "logLoss", margin: 0, minRows: 50, tooSmall: 1 };

export const slices: GateKind<SlicesSpec, ReturnType<typeof fields>> = {
  kind: "slices",
  description: "No slice of the held-out rows is worse than under the champion, corrected for the number of slices.",
  fields,
  resolve: ({ features, ...rest }) => ({ kind: "slices", ...(features === undefined ? {} : { features }), ...rest }),
  subject: ({ features, metric }) => `slices(${features === undefined ? "automatic" : features.join(", ")}; ${metric})`,
  rule: ({ metric, margin }) =>
    `No slice's ${metricWord(metric)} is worse than the champion's by more than ${margin}, at a false discovery share of ${FALSE_DISCOVERY_SHARE}.`,
  metrics: ({ metric }) => [metric],
  judge,
  samples: [
    {
      spec,
      passes: sampleContext({ sliceDifferences: [{ ...evidence, differences: [sample(0.6)] }] }),
      refuses: sampleContext({ sliceDifferences: [{ ...evidence, differences: [sample(0.001)] }] }),
    },
  ],
};
