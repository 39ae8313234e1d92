/**
 * Bins for numeric columns, always fixed from the reference side so that a stored count keeps its meaning. A column with
 * at most 20 distinct reference values gets one bin per value plus one for unseen values: quantile bins of a constant column
 * never move, whatever the current values are.
 */
import { sortedQuantile } from "../inference/quantile.ts";
import { logDeterministic } from "../exp.ts";
import type { Numbers } from "../metrics/metric.ts";

/** At most this many distinct reference values are binned by value. */
export const VALUE_BIN_LIMIT = 20;
const LN2 = 0.6931471805599453;

/** Distinct values in ascending order; NaN left out. */
export function distinctValues(values: Numbers): Float64Array {
  const sorted = Float64Array.from(values)
    .filter((value) => value === value)
    .sort();
  return sorted.filter((value, i) => i === 0 || value !== sorted[i - 1]);
}

/**
 * Inner edges at the `binCount` − 1 inner quantiles of the reference, duplicates merged, without the smallest and largest value
 * themselves (unless nothing else is left). k edges make k + 1 bins, the outer
 * ones open; a value on an edge belongs to the bin above.
 */
export function quantileEdges(reference: Numbers, binCount = 10): Float64Array {
  const sorted = Float64Array.from(reference).sort();
  const edges = Float64Array.from({ length: binCount - 1 }, (_, i) => sortedQuantile(sorted, (i + 1) / binCount));
  const distinct = distinctValues(edges);
  const inner = distinct.filter((edge) => edge !== sorted[0] && edge !== sorted[sorted.length - 1]);
  return inner.length > 0 ? inner : distinct;
}

/** Counts of values between inner edges: edges.length + 1 bins. NaN is left out. Cost O(n log bins). */
export function countByEdges(values: Numbers, edges: Float64Array): Float64Array {
  const counts = new Float64Array(edges.length + 1);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value !== value) continue;
    const bin = upperBound(edges, value);
    counts[bin] = (counts[bin] as number) + 1;
  }
  return counts;
}

/** Number of edges ≤ value. */
function upperBound(edges: Float64Array, value: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((edges[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Counts per listed value (ascending) and, last, of all others. */
export function countByValue(values: Numbers, known: Float64Array): Float64Array {
  const counts = new Float64Array(known.length + 1);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value !== value) continue;
    const at = upperBound(known, value) - 1;
    const bin = at >= 0 && known[at] === value ? at : known.length;
    counts[bin] = (counts[bin] as number) + 1;
  }
  return counts;
}

/** `binCount` + 1 equally spaced edges from low to high. */
export function equalWidthEdges(low: number, high: number, binCount: number): Float64Array {
  const step = (high - low) / binCount;
  return Float64Array.from({ length: binCount + 1 }, (_, i) => (i === binCount ? high : low + i * step));
}

/** Bins of equal width by Sturges' rule (1926): ⌈log2 n + 1⌉. Edges include both ends. */
export function sturgesEdges(values: Numbers): Float64Array {
  const sorted = Float64Array.from(values).sort();
  return widthRule(sorted, log2(sorted.length) + 1);
}

/** Bins of equal width by Doane's rule (1976): Sturges plus room for skewness. Edges include both ends. */
export function doaneEdges(values: Numbers): Float64Array {
  const sorted = Float64Array.from(values).sort();
  const n = sorted.length;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / n;
  let squares = 0;
  let cubes = 0;
  for (const value of sorted) {
    const gap = value - mean;
    squares += gap * gap;
    cubes += gap * gap * gap;
  }
  const variance = squares / n;
  if (!(variance > 0) || n < 3) return widthRule(sorted, 1);
  const skewness = cubes / n / (variance * Math.sqrt(variance));
  const noise = Math.sqrt((6 * (n - 2)) / ((n + 1) * (n + 3)));
  return widthRule(sorted, 1 + log2(n) + log2(1 + Math.abs(skewness) / noise));
}

const log2 = (x: number): number => logDeterministic(x) / LN2;

function widthRule(sorted: Float64Array, bins: number): Float64Array {
  const low = sorted[0] as number;
  const high = sorted[sorted.length - 1] as number;
  // A hair below, so that log2 of an exact power of two does not round up into one more bin.
  const count = Math.max(1, Math.ceil(bins - 1e-9));
  return low < high ? equalWidthEdges(low, high, count) : Float64Array.of(low - 0.5, high + 0.5);
}

/** Counts in closed bins between edges (the last one includes its upper end) and, last, of everything outside. */
export function countWithin(values: Numbers, edges: Float64Array): Float64Array {
  const bins = edges.length - 1;
  const counts = new Float64Array(bins + 1);
  const last = edges[bins] as number;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value !== value) continue;
    const position = value === last ? bins - 1 : upperBound(edges, value) - 1;
    const bin = position < 0 || position >= bins ? bins : position;
    counts[bin] = (counts[bin] as number) + 1;
  }
  return counts;
}
