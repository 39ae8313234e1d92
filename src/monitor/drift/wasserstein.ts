/** Wasserstein-1 of two profiles over the cells of one grid, each cell's rows at its middle: off by at most one cell's width. */
import type { FeatureProfile, NumberGrid } from "../../data/index.ts";
import { wassersteinFromCounts } from "../../stats/index.ts";
import { closedCounts } from "./bins.ts";

/** A constant reference would divide by 0; the field divides by at least this. */
const SMALLEST_DEVIATION = 0.001;

/** In standard deviations of the reference. Values beyond its range count at its ends, so the distance is then a lower bound. */
export function normedWasserstein(grid: NumberGrid, reference: FeatureProfile, current: FeatureProfile): number | null {
  const positions = cellMiddles(grid);
  const before = closedCounts(reference);
  const distance = wassersteinFromCounts(before, closedCounts(current), positions);
  return distance === null ? null : distance / Math.max(deviationOf(before, positions), SMALLEST_DEVIATION);
}

/** The middle of each cell; of a value cell the value. */
export function cellMiddles(grid: NumberGrid): Float64Array {
  if (grid.values !== undefined) return Float64Array.from(grid.values);
  const ends = [grid.min, ...grid.edges, grid.max];
  return Float64Array.from({ length: grid.edges.length + 1 }, (_, i) => {
    const low = ends[i] as number;
    return low + ((ends[i + 1] as number) - low) / 2;
  });
}

function deviationOf(counts: Float64Array, positions: Float64Array): number {
  let rows = 0;
  let mean = 0;
  for (let i = 0; i < counts.length; i++) {
    rows += counts[i] as number;
    mean += (counts[i] as number) * (positions[i] as number);
  }
  if (rows === 0) return 0;
  mean /= rows;
  let squares = 0;
  for (let i = 0; i < counts.length; i++) {
    const gap = (positions[i] as number) - mean;
    squares += (counts[i] as number) * gap * gap;
  }
  return Math.sqrt(squares / rows);
}
