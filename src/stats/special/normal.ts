/**
 * Error function and the normal distribution, with full relative accuracy in the upper tail (never 1 − cdf).
 *
 * erfc(x) = e^(−x²) · g(t) / (1 + 2x) with g a Chebyshev series in t = (x − 3.75)/(x + 3.75) on [0, ∞) (the substitution of
 * J. L. Schonfelder, "Chebyshev expansions for the error and related functions", Math. Comp. 32, 1978; the coefficients were
 * computed afresh in 40-digit arithmetic).
 */
import { expDeterministic, log1pDeterministic, logDeterministic } from "../exp.ts";

const CHEBYSHEV = Float64Array.of(
  1.1775789345674017541,
  -0.0045900545806464773309,
  -0.084249133366517915584,
  0.059209939998191890498,
  -0.026658668435305752277,
  0.0090749976707052650939,
  -0.0024131635404176081909,
  0.00049077583652580863229,
  -0.000069169733025012063671,
  4.1390279860730101675e-6,
  7.7403830661984906686e-7,
  -2.1886401049234395661e-7,
  1.0764999465670910377e-8,
  4.5219598112182868979e-9,
  -7.7544002088313511065e-10,
  -6.3180883408866844944e-11,
  2.8687950109306698981e-11,
  1.945586854577734723e-13,
  -9.6546967484334389059e-13,
  3.2525481481487398415e-14,
  3.3478119482868053878e-14,
  -1.8645628804193131015e-15,
  -1.2507950530688647085e-15,
  7.418235256624043463e-17,
  5.0681489047961113168e-17,
  -2.2370566594359995974e-18,
);
const SQRT_HALF = 0.7071067811865475244;
const TWO_OVER_SQRT_PI = 1.1283791670955125739;
const INVERSE_SQRT_2PI = 0.39894228040143267794;
const LN_SQRT_2PI = 0.91893853320467274178;
/** Below this |x| the power series of erf loses nothing; above it erfc has no cancellation worth naming. */
const SERIES_LIMIT = 0.5;

/** e^(x²) · erfc(x) for x ≥ 0. */
function scaledErfc(x: number): number {
  if (x > 1e8) return INVERSE_SQRT_2PI / (SQRT_HALF * x);
  const t = (x - 3.75) / (x + 3.75);
  let current = 0;
  let previous = 0;
  for (let i = CHEBYSHEV.length - 1; i > 0; i--) {
    const next = 2 * t * current - previous + (CHEBYSHEV[i] as number);
    previous = current;
    current = next;
  }
  return (t * current - previous + (CHEBYSHEV[0] as number)) / (1 + 2 * x);
}

/** e^(−x²), with x split so that the error of squaring a large x does not enter the exponent. */
function expMinusSquare(x: number): number {
  const high = Math.fround(x);
  return expDeterministic(-high * high) * expDeterministic(-(x - high) * (x + high));
}

function erfSeries(x: number): number {
  const square = x * x;
  let term = x;
  let sum = x;
  for (let n = 1; n < 40; n++) {
    term *= -square / n;
    const next = sum + term / (2 * n + 1);
    if (next === sum) break;
    sum = next;
  }
  return TWO_OVER_SQRT_PI * sum;
}

/** The error function; odd, in [−1, 1]. Relative error about 2e-16. */
export function erf(x: number): number {
  if (x !== x) return x;
  const size = Math.abs(x);
  if (size < SERIES_LIMIT) return erfSeries(x);
  const value = 1 - erfc(size);
  return x < 0 ? -value : value;
}

/** 1 − erf(x), accurate relative to its own size down to about 1e-300. */
export function erfc(x: number): number {
  if (x !== x) return x;
  if (x < SERIES_LIMIT) return x > -SERIES_LIMIT ? 1 - erfSeries(x) : 2 - erfc(-x);
  if (x > 27.3) return 0;
  return expMinusSquare(x) * scaledErfc(x);
}

/** Density of the standard normal distribution. */
export function normalPdf(x: number): number {
  return INVERSE_SQRT_2PI * expMinusSquare(x * SQRT_HALF);
}

/** P(Z ≤ x) for a standard normal Z. */
export function normalCdf(x: number): number {
  return 0.5 * erfc(-x * SQRT_HALF);
}

/** P(Z > x), accurate in the upper tail. */
export function normalSf(x: number): number {
  return 0.5 * erfc(x * SQRT_HALF);
}

/** ln P(Z ≤ x), finite also where the probability itself underflows. */
export function normalLogCdf(x: number): number {
  if (x > -1) return log1pDeterministic(-normalSf(x));
  return logDeterministic(0.5 * scaledErfc(-x * SQRT_HALF)) - 0.5 * x * x;
}

/** Upper-tail quantile for p in (0, 0.5]: Abramowitz & Stegun 26.2.23 (error < 4.5e-4), then Newton steps on ln P. */
function upperQuantile(p: number): number {
  const logP = logDeterministic(p);
  const t = Math.sqrt(-2 * logP);
  let x = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  if (p > 0.1) {
    for (let i = 0; i < 4; i++) {
      const step = (normalSf(x) - p) / normalPdf(x);
      x += step / (1 - 0.5 * x * step);
    }
    return x;
  }
  for (let i = 0; i < 5; i++) {
    const scaled = 0.5 * scaledErfc(x * SQRT_HALF);
    const logTail = logDeterministic(scaled) - 0.5 * x * x;
    // derivative of ln P(Z > x) is −density / tail; the factor e^(−x²/2) cancels.
    x += (logTail - logP) * (scaled / INVERSE_SQRT_2PI);
  }
  return x;
}

/** The x with P(Z ≤ x) = p; −Infinity at 0, Infinity at 1, NaN outside [0, 1]. */
export function normalPpf(p: number): number {
  if (!(p >= 0 && p <= 1)) return NaN;
  if (p === 0) return -Infinity;
  if (p === 1) return Infinity;
  if (p === 0.5) return 0;
  return p < 0.5 ? -upperQuantile(p) : upperQuantile(1 - p);
}

/** The x with P(Z > x) = p, accurate for tiny p where 1 − p would round to 1. */
export function normalIsf(p: number): number {
  return -normalPpf(p);
}

/** ln of the normal density at x; kept here for callers that add logs. */
export function normalLogPdf(x: number): number {
  return -0.5 * x * x - LN_SQRT_2PI;
}
