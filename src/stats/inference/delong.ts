/**
 * DeLong's test for two correlated AUCs (E. DeLong, D. DeLong, D. Clarke-Pearson 1988) in the fast midrank form of X. Sun and
 * W. Xu, "Fast implementation of DeLong's algorithm", IEEE SPL 21, 2014. Cost O(n log n), no resampling.
 */
import { RetrainError } from "../../core/errors.ts";
import { type Numbers, sortedOrder } from "../metrics/metric.ts";
import { normalIsf, normalSf } from "../special/normal.ts";

export interface DeLongInput {
  /** n values, 0 or 1. */
  readonly labels: Numbers;
  readonly champion: Numbers;
  readonly challenger: Numbers;
  /** Coverage of the interval and confidence of the bounds; default 0.95. */
  readonly level?: number;
}

export interface DeLongResult {
  readonly aucChampion: number;
  readonly aucChallenger: number;
  readonly varianceChampion: number;
  readonly varianceChallenger: number;
  readonly covariance: number;
  /** Challenger minus champion. */
  readonly difference: number;
  readonly standardError: number;
  readonly z: number;
  readonly pTwoSided: number;
  readonly interval: readonly [number, number];
  /** One-sided bounds at `level`. */
  readonly lowerBound: number;
  readonly upperBound: number;
  /** The variance of the difference is 0: as rankings the two models are one. */
  readonly identical: boolean;
}

/** Ranks 1..n by ascending value, equal values sharing the mean of their ranks. */
export function midranks(values: Numbers): Float64Array {
  const order = sortedOrder(values);
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end] as number] === values[order[start] as number]) end++;
    for (let i = start; i < end; i++) ranks[order[i] as number] = 0.5 * (start + 1 + end);
    start = end;
  }
  return ranks;
}

interface Components {
  readonly auc: number;
  /** Per positive: share of negatives it beats. */
  readonly positive: Float64Array;
  /** Per negative: share of positives that beat it. */
  readonly negative: Float64Array;
}

function components(labels: Numbers, scores: Numbers): Components {
  const positiveScores: number[] = [];
  const negativeScores: number[] = [];
  const all = midranks(scores);
  const positiveRanks: number[] = [];
  const negativeRanks: number[] = [];
  for (let i = 0; i < labels.length; i++) {
    const isPositive = (labels[i] as number) > 0;
    (isPositive ? positiveScores : negativeScores).push(scores[i] as number);
    (isPositive ? positiveRanks : negativeRanks).push(all[i] as number);
  }
  const positiveCount = positiveScores.length;
  const negativeCount = negativeScores.length;
  const withinPositive = midranks(positiveScores);
  const withinNegative = midranks(negativeScores);
  const positive = Float64Array.from(positiveRanks, (r, i) => (r - (withinPositive[i] as number)) / negativeCount);
  const negative = Float64Array.from(negativeRanks, (r, i) => 1 - (r - (withinNegative[i] as number)) / positiveCount);
  const rankSum = positiveRanks.reduce((sum, rank) => sum + rank, 0);
  return { auc: (rankSum / positiveCount - (positiveCount + 1) / 2) / negativeCount, positive, negative };
}

/** Sample covariance (n − 1) of two columns around their means. */
function covarianceOf(a: Float64Array, b: Float64Array): number {
  const meanA = a.reduce((sum, value) => sum + value, 0) / a.length;
  const meanB = b.reduce((sum, value) => sum + value, 0) / b.length;
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - meanA) * ((b[i] as number) - meanB);
  return sum / (a.length - 1);
}

const aucCovariance = (a: Components, b: Components): number =>
  covarianceOf(a.positive, b.positive) / a.positive.length + covarianceOf(a.negative, b.negative) / a.negative.length;

/**
 * Compares the AUC of two models on the same rows. Null when a class has fewer than two rows (no variance can be estimated).
 * Throws STATISTIC_UNDEFINED when the columns differ in length.
 */
export function deLong(input: DeLongInput): DeLongResult | null {
  const { labels, level = 0.95 } = input;
  if (input.champion.length !== labels.length || input.challenger.length !== labels.length) {
    throw new RetrainError("STATISTIC_UNDEFINED", {
      message: `DeLong got ${labels.length} labels, ${input.champion.length} and ${input.challenger.length} scores.`,
      remedy: "Score both models on the same rows.",
    });
  }
  const champion = components(labels, input.champion);
  const challenger = components(labels, input.challenger);
  if (champion.positive.length < 2 || champion.negative.length < 2) return null;
  const varianceChampion = aucCovariance(champion, champion);
  const varianceChallenger = aucCovariance(challenger, challenger);
  const covariance = aucCovariance(champion, challenger);
  const difference = challenger.auc - champion.auc;
  const variance = varianceChampion + varianceChallenger - 2 * covariance;
  const identical = variance <= 1e-15;
  const standardError = identical ? 0 : Math.sqrt(variance);
  const z = identical ? 0 : difference / standardError;
  const half = normalIsf((1 - level) / 2) * standardError;
  const oneSided = normalIsf(1 - level) * standardError;
  return {
    aucChampion: champion.auc,
    aucChallenger: challenger.auc,
    varianceChampion,
    varianceChallenger,
    covariance,
    difference,
    standardError,
    z,
    pTwoSided: Math.min(1, 2 * normalSf(Math.abs(z))),
    interval: [Math.max(-1, difference - half), Math.min(1, difference + half)],
    lowerBound: Math.max(-1, difference - oneSided),
    upperBound: Math.min(1, difference + oneSided),
    identical,
  };
}

/** Normal interval of one AUC from its DeLong variance, clipped to [0, 1]. */
export function aucInterval(auc: number, variance: number, level = 0.95): readonly [number, number] {
  const half = normalIsf((1 - level) / 2) * Math.sqrt(variance);
  return [Math.max(0, auc - half), Math.min(1, auc + half)];
}
