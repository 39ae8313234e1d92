/** What a binary model decides at every threshold: two counts each, from which every cell, rate and cost follows. */
import type { ThresholdCounts } from "../core/index.ts";

/** Thresholds 0, 0.01, …, 1: finer than a person sets them. */
export const THRESHOLD_STEPS = 100;

/**
 * Rows with a score of at least each threshold, by what was true.
 *
 * @param labels n, 0 or 1 @param scores n, in [0, 1]
 * @returns counts at thresholds 0 to 1 in steps of 0.01, never rising. Cost O(n + steps).
 */
export function thresholdCounts(labels: Float64Array, scores: Float64Array): ThresholdCounts {
  const truePositives = new Array<number>(THRESHOLD_STEPS + 1).fill(0);
  const falsePositives = new Array<number>(THRESHOLD_STEPS + 1).fill(0);
  for (let i = 0; i < labels.length; i++) {
    const counts = labels[i] === 1 ? truePositives : falsePositives;
    const last = lastReached(scores[i] as number);
    if (last >= 0) counts[last] = (counts[last] as number) + 1;
  }
  // A row counts at every threshold up to the last one its score reaches.
  for (let step = THRESHOLD_STEPS - 1; step >= 0; step--) {
    for (const counts of [truePositives, falsePositives]) {
      counts[step] = (counts[step] as number) + (counts[step + 1] as number);
    }
  }
  return { truePositives, falsePositives };
}

/** The highest step whose threshold is at most the score: compared as numbers, since 0.29 · 100 is not 29. */
function lastReached(score: number): number {
  let step = Math.min(THRESHOLD_STEPS, Math.floor(score * THRESHOLD_STEPS) + 1);
  while (step >= 0 && step / THRESHOLD_STEPS > score) step--;
  return step;
}
