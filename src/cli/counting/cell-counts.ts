/** Grids and counts of number columns that lie in the kernels' memory as float32. */
import {
  type FeatureProfile,
  gridOfScan,
  layoutOf,
  type NumberGrid,
  numberIndex,
  NumberScan,
  profileOf,
  TAILS,
} from "../../data/index.ts";
import type { MemoryPlan } from "../../learn/wasm.ts";
import type { ProfileKernels } from "./kernel-contract.ts";

/** Cells of a grid a reference makes, with the end that closes its edges. */
const MOST_EDGES = 257;
const MOST_COUNTS = 2 * (MOST_EDGES + TAILS.length);
const SLOTS = 4_097;

/** Where the table and the counts of a column lie. */
export interface Places {
  readonly slots: number;
  readonly edges: number;
  readonly counts: number;
  /** Two float64. */
  readonly ends: number;
}

export function reservePlaces(plan: MemoryPlan): Places {
  return {
    slots: plan.reserve(SLOTS * 4),
    edges: plan.reserve(MOST_EDGES * 8),
    counts: plan.reserve(MOST_COUNTS * 4),
    ends: plan.reserve(16),
  };
}

/** Values that lie together. */
export interface Values {
  readonly at: number;
  readonly rows: number;
}

export class CellCounts {
  readonly #kernels: ProfileKernels;
  readonly #words: Uint32Array;
  readonly floats: Float32Array;
  readonly doubles: Float64Array;

  constructor(kernels: ProfileKernels) {
    this.#kernels = kernels;
    const { buffer } = kernels;
    this.floats = new Float32Array(buffer);
    this.doubles = new Float64Array(buffer, 0, buffer.byteLength >>> 3);
    this.#words = new Uint32Array(buffer);
  }

  /** The grid of all rows of a reference. */
  gridOf(name: string, { at, rows, ends }: Values & { readonly ends: number }): NumberGrid {
    this.#kernels.range(at, rows, ends);
    const [min, max] = this.doubles.subarray(ends / 8, ends / 8 + 2) as unknown as [number, number];
    const scan = new NumberScan(rows);
    scan.add(this.floats.subarray(at / 4, at / 4 + rows), { min, max });
    return gridOfScan(name, scan);
  }

  /** Writes the table of a grid, with nothing counted. */
  index(grid: NumberGrid, { slots, edges, counts }: Places): void {
    const index = numberIndex(grid);
    this.#words.fill(0, counts / 4, counts / 4 + MOST_COUNTS);
    this.doubles.set(index.edges, edges / 8);
    const words = this.#words.subarray(slots / 4, slots / 4 + SLOTS);
    for (let slot = 0; slot < SLOTS; slot++) {
      words[slot] = (index.first[slot] as number) | ((index.last[slot] as number) << 16);
    }
  }

  count(grid: NumberGrid, { slots, edges, counts }: Places, values: Values): void {
    const cells = cellsOf(grid);
    // Without a single value there is no range; nothing lies in one that ends before it begins.
    const [min, max] = cells === 0 ? [Infinity, -Infinity] : [grid.min, grid.max];
    const { slotsPerUnit } = numberIndex(grid);
    const isByValue = Number(grid.values !== undefined);
    this.#kernels.countCells(values.at, values.rows, slots, edges, counts, cells, isByValue, min, max, slotsPerUnit);
  }

  /** What has been counted since the last call, column by column. */
  take(grids: readonly NumberGrid[], places: readonly Places[]): readonly FeatureProfile[] {
    const layout = layoutOf(grids);
    const vector = new Float64Array(layout.size);
    layout.features.forEach(({ offset, cells, grid }, i) => {
      const from = (places[i] as Places).counts / 4;
      const size = cells + TAILS.length;
      const counts = this.#words.subarray(from, from + 2 * size);
      for (let j = 0; j < size; j++) vector[offset + j] = (counts[j] as number) + (counts[size + j] as number);
      counts.fill(0);
      if (cells === 0 && grid.kind === "number") moveToUnseen(vector, offset);
    });
    return profileOf(layout, vector).features;
  }
}

const cellsOf = (grid: NumberGrid) => grid.values?.length ?? grid.edges.length + 1;

/** Where the reference has no value, a value is no smaller or larger one. */
function moveToUnseen(vector: Float64Array, tails: number): void {
  for (const tail of ["below", "above"] as const) {
    const at = tails + TAILS.indexOf(tail);
    const unseen = tails + TAILS.indexOf("unseen");
    vector[unseen] = (vector[unseen] as number) + (vector[at] as number);
    vector[at] = 0;
  }
}
