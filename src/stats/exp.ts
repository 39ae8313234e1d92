/**
 * exp and log made only of + - * / and bit operations, so a trained model has the same bytes on every JavaScript engine and
 * version (ECMA-262 leaves the precision of Math.exp and Math.log to the engine, and V8 has changed both before).
 *
 * Method: classical argument reduction (W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980): x = k ln 2 + r
 * with ln 2 split in a short high part, so k·high is exact, and a low part carried along; then the Taylor polynomial of exp on
 * |r| <= ln(2)/2, and the atanh series of log on [sqrt(1/2), sqrt(2)). The error stays below 1 unit in the last place (measured
 * against 50-digit arithmetic in the tests). Taylor coefficients are used rather than minimax ones because they can be checked by eye.
 */

/** ln 2 with its low 21 bits zeroed: k·LN2_HIGH is exact for |k| < 2^20. */
const LN2_HIGH = 0.69314718036912381649;
/** ln 2 − LN2_HIGH, rounded. */
const LN2_LOW = 1.90821492927058770002e-10;
const INVERSE_LN2 = 1.442695040888963387;
/** Above this exp overflows to Infinity. */
const EXP_MAXIMUM = 709.782712893383973096;
/** Below this exp rounds to 0 (half of the smallest subnormal). */
const EXP_MINIMUM = -745.13321910194110842;
const SQRT2_HIGH_WORD = 0x6a09e;

const bits = new DataView(new ArrayBuffer(8));

/** 2^k for the integer k in [-1022, 1023], by writing the exponent bits. */
function powerOfTwo(k: number): number {
  bits.setInt32(0, (k + 1023) << 20);
  bits.setInt32(4, 0);
  return bits.getFloat64(0);
}

/** Doubles `value` k times, in two steps where one power of two would overflow or where the result is subnormal. */
function scaleByPowerOfTwo(value: number, k: number): number {
  if (k > 1023) return value * powerOfTwo(1023) * powerOfTwo(k - 1023);
  if (k < -1021) return value * powerOfTwo(k + 1000) * powerOfTwo(-1000);
  return value * powerOfTwo(k);
}

/**
 * e to the power x, the same bits everywhere. NaN gives NaN, overflow gives Infinity, underflow gives 0.
 * Relative error at most 2e-16 in the normal range.
 */
export function expDeterministic(x: number): number {
  if (x !== x) return x;
  if (x > EXP_MAXIMUM) return Infinity;
  if (x < EXP_MINIMUM) return 0;
  const k = Math.floor(x * INVERSE_LN2 + 0.5);
  const high = x - k * LN2_HIGH;
  const low = k * LN2_LOW;
  const r = high - low;
  let p = 1 / 6227020800;
  p = p * r + 1 / 479001600;
  p = p * r + 1 / 39916800;
  p = p * r + 1 / 3628800;
  p = p * r + 1 / 362880;
  p = p * r + 1 / 40320;
  p = p * r + 1 / 5040;
  p = p * r + 1 / 720;
  p = p * r + 1 / 120;
  p = p * r + 1 / 24;
  p = p * r + 1 / 6;
  p = p * r + 0.5;
  // `high - r - low` is what rounding r lost; adding it last keeps the error near half a unit.
  const tail = high - r - low;
  return scaleByPowerOfTwo(1 + (r + (p * r * r + tail)), k);
}

/**
 * Natural logarithm of x, the same bits everywhere. NaN and negative numbers give NaN, 0 gives −Infinity.
 * Relative error at most 2e-16.
 */
export function logDeterministic(x: number): number {
  if (!(x >= 0)) return NaN;
  if (x === 0) return -Infinity;
  if (x === Infinity) return x;
  let k = 0;
  let value = x;
  if (value < 2.2250738585072014e-308) {
    value *= 18014398509481984;
    k = -54;
  }
  bits.setFloat64(0, value);
  const highWord = bits.getInt32(0);
  const mantissa = highWord & 0xfffff;
  const above = mantissa >= SQRT2_HIGH_WORD ? 1 : 0;
  k += (highWord >> 20) - 1023 + above;
  bits.setInt32(0, mantissa | ((1023 - above) << 20));
  const f = bits.getFloat64(0) - 1;
  if (f === 0) return k * LN2_HIGH + k * LN2_LOW;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  // Even and odd terms in two chains: the processor runs them side by side, which halves the time.
  let even = 2 / 25;
  even = even * w + 2 / 21;
  even = even * w + 2 / 17;
  even = even * w + 2 / 13;
  even = even * w + 2 / 9;
  even = even * w + 2 / 5;
  let odd = 2 / 23;
  odd = odd * w + 2 / 19;
  odd = odd * w + 2 / 15;
  odd = odd * w + 2 / 11;
  odd = odd * w + 2 / 7;
  odd = odd * w + 2 / 3;
  const r = even * w + odd * z;
  // log(1+f) = f − f²/2 + s (f²/2 + r): f is exact, so only small terms carry rounding errors.
  const half = 0.5 * f * f;
  return k * LN2_HIGH - (half - (s * (half + r) + k * LN2_LOW) - f);
}

/** ln(1 + x) without cancellation near 0; x ≥ −1. Cost: one logarithm. Source: W. Kahan's correction, as in HP's calculators. */
export function log1pDeterministic(x: number): number {
  const sum = 1 + x;
  if (sum === 1) return x;
  if (sum === Infinity) return x;
  return logDeterministic(sum) * (x / (sum - 1));
}

/** e^x − 1 without cancellation near 0. Source: W. Kahan's correction. */
export function expm1Deterministic(x: number): number {
  if (x > 40 || x < -40) return expDeterministic(x) - 1;
  const value = expDeterministic(x);
  if (value === 1) return x;
  return (value - 1) * (x / logDeterministic(value));
}

/** ln(1 + e^x), the softplus, without overflow: about x for large x and e^x for very negative x. */
export function log1pExp(x: number): number {
  return (x > 0 ? x : 0) + log1pDeterministic(expDeterministic(x > 0 ? -x : x));
}

/** 1 / (1 + e^−x) without overflow; in [0, 1]. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + expDeterministic(-x));
  const e = expDeterministic(x);
  return e / (1 + e);
}

/** ln(p / (1 − p)), the inverse of `sigmoid`; −Infinity at 0 and Infinity at 1. */
export function logit(p: number): number {
  return logDeterministic(p) - log1pDeterministic(-p);
}

/** `base` to the power `exponent` for base > 0, by exp and log; relative error grows as |exponent · ln base| · 1e-16. */
export function powDeterministic(base: number, exponent: number): number {
  return expDeterministic(exponent * logDeterministic(base));
}
