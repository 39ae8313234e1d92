/**
 * Tails and quantiles of chi-square, Student t, F, beta and binomial. `sf` is the upper tail computed directly; quantiles
 * solve for the smaller tail, so they are as accurate as the tail itself.
 */
import { expDeterministic, logDeterministic } from "../exp.ts";
import { betaTails } from "./beta.ts";
import { gammaP, gammaQ } from "./gamma.ts";
import { normalPpf } from "./normal.ts";
import { bracketUpward, findRoot } from "./roots.ts";

/** ln of the smallest normal double, about. */
const SMALLEST_LOG = -708;

/** ln p, held finite where p underflows to 0: an infinity would break the secant steps of the root finder. */
function safeLog(p: number): number {
  return p > 0 ? logDeterministic(p) : -1000;
}

/** P(X > x) for a chi-square X with `dof` > 0 degrees of freedom. */
export function chi2Sf(x: number, dof: number): number {
  return x <= 0 ? 1 : gammaQ(dof / 2, x / 2);
}

export function chi2Cdf(x: number, dof: number): number {
  return x <= 0 ? 0 : gammaP(dof / 2, x / 2);
}

/** The x with P(X > x) = p. */
export function chi2Isf(p: number, dof: number): number {
  if (!(p >= 0 && p <= 1)) return NaN;
  if (p === 0) return Infinity;
  if (p === 1) return 0;
  const high = bracketUpward((x) => chi2Sf(x, dof) < p, dof + 1);
  if (p < 0.5) {
    const target = logDeterministic(p);
    return findRoot((x) => safeLog(chi2Sf(x, dof)) - target, 0, high);
  }
  return findRoot((x) => chi2Cdf(x, dof) - (1 - p), 0, high);
}

/** The x with P(X ≤ x) = p. */
export function chi2Ppf(p: number, dof: number): number {
  if (p === 0) return 0;
  if (p >= 0.5) return chi2Isf(1 - p, dof);
  if (!(p > 0)) return NaN;
  const high = bracketUpward((x) => chi2Cdf(x, dof) > p, dof + 1);
  const target = logDeterministic(p);
  const logX = findRoot(
    (u) => safeLog(chi2Cdf(expDeterministic(u), dof)) - target,
    SMALLEST_LOG,
    logDeterministic(high),
  );
  return expDeterministic(logX);
}

/** P(T > t) for Student's t with real dof > 0. */
export function studentSf(t: number, dof: number): number {
  const square = t * t;
  const tail = 0.5 * betaTails(dof / 2, 0.5, dof / (dof + square), square / (dof + square)).lower;
  return t >= 0 ? tail : 1 - tail;
}

export function studentCdf(t: number, dof: number): number {
  return studentSf(-t, dof);
}

/** The t with P(T ≤ t) = p. */
export function studentPpf(p: number, dof: number): number {
  if (!(p >= 0 && p <= 1)) return NaN;
  if (p === 0.5) return 0;
  if (p < 0.5) return -studentIsf(p, dof);
  return studentIsf(1 - p, dof);
}

/** The t with P(T > t) = p. */
export function studentIsf(p: number, dof: number): number {
  if (!(p >= 0 && p <= 1)) return NaN;
  if (p > 0.5) return -studentIsf(1 - p, dof);
  if (p === 0.5) return 0;
  if (p === 0) return Infinity;
  const target = logDeterministic(p);
  const high = bracketUpward((t) => studentSf(t, dof) < p, Math.max(1, -normalPpf(p)));
  return findRoot((t) => safeLog(studentSf(t, dof)) - target, 0, high);
}

/** P(F > x) for an F variable with dof1 and dof2 degrees of freedom. */
export function fisherSf(x: number, dof1: number, dof2: number): number {
  if (x <= 0) return 1;
  const total = dof2 + dof1 * x;
  return betaTails(dof2 / 2, dof1 / 2, dof2 / total, (dof1 * x) / total).lower;
}

/** The x with P(F > x) = p for an F variable with dof1 and dof2 degrees of freedom. */
export function fisherIsf(p: number, dof1: number, dof2: number): number {
  if (!(p >= 0 && p <= 1)) return NaN;
  if (p === 1) return 0;
  if (p === 0) return Number.POSITIVE_INFINITY;
  // The share b = dof1·F / (dof2 + dof1·F) is a beta variable; its complement keeps far tails exact.
  const rest = betaPpf(p, dof2 / 2, dof1 / 2);
  return (dof2 * (1 - rest)) / (dof1 * rest);
}

/** The x with P(X ≤ x) = p for X ~ Beta(a, b). */
export function betaPpf(p: number, a: number, b: number): number {
  if (!(p >= 0 && p <= 1)) return NaN;
  if (p === 0 || p === 1) return p;
  // Solve in whichever half of [0, 1] holds the answer, measuring from its near end, so that tiny quantiles stay relative.
  if (betaTails(a, b, 0.5, 0.5).lower < p) return 1 - lowerBetaQuantile({ a: b, b: a, lower: 1 - p, upper: p });
  return lowerBetaQuantile({ a, b, lower: p, upper: 1 - p });
}

interface BetaTarget {
  readonly a: number;
  readonly b: number;
  readonly lower: number;
  readonly upper: number;
}

function lowerBetaQuantile({ a, b, lower, upper }: BetaTarget): number {
  const useLower = lower <= upper;
  const target = logDeterministic(useLower ? lower : upper);
  // In ln x, because a quantile may be as small as 1e-300 and halving an interval in x would not get there.
  const logX = findRoot(
    (u) => {
      const x = expDeterministic(u);
      const tails = betaTails(a, b, x, 1 - x);
      return useLower ? safeLog(tails.lower) - target : target - safeLog(tails.upper);
    },
    SMALLEST_LOG,
    -0.6931471805599453,
  );
  return expDeterministic(logX);
}
