/**
 * Regularized incomplete beta by its continued fraction (modified Lentz), with the prefix x^a (1−x)^b / B(a, b) from Loader's
 * saddle-point form so that both tails keep their relative accuracy. Cost O(sqrt(max(a, b))).
 */
import { expDeterministic, log1pDeterministic, logDeterministic } from "../exp.ts";
import { deviance, stirlingError } from "./gamma.ts";

const TWO_PI = 6.28318530717958647693;

/** x^a y^b / B(a, b) with y = 1 − x. */
function prefix(a: number, b: number, x: number, y: number): number {
  const n = a + b;
  const exponent = stirlingError(n) - stirlingError(a) - stirlingError(b) - deviance(a, n * x) - deviance(b, n * y);
  return expDeterministic(exponent) * Math.sqrt((a * b) / (TWO_PI * n));
}

function fraction(a: number, b: number, x: number): number {
  const tiny = 1e-300;
  let c = 1;
  let d = 1 - ((a + b) * x) / (a + 1);
  if (Math.abs(d) < tiny) d = tiny;
  d = 1 / d;
  let value = d;
  for (let m = 1; m < 100_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 + even * d;
    if (Math.abs(d) < tiny) d = tiny;
    c = 1 + even / c;
    if (Math.abs(c) < tiny) c = tiny;
    d = 1 / d;
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 + odd * d;
    if (Math.abs(d) < tiny) d = tiny;
    c = 1 + odd / c;
    if (Math.abs(c) < tiny) c = tiny;
    d = 1 / d;
    const factor = d * c;
    value *= factor;
    if (Math.abs(factor - 1) < 1e-16) break;
  }
  return value;
}

/**
 * Lower and upper regularized incomplete beta at x, with y = 1 − x given separately because callers often know it exactly.
 * Returns the smaller tail computed directly and the other as its complement.
 */
export function betaTails(a: number, b: number, x: number, y: number): { lower: number; upper: number } {
  if (!(a > 0) || !(b > 0) || !(x >= 0) || !(y >= 0)) return { lower: NaN, upper: NaN };
  if (x === 0) return { lower: 0, upper: 1 };
  if (y === 0) return { lower: 1, upper: 0 };
  const front = prefix(a, b, x, y);
  if (x <= (a + 1) / (a + b + 2)) {
    const lower = (front * fraction(a, b, x)) / a;
    return { lower, upper: 1 - lower };
  }
  const upper = (front * fraction(b, a, y)) / b;
  return { lower: 1 - upper, upper };
}

/** P(X ≤ x) for X ~ Beta(a, b). */
export function betaCdf(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  return betaTails(a, b, x, 1 - x).lower;
}

/** P(X > x) for X ~ Beta(a, b), accurate in the upper tail. */
export function betaSf(x: number, a: number, b: number): number {
  if (x <= 0) return 1;
  if (x >= 1) return 0;
  return betaTails(a, b, x, 1 - x).upper;
}

/** ln of the Beta(a, b) density at x in (0, 1). */
export function betaLogPdf(x: number, a: number, b: number): number {
  return logDeterministic(prefix(a, b, x, 1 - x)) - logDeterministic(x) - log1pDeterministic(-x);
}
