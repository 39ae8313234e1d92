/** Sample quantiles by linear interpolation (type 7 of R. Hyndman and Y. Fan 1996, the default of R and numpy). */

/** The q-quantile (q in [0, 1]) of values already in ascending order; NaN for no values. */
export function sortedQuantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return NaN;
  const position = (sorted.length - 1) * q;
  const below = Math.floor(position);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low === high ? low : low + (position - below) * (high - low);
}

/** The q-quantile of values in any order; the input is not changed. Cost O(n log n). */
export function quantile(values: ArrayLike<number>, q: number): number {
  return sortedQuantile(Float64Array.from(values).sort(), q);
}
