/** McNemar's test (1947): do two models differ in accuracy, judged by the rows where only one of them is right? */
import { binomialCdf, binomialPmf, binomialSf } from "../special/binomial.ts";
import { chi2Sf } from "../special/distributions.ts";

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
