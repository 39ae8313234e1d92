/**
 * Metrics of slates. A row is a user, its `scores` the relevance of each place of its slate (1 where the user took the item
 * later, else 0), its label how many items there were to find. K. Järvelin and J. Kekäläinen, "Cumulated gain-based evaluation
 * of IR techniques", ACM TOIS 20 (2002), with gain = relevance.
 */
import { logDeterministic } from "../exp.ts";
import { type MetricEvaluator, type MetricInput, weightedMean } from "./metric.ts";

export type Gain = "linear" | "exponential";

/** 1 / log2(place + 1): what a hit at a place is worth; places count from 1. */
export function discountOf(place: number): number {
  return Math.LN2 / logDeterministic(place + 1);
}

/** Discounted cumulative gain of the first k relevances in ranked order; exponential gain is 2^relevance − 1. */
export function dcg(relevances: ArrayLike<number>, k: number = relevances.length, gain: Gain = "linear"): number {
  let sum = 0;
  for (let i = 0; i < Math.min(k, relevances.length); i++) {
    const relevance = relevances[i] as number;
    let worth = relevance;
    if (gain === "exponential") {
      worth = 1;
      for (let step = 0; step < relevance; step++) worth *= 2;
      worth -= 1;
    }
    sum += worth * discountOf(i + 1);
  }
  return sum;
}

/** DCG divided by that of the best order of the same relevances; null where nothing is relevant. */
export function ndcg(
  relevances: readonly number[],
  k: number = relevances.length,
  gain: Gain = "linear",
): number | null {
  const ideal = dcg(
    [...relevances].sort((left, right) => right - left),
    k,
    gain,
  );
  return ideal > 0 ? dcg(relevances, k, gain) / ideal : null;
}

type RowValue = (slate: Float64Array, relevant: number) => number;

function slateRows(input: MetricInput, valueOf: RowValue): Float64Array {
  const k = input.classCount ?? 1;
  const scores = Float64Array.from(input.scores);
  return Float64Array.from(input.labels, (relevant, i) => valueOf(scores.subarray(i * k, (i + 1) * k), relevant));
}

const hitsOf = (slate: Float64Array) => slate.reduce((sum, one) => sum + one, 0);

/** NDCG of each user's slate; the ideal slate begins with as many hits as it can hold. */
export function ndcgRows(input: MetricInput): Float64Array {
  const k = input.classCount ?? 1;
  const ideals = new Float64Array(k + 1);
  for (let place = 1; place <= k; place++) ideals[place] = (ideals[place - 1] as number) + discountOf(place);
  return slateRows(input, (slate, relevant) =>
    relevant > 0 ? dcg(slate) / (ideals[Math.min(k, relevant)] as number) : 0,
  );
}

/** Share of what a user took later that stood in its slate. */
export function recallRows(input: MetricInput): Float64Array {
  return slateRows(input, (slate, relevant) => (relevant > 0 ? hitsOf(slate) / relevant : 0));
}

/** 1 for a user with at least one hit. */
export function hitRows(input: MetricInput): Float64Array {
  return slateRows(input, (slate) => (hitsOf(slate) > 0 ? 1 : 0));
}

/** Hits over interactions: every interaction counts alike, not every user. */
export function hitShareEvaluator(input: MetricInput): MetricEvaluator {
  const hits = slateRows(input, hitsOf);
  return (weights) => {
    const found = weightedMean(hits, weights);
    const all = weightedMean(input.labels, weights);
    return found === null || all === null || all === 0 ? null : found / all;
  };
}
