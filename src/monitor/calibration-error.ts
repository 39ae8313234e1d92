/**
 * What an estimate owes to its calibration. The curve is known from the version's held-out rows only; turning its log-odds by one
 * standard deviation along each axis of what those rows leave open, and estimating again, gives the deviation of the estimate (the delta
 * method by central differences). Needs nothing but the histogram of scores that is counted anyway.
 */
import type { CounterValues } from "../core/index.ts";
import {
  binnedRocAuc,
  fromFixedPoint,
  logDeterministic,
  logit,
  SCORE_BIN_COUNT,
  scoreBinCenter,
  sigmoid,
} from "../stats/index.ts";
import type { CurveUncertainty } from "./score-calibration.ts";

export interface ScoreMass {
  /** Expected positives and negatives by bin of the score. */
  readonly positives: Float64Array;
  readonly negatives: Float64Array;
}

export function scoreMass(values: CounterValues): ScoreMass {
  const positives = new Float64Array(SCORE_BIN_COUNT);
  const negatives = new Float64Array(SCORE_BIN_COUNT);
  for (const [key, value] of Object.entries(values)) {
    if (!/^s\d+$/.test(key)) continue;
    const bin = Number(key.slice(1));
    const mass = fromFixedPoint(values[`m${bin}`] ?? 0n);
    positives[bin] = mass;
    negatives[bin] = Math.max(0, Number(value) - mass);
  }
  return { positives, negatives };
}

/** Null for metrics that are not read from the scores of a binary model. */
export function calibrationDeviationOf(
  metric: string,
  values: CounterValues,
  [variance, covariance, slopeVariance]: CurveUncertainty,
): number | null {
  if (
    values["tp"] === undefined &&
    values["fp"] === undefined &&
    values["tn"] === undefined &&
    values["fn"] === undefined
  )
    return null;
  const mass = scoreMass(values);
  const decided = fromFixedPoint(values["tp"] ?? 0n) + fromFixedPoint(values["fp"] ?? 0n);
  const measure = measureOf(metric, mass, decided);
  if (measure === undefined) return null;
  // The Cholesky factor's columns: two independent ways in which intercept and slope may be off.
  const first = Math.sqrt(Math.max(0, variance));
  const shared = first > 0 ? covariance / first : 0;
  const ways = [
    [first, shared],
    [0, Math.sqrt(Math.max(0, slopeVariance - shared * shared))],
  ] as const;
  let sum = 0;
  for (const [intercept, slope] of ways) {
    const up = measure(turned(mass, intercept, slope));
    const down = measure(turned(mass, -intercept, -slope));
    if (up === null || down === null) return null;
    sum += ((up - down) / 2) * ((up - down) / 2);
  }
  return Math.sqrt(sum);
}

/** The same rows under a calibration whose log-odds are off by `intercept + slope · log-odds`. */
function turned({ positives, negatives }: ScoreMass, intercept: number, slope: number): ScoreMass {
  const up = new Float64Array(SCORE_BIN_COUNT);
  const down = new Float64Array(SCORE_BIN_COUNT);
  for (let bin = 0; bin < SCORE_BIN_COUNT; bin++) {
    const rows = (positives[bin] as number) + (negatives[bin] as number);
    if (rows === 0) continue;
    const share = (positives[bin] as number) / rows;
    const z = share <= 0 || share >= 1 ? undefined : logit(share);
    const p = z === undefined ? share : sigmoid(intercept + (1 + slope) * z);
    up[bin] = rows * p;
    down[bin] = rows * (1 - p);
  }
  return { positives: up, negatives: down };
}

type Measure = (mass: ScoreMass) => number | null;

function measureOf(metric: string, mass: ScoreMass, decided: number): Measure | undefined {
  if (metric === "rocAuc") return ({ positives, negatives }) => binnedRocAuc(positives, negatives);
  if (metric === "f1") return f1Of(decidedShares(mass, decided), decided);
  const rowLoss = rowLossOf(metric, mass, decided);
  if (rowLoss === undefined) return undefined;
  return ({ positives, negatives }) => {
    let sum = 0;
    let rows = 0;
    for (let bin = 0; bin < SCORE_BIN_COUNT; bin++) {
      const [up, down] = [positives[bin] as number, negatives[bin] as number];
      if (up + down === 0) continue;
      const [ifTrue, ifFalse] = rowLoss(bin);
      sum += up * ifTrue + down * ifFalse;
      rows += up + down;
    }
    return rows === 0 ? null : sum / rows;
  };
}

/** The decisions stay what they were; what changes is how many of them are right. */
function f1Of(shares: Float64Array, decided: number): Measure {
  return ({ positives }) => {
    let found = 0;
    let missed = 0;
    positives.forEach((up, bin) => {
      found += up * (shares[bin] as number);
      missed += up * (1 - (shares[bin] as number));
    });
    const both = decided + found + missed;
    return both === 0 ? null : (2 * found) / both;
  };
}

/** What a row of a bin is worth where it is true and where it is false. */
function rowLossOf(
  metric: string,
  mass: ScoreMass,
  decided: number,
): ((bin: number) => readonly [number, number]) | undefined {
  if (metric === "logLoss") {
    return (bin) => [-logDeterministic(scoreBinCenter(bin)), -logDeterministic(1 - scoreBinCenter(bin))];
  }
  if (metric === "brier") {
    return (bin) => [(1 - scoreBinCenter(bin)) * (1 - scoreBinCenter(bin)), scoreBinCenter(bin) * scoreBinCenter(bin)];
  }
  if (metric !== "accuracy") return undefined;
  const share = decidedShares(mass, decided);
  return (bin) => [share[bin] as number, 1 - (share[bin] as number)];
}

/** Share of each bin's rows that were decided true: the highest scores, as many as were. */
export function decidedShares({ positives, negatives }: ScoreMass, decided: number): Float64Array {
  const shares = new Float64Array(SCORE_BIN_COUNT);
  let left = decided;
  for (let bin = SCORE_BIN_COUNT - 1; bin >= 0 && left > 0; bin--) {
    const rows = (positives[bin] as number) + (negatives[bin] as number);
    if (rows === 0) continue;
    shares[bin] = Math.min(1, left / rows);
    left -= rows;
  }
  return shares;
}
