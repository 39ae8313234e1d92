/**
 * The evaluation of a candidate: candidate, champion and baseline answer the same held-out rows, and every comparison is
 * paired, because the rows differ more than the models do. Pure: arrays in, report out.
 */
import type { EvaluationReport, LabelValue, PairedDifference, Task } from "../core/index.ts";
import { computeMetric, type MetricInput, type MetricName, metricsFor } from "../stats/index.ts";
import { calibrationCurve } from "./calibration.ts";
import { compareMetric, type ComparisonRules, metricInterval } from "./comparison.ts";
import {
  calibrationEvidence,
  compareSlices,
  confusionEvidence,
  holdoutParts,
  pickRows,
  type SliceRequest,
} from "./evidence.ts";
import { thresholdCounts } from "./thresholds.ts";

/** Fewer rows than this in a slice say nothing worth printing. */
const MIN_SLICE_ROWS = 30;

export interface EvaluationRequest {
  readonly task: Task;
  /** Columns of `scores` for multiclass; 1 for binary (probability of true) and regression. */
  readonly classCount: number;
  /** n values: 0/1, class index, or the number. */
  readonly labels: Float64Array;
  /** n × classCount, row by row. */
  readonly candidate: Float64Array;
  readonly champion?: Float64Array;
  readonly championVersion?: string;
  readonly baseline: { readonly trainer: string; readonly scores: Float64Array };
  /** Binary: the candidate's decision threshold, and the champion's own. */
  readonly threshold?: number;
  readonly championThreshold?: number;
  /** Metrics the gates judge: they get paired intervals. */
  readonly gatedMetrics: readonly string[];
  readonly slices: readonly { readonly name: string; readonly rows: Uint32Array }[];
  /** Slices that gates judge, one request per gate. */
  readonly slicesToJudge?: readonly SliceRequest[];
  /** Whether a gate judges calibration. */
  readonly judgeCalibration?: boolean;
  /** Names of the classes in score order, for the confusion matrix. */
  readonly classes?: readonly LabelValue[];
  /** Event times of the rows, when there are any: neighbors in time are resampled together. */
  readonly at?: Float64Array;
  readonly seed: number;
  /** Forecasts: what goes with the scores of each, row by row. */
  readonly scales?: Float64Array;
  readonly bands?: Readonly<Record<"candidate" | "champion" | "baseline", ForecastBand | undefined>>;
}
export interface ForecastBand {
  readonly lows: Float64Array;
  readonly highs: Float64Array;
}

/** Cost O(R · n) per gated metric at most, R = 2,000 bootstrap replicates. Throws STATISTIC_UNDEFINED for NaN scores. */
export function evaluateCandidate(request: EvaluationRequest): EvaluationReport {
  const metrics = metricsFor(request.task);
  const rules: ComparisonRules = { timeOrdered: request.at !== undefined, seed: request.seed };
  const own = input(request, request.candidate, request.threshold, request.bands?.candidate);
  const gated = metrics.filter((metric) => request.gatedMetrics.includes(metric));
  const champion =
    request.champion === undefined
      ? undefined
      : input(request, request.champion, request.championThreshold, request.bands?.champion);
  const baseline = input(request, request.baseline.scores, undefined, request.bands?.baseline);
  const models = { candidate: own, ...(champion === undefined ? {} : { champion }) };
  return {
    rows: request.labels.length,
    candidate: valuesOf(metrics, own),
    candidateIntervals: intervals(gated, own, rules),
    ...(champion === undefined ? {} : { champion: valuesOf(metrics, champion) }),
    ...(request.championVersion === undefined ? {} : { championVersion: request.championVersion }),
    baseline: { trainer: request.baseline.trainer, metrics: valuesOf(metrics, baseline) },
    differences: champion === undefined ? [] : differences(gated, own, champion, rules),
    baselineDifferences: differences(gated, own, baseline, rules),
    slices: request.slices
      .filter((slice) => slice.rows.length >= MIN_SLICE_ROWS)
      .map((slice) => sliceValues(slice, metrics, own, champion)),
    ...(request.task === "binary" ? { calibration: calibrationCurve(request.labels, request.candidate) } : {}),
    ...(request.task === "binary" && request.champion !== undefined
      ? { championCalibration: calibrationCurve(request.labels, request.champion) }
      : {}),
    ...(request.task === "binary" ? { decisions: decisionsOf(request) } : {}),
    ...(request.threshold === undefined ? {} : { threshold: request.threshold }),
    ...judgedEvidence(request, own, champion, rules),
    ...confusionEvidence(request.classes ?? [], models),
    ...(request.at === undefined ? {} : { holdoutParts: holdoutParts(metrics, models, request.at) }),
    holdout: holdoutRange(request),
  };
}

function decisionsOf({ labels, candidate, champion }: EvaluationRequest): NonNullable<EvaluationReport["decisions"]> {
  const positives = labels.reduce((sum, label) => sum + label, 0);
  return {
    positives,
    negatives: labels.length - positives,
    candidate: thresholdCounts(labels, candidate),
    ...(champion === undefined ? {} : { champion: thresholdCounts(labels, champion) }),
  };
}

/** What only gates ask for, and what costs too much to find out for nobody. */
function judgedEvidence(
  request: EvaluationRequest,
  candidate: MetricInput,
  champion: MetricInput | undefined,
  rules: ComparisonRules,
): Pick<EvaluationReport, "sliceDifferences" | "calibrationError"> {
  const asked = request.slicesToJudge ?? [];
  const calibrationError =
    request.judgeCalibration === true && request.task === "binary" ? calibrationEvidence(candidate, rules) : undefined;
  return {
    ...(champion === undefined || asked.length === 0
      ? {}
      : { sliceDifferences: asked.map((one) => compareSlices(one, { candidate, other: champion }, rules)) }),
    ...(calibrationError === undefined ? {} : { calibrationError }),
  };
}

function input(
  request: EvaluationRequest,
  scores: Float64Array,
  threshold: number | undefined,
  band?: ForecastBand,
): MetricInput {
  return {
    labels: request.labels,
    scores,
    classCount: request.classCount,
    ...(threshold === undefined ? {} : { threshold }),
    ...(request.scales === undefined ? {} : { scales: request.scales }),
    ...band,
  };
}

function valuesOf(metrics: readonly MetricName[], from: MetricInput): Record<string, number | null> {
  return Object.fromEntries(metrics.map((metric) => [metric, computeMetric(metric, from)]));
}

function differences(
  metrics: readonly MetricName[],
  candidate: MetricInput,
  other: MetricInput,
  rules: ComparisonRules,
): PairedDifference[] {
  return metrics.flatMap((metric) => compareMetric(metric, { candidate, other }, rules) ?? []);
}

function intervals(
  metrics: readonly MetricName[],
  candidate: MetricInput,
  rules: ComparisonRules,
): Record<string, readonly [number, number]> {
  const found: Record<string, readonly [number, number]> = {};
  for (const metric of metrics) {
    const interval = metricInterval(metric, candidate, rules);
    if (interval !== null) found[metric] = interval;
  }
  return found;
}

function sliceValues(
  slice: EvaluationRequest["slices"][number],
  metrics: readonly MetricName[],
  candidate: MetricInput,
  champion: MetricInput | undefined,
): EvaluationReport["slices"][number] {
  return {
    slice: slice.name,
    rows: slice.rows.length,
    candidate: valuesOf(metrics, pickRows(candidate, slice.rows)),
    ...(champion === undefined ? {} : { champion: valuesOf(metrics, pickRows(champion, slice.rows)) }),
  };
}

function holdoutRange(request: EvaluationRequest): EvaluationReport["holdout"] {
  const rows = request.labels.length;
  if (request.at === undefined || rows === 0) return { rows };
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;
  for (const at of request.at) {
    if (at < from) from = at;
    if (at > to) to = at;
  }
  return { from, to, rows };
}
