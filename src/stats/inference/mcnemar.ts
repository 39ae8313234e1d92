/** McNemar's test (1947): do two models differ in accuracy, judged by the rows where only one of them is right? */
import { binomialCdf, binomialPmf, binomialSf } from "../special/binomial.ts";
import { chi2Sf } from "../special/distributions.ts";
import { normalIsf } from "../special/normal.ts";

export interface McNemarResult {
  /** Exact binomial, two-sided. Never too small, often too large. */
  readonly pExact: number;
  /** Mid-p: the exact value less half the probability of the outcome itself. The recommended one (Fagerland et al. 2013). */
  readonly pMid: number;
  /** Exact, one-sided: how surprising this is unless the challenger is better. */
  readonly pChallengerBetter: number;
  /** Chi-square with one degree of freedom; null without discordant rows. */
  readonly chi2: number | null;
  readonly pChi2: number | null;
  /** With the continuity correction of A. Edwards (1948). */
  readonly chi2Corrected: number | null;
  readonly pChi2Corrected: number | null;
}

/**
 * @param championOnly rows only the champion got right (b)
 * @param challengerOnly rows only the challenger got right (c)
 */
export function mcNemar(championOnly: number, challengerOnly: number): McNemarResult {
  const total = championOnly + challengerOnly;
  if (total === 0) {
    const none = { chi2: null, pChi2: null, chi2Corrected: null, pChi2Corrected: null };
    return { pExact: 1, pMid: 1, pChallengerBetter: 1, ...none };
  }
  const smaller = Math.min(championOnly, challengerOnly);
  const pExact = Math.min(1, 2 * binomialCdf(smaller, total, 0.5));
  const gap = championOnly - challengerOnly;
  const chi2 = (gap * gap) / total;
  const correctedGap = Math.abs(gap) - 1;
  const chi2Corrected = (correctedGap * correctedGap) / total;
  return {
    pExact,
    pMid: pExact - (gap === 0 ? 0.5 : 1) * binomialPmf(smaller, total, 0.5),
    pChallengerBetter: binomialSf(challengerOnly - 1, total, 0.5),
    chi2,
    pChi2: chi2Sf(chi2, 1),
    chi2Corrected,
    pChi2Corrected: chi2Sf(chi2Corrected, 1),
  };
}

export interface PairedShareInput {
  /** Rows only the champion got right (b), and rows only the challenger got right (c). */
  readonly championOnly: number;
  readonly challengerOnly: number;
  /** All rows, those where both are right or both are wrong included. */
  readonly rows: number;
  /** Coverage; default 0.95. */
  readonly level?: number;
}

/**
 * Score interval of the difference of two paired shares, challenger minus champion (T. Tango, "Equivalence test and confidence
 * interval for the difference in proportions for the paired-sample design", Statistics in Medicine 17, 1998, eq. 5-8). It
 * inverts McNemar's test: 0 lies outside exactly when the test without correction rejects. [0, 0] without discordant rows.
 */
export function pairedShareInterval(input: PairedShareInput): readonly [number, number] {
  const { championOnly, challengerOnly, rows, level = 0.95 } = input;
  if (rows === 0) return [-1, 1];
  if (championOnly + challengerOnly === 0) return [0, 0];
  const z = normalIsf((1 - level) / 2);
  const statistic = (difference: number): number => {
    const b = -challengerOnly - championOnly + (2 * rows - challengerOnly + championOnly) * difference;
    const c = -championOnly * difference * (1 - difference);
    const share = (Math.sqrt(Math.max(0, b * b - 8 * rows * c)) - b) / (4 * rows);
    const variance = rows * (2 * share + difference * (1 - difference));
    const gap = challengerOnly - championOnly - rows * difference;
    return variance > 0 ? gap / Math.sqrt(variance) : gap === 0 ? 0 : gap > 0 ? Infinity : -Infinity;
  };
  const estimate = (challengerOnly - championOnly) / rows;
  const bound = (side: -1 | 1): number => {
    // The statistic falls with the difference: 60 halvings leave nothing of an interval of length 2.
    let [near, far] = [estimate, side as number];
    for (let i = 0; i < 60; i++) {
      const middle = (near + far) / 2;
      if (Math.abs(statistic(middle)) <= z) near = middle;
      else far = middle;
    }
    return (near + far) / 2;
  };
  return [bound(-1), bound(1)];
}
