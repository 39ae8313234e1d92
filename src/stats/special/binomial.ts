/** Binomial probabilities: tails through the incomplete beta, the density by Loader's saddle-point form (2000). */
import { expDeterministic, log1pDeterministic } from "../exp.ts";
import { betaTails } from "./beta.ts";
import { deviance, stirlingError } from "./gamma.ts";

const TWO_PI = 6.28318530717958647693;

/** P(X ≤ k) for X ~ Binomial(n, p). */
export function binomialCdf(k: number, n: number, p: number): number {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return betaTails(n - k, k + 1, 1 - p, p).lower;
}

/** P(X > k), accurate in the upper tail. */
export function binomialSf(k: number, n: number, p: number): number {
  if (k < 0) return 1;
  if (k >= n) return 0;
  return betaTails(k + 1, n - k, p, 1 - p).lower;
}

/** P(X = k). */
export function binomialPmf(k: number, n: number, p: number): number {
  if (k < 0 || k > n) return 0;
  if (p === 0) return k === 0 ? 1 : 0;
  if (p === 1) return k === n ? 1 : 0;
  if (k === 0) return expDeterministic(n * log1pDeterministic(-p));
  if (k === n) return expDeterministic(n * log1pDeterministic(p - 1));
  const rest = n - k;
  const exponent =
    stirlingError(n) - stirlingError(k) - stirlingError(rest) - deviance(k, n * p) - deviance(rest, n * (1 - p));
  return expDeterministic(exponent) * Math.sqrt(n / (TWO_PI * k * rest));
}
