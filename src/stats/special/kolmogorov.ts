/**
 * Null distributions of the two-sample Kolmogorov-Smirnov statistic: the limit law (A. Kolmogorov 1933) and the exact one by
 * counting lattice paths (J. L. Hodges, "The significance probability of the Smirnov two-sample test", 1958).
 */
import { expDeterministic } from "../exp.ts";

const PI = 3.14159265358979323846;
const SQRT_2PI = 2.50662827463100050242;

/** P(K > x) for the Kolmogorov limit law, x = sqrt(nm/(n+m))·D. Both theta series; each is used where it converges in a few terms. */
export function kolmogorovSf(x: number): number {
  if (x <= 0) return 1;
  if (x < 1) {
    const step = (PI * PI) / (8 * x * x);
    let sum = 0;
    for (let k = 1; k < 40; k += 2) {
      const term = expDeterministic(-k * k * step);
      sum += term;
      if (term < sum * 1e-17) break;
    }
    return 1 - (SQRT_2PI / x) * sum;
  }
  let sum = 0;
  let sign = 1;
  for (let k = 1; k < 100; k++) {
    const term = expDeterministic(-2 * k * k * x * x);
    sum += sign * term;
    if (term < sum * 1e-17) break;
    sign = -sign;
  }
  return 2 * sum;
}

/**
 * Exact P(D ≥ d) for samples of n and m values without ties. Adds up the probability of the first step outside the band, so
 * tiny p-values keep their relative accuracy (1 − P(inside) would not). Cost O(n·m) time, O(m) memory.
 */
export function kolmogorovExactSf(d: number, n: number, m: number): number {
  if (d <= 0) return 1;
  // D only takes multiples of 1/(n·m); half a step of slack keeps rounding of d from moving the band.
  const limit = (Math.round(d * n * m) - 0.5) / (n * m);
  const inside = new Float64Array(m + 1);
  let outside = 0;
  for (let i = 0; i <= n; i++) {
    let fromLeft = 0;
    for (let j = 0; j <= m; j++) {
      const remaining = n + m - i - j + 1;
      const fromBelow = i === 0 ? 0 : (inside[j] as number) * ((n - i + 1) / remaining);
      const arriving = i === 0 && j === 0 ? 1 : fromBelow + fromLeft;
      if (Math.abs(i / n - j / m) > limit) {
        outside += arriving;
        inside[j] = 0;
        fromLeft = 0;
      } else {
        inside[j] = arriving;
        fromLeft = arriving * ((m - j) / (n + m - i - j || 1));
      }
    }
  }
  return Math.min(1, outside);
}
