/**
 * How sure a realised metric is, from the counters alone: by the spread of the losses for means, by Wilson's interval for shares, by
 * DeLong's variance for the AUC of the binned scores, and by the delta method where a metric is a function of counts. Without it
 * every metric of a few rows would look like a finding. R² has none: its spread takes fourth powers of the labels about their mean,
 * which sums of powers lose where the mean is large against the spread.
 */
import type { CounterValues } from "../core/index.ts";
import { fromFixedPoint, logit, sigmoid } from "../stats/index.ts";

/** Bins of the calibration error, as in `stats` (10 equal widths). */
export const CALIBRATION_BINS = 10;
/** One-sided 95 % normal quantile. */
const Z = 1.6448536269514722;

/** Means of a loss per row, with the counter of its square. */
const SQUARES: Readonly<Record<string, string>> = {
  logLoss: "logLossSquared",
  brier: "brierSquared",
  mae: "squaredError",
  mase: "scaledErrorSquared",
};

const whole = (values: CounterValues, key: string) => Number(values[key] ?? 0n);
const mean = (values: CounterValues, key: string, count: number) => fromFixedPoint(values[key] ?? 0n) / count;

export interface IntervalParts {
  readonly values: CounterValues;
  readonly count: number;
  /** The metric's value. */
  readonly value: number;
  /** Labelled rows by bin of the score. */
  readonly histogram: (side: "p" | "q") => Float64Array;
  /** Rows by truth and decision, `truth_decision`. */
  readonly confusion: () => ReadonlyMap<string, number>;
}

/** 90 % two-sided; each end is a one-sided 95 % bound. Undefined for metrics without one. */
export function metricInterval(metric: string, parts: IntervalParts): readonly [number, number] | undefined {
  const { values, count, value } = parts;
  if (count < 2) return undefined;
  const squares = SQUARES[metric];
  if (squares !== undefined) return meanInterval(parts, squares);
  switch (metric) {
    case "accuracy":
    case "hitShare":
    case "intervalCoverage":
      return wilson(value, count);
    case "rmse":
      return rmseInterval(parts);
    case "f1":
      return f1Interval(values);
    case "macroF1":
      return around(value, macroF1Deviation(parts.confusion()));
    case "rocAuc":
      return aucInterval(value, parts.histogram("p"), parts.histogram("q"));
    case "averagePrecision":
      return averagePrecisionInterval(value, parts.histogram("p"), parts.histogram("q"));
    case "ece":
      return calibrationInterval(parts);
    case "wape":
      return wapeInterval(parts);
    default:
      return undefined;
  }
}

function meanInterval({ values, count, value }: IntervalParts, squares: string) {
  if (values[squares] === undefined) return undefined;
  const half = Z * Math.sqrt(Math.max(0, mean(values, squares, count) - value * value) / (count - 1));
  return [value - half, value + half] as const;
}

/** The interval of the mean square, under the root. */
function rmseInterval({ values, count }: IntervalParts): readonly [number, number] | undefined {
  if (values["squaredErrorSquared"] === undefined) return undefined;
  const square = mean(values, "squaredError", count);
  const spread = Math.max(0, mean(values, "squaredErrorSquared", count) - square * square);
  const half = Z * Math.sqrt(spread / (count - 1));
  return [Math.sqrt(Math.max(0, square - half)), Math.sqrt(square + half)];
}

/** F1 is a rising function of the share of hits among all rows that are true or decided true. */
function f1Interval(values: CounterValues): readonly [number, number] {
  const hits = whole(values, "tp");
  const rows = hits + whole(values, "fp") + whole(values, "fn");
  const [low, high] = wilson(hits / rows, rows);
  return [(2 * low) / (1 + low), (2 * high) / (1 + high)];
}

function wilson(share: number, count: number): readonly [number, number] {
  const z2 = (Z * Z) / count;
  const center = (share + z2 / 2) / (1 + z2);
  const half = (Z * Math.sqrt((share * (1 - share)) / count + z2 / (4 * count))) / (1 + z2);
  return [center - half, center + half];
}

const around = (value: number, deviation: number) =>
  [Math.max(0, value - Z * deviation), Math.min(1, value + Z * deviation)] as const;

/**
 * Delta method over the cells of the confusion matrix. The metric does not change when all cells grow alike, so its variance is
 * Σ n · (∂/∂n)².
 */
function macroF1Deviation(matrix: ReadonlyMap<string, number>): number {
  const cells = [...matrix].map(([key, n]) => {
    const [truth, decided] = key.split("_").map(Number) as [number, number];
    return { truth, decided, n };
  });
  const classes = new Set(cells.flatMap(({ truth, decided }) => [truth, decided]).filter((one) => one >= 0));
  const sums = new Map<number, { hits: number; wrong: number }>();
  for (const own of classes) {
    let hits = 0;
    let wrong = 0;
    for (const { truth, decided, n } of cells) {
      if (truth === own && decided === own) hits += n;
      else if (truth === own || decided === own) wrong += n;
    }
    sums.set(own, { hits, wrong });
  }
  const slope = (own: number, isHit: boolean) => {
    const { hits = 0, wrong = 0 } = sums.get(own) ?? {};
    const all = 2 * hits + wrong;
    return all === 0 ? 0 : (isHit ? 2 * wrong : -2 * hits) / (all * all);
  };
  let variance = 0;
  for (const { truth, decided, n } of cells) {
    const change = truth === decided ? slope(truth, true) : slope(truth, false) + slope(decided, false);
    variance += n * (change / classes.size) * (change / classes.size);
  }
  return Math.sqrt(variance);
}

/** DeLong's variance, rows of one bin being ties. With fewer than two rows of a class nothing is known. */
function aucInterval(auc: number, positives: Float64Array, negatives: Float64Array): readonly [number, number] {
  const total = (counts: Float64Array) => counts.reduce((sum, one) => sum + one, 0);
  const [ups, downs] = [total(positives), total(negatives)];
  if (ups < 2 || downs < 2) return [0, 1];
  // Per positive the share of negatives it beats, per negative the share of positives that beat it; both have the AUC as mean.
  let upSquares = 0;
  let downSquares = 0;
  let upBelow = 0;
  let downBelow = 0;
  for (let bin = 0; bin < positives.length; bin++) {
    const [up, down] = [positives[bin] as number, negatives[bin] as number];
    if (up + down === 0) continue;
    const beaten = (downBelow + down / 2) / downs - auc;
    const beating = (ups - upBelow - up / 2) / ups - auc;
    upSquares += up * beaten * beaten;
    downSquares += down * beating * beating;
    upBelow += up;
    downBelow += down;
  }
  return around(auc, Math.sqrt(upSquares / (ups - 1) / ups + downSquares / (downs - 1) / downs));
}

/**
 * The delta method over the bins, on the log-odds scale (Boyd, Eng and Page, "Area under the precision-recall curve: point estimates
 * and confidence intervals", ECML 2013, section 4): an interval around 0.95 must not pass 1. Their deviation is that of a share of the
 * positives, which leaves out how sure the precision is; the slopes over both histograms have it.
 * With fewer than two positives nothing is known.
 */
function averagePrecisionInterval(
  value: number,
  positives: Float64Array,
  negatives: Float64Array,
): readonly [number, number] {
  const ups = positives.reduce((sum, one) => sum + one, 0);
  if (ups < 2) return [0, 1];
  if (value >= 1) return wilson(1, ups);
  const bins = positives.length;
  const above = new Float64Array(bins);
  const all = new Float64Array(bins);
  let [ahead, rows] = [0, 0];
  for (let bin = bins - 1; bin >= 0; bin--) {
    ahead += positives[bin] as number;
    rows += (positives[bin] as number) + (negatives[bin] as number);
    above[bin] = ahead;
    all[bin] = rows;
  }
  // What one more row of a bin changes: the precision at the bin itself, and that at every bin below.
  let [rise, fall, variance] = [0, 0, 0];
  for (let bin = 0; bin < bins; bin++) {
    const [up, down, n] = [positives[bin] as number, negatives[bin] as number, all[bin] as number];
    if (up + down === 0) continue;
    const precision = (above[bin] as number) / n;
    rise += (up * (1 - precision)) / n;
    fall += (up * precision) / n;
    const own = (precision - value + rise) / ups;
    variance += up * own * own + down * (fall / ups) * (fall / ups);
  }
  const center = logit(value);
  const half = (Z * Math.sqrt(variance)) / (value * (1 - value));
  return [sigmoid(center - half), sigmoid(center + half)];
}

/** Mean, variance and skewness of |Z| for a standard normal Z. */
const HALF_NORMAL = { mean: Math.sqrt(2 / Math.PI), variance: 1 - 2 / Math.PI, skewness: 0.9952717464311565 };

/**
 * Bounds of the error over fixed bins, each end at least 95 %. What is read is never below the truth by more than the signed noise of
 * the bins, which is normal; and never above it by more than the sum of their absolute noise, which is all that a calibrated model
 * shows (the bias of the plug-in: Bröcker, "Estimating reliability and resolution of probability forecasts", Climate Dynamics 39,
 * 2012; Kumar, Liang and Ma, "Verified uncertainty calibration", NeurIPS 2019). The quantile of that sum is by Cornish and Fisher.
 */
function calibrationInterval({ values, count, value }: IntervalParts): readonly [number, number] {
  let [absolute, squares, cubes, between] = [0, 0, 0, 0];
  for (let bin = 0; bin < CALIBRATION_BINS; bin++) {
    const rows = whole(values, `e${bin}n`);
    if (rows === 0) continue;
    const hits = whole(values, `e${bin}y`);
    // One row more of each kind: a bin of a few equal labels is not sure of itself.
    const share = (hits + 1) / (rows + 2);
    const noise = Math.sqrt(rows * share * (1 - share)) / count;
    const gap = (fromFixedPoint(values[`e${bin}p`] ?? 0n) - hits) / rows;
    absolute += noise;
    squares += noise * noise;
    cubes += noise * noise * noise;
    between += (rows / count) * gap * gap;
  }
  // How many rows fall into each bin is chance, too.
  const mixed = Math.max(0, between - value * value) / count;
  const skewness = (HALF_NORMAL.skewness * cubes) / (squares * Math.sqrt(squares));
  const quantile = Z + (skewness * (Z * Z - 1)) / 6;
  const excess = HALF_NORMAL.mean * absolute + quantile * Math.sqrt(HALF_NORMAL.variance * squares + mixed);
  return [Math.max(0, value - excess), Math.min(1, value + Z * Math.sqrt(squares + mixed))];
}

/**
 * The delta method for a ratio of totals: the spread of |error| − WAPE · |value|. Hours counted before the products were kept add
 * nothing to their sum, which can only make the interval wider.
 */
function wapeInterval({ values, count, value }: IntervalParts): readonly [number, number] {
  const square = mean(values, "squaredError", count) + value * value * mean(values, "ySquared", count);
  const spread = Math.max(0, square - 2 * value * mean(values, "errorTimesSize", count));
  const half = (Z * Math.sqrt(spread / (count - 1))) / mean(values, "size", count);
  return [Math.max(0, value - half), value + half];
}
