/**
 * Sample-ratio mismatch: do assignments arrive in the planned shares? Checked before any metric of an experiment is shown,
 * because a broken split makes every comparison meaningless.
 */
import { expDeterministic, logDeterministic } from "../exp.ts";
import { chi2GoodnessOfFit } from "../distances/contingency.ts";
import { lgamma } from "../special/gamma.ts";

/** Below this p-value the split is called broken: 1 in 1,000, since it is looked at often and costs the whole experiment. */
export const SAMPLE_RATIO_ALERT = 0.001;

export interface SampleRatioResult {
  readonly statistic: number;
  readonly p: number;
  readonly mismatch: boolean;
}

/** Chi-square test of assignment counts against planned weights (need not sum to 1). Null without counts. */
export function sampleRatioTest(counts: ArrayLike<number>, weights: ArrayLike<number>): SampleRatioResult | null {
  const result = chi2GoodnessOfFit(counts, weights);
  return result === null ? null : { statistic: result.statistic, p: result.p, mismatch: result.p < SAMPLE_RATIO_ALERT };
}

/** Strength of the prior around the planned shares; 10,000 suits large experiments and small deviations. */
export const DEFAULT_CONCENTRATION = 10_000;

/**
 * ln of the Bayes factor of a Dirichlet prior around the planned shares against the plan itself (M. Lindon and A. Malek,
 * "Anytime-valid inference for multinomial count data", 2022). Valid at every look: 1/e, minimized over looks, is a p-value.
 * Weights must sum to 1.
 */
export function sampleRatioLogE(
  counts: ArrayLike<number>,
  weights: ArrayLike<number>,
  concentration = DEFAULT_CONCENTRATION,
): number {
  let total = 0;
  let sum = 0;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] as number;
    const weight = weights[i] as number;
    if (count === 0) continue;
    total += count;
    sum += lgamma(concentration * weight + count) - lgamma(concentration * weight) - count * logDeterministic(weight);
  }
  return sum + lgamma(concentration) - lgamma(concentration + total);
}

/** The sequential p-value of one look; keep the smallest over looks. */
export function sampleRatioP(logE: number): number {
  return Math.min(1, expDeterministic(-logE));
}
