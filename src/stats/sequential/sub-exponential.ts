/** Time-uniform bounds for sub-exponential and sub-Bernoulli sums, after the reference implementation of Howard et al. (2021). */
import { logDeterministic } from "../exp.ts";
import { betaTails } from "../special/beta.ts";
import { gammaP, lbeta, lgamma, zeta } from "../special/gamma.ts";
import { mixtureRho, mixtureRhoOneSided, solveBound } from "./normal-mixture.ts";
import { findRoot } from "../special/roots.ts";

export interface GammaExponential {
  /** ln of the one-sided e-value of a sum at an intrinsic time. */
  logE(sum: number, time: number): number;
  /** The sum stays below this at all times with probability 1 − alpha. */
  bound(time: number, alpha: number): number;
}

/**
 * Gamma-exponential mixture; with scale 1 it turns running squared deviations of [0, 1] data into an empirical-Bernstein bound.
 * `optimalTime` is the intrinsic time (sum of squared deviations) to be tightest at.
 */
export function gammaExponentialMixture(optimalTime: number, alpha: number, scale = 1): GammaExponential {
  const square = scale * scale;
  const rho = mixtureRhoOneSided(optimalTime, alpha);
  const shape = rho / square;
  const constant = shape * logDeterministic(shape) - lgamma(shape) - logDeterministic(gammaP(shape, shape));
  const logE = (sum: number, time: number): number => {
    const moved = (scale * sum + time) / square;
    const total = (time + rho) / square;
    const tail = lgamma(total) + logDeterministic(gammaP(total, moved + shape));
    return constant + tail - total * logDeterministic(moved + shape) + moved;
  };
  const bound = (time: number, level: number): number =>
    solveBound((sum) => logE(sum, time), level, Math.sqrt(time + rho));
  return { logE, bound };
}

export interface StitchingOptions {
  readonly alpha: number;
  /** Intrinsic time from which on the bound is tight, > 0. */
  readonly minimumTime: number;
  /** Sub-exponential scale; 0 for sub-Gaussian sums. */
  readonly scale?: number;
  /** Crossing probability per epoch falls as its number to this power; default 1.4. */
  readonly power?: number;
  /** Ratio of successive epochs; default 2. */
  readonly ratio?: number;
}

/** Polynomial stitching: a closed form that grows as sqrt(v ln ln v), the slowest possible rate. */
export function polyStitchingBound(time: number, options: StitchingOptions): number {
  const { alpha, minimumTime, scale = 0, power = 1.4, ratio = 2 } = options;
  const v = Math.max(time, minimumTime);
  const root = Math.sqrt(ratio);
  const quarter = Math.sqrt(root);
  const k1 = (quarter + 1 / quarter) / Math.SQRT2;
  const k2 = (root + 1) / 2;
  const offset = logDeterministic(zeta(power)) - power * logDeterministic(logDeterministic(ratio));
  const loglog = logDeterministic(logDeterministic((ratio * v) / minimumTime));
  const term = power * loglog + offset - logDeterministic(alpha);
  const linear = k2 * scale * term;
  return Math.sqrt(k1 * k1 * v * term + linear * linear) + linear;
}

export interface BetaBinomialOptions {
  readonly optimalTime: number;
  readonly alpha: number;
  /** Centered observations lie between −below and above. */
  readonly below: number;
  readonly above: number;
  readonly oneSided?: boolean;
}

export interface BetaBinomial {
  logE(sum: number, time: number): number;
  bound(time: number, alpha: number): number;
}

/** Beta-binomial mixture for observations in [−below, above]: exact for Bernoulli data. */
export function betaBinomialMixture(options: BetaBinomialOptions): BetaBinomial {
  const { optimalTime, alpha, below: g, above: h, oneSided = false } = options;
  const rho = oneSided ? mixtureRhoOneSided(optimalTime, alpha) : mixtureRho(optimalTime, alpha);
  // Never below a thousandth of the variance scale: a smaller r would make the mixture degenerate.
  const r = Math.max(rho - g * h, 1e-3 * g * h);
  const width = g + h;
  const x = oneSided ? h / width : 1;
  const logIncompleteBeta = (a: number, b: number): number =>
    lbeta(a, b) + (x === 1 ? 0 : logDeterministic(betaTails(a, b, x, 1 - x).lower));
  const normalizer = logIncompleteBeta(r / (g * width), r / (h * width));
  const logE = (sum: number, time: number): number => {
    const fixed =
      (time / (g * h)) * logDeterministic(width) -
      ((time + h * sum) / (h * width)) * logDeterministic(g) -
      ((time - g * sum) / (g * width)) * logDeterministic(h);
    const mixed = logIncompleteBeta((r + time - g * sum) / (g * width), (r + time + h * sum) / (h * width));
    return fixed + mixed - normalizer;
  };
  const bound = (time: number, level: number): number => solveBound((sum) => logE(sum, time), level, 1, time / g);
  return { logE, bound };
}

export interface BernoulliCounts {
  readonly successes: number;
  readonly trials: number;
  readonly alpha: number;
  /** Trials to be tightest at; default 100. */
  readonly optimalTrials?: number;
}

/** Confidence sequence for a share: covers it at all times at once with probability 1 − alpha. [0, 1] before any trial. */
export function bernoulliConfidenceSequence(counts: BernoulliCounts): readonly [number, number] {
  const { successes, trials, alpha, optimalTrials = 100 } = counts;
  if (trials === 0) return [0, 1];
  const threshold = -logDeterministic(alpha);
  const evidence = (p: number): number => {
    const spread = p * (1 - p);
    const mixture = betaBinomialMixture({ optimalTime: optimalTrials * spread, alpha, below: p, above: 1 - p });
    return mixture.logE(successes - trials * p, trials * spread) - threshold;
  };
  const share = successes / trials;
  const edge = 1e-12;
  const lower = successes === 0 || evidence(edge) < 0 ? 0 : findRoot(evidence, edge, share);
  const upper = successes === trials || evidence(1 - edge) < 0 ? 1 : findRoot(evidence, share, 1 - edge);
  return [lower, upper];
}
