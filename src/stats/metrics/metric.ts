/**
 * What every metric shares. A metric is prepared once for its rows (sorting, row losses) and then evaluated under any row
 * weights: with weight 1 for the plain value, with resampling counts for a bootstrap replicate. One implementation serves both,
 * so an interval can never belong to a slightly different metric than the number it surrounds.
 */
import { RetrainError } from "../../core/errors.ts";
import type { Task } from "../../core/records.ts";

export type Numbers = ArrayLike<number>;
export type MetricTask = Task;

export interface MetricInput {
  /** n values: 0 or 1 (binary), class index 0..k−1 (multiclass), or the number itself (regression). */
  readonly labels: Numbers;
  /**
   * n rows × k columns, row by row. Binary: k = 1, the probability of class 1. Multiclass: k probabilities.
   * Regression: k = 1, the predicted number.
   */
  readonly scores: Numbers;
  /** k; default 1. */
  readonly classCount?: number;
  /** Binary decisions: class 1 iff score ≥ threshold; default 0.5. */
  readonly threshold?: number;
  /** Forecasts, n values each: what an absolute error is divided by (> 0), and the ends of the interval. */
  readonly scales?: Numbers;
  readonly lows?: Numbers;
  readonly highs?: Numbers;
}

/** The metric under the given row weights (n values ≥ 0; null means 1 for every row). Null means it is not defined there. */
export type MetricEvaluator = (weights: Numbers | null) => number | null;

/** Default decision threshold of a binary model that has fitted none. */
export const DEFAULT_THRESHOLD = 0.5;

/** Rows of the input, after checking that the arrays fit together and hold no NaN (a NaN score is a broken model, not a score). */
export function checkInput(name: string, input: MetricInput, weights: Numbers | null = null): number {
  const rowCount = input.labels.length;
  const width = input.classCount ?? 1;
  if (input.scores.length !== rowCount * width || (weights !== null && weights.length !== rowCount)) {
    throw new RetrainError("STATISTIC_UNDEFINED", {
      message: `${name} got ${rowCount} labels, ${input.scores.length} scores and classCount ${width}; scores must be labels × classCount.`,
      remedy: "Pass labels, scores and weights of the same rows, scores row by row.",
    });
  }
  for (let i = 0; i < input.scores.length; i++) {
    if ((input.scores[i] as number) !== (input.scores[i] as number))
      throw notFinite(name, "score", Math.floor(i / width));
  }
  for (let i = 0; i < rowCount; i++) {
    if ((input.labels[i] as number) !== (input.labels[i] as number)) throw notFinite(name, "label", i);
  }
  return rowCount;
}

function notFinite(name: string, what: string, row: number): RetrainError {
  return new RetrainError("STATISTIC_UNDEFINED", {
    message: `${name} got NaN as the ${what} of row ${row}; a metric over it would mean nothing.`,
    remedy: "Leave the row out, or fix the model that answers NaN.",
    details: { row },
  });
}

/** Σ weight·value / Σ weight, compensated (A. Neumaier 1974) so that a million rows lose no digits. Null for zero total weight. */
export function weightedMean(values: Numbers, weights: Numbers | null): number | null {
  let sum = 0;
  let lost = 0;
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    const weight = weights === null ? 1 : (weights[i] as number);
    const value = weight * (values[i] as number);
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
    total += weight;
  }
  return total > 0 ? (sum + lost) / total : null;
}

/** Indices 0..n−1 ordered by ascending value; equal values keep their order. Cost O(n log n). */
export function sortedOrder(values: Numbers): Uint32Array {
  const order = new Uint32Array(values.length);
  for (let i = 0; i < order.length; i++) order[i] = i;
  return order.sort((a, b) => (values[a] as number) - (values[b] as number) || a - b);
}
