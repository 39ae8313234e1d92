/** The metrics a model can be gated and monitored by: one entry each, found by name. */
import { RetrainError } from "../../core/errors.ts";
import { eceEvaluator } from "./calibration-error.ts";
import { averagedF1Of, f1Of, matrixEvaluator } from "./decision.ts";
import {
  checkInput,
  type MetricEvaluator,
  type MetricInput,
  type MetricTask,
  type Numbers,
  weightedMean,
} from "./metric.ts";
import { averagePrecisionEvaluator, rocAucEvaluator } from "./ranking.ts";
import { coveredRows, scaledErrorRows } from "./forecast.ts";
import { hitRows, hitShareEvaluator, ndcgRows, recallRows } from "./recommend.ts";
import { r2Evaluator, rmseEvaluator, wapeEvaluator } from "./regression.ts";
import { absoluteErrorRows, brierRows, correctRows, logLossRows } from "./row-losses.ts";

export interface MetricDefinition {
  readonly tasks: readonly MetricTask[];
  readonly higherIsBetter: boolean;
  /** The metric is the mean of one number per row, so it can be kept as an exact sum and tested by paired differences. */
  readonly perRow: boolean;
  /** Smallest and largest possible value. */
  readonly range: readonly [number, number];
  /** Uses decided classes, so it depends on the decision threshold of a binary model. */
  readonly usesThreshold: boolean;
  readonly description: string;
  readonly prepare: (input: MetricInput) => MetricEvaluator;
}

const perRow =
  (rows: (input: MetricInput) => Float64Array) =>
  (input: MetricInput): MetricEvaluator => {
    const values = rows(input);
    return (weights) => weightedMean(values, weights);
  };

const define = (definition: MetricDefinition): MetricDefinition => definition;

export const METRICS = {
  logLoss: define({
    tasks: ["binary", "multiclass"],
    higherIsBetter: false,
    perRow: true,
    range: [0, 34.54],
    usesThreshold: false,
    description: "Mean negative log of the probability given to what happened, in nats.",
    prepare: perRow(logLossRows),
  }),
  rocAuc: define({
    tasks: ["binary"],
    higherIsBetter: true,
    perRow: false,
    range: [0, 1],
    usesThreshold: false,
    description: "Probability that a positive row scores above a negative one; ties count one half.",
    prepare: rocAucEvaluator,
  }),
  averagePrecision: define({
    tasks: ["binary"],
    higherIsBetter: true,
    perRow: false,
    range: [0, 1],
    usesThreshold: false,
    description:
      "Precision averaged over recall steps. Rises with the share of positives, so compare it on equal rows only.",
    prepare: averagePrecisionEvaluator,
  }),
  accuracy: define({
    tasks: ["binary", "multiclass"],
    higherIsBetter: true,
    perRow: true,
    range: [0, 1],
    usesThreshold: true,
    description: "Share of rows decided right.",
    prepare: perRow(correctRows),
  }),
  f1: define({
    tasks: ["binary"],
    higherIsBetter: true,
    perRow: false,
    range: [0, 1],
    usesThreshold: true,
    description: "Harmonic mean of precision and recall of class 1.",
    prepare: (input) => matrixEvaluator(input, (matrix) => f1Of(matrix)),
  }),
  macroF1: define({
    tasks: ["binary", "multiclass"],
    higherIsBetter: true,
    perRow: false,
    range: [0, 1],
    usesThreshold: true,
    description: "F1 of each class, averaged evenly over the classes that occur.",
    prepare: (input) => matrixEvaluator(input, (matrix) => averagedF1Of(matrix, "macro")),
  }),
  brier: define({
    tasks: ["binary", "multiclass"],
    higherIsBetter: false,
    perRow: true,
    range: [0, 2],
    usesThreshold: false,
    description: "Mean squared distance of the probabilities from what happened (binary: at most 1).",
    prepare: perRow(brierRows),
  }),
  ece: define({
    tasks: ["binary"],
    higherIsBetter: false,
    perRow: false,
    range: [0, 1],
    usesThreshold: false,
    description: "Expected calibration error over 10 equal-width bins; biased upward on small samples.",
    prepare: (input) => eceEvaluator(input),
  }),
  wape: define({
    tasks: ["forecast"],
    higherIsBetter: false,
    perRow: false,
    range: [0, Infinity],
    usesThreshold: false,
    description: "Sum of absolute errors as a share of the sum of absolute values.",
    prepare: wapeEvaluator,
  }),
  mase: define({
    tasks: ["forecast"],
    higherIsBetter: false,
    perRow: true,
    range: [0, Infinity],
    usesThreshold: false,
    description: "Mean absolute error in units of the series' own mean seasonal change; 1 is as good as last season.",
    prepare: perRow(scaledErrorRows),
  }),
  intervalCoverage: define({
    tasks: ["forecast"],
    higherIsBetter: true,
    perRow: true,
    range: [0, 1],
    usesThreshold: false,
    description:
      "Share of targets within their interval; as much as its level is right, more means intervals too wide.",
    prepare: perRow(coveredRows),
  }),
  ndcg: define({
    tasks: ["recommend"],
    higherIsBetter: true,
    perRow: true,
    range: [0, 1],
    usesThreshold: false,
    description:
      "Gain of a user's slate, hits further down counting less, as a share of the best slate; mean over users.",
    prepare: perRow(ndcgRows),
  }),
  recall: define({
    tasks: ["recommend"],
    higherIsBetter: true,
    perRow: true,
    range: [0, 1],
    usesThreshold: false,
    description: "Share of what a user took later that stood in its slate; mean over users.",
    prepare: perRow(recallRows),
  }),
  hitRate: define({
    tasks: ["recommend"],
    higherIsBetter: true,
    perRow: true,
    range: [0, 1],
    usesThreshold: false,
    description: "Share of users whose slate held at least one item they took later.",
    prepare: perRow(hitRows),
  }),
  hitShare: define({
    tasks: ["recommend"],
    higherIsBetter: true,
    perRow: false,
    range: [0, 1],
    usesThreshold: false,
    description:
      "Share of interactions whose item stood in the user's slate. The only one also known of live slates, one interaction at a time.",
    prepare: hitShareEvaluator,
  }),
  mae: define({
    tasks: ["regression", "forecast"],
    higherIsBetter: false,
    perRow: true,
    range: [0, Infinity],
    usesThreshold: false,
    description: "Mean absolute error, in the unit of the label.",
    prepare: perRow(absoluteErrorRows),
  }),
  rmse: define({
    tasks: ["regression", "forecast"],
    higherIsBetter: false,
    perRow: false,
    range: [0, Infinity],
    usesThreshold: false,
    description: "Root of the mean squared error, in the unit of the label.",
    prepare: rmseEvaluator,
  }),
  r2: define({
    tasks: ["regression"],
    higherIsBetter: true,
    perRow: false,
    range: [-Infinity, 1],
    usesThreshold: false,
    description: "Share of the label's variance explained.",
    prepare: r2Evaluator,
  }),
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof METRICS;
export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[];

/** True when `name` is one of `METRIC_NAMES`. */
export function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name);
}

/** Names of the metrics that fit a task, in the order of the registry. */
export function metricsFor(task: MetricTask): readonly MetricName[] {
  return METRIC_NAMES.filter((name) => (METRICS[name].tasks as readonly MetricTask[]).includes(task));
}

const ROW_LOSSES: Partial<Record<MetricName, (input: MetricInput) => Float64Array>> = {
  logLoss: logLossRows,
  accuracy: correctRows,
  brier: brierRows,
  mae: absoluteErrorRows,
  mase: scaledErrorRows,
  intervalCoverage: coveredRows,
  ndcg: ndcgRows,
  recall: recallRows,
  hitRate: hitRows,
};

/** Prepares a metric for its rows; evaluate it under as many weights as needed. */
export function prepareMetric(name: MetricName, input: MetricInput): MetricEvaluator {
  return METRICS[name].prepare(input);
}

/**
 * The metric over all rows, or null where it is not defined (no rows, one class only, no variance).
 * Throws STATISTIC_UNDEFINED for NaN or arrays that do not fit together. Cost O(n·k), O(n log n) for ranking metrics.
 */
export function computeMetric(name: MetricName, input: MetricInput, weights: Numbers | null = null): number | null {
  checkInput(name, input, weights);
  return METRICS[name].prepare(input)(weights);
}

/** All metrics of a task over the same rows. */
export function computeMetrics(task: MetricTask, input: MetricInput): Record<string, number | null> {
  const values: Record<string, number | null> = {};
  for (const name of metricsFor(task)) values[name] = computeMetric(name, input);
  return values;
}

/**
 * One number per row whose mean is the metric (for `accuracy` 1 = right, so higher is better there).
 * Throws STATISTIC_UNDEFINED for a metric that is not such a mean.
 */
export function rowLosses(name: MetricName, input: MetricInput): Float64Array {
  const rows = ROW_LOSSES[name];
  if (rows === undefined) {
    throw new RetrainError("STATISTIC_UNDEFINED", {
      message: `${name} is not a mean over rows, so it has no row losses.`,
      remedy: `Use one of ${Object.keys(ROW_LOSSES).join(", ")}.`,
    });
  }
  return rows(input);
}
