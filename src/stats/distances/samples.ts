/** Distances between two samples of numbers, without bins. Inputs are left alone; NaN must be removed before. */
import { expDeterministic } from "../exp.ts";
import type { Numbers } from "../metrics/metric.ts";
import { quantile } from "../inference/quantile.ts";
import { kolmogorovExactSf, kolmogorovSf } from "../special/kolmogorov.ts";

/** Up to this n·m the p-value of Kolmogorov-Smirnov is exact (about 2 ms); beyond, the limit law is used. */
export const KS_EXACT_LIMIT = 250_000;

export interface KsResult {
  /** Largest gap between the two distribution functions, in [0, 1]: the effect size. */
  readonly statistic: number;
  readonly p: number;
  readonly exact: boolean;
}

/** Two-sample Kolmogorov-Smirnov test; null when a side is empty. With ties the p-value is conservative. Cost O(n log n). */
export function kolmogorovSmirnov(reference: Numbers, current: Numbers, exactLimit = KS_EXACT_LIMIT): KsResult | null {
  const n = reference.length;
  const m = current.length;
  if (n === 0 || m === 0) return null;
  let statistic = 0;
  walk(reference, current, (a, b) => {
    statistic = Math.max(statistic, Math.abs(a / n - b / m));
  });
  const exact = n * m <= exactLimit;
  const p = exact ? kolmogorovExactSf(statistic, n, m) : kolmogorovSf(Math.sqrt((n * m) / (n + m)) * statistic);
  return { statistic, p, exact };
}

/** Visits every distinct value in order with the counts of both sides at or below it and the gap to the next value. */
function walk(first: Numbers, second: Numbers, visit: (a: number, b: number, gap: number) => void): void {
  const left = Float64Array.from(first).sort();
  const right = Float64Array.from(second).sort();
  let a = 0;
  let b = 0;
  while (a < left.length || b < right.length) {
    const value = Math.min(
      a < left.length ? (left[a] as number) : Infinity,
      b < right.length ? (right[b] as number) : Infinity,
    );
    while (a < left.length && (left[a] as number) === value) a++;
    while (b < right.length && (right[b] as number) === value) b++;
    const next = Math.min(
      a < left.length ? (left[a] as number) : Infinity,
      b < right.length ? (right[b] as number) : Infinity,
    );
    visit(a, b, next === Infinity ? 0 : next - value);
  }
}

/** Wasserstein-1 (earth mover's) distance ∫ |F − G| in the unit of the column; null when a side is empty. */
export function wasserstein(reference: Numbers, current: Numbers): number | null {
  const n = reference.length;
  const m = current.length;
  if (n === 0 || m === 0) return null;
  let sum = 0;
  walk(reference, current, (a, b, gap) => {
    sum += Math.abs(a / n - b / m) * gap;
  });
  return sum;
}

/** A constant reference would divide by 0; the field divides by at least this. */
const SMALLEST_DEVIATION = 0.001;

/** Wasserstein-1 in standard deviations (n divisor) of the reference, at least 0.001; null when a side is empty. */
export function wassersteinNormed(reference: Numbers, current: Numbers): number | null {
  const distance = wasserstein(reference, current);
  return distance === null ? null : distance / Math.max(populationDeviation(reference), SMALLEST_DEVIATION);
}

/** Standard deviation with divisor n, two-pass. */
export function populationDeviation(values: Numbers): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  const mean = sum / values.length;
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += ((values[i] as number) - mean) * ((values[i] as number) - mean);
  return Math.sqrt(squares / values.length);
}

/** Largest gap of cumulative shares over ordered bins: Kolmogorov-Smirnov from counts. Null when a side is empty. */
export function ksFromCounts(reference: Numbers, current: Numbers): number | null {
  let largest = 0;
  const total = cumulate(reference, current, (gap) => {
    largest = Math.max(largest, Math.abs(gap));
  });
  return total ? largest : null;
}

/**
 * Wasserstein-1 from counts over ordered bins, each bin's mass placed at its position (`positions`: one per bin, ascending).
 * Off by at most one bin width. Null when a side is empty.
 */
export function wassersteinFromCounts(reference: Numbers, current: Numbers, positions: Numbers): number | null {
  let sum = 0;
  const total = cumulate(reference, current, (gap, bin) => {
    if (bin + 1 < positions.length) {
      sum += Math.abs(gap) * ((positions[bin + 1] as number) - (positions[bin] as number));
    }
  });
  return total ? sum : null;
}

function cumulate(reference: Numbers, current: Numbers, visit: (gap: number, bin: number) => void): boolean {
  let n = 0;
  let m = 0;
  for (let i = 0; i < reference.length; i++) {
    n += reference[i] as number;
    m += current[i] as number;
  }
  if (!(n > 0) || !(m > 0)) return false;
  let a = 0;
  let b = 0;
  for (let bin = 0; bin < reference.length; bin++) {
    a += reference[bin] as number;
    b += current[bin] as number;
    visit(a / n - b / m, bin);
  }
  return true;
}

/** Median distance between all pairs of values of both samples: the usual width of the MMD kernel. Cost O((n+m)²). */
export function medianPairDistance(reference: Numbers, current: Numbers): number {
  const all = Float64Array.from([...Array.from(reference), ...Array.from(current)]);
  const gaps = new Float64Array((all.length * (all.length - 1)) / 2);
  let at = 0;
  for (let i = 0; i < all.length; i++) {
    for (let j = 0; j < i; j++) gaps[at++] = Math.abs((all[i] as number) - (all[j] as number));
  }
  return quantile(gaps, 0.5);
}

/**
 * Unbiased squared maximum mean discrepancy with a Gaussian kernel of the given width (A. Gretton et al. 2012); may be slightly
 * negative without drift. Null below two values a side. Cost O((n + m)²).
 */
export function mmdSquared(reference: Numbers, current: Numbers, width: number): number | null {
  const n = reference.length;
  const m = current.length;
  if (n < 2 || m < 2) return null;
  const factor = -1 / (2 * width * width);
  const kernelSum = (a: Numbers, b: Numbers, skipDiagonal: boolean): number => {
    let sum = 0;
    for (let i = 0; i < a.length; i++) {
      for (let j = 0; j < b.length; j++) {
        if (skipDiagonal && i === j) continue;
        const gap = (a[i] as number) - (b[j] as number);
        sum += expDeterministic(factor * gap * gap);
      }
    }
    return sum;
  };
  const within =
    kernelSum(reference, reference, true) / (n * (n - 1)) + kernelSum(current, current, true) / (m * (m - 1));
  return within - (2 * kernelSum(reference, current, false)) / (n * m);
}
