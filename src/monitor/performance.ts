/**
 * Realised performance as counters: every labelled prediction adds integers to the bucket of its hour, and any metric of any
 * window is computed from the sum. Sums of losses are fixed-point, so the sum over folds, in any order and split, has the same
 * bits as an offline recomputation. ROC AUC and average precision come from two histograms of the score and are within 0.001
 * and 0.005 of the unbinned value; everything else is exact up to one rounding at the end.
 */
import type { CounterValues, LabelValue, Task } from "../core/index.ts";
import {
  binaryLogLossOf,
  binnedAveragePrecision,
  binnedRocAuc,
  FIXED_POINT_BITS,
  fromFixedPoint,
  LOG_LOSS_CLIP,
  logDeterministic,
  SCORE_BIN_COUNT,
  scoreBin,
  toFixedPoint,
} from "../stats/index.ts";
import { CALIBRATION_BINS, metricInterval } from "./performance-interval.ts";

export interface LabelledPrediction {
  readonly task: Task;
  /** In score order; binary [false, true]. Empty for regression. */
  readonly classes: readonly LabelValue[];
  readonly scores: readonly number[];
  readonly decision: LabelValue;
  readonly label: LabelValue;
}

/** What one labelled prediction adds. A label outside the version's classes counts as wrong with the clipped loss. */
export function performanceOf(one: LabelledPrediction): CounterValues {
  if (one.task === "binary") return binaryCounters(one);
  if (one.task === "forecast") return forecastCounters(one);
  if (one.task === "recommend") return slateCounters(one);
  return one.task === "multiclass" ? multiclassCounters(one) : regressionCounters(one);
}

function binaryCounters(one: LabelledPrediction): CounterValues {
  const positive = one.label === true;
  const score = one.scores[1] as number;
  const decided = one.decision === true;
  const y = positive ? 1 : 0;
  const loss = toFixedPoint(binaryLogLossOf(y, score));
  const lossFloat = fromFixedPoint(loss);
  const error = score - y;
  const bin = Math.min(Math.floor(score * CALIBRATION_BINS), CALIBRATION_BINS - 1);
  return {
    n: 1n,
    [positive ? (decided ? "tp" : "fn") : decided ? "fp" : "tn"]: 1n,
    logLoss: loss,
    logLossSquared: toFixedPoint(lossFloat * lossFloat),
    brier: toFixedPoint(error * error),
    brierSquared: toFixedPoint(error * error * error * error),
    [`e${bin}n`]: 1n,
    [`e${bin}p`]: toFixedPoint(score),
    ...(positive ? { [`e${bin}y`]: 1n } : {}),
    [`${positive ? "p" : "q"}${scoreBin(score)}`]: 1n,
  };
}

function multiclassCounters(one: LabelledPrediction): CounterValues {
  const truth = one.classes.indexOf(one.label);
  const decided = one.classes.indexOf(one.decision);
  let sum = 0;
  let own = LOG_LOSS_CLIP;
  let squared = truth < 0 ? 1 : 0;
  one.scores.forEach((score, j) => {
    const p = Math.min(Math.max(score, LOG_LOSS_CLIP), 1 - LOG_LOSS_CLIP);
    sum += p;
    if (j === truth) own = p;
    const error = score - (j === truth ? 1 : 0);
    squared += error * error;
  });
  const loss = toFixedPoint(-logDeterministic(own / sum));
  const lossFloat = fromFixedPoint(loss);
  return {
    n: 1n,
    ...(truth === decided && truth >= 0 ? { correct: 1n } : {}),
    [`c${truth}_${decided}`]: 1n,
    logLoss: loss,
    logLossSquared: toFixedPoint(lossFloat * lossFloat),
    brier: toFixedPoint(squared),
    brierSquared: toFixedPoint(squared * squared),
  };
}

function regressionCounters(one: LabelledPrediction): CounterValues {
  const y = one.label as number;
  const error = (one.scores[0] as number) - y;
  const absolute = toFixedPoint(Math.abs(error));
  const square = toFixedPoint(error * error);
  return {
    n: 1n,
    absoluteError: absolute,
    squaredError: square,
    // As integers: the fourth power of an error of some ten thousands is beyond what one value may be.
    squaredErrorSquared: (square * square) >> BigInt(FIXED_POINT_BITS),
    y: toFixedPoint(y),
    ySquared: toFixedPoint(y * y),
  };
}

/** Scores of a forecast: value, low, high, scale. */
function forecastCounters(one: LabelledPrediction): CounterValues {
  const y = one.label as number;
  const [value, low, high, scale] = one.scores as readonly [number, number, number, number];
  const scaled = toFixedPoint(Math.abs(value - y) / scale);
  const scaledFloat = fromFixedPoint(scaled);
  const size = toFixedPoint(Math.abs(y));
  return {
    ...regressionCounters(one),
    size,
    errorTimesSize: (toFixedPoint(Math.abs(value - y)) * size) >> BigInt(FIXED_POINT_BITS),
    scaledError: scaled,
    scaledErrorSquared: toFixedPoint(scaledFloat * scaledFloat),
    ...(y >= low && y <= high ? { covered: 1n } : {}),
  };
}

/** One interaction against the slate before it. The score is the item's place in it, 0 where it was missing. */
function slateCounters(one: LabelledPrediction): CounterValues {
  // A rejection says nothing about whether the slate was right to leave the item out.
  if (!((one.label as number) > 0)) return {};
  return { n: 1n, ...((one.scores[0] as number) > 0 ? { hits: 1n } : {}) };
}

/** Adds `delta` times `sign` to a sum kept in a Map; zeros are dropped. */
export function addInPlace(sum: Map<string, bigint>, delta: CounterValues, sign: 1n | -1n = 1n): void {
  // Not over entries: this runs for every row of a fold, and they would be most of its garbage.
  for (const key in delta) {
    const value = delta[key] as bigint;
    const known = sum.get(key) ?? 0n;
    const next = sign === 1n ? known + value : known - value;
    if (next === 0n) sum.delete(key);
    else sum.set(key, next);
  }
}

export interface MetricEstimate {
  readonly value: number | null;
  readonly rows: number;
  /** 90 % two-sided, where the counters hold enough; each end a one-sided 95 % bound. */
  readonly interval?: readonly [number, number];
}

/** A metric of summed counters. Null where it is not defined (no rows, one class, no variance). */
export function metricFromCounters(metric: string, values: CounterValues): MetricEstimate {
  const count = Number(values.n ?? 0n);
  if (count === 0) return { value: null, rows: 0 };
  const value = metricValue(metric, values, count);
  const interval =
    value === null
      ? undefined
      : metricInterval(metric, {
          values,
          count,
          value,
          histogram: (side) => histogram(values, side),
          confusion: () => confusion(values),
        });
  return { value, rows: count, ...(interval === undefined ? {} : { interval }) };
}

const whole = (values: CounterValues, key: string) => Number(values[key] ?? 0n);
const mean = (values: CounterValues, key: string, count: number) => fromFixedPoint(values[key] ?? 0n) / count;

function metricValue(metric: string, values: CounterValues, count: number): number | null {
  switch (metric) {
    case "logLoss":
    case "brier":
      return mean(values, metric, count);
    case "mae":
      return mean(values, "absoluteError", count);
    case "wape":
      return whole(values, "size") === 0 ? null : whole(values, "absoluteError") / whole(values, "size");
    case "mase":
      return mean(values, "scaledError", count);
    case "hitShare":
      return whole(values, "hits") / count;
    case "intervalCoverage":
      return whole(values, "covered") / count;
    case "rmse":
      return Math.sqrt(mean(values, "squaredError", count));
    case "r2":
      return rSquared(values, count);
    case "accuracy":
      return correctCount(values) / count;
    case "f1": {
      const tp = whole(values, "tp");
      const wrong = whole(values, "fp") + whole(values, "fn");
      return 2 * tp + wrong === 0 ? null : (2 * tp) / (2 * tp + wrong);
    }
    case "macroF1":
      return macroF1(values);
    case "ece":
      return calibrationError(values, count);
    case "rocAuc":
      return binnedRocAuc(histogram(values, "p"), histogram(values, "q"));
    case "averagePrecision":
      return binnedAveragePrecision(histogram(values, "p"), histogram(values, "q"));
    default:
      return null;
  }
}

function correctCount(values: CounterValues): number {
  return values.correct === undefined ? whole(values, "tp") + whole(values, "tn") : whole(values, "correct");
}

function rSquared(values: CounterValues, count: number): number | null {
  // n·Σy² − (Σy)² in integers: the float form loses every digit when the mean is large against the spread.
  const y = values.y ?? 0n;
  const scale = toFixedPoint(1);
  const spread = BigInt(count) * (values.ySquared ?? 0n) * scale - y * y;
  if (spread <= 0n) return null;
  const variance = fromFixedPoint(spread / scale) / count;
  return 1 - fromFixedPoint(values.squaredError ?? 0n) / variance;
}

function macroF1(values: CounterValues): number | null {
  const matrix = confusion(values);
  const classes = new Set(
    [...matrix.keys()].flatMap((key) => key.split("_").map(Number)).filter((index) => index >= 0),
  );
  if (classes.size === 0) return null;
  let sum = 0;
  for (const own of classes) {
    let tp = 0;
    let wrong = 0;
    for (const [key, n] of matrix) {
      const [truth, decided] = key.split("_").map(Number);
      if (truth === own && decided === own) tp += n;
      else if (truth === own || decided === own) wrong += n;
    }
    sum += 2 * tp + wrong === 0 ? 0 : (2 * tp) / (2 * tp + wrong);
  }
  return sum / classes.size;
}

function confusion(values: CounterValues): ReadonlyMap<string, number> {
  const matrix = new Map<string, number>();
  for (const [key, n] of Object.entries(values)) {
    if (/^c-?\d+_-?\d+$/.test(key)) matrix.set(key.slice(1), Number(n));
  }
  if (matrix.size === 0) {
    for (const [key, cell] of [
      ["tp", "1_1"],
      ["tn", "0_0"],
      ["fp", "0_1"],
      ["fn", "1_0"],
    ] as const) {
      if (values[key] !== undefined) matrix.set(cell, whole(values, key));
    }
  }
  return matrix;
}

function calibrationError(values: CounterValues, count: number): number {
  let sum = 0;
  for (let bin = 0; bin < CALIBRATION_BINS; bin++) {
    sum += Math.abs(fromFixedPoint(values[`e${bin}p`] ?? 0n) - whole(values, `e${bin}y`)) / count;
  }
  return sum;
}

function histogram(values: CounterValues, prefix: "p" | "q"): Float64Array {
  const counts = new Float64Array(SCORE_BIN_COUNT);
  for (const [key, n] of Object.entries(values)) {
    if (key.charCodeAt(0) === prefix.charCodeAt(0) && /^[pq]\d+$/.test(key)) counts[Number(key.slice(1))] = Number(n);
  }
  return counts;
}
