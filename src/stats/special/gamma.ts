/**
 * Gamma-family functions. Probabilities are formed from the saddle-point pieces of C. Loader, "Fast and accurate computation of
 * binomial probabilities" (2000): the density is exp(−stirlingError − deviance)/sqrt(2πa), in which nothing large cancels, so
 * a tail keeps its relative accuracy for arguments in the thousands where x^a e^−x / Γ(a) by logarithms would not.
 */
import { expDeterministic, log1pDeterministic, logDeterministic } from "../exp.ts";

const LN_SQRT_2PI = 0.91893853320467274178;
const TWO_PI = 6.28318530717958647693;
/** From here the Stirling series below is exact to double precision. */
const STIRLING_START = 15;

/** ln Γ(x + 1) − [(x + ½) ln x − x + ½ ln 2π] for x ≥ 15. */
function stirlingSeries(x: number): number {
  const inverse = 1 / x;
  const square = inverse * inverse;
  let sum = -3617 / 122400;
  sum = sum * square + 1 / 156;
  sum = sum * square - 691 / 360360;
  sum = sum * square + 1 / 1188;
  sum = sum * square - 1 / 1680;
  sum = sum * square + 1 / 1260;
  sum = sum * square - 1 / 360;
  sum = sum * square + 1 / 12;
  return sum * inverse;
}

/** ln Γ(x) for x > 0; NaN below or at 0. Absolute error about 1e-15 near the zeros 1 and 2, relative elsewhere. */
export function lgamma(x: number): number {
  if (!(x > 0)) return NaN;
  if (x === 1 || x === 2) return 0;
  if (x === Infinity) return x;
  let shifted = x;
  let product = 1;
  while (shifted < STIRLING_START) {
    product *= shifted;
    shifted += 1;
  }
  const stirling = (shifted - 0.5) * logDeterministic(shifted) - shifted + LN_SQRT_2PI + stirlingSeries(shifted);
  return product === 1 ? stirling : stirling - logDeterministic(product);
}

/** Stirling's error of x!: ln Γ(x + 1) − [(x + ½) ln x − x + ½ ln 2π], for x > 0. */
export function stirlingError(x: number): number {
  if (x >= STIRLING_START) return stirlingSeries(x);
  return lgamma(x + 1) - (x + 0.5) * logDeterministic(x) + x - LN_SQRT_2PI;
}

/** x ln(x/m) + m − x, the deviance part of a Poisson density, without cancellation near x = m. */
export function deviance(x: number, m: number): number {
  if (x === 0) return m;
  const difference = x - m;
  if (Math.abs(difference) < 0.1 * (x + m)) {
    const v = difference / (x + m);
    const square = v * v;
    let sum = difference * v;
    let term = 2 * x * v;
    for (let j = 1; j < 100; j++) {
      term *= square;
      const next = sum + term / (2 * j + 1);
      if (next === sum) break;
      sum = next;
    }
    return sum;
  }
  return x * logDeterministic(x / m) + m - x;
}

/** x^a e^−x / Γ(a + 1): the Poisson probability of a at mean x, for real a ≥ 0. */
export function poissonDensity(a: number, x: number): number {
  if (a === 0) return expDeterministic(-x);
  if (x === 0) return 0;
  return expDeterministic(-stirlingError(a) - deviance(a, x)) / Math.sqrt(TWO_PI * a);
}

/** Sum of x^n / ((a+1)…(a+n)): P(a, x) = density · sum. */
function lowerSeries(a: number, x: number): number {
  let term = 1;
  let sum = 1;
  for (let n = 1; n < 100_000; n++) {
    term *= x / (a + n);
    sum += term;
    if (term < sum * 1e-17) break;
  }
  return sum;
}

/** Continued fraction of Q(a, x) (modified Lentz): Q = a · density · value. */
function upperFraction(a: number, x: number): number {
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let value = d;
  for (let i = 1; i < 100_000; i++) {
    const an = -i * (i - a);
    b += 2;
    d = an * d + b;
    if (Math.abs(d) < tiny) d = tiny;
    c = b + an / c;
    if (Math.abs(c) < tiny) c = tiny;
    d = 1 / d;
    const factor = d * c;
    value *= factor;
    if (Math.abs(factor - 1) < 1e-16) break;
  }
  return value;
}

/** Regularized lower incomplete gamma P(a, x), a > 0, x ≥ 0. Cost O(sqrt(a)) near x = a. */
export function gammaP(a: number, x: number): number {
  if (!(a > 0) || !(x >= 0)) return NaN;
  if (x === 0) return 0;
  if (x === Infinity) return 1;
  return x < a + 1 ? poissonDensity(a, x) * lowerSeries(a, x) : 1 - gammaQ(a, x);
}

/** Regularized upper incomplete gamma Q(a, x), accurate in the upper tail. */
export function gammaQ(a: number, x: number): number {
  if (!(a > 0) || !(x >= 0)) return NaN;
  if (x === 0) return 1;
  if (x === Infinity) return 0;
  return x < a + 1 ? 1 - gammaP(a, x) : a * poissonDensity(a, x) * upperFraction(a, x);
}

/** Digamma ψ(x), the derivative of ln Γ, for x > 0. */
export function digamma(x: number): number {
  if (!(x > 0)) return NaN;
  let shifted = x;
  let sum = 0;
  while (shifted < 12) {
    sum -= 1 / shifted;
    shifted += 1;
  }
  const square = 1 / (shifted * shifted);
  let series = 1 / 12;
  series = series * square - 691 / 32760;
  series = series * square + 1 / 132;
  series = series * square - 1 / 240;
  series = series * square + 1 / 252;
  series = series * square - 1 / 120;
  series = series * square + 1 / 12;
  return sum + logDeterministic(shifted) - 0.5 / shifted - series * square;
}

/** Riemann zeta for s > 1 by Euler-Maclaurin summation from n = 20. */
export function zeta(s: number): number {
  if (!(s > 1)) return NaN;
  const n = 20;
  const power = (base: number, exponent: number): number => expDeterministic(exponent * logDeterministic(base));
  let sum = 0;
  for (let k = n - 1; k >= 1; k--) sum += power(k, -s);
  const edge = power(n, -s);
  sum += (edge * n) / (s - 1) + 0.5 * edge;
  const bernoulli = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6];
  let factor = (s * edge) / n;
  let factorial = 2;
  for (let j = 1; j <= bernoulli.length; j++) {
    sum += ((bernoulli[j - 1] as number) / factorial) * factor;
    factor *= ((s + 2 * j - 1) * (s + 2 * j)) / (n * n);
    factorial *= (2 * j + 1) * (2 * j + 2);
  }
  return sum;
}

/** ln B(a, b). */
export function lbeta(a: number, b: number): number {
  return lgamma(a) + lgamma(b) - lgamma(a + b);
}

/** ln of the binomial coefficient (n choose k). */
export function logChoose(n: number, k: number): number {
  return k === 0 || k === n ? 0 : -log1pDeterministic(n) - lbeta(n - k + 1, k + 1);
}
