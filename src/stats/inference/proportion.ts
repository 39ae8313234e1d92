/** Confidence intervals of a share of k in n. */
import { betaPpf } from "../special/distributions.ts";
import { normalIsf } from "../special/normal.ts";

export type Interval = readonly [number, number];

/** Wilson's score interval (1927): close to its stated coverage at any n; the default. [0, 1] for n = 0. */
export function wilsonInterval(k: number, n: number, level = 0.95): Interval {
  if (n === 0) return [0, 1];
  const z = normalIsf((1 - level) / 2);
  const share = k / n;
  const square = z * z;
  const denominator = 1 + square / n;
  const center = (share + square / (2 * n)) / denominator;
  const half = (z / denominator) * Math.sqrt((share * (1 - share)) / n + square / (4 * n * n));
  return [k === 0 ? 0 : Math.max(0, center - half), k === n ? 1 : Math.min(1, center + half)];
}

/** The exact interval of C. Clopper and E. Pearson (1934): never covers less than it states, and is wider for it. */
export function clopperPearsonInterval(k: number, n: number, level = 0.95): Interval {
  if (n === 0) return [0, 1];
  const tail = (1 - level) / 2;
  return [k === 0 ? 0 : betaPpf(tail, k, n - k + 1), k === n ? 1 : betaPpf(1 - tail, k + 1, n - k)];
}

/** Jeffreys' interval: quantiles of Beta(k + ½, n − k + ½). */
export function jeffreysInterval(k: number, n: number, level = 0.95): Interval {
  const tail = (1 - level) / 2;
  return [betaPpf(tail, k + 0.5, n - k + 0.5), betaPpf(1 - tail, k + 0.5, n - k + 0.5)];
}
