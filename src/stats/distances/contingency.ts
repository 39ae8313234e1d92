/** Tests of counts: chi-square on a 2 × k table, its effect size, goodness of fit, and the difference of two shares. */
import type { Numbers } from "../metrics/metric.ts";
import { chi2Sf } from "../special/distributions.ts";
import { normalSf } from "../special/normal.ts";

export interface Chi2Result {
  readonly statistic: number;
  readonly degreesOfFreedom: number;
  readonly p: number;
}

export interface ContingencyResult extends Chi2Result {
  /** Effect size in [0, 1]: sqrt(χ² / (n + m)). */
  readonly cramersV: number;
}

/**
 * Chi-square test that two rows of counts over k categories come from one distribution; no Yates correction. Categories empty
 * on both sides do not count. Null when a side is empty or fewer than two categories occur.
 */
export function chi2Contingency(reference: Numbers, current: Numbers): ContingencyResult | null {
  let n = 0;
  let m = 0;
  let categories = 0;
  for (let i = 0; i < reference.length; i++) {
    n += reference[i] as number;
    m += current[i] as number;
    if ((reference[i] as number) + (current[i] as number) > 0) categories++;
  }
  if (!(n > 0) || !(m > 0) || categories < 2) return null;
  let statistic = 0;
  for (let i = 0; i < reference.length; i++) {
    const column = (reference[i] as number) + (current[i] as number);
    if (column === 0) continue;
    const expectedReference = (column * n) / (n + m);
    const expectedCurrent = (column * m) / (n + m);
    const gap = (reference[i] as number) - expectedReference;
    statistic += (gap * gap) / expectedReference + (gap * gap) / expectedCurrent;
  }
  const degreesOfFreedom = categories - 1;
  const p = chi2Sf(statistic, degreesOfFreedom);
  return { statistic, degreesOfFreedom, p, cramersV: Math.sqrt(statistic / (n + m)) };
}

/**
 * Chi-square goodness of fit of counts to expected shares. Null when there is nothing to test. A category expected never
 * but seen gives an infinite statistic.
 */
export function chi2GoodnessOfFit(counts: Numbers, shares: Numbers): Chi2Result | null {
  let total = 0;
  let shareTotal = 0;
  let categories = 0;
  for (let i = 0; i < counts.length; i++) {
    total += counts[i] as number;
    shareTotal += shares[i] as number;
    if ((counts[i] as number) > 0 || (shares[i] as number) > 0) categories++;
  }
  if (!(total > 0) || !(shareTotal > 0) || categories < 2) return null;
  let statistic = 0;
  for (let i = 0; i < counts.length; i++) {
    const expected = (total * (shares[i] as number)) / shareTotal;
    if (expected === 0) {
      if ((counts[i] as number) > 0) statistic = Infinity;
      continue;
    }
    const gap = (counts[i] as number) - expected;
    statistic += (gap * gap) / expected;
  }
  return { statistic, degreesOfFreedom: categories - 1, p: chi2Sf(statistic, categories - 1) };
}

export interface TwoProportionResult {
  /** First share minus second. */
  readonly difference: number;
  readonly z: number;
  readonly pTwoSided: number;
}

/** Pooled z-test for k1 of n1 against k2 of n2. Null when a side is empty; z is 0 when both shares are 0 or 1. */
export function twoProportionZ(k1: number, n1: number, k2: number, n2: number): TwoProportionResult | null {
  if (!(n1 > 0) || !(n2 > 0)) return null;
  const difference = k1 / n1 - k2 / n2;
  const pooled = (k1 + k2) / (n1 + n2);
  const deviation = Math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2));
  const z = deviation > 0 ? difference / deviation : 0;
  return { difference, z, pTwoSided: Math.min(1, 2 * normalSf(Math.abs(z))) };
}
