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

/** Below this many values a sort by comparison is done before the counts of the other are cleared. */
const RADIX_VALUES = 256;
const DIGIT_BITS = 11;
const DIGIT_COUNT = 1 << DIGIT_BITS;

/**
 * Indices 0..n−1 ordered by ascending value; equal values keep their order. No value may be NaN. Cost O(n): a radix sort of the
 * bits (D. Knuth, The Art of Computer Programming 3, 1998, section 5.2.5), which skips digits that all values share.
 */
export function sortedOrder(values: Numbers): Uint32Array {
  const count = values.length;
  let order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  if (count < RADIX_VALUES) return order.sort((a, b) => (values[a] as number) - (values[b] as number) || a - b);
  const words = orderedBits(values);
  let next = new Uint32Array(count);
  const starts = new Uint32Array(DIGIT_COUNT + 1);
  for (const half of [0, 1]) {
    for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
      if (!sortByDigit(words, { half, shift, order, next, starts })) continue;
      [order, next] = [next, order];
    }
  }
  return order;
}

/** Low and high words of the values, changed so that they compare as unsigned integers as the values do. */
function orderedBits(values: Numbers): Uint32Array {
  const doubles = new Float64Array(values.length);
  // Adding 0 makes −0 equal to 0, as a comparison sees them.
  for (let i = 0; i < doubles.length; i++) doubles[i] = (values[i] as number) + 0;
  const words = new Uint32Array(doubles.buffer);
  for (let i = 0; i < words.length; i += 2) {
    const high = words[i + 1] as number;
    if (high >>> 31 === 0) words[i + 1] = high | 0x80000000;
    else {
      words[i] = ~(words[i] as number);
      words[i + 1] = ~high;
    }
  }
  return words;
}

interface DigitSort {
  readonly half: number;
  readonly shift: number;
  readonly order: Uint32Array;
  readonly next: Uint32Array;
  readonly starts: Uint32Array;
}

/** Writes `order` sorted by one digit to `next`; false, and nothing written, when all have the same. */
function sortByDigit(words: Uint32Array, { half, shift, order, next, starts }: DigitSort): boolean {
  const mask = DIGIT_COUNT - 1;
  const count = order.length;
  starts.fill(0);
  for (let i = half; i < words.length; i += 2) {
    const digit = ((words[i] as number) >>> shift) & mask;
    starts[digit + 1] = (starts[digit + 1] as number) + 1;
  }
  if (starts[(((words[half] as number) >>> shift) & mask) + 1] === count) return false;
  for (let digit = 0; digit < DIGIT_COUNT; digit++) {
    starts[digit + 1] = (starts[digit + 1] as number) + (starts[digit] as number);
  }
  for (let i = 0; i < count; i++) {
    const index = order[i] as number;
    const digit = ((words[2 * index + half] as number) >>> shift) & mask;
    const place = starts[digit] as number;
    next[place] = index;
    starts[digit] = place + 1;
  }
  return true;
}
