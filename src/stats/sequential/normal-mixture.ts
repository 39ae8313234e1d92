/**
 * Normal-mixture test martingales (H. Robbins 1970; S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric,
 * nonasymptotic confidence sequences", 2021): bounds on a centered sum that hold at every moment at once, so looking often
 * costs nothing.
 *
 * `sum` is the sum of centered observations, `time` their intrinsic time: n·σ², or n/4 for values in [0, 1]. A bound
 * is tightest at the intrinsic time it is tuned for and 1.5 to 1.7 times a fixed-sample interval around it.
 */
import { log1pDeterministic, logDeterministic } from "../exp.ts";
import { normalLogCdf } from "../special/normal.ts";
import { bracketUpward, findRoot } from "../special/roots.ts";

/** Tuning constant ρ that makes the two-sided bound tightest at intrinsic time `optimalTime`. */
export function mixtureRho(optimalTime: number, alpha: number): number {
  const logInverse = -logDeterministic(alpha);
  return optimalTime / (2 * logInverse + log1pDeterministic(2 * logInverse));
}

/** The same for the one-sided bound. */
export function mixtureRhoOneSided(optimalTime: number, alpha: number): number {
  return mixtureRho(optimalTime, 2 * alpha);
}

export interface MixturePoint {
  readonly sum: number;
  readonly time: number;
  readonly rho: number;
}

/** ln of the two-sided e-value; reject at ln(1/α). */
export function normalMixtureLogE({ sum, time, rho }: MixturePoint): number {
  return 0.5 * logDeterministic(rho / (time + rho)) + (sum * sum) / (2 * (time + rho));
}

/** |sum| stays below this at all times with probability 1 − alpha. */
export function normalMixtureBound(time: number, alpha: number, rho: number): number {
  return Math.sqrt((time + rho) * (log1pDeterministic(time / rho) - 2 * logDeterministic(alpha)));
}

/** ln of the one-sided e-value (large positive sums are evidence). */
export function normalMixtureLogEOneSided({ sum, time, rho }: MixturePoint): number {
  const total = time + rho;
  return 0.5 * logDeterministic((4 * rho) / total) + (sum * sum) / (2 * total) + normalLogCdf(sum / Math.sqrt(total));
}

/** The sum stays below this at all times with probability 1 − alpha. */
export function normalMixtureBoundOneSided(time: number, alpha: number, rho: number): number {
  return solveBound((sum) => normalMixtureLogEOneSided({ sum, time, rho }), alpha, Math.sqrt(time + rho));
}

/** The sum at which an increasing ln e reaches ln(1/α), searched upward from 0 (or up to `limit`). */
export function solveBound(
  logE: (sum: number) => number,
  alpha: number,
  scale: number,
  limit = Number.POSITIVE_INFINITY,
): number {
  const threshold = -logDeterministic(alpha);
  const high = limit < Infinity ? limit : bracketUpward((sum) => logE(sum) > threshold, scale);
  return findRoot((sum) => logE(sum) - threshold, 0, high);
}
