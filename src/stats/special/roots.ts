/** Root finding for quantiles and confidence bounds: bisection that tries a faster step first, so it always ends. */

/**
 * The root of an increasing or decreasing function on [low, high] by Brent's combination of secant, inverse quadratic and
 * bisection steps (R. P. Brent, Algorithms for Minimization without Derivatives, 1973, chapter 4).
 * The bracket must enclose a sign change; otherwise the end with the smaller |value| is returned.
 */
export function findRoot(evaluate: (x: number) => number, low: number, high: number, tolerance = 0): number {
  let a = low;
  let b = high;
  let fa = evaluate(a);
  let fb = evaluate(b);
  if (fa === 0) return a;
  if (fb === 0) return b;
  if (fa > 0 === fb > 0) return Math.abs(fa) < Math.abs(fb) ? a : b;
  let c = a;
  let fc = fa;
  let d = b - a;
  let e = d;
  for (let i = 0; i < 300; i++) {
    if (fb > 0 === fc > 0) {
      c = a;
      fc = fa;
      d = b - a;
      e = d;
    }
    if (Math.abs(fc) < Math.abs(fb)) {
      a = b;
      b = c;
      c = a;
      fa = fb;
      fb = fc;
      fc = fa;
    }
    const limit = 2 * Number.EPSILON * Math.abs(b) + 0.5 * tolerance;
    const middle = 0.5 * (c - b);
    if (Math.abs(middle) <= limit || fb === 0) return b;
    const step = brentStep({ a, b, c, fa, fb, fc, middle, e, limit });
    e = step === null ? middle : d;
    d = step === null ? middle : step;
    a = b;
    fa = fb;
    b += Math.abs(d) > limit ? d : middle > 0 ? limit : -limit;
    fb = evaluate(b);
  }
  return b;
}

interface Bracket {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly fa: number;
  readonly fb: number;
  readonly fc: number;
  readonly middle: number;
  readonly e: number;
  readonly limit: number;
}

/** The interpolated step, or null when only bisection is safe. */
function brentStep({ a, b, c, fa, fb, fc, middle, e, limit }: Bracket): number | null {
  if (Math.abs(e) < limit || Math.abs(fa) <= Math.abs(fb)) return null;
  const s = fb / fa;
  let p: number;
  let q: number;
  if (a === c) {
    p = 2 * middle * s;
    q = 1 - s;
  } else {
    const r = fb / fc;
    const t = fa / fc;
    p = s * (2 * middle * t * (t - r) - (b - a) * (r - 1));
    q = (t - 1) * (r - 1) * (s - 1);
  }
  if (p > 0) q = -q;
  else p = -p;
  return 2 * p < Math.min(3 * middle * q - Math.abs(limit * q), Math.abs(e * q)) ? p / q : null;
}

/** Grows `high` by doubling until evaluate(high) has passed zero in the given direction. */
export function bracketUpward(isPast: (x: number) => boolean, start: number): number {
  let high = start;
  for (let i = 0; i < 1100 && !isPast(high); i++) high *= 2;
  return high;
}
