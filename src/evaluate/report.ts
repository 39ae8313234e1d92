/**
 * The evaluation of a candidate: candidate, champion and baseline answer the same held-out rows, and every comparison is
 * paired, because the rows differ more than the models do. Pure: arrays in, report out.
 */
import { createRandom, type EvaluationReport, type PairedDifference, seedFrom, type Task } from "../core/index.ts";
import {
  type BootstrapOptions,
  bootstrapMetric,
  computeMetric,
  type MetricInput,
  type MetricName,
  metricsFor,
  pairedBootstrap,
  type ResamplePlan,
} from "../stats/index.ts";
import { calibrationCurve } from "./calibration.ts";

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
  /** Event times of the rows, when there are any: neighbors in time are resampled together. */
  readonly at?: Float64Array;
  readonly seed: number;
}

/** Cost O(R · n) per gated metric, R = 2,000 bootstrap replicates. Throws STATISTIC_UNDEFINED for NaN scores. */
export function evaluateCandidate(request: EvaluationRequest): EvaluationReport {
  const metrics = metricsFor(request.task);
  const own = input(request, request.candidate, request.threshold);
  const candidate = valuesOf(metrics, own);
  const gated = metrics.filter((metric) => request.gatedMetrics.includes(metric));
  const champion =
    request.champion === undefined ? undefined : input(request, request.champion, request.championThreshold);
  const baseline = input(request, request.baseline.scores, undefined);
  return {
    rows: request.labels.length,
    candidate,
    candidateIntervals: intervals(gated, own, request),
    ...(champion === undefined ? {} : { champion: valuesOf(metrics, champion) }),
    ...(request.championVersion === undefined ? {} : { championVersion: request.championVersion }),
    baseline: { trainer: request.baseline.trainer, metrics: valuesOf(metrics, baseline) },
    differences:
      champion === undefined ? [] : differences({ metrics: gated, candidate: own, other: champion, request }),
    baselineDifferences: differences({ metrics: gated, candidate: own, other: baseline, request }),
    slices: request.slices
      .filter((slice) => slice.rows.length >= MIN_SLICE_ROWS)
      .map((slice) => sliceValues(slice, metrics, own, champion)),
    ...(request.task === "binary" ? { calibration: calibrationCurve(request.labels, request.candidate) } : {}),
    ...(request.threshold === undefined ? {} : { threshold: request.threshold }),
    holdout: holdoutRange(request),
  };
}

function input(request: EvaluationRequest, scores: Float64Array, threshold: number | undefined): MetricInput {
  return {
    labels: request.labels,
    scores,
    classCount: request.classCount,
    ...(threshold === undefined ? {} : { threshold }),
  };
}

function valuesOf(metrics: readonly MetricName[], from: MetricInput): Record<string, number | null> {
  return Object.fromEntries(metrics.map((metric) => [metric, computeMetric(metric, from)]));
}

interface Comparison {
  readonly metrics: readonly MetricName[];
  readonly candidate: MetricInput;
  readonly other: MetricInput;
  readonly request: EvaluationRequest;
}

/** Level 0.9 two-sided: each end is a one-sided 95 % bound, which is what the gates judge. */
function bootstrapOptions(request: EvaluationRequest, purpose: string, metric: string): BootstrapOptions {
  const plan: ResamplePlan = request.at === undefined ? { kind: "rows" } : { kind: "blocks" };
  return { random: createRandom(seedFrom(request.seed, purpose, metric)), level: 0.9, plan };
}

function differences({ metrics, candidate, other, request }: Comparison): PairedDifference[] {
  const found: PairedDifference[] = [];
  for (const metric of metrics) {
    const paired = pairedBootstrap(
      metric,
      { candidate, champion: other },
      bootstrapOptions(request, "difference", metric),
    );
    const own = bootstrapMetric(metric, other, bootstrapOptions(request, "champion", metric));
    const values = [computeMetric(metric, candidate), computeMetric(metric, other)] as const;
    if (paired === null || own === null || values[0] === null || values[1] === null) continue;
    const plan = request.at === undefined ? "rows" : "blocks of neighbors in time";
    found.push({
      metric,
      candidate: values[0],
      champion: values[1],
      difference: paired.estimate,
      interval: paired.interval,
      championStandardError: own.standardError,
      rows: paired.rowCount,
      method: `paired percentile bootstrap of ${plan}, ${paired.resamples} resamples`,
    });
  }
  return found;
}

function intervals(
  metrics: readonly MetricName[],
  candidate: MetricInput,
  request: EvaluationRequest,
): Record<string, readonly [number, number]> {
  const found: Record<string, readonly [number, number]> = {};
  for (const metric of metrics) {
    const result = bootstrapMetric(metric, candidate, bootstrapOptions(request, "value", metric));
    if (result !== null) found[metric] = result.interval;
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
    candidate: valuesOf(metrics, pick(candidate, slice.rows)),
    ...(champion === undefined ? {} : { champion: valuesOf(metrics, pick(champion, slice.rows)) }),
  };
}

function pick(from: MetricInput, rows: Uint32Array): MetricInput {
  const width = from.classCount ?? 1;
  const labels = new Float64Array(rows.length);
  const scores = new Float64Array(rows.length * width);
  rows.forEach((row, i) => {
    labels[i] = from.labels[row] as number;
    for (let j = 0; j < width; j++) scores[i * width + j] = from.scores[row * width + j] as number;
  });
  return { ...from, labels, scores };
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
