/**
 * Number columns of two files counted in one block of memory, which the kernels read: those of the reference are kept whole, because
 * its grid is known only when its last row has been seen; those of the current file pass through a chunk at a time.
 */
import type { DuckDBVector } from "@duckdb/node-api";
import type { FeatureProfile, NumberGrid } from "../../data/index.ts";
import { fillNumbers } from "../../job/chunk-readers.ts";
import { type KernelChoice, MemoryPlan } from "../../learn/wasm.ts";
import { CellCounts, type Places, reservePlaces } from "./cell-counts.ts";
import type { ProfileKernels } from "./kernel-contract.ts";
import { openProfileKernels } from "./kernels.ts";

/** Numbers converted at a time: what DuckDB has in a vector. */
const STAGED = 2_048;
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
  readonly #cells: CellCounts;
  readonly #kept: readonly number[];
  readonly #places: readonly Places[];
  readonly #staged: number;
  readonly #passing: number;
  #grids: readonly NumberGrid[] = [];
  #held = 0;

  /** Takes 4 bytes a reference row and column. */
  constructor({ names, rows, kernels = "auto" }: NumberColumnsOptions) {
    this.#names = names;
    this.#rows = rows;
    const plan = new MemoryPlan();
    this.#staged = plan.reserve(STAGED * 8);
    this.#passing = plan.reserve(STAGED * 4);
    this.#places = names.map(() => reservePlaces(plan));
    this.#kept = names.map(() => plan.reserve(rows * 4));
    this.#kernels = openProfileKernels(plan.used, kernels);
    this.#cells = new CellCounts(this.#kernels);
  }

  /** Keeps a chunk of the reference. Throws when there are more rows than were announced. */
  keep(rows: number, vectors: readonly DuckDBVector[]): void {
    if (this.#held + rows > this.#rows) throw new Error("It has more rows than when it was opened.");
    vectors.forEach((vector, i) => this.#write(vector, (this.#kept[i] as number) + this.#held * 4, rows));
    this.#held += rows;
  }

  /** The grids and the counts of what was kept. */
  reference(): { readonly grids: readonly NumberGrid[]; readonly profiles: readonly FeatureProfile[] } {
    this.#grids = this.#names.map((name, i) => {
      const kept = this.#kept[i] as number;
      const places = this.#places[i] as Places;
      const grid = this.#cells.gridOf(name, { at: kept, rows: this.#held, ends: places.ends });
      this.#cells.index(grid, places);
      this.#cells.count(grid, places, { at: kept, rows: this.#held });
      return grid;
    });
    return { grids: this.#grids, profiles: this.current() };
  }

  /** Counts a chunk of the current file over the grids of the reference. */
  add(rows: number, vectors: readonly DuckDBVector[]): void {
    vectors.forEach((vector, i) => {
      if (rows > STAGED) throw new Error(`A chunk of ${rows} rows is more than the ${STAGED} of a vector.`);
      this.#write(vector, this.#passing, rows);
      this.#cells.count(this.#grids[i] as NumberGrid, this.#places[i] as Places, { at: this.#passing, rows });
    });
  }

  /** What has been counted since the last call. */
  current(): readonly FeatureProfile[] {
    return this.#cells.take(this.#grids, this.#places);
  }

  /** Missing is NaN. */
  #write(vector: DuckDBVector, to: number, rows: number): void {
    fillNumbers(vector, this.#cells.floats.subarray(to / 4, to / 4 + rows), (doubles) => {
      for (let from = 0; from < rows; from += STAGED) {
        const part = doubles.subarray(from, Math.min(rows, from + STAGED));
        this.#cells.doubles.set(part, this.#staged / 8);
        this.#kernels.narrow(this.#staged, to + from * 4, part.length);
      }
    });
  }
}
