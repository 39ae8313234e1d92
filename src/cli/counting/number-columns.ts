/**
 * Number columns of two files counted in one block of memory, which the kernels read: those of the reference are kept whole, because
 * its grid is known only when its last row has been seen; those of the current file pass through a chunk at a time.
 */
import type { DuckDBVector } from "@duckdb/node-api";
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
import { fillNumbers } from "../../job/chunk-readers.ts";
import { type KernelChoice, MemoryPlan } from "../../learn/wasm.ts";
import type { ProfileKernels } from "./kernel-contract.ts";
import { openProfileKernels } from "./kernels.ts";

/** Numbers converted at a time: what DuckDB has in a vector. */
const STAGED = 2_048;
/** Cells of a grid a reference makes, with the end that closes its edges. */
const MOST_EDGES = 257;
const MOST_COUNTS = 2 * (MOST_EDGES + TAILS.length);
const SLOTS = 4_097;

/** Where the table and the counts of a column lie. */
interface Places {
  readonly slots: number;
  readonly edges: number;
  readonly counts: number;
}

export interface NumberColumnsOptions {
  readonly names: readonly string[];
  /** Of the reference. */
  readonly rows: number;
  readonly kernels?: KernelChoice;
}

export class NumberColumns {
  readonly #names: readonly string[];
  readonly #rows: number;
  readonly #kernels: ProfileKernels;
  readonly #floats: Float32Array;
  readonly #doubles: Float64Array;
  readonly #words: Uint32Array;
  readonly #kept: readonly number[];
  readonly #places: readonly Places[];
  readonly #staged: number;
  readonly #passing: number;
  readonly #ends: number;
  #grids: readonly NumberGrid[] = [];
  #held = 0;

  /** Takes 4 bytes a reference row and column. */
  constructor({ names, rows, kernels = "auto" }: NumberColumnsOptions) {
    this.#names = names;
    this.#rows = rows;
    const plan = new MemoryPlan();
    this.#staged = plan.reserve(STAGED * 8);
    this.#passing = plan.reserve(STAGED * 4);
    this.#ends = plan.reserve(16);
    this.#places = names.map(() => ({
      slots: plan.reserve(SLOTS * 4),
      edges: plan.reserve(MOST_EDGES * 8),
      counts: plan.reserve(MOST_COUNTS * 4),
    }));
    this.#kept = names.map(() => plan.reserve(rows * 4));
    this.#kernels = openProfileKernels(plan.used, kernels);
    const { buffer } = this.#kernels;
    this.#floats = new Float32Array(buffer);
    this.#doubles = new Float64Array(buffer, 0, buffer.byteLength >>> 3);
    this.#words = new Uint32Array(buffer);
  }

  /** Keeps a chunk of the reference. Throws when there are more rows than were announced. */
  keep(rows: number, vectors: readonly DuckDBVector[]): void {
    if (this.#held + rows > this.#rows) throw new Error("It has more rows than when it was opened.");
    vectors.forEach((vector, i) => this.#write(vector, (this.#kept[i] as number) + this.#held * 4, rows));
    this.#held += rows;
  }

  /** The grids and the counts of what was kept. */
  reference(): { readonly grids: readonly NumberGrid[]; readonly profiles: readonly FeatureProfile[] } {
    this.#grids = this.#names.map((name, i) => gridOfScan(name, this.#scan(i)));
    this.#grids.forEach((grid, i) => this.#index(grid, this.#places[i] as Places));
    this.#kept.forEach((kept, i) => this.#count(i, kept, this.#held));
    return { grids: this.#grids, profiles: this.#profiles() };
  }

  /** Counts a chunk of the current file over the grids of the reference. */
  add(rows: number, vectors: readonly DuckDBVector[]): void {
    vectors.forEach((vector, i) => {
      if (rows > STAGED) throw new Error(`A chunk of ${rows} rows is more than the ${STAGED} of a vector.`);
      this.#write(vector, this.#passing, rows);
      this.#count(i, this.#passing, rows);
    });
  }

  current(): readonly FeatureProfile[] {
    return this.#profiles();
  }

  /** Missing is NaN. */
  #write(vector: DuckDBVector, to: number, rows: number): void {
    fillNumbers(vector, this.#floats.subarray(to / 4, to / 4 + rows), (doubles) => {
      for (let from = 0; from < rows; from += STAGED) {
        const part = doubles.subarray(from, Math.min(rows, from + STAGED));
        this.#doubles.set(part, this.#staged / 8);
        this.#kernels.narrow(this.#staged, to + from * 4, part.length);
      }
    });
  }

  #scan(column: number): NumberScan {
    const kept = this.#kept[column] as number;
    this.#kernels.range(kept, this.#held, this.#ends);
    const [min, max] = this.#doubles.subarray(this.#ends / 8, this.#ends / 8 + 2) as unknown as [number, number];
    const scan = new NumberScan(this.#rows);
    scan.add(this.#floats.subarray(kept / 4, kept / 4 + this.#held), { min, max });
    return scan;
  }

  #index(grid: NumberGrid, { slots, edges }: Places): void {
    const index = numberIndex(grid);
    this.#doubles.set(index.edges, edges / 8);
    const words = this.#words.subarray(slots / 4, slots / 4 + SLOTS);
    for (let slot = 0; slot < SLOTS; slot++) {
      words[slot] = (index.first[slot] as number) | ((index.last[slot] as number) << 16);
    }
  }

  #count(column: number, values: number, rows: number): void {
    const grid = this.#grids[column] as NumberGrid;
    const { slots, edges, counts } = this.#places[column] as Places;
    const cells = cellsOf(grid);
    // Without a single value there is no range; nothing lies in one that ends before it begins.
    const [min, max] = cells === 0 ? [Infinity, -Infinity] : [grid.min, grid.max];
    const { slotsPerUnit } = numberIndex(grid);
    const isByValue = Number(grid.values !== undefined);
    this.#kernels.countCells(values, rows, slots, edges, counts, cells, isByValue, min, max, slotsPerUnit);
  }

  /** What has been counted since the last call. */
  #profiles(): readonly FeatureProfile[] {
    const layout = layoutOf(this.#grids);
    const vector = new Float64Array(layout.size);
    layout.features.forEach(({ offset, cells, grid }, i) => {
      const from = (this.#places[i] as Places).counts / 4;
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
