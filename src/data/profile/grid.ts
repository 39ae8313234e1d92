/**
 * Grids: what a profile counts. A grid is fixed by a reference and shared by every version of a model, so that promotion changes
 * no counter; each version's bins are unions of its cells. When much of the data falls beside it, it is extended: old cells
 * stay as they are, so counts made over the old grid keep their meaning over the new one.
 */
import { canonicalJson, sha256Hex } from "../../core/index.ts";
import { CATEGORY_MISSING } from "../frame.ts";
import type { CategoryColumn, Frame, NumberColumn } from "../frame.ts";
import type { WidePart } from "../wide/part.ts";
import { NumberScan } from "./scan.ts";

/** Cells of a number at first: fine enough for any later binning, small enough to keep per hour and feature. */
export const MAX_CELLS = 256;
/** Cells of a number after all extensions. */
export const MAX_EXTENDED_CELLS = 512;
/** Categories counted by name; the rest is `other`. */
export const MAX_COUNTED_CATEGORIES = 254;

export interface NumberGrid {
  readonly kind: "number";
  readonly name: string;
  /** Ascending inner edges: cell i holds edge[i−1] < x ≤ edge[i]; the first and last cell end at min and max. Empty with `values`. */
  readonly edges: readonly number[];
  readonly min: number;
  readonly max: number;
  /** Ascending distinct values of a reference that has at most 20: one cell each, anything else between them is `unseen`. */
  readonly values?: readonly number[];
  /** Where it stands for a part of a wide feature. */
  readonly part?: WidePart;
}
export interface CategoryGrid {
  readonly kind: "category";
  readonly name: string;
  readonly categories: readonly string[];
  /** Where it stands for a part of a wide feature. */
  readonly part?: WidePart;
}
export interface BooleanGrid {
  readonly kind: "boolean";
  readonly name: string;
}
export type FeatureGrid = NumberGrid | CategoryGrid | BooleanGrid;

export function cellCount(grid: FeatureGrid): number {
  if (grid.kind === "number") return grid.values === undefined ? grid.edges.length + 1 : grid.values.length;
  return grid.kind === "category" ? grid.categories.length : 2;
}

/** Names a grid by its content; equal grids have equal counters. */
export function gridId(grid: readonly FeatureGrid[]): string {
  return sha256Hex(canonicalJson(grid)).slice(0, 16);
}

/** The grid of one column of a reference, and the categories beyond the listed ones. */
export function gridOfColumn(
  column: Frame["columns"][number],
  rows: Uint32Array,
): { readonly grid: FeatureGrid; readonly rest: readonly string[] } {
  if (column.kind === "boolean") return { grid: { kind: "boolean", name: column.name }, rest: [] };
  const part = column.part === undefined ? {} : { part: column.part };
  if (column.kind === "number") return { grid: { ...numberGrid(column, rows), ...part }, rest: [] };
  const ranked = rankCategories(column, rows);
  const categories = ranked.slice(0, MAX_COUNTED_CATEGORIES);
  return {
    grid: { kind: "category", name: column.name, categories, ...part },
    rest: ranked.slice(MAX_COUNTED_CATEGORIES),
  };
}

export function numberGrid(column: NumberColumn, rows: Uint32Array): NumberGrid {
  return gridOfScan(column.name, scanOf(column.values, rows));
}

/** The grid of the numbers a scan has seen. */
export function gridOfScan(name: string, scan: NumberScan): NumberGrid {
  const { min, max } = scan.range;
  if (min > max) return { kind: "number", name, edges: [], min: 0, max: 0, values: [] };
  const { values } = scan;
  if (values !== undefined) return { kind: "number", name, edges: [], min: min + 0, max: max + 0, values };
  return { kind: "number", name, edges: quantileEdges(scan.sorted(), { cells: MAX_CELLS, max }), min, max };
}

function quantileEdges(sorted: Float32Array, to: { readonly cells: number; readonly max: number }): number[] {
  const edges: number[] = [];
  const count = sorted.length;
  for (let cell = 1; cell < to.cells; cell++) {
    const edge = (sorted[Math.min(count - 1, Math.floor((cell * count) / to.cells))] as number) + 0;
    if (edge < to.max && (edges.length === 0 || edge > (edges[edges.length - 1] as number))) edges.push(edge);
  }
  return edges;
}

function scanOf(values: Float32Array, rows: Uint32Array): NumberScan {
  const scan = new NumberScan(rows.length);
  scan.add(
    rows.length === values.length && isEveryRow(rows)
      ? values
      : Float32Array.from(rows, (row) => values[row] as number),
  );
  return scan;
}

function isEveryRow(rows: Uint32Array): boolean {
  for (let i = 0; i < rows.length; i++) if (rows[i] !== i) return false;
  return true;
}

function rankCategories(column: CategoryColumn, rows: Uint32Array): string[] {
  const counts = new Float64Array(column.dictionary.length);
  for (const row of rows) {
    const code = column.codes[row] as number;
    if (code !== CATEGORY_MISSING) counts[code] = (counts[code] as number) + 1;
  }
  return column.dictionary
    .map((text, code) => ({ text, count: counts[code] as number }))
    .filter(({ count }) => count > 0)
    .sort((left, right) => right.count - left.count || (left.text < right.text ? -1 : 1))
    .map(({ text }) => text);
}

/**
 * The grid with room for what fell beside it: new cells below min and above max at quantiles of the values there, and
 * categories not seen before, most frequent first. Cells and categories of the old grid stay, in their places.
 */
export function extendGrid(grid: readonly FeatureGrid[], frame: Frame, rows: Uint32Array): FeatureGrid[] {
  return grid.map((feature) => {
    const column = frame.columns.find((candidate) => candidate.name === feature.name);
    if (column === undefined || column.kind !== feature.kind) return feature;
    if (feature.kind === "number" && column.kind === "number") return extendNumber(feature, column, rows);
    if (feature.kind !== "category" || column.kind !== "category") return feature;
    const known = new Set(feature.categories);
    const fresh = rankCategories(column, rows).filter((text) => !known.has(text));
    const room = MAX_COUNTED_CATEGORIES - feature.categories.length;
    return { ...feature, categories: [...feature.categories, ...fresh.slice(0, room)] };
  });
}

/** New cells on one side of a number at most. */
const EXTENSION_CELLS = 32;

function extendNumber(grid: NumberGrid, column: NumberColumn, rows: Uint32Array): NumberGrid {
  // A value grid has no order to extend: what is new becomes a value, while there is room, or the column a number of cells.
  if (grid.values !== undefined) {
    const fresh = numberGrid(column, rows);
    if (fresh.values === undefined)
      return fresh.edges.length > 0 ? { ...fresh, ...(grid.part === undefined ? {} : { part: grid.part }) } : grid;
    const values = [...new Set([...grid.values, ...fresh.values])].sort((a, b) => a - b).slice(0, MAX_CELLS);
    return { ...grid, values, min: values[0] ?? 0, max: values[values.length - 1] ?? 0 };
  }
  const sorted = scanOf(column.values, rows).sorted();
  const below = sorted.filter((value) => value < grid.min);
  const above = sorted.filter((value) => value > grid.max);
  const room = Math.max(1, Math.min(EXTENSION_CELLS, (MAX_EXTENDED_CELLS - grid.edges.length - 1) >> 1));
  const span = Math.max(sorted.at(-1) ?? grid.max, grid.max) - Math.min(sorted[0] ?? grid.min, grid.min);
  // The old min belongs to its cell, so the new edge lies just below it; the old max closes its cell.
  const lowest = below.length === 0 ? grid.min : (below[0] as number);
  const low = below.length === 0 ? [] : headroom(lowest, -span);
  const before =
    below.length === 0
      ? []
      : [...low, below32(lowest), ...quantileEdges(below, { cells: room, max: grid.min }), below32(grid.min)];
  const highest = above.length === 0 ? grid.max : (above[above.length - 1] as number);
  const high = above.length === 0 ? [] : headroom(highest, span);
  const after =
    above.length === 0 ? [] : [grid.max, ...quantileEdges(above, { cells: room, max: highest }), highest, ...high];
  const max = high.at(-1) ?? highest;
  const lowEdges = ascending(before).filter((edge) => edge < grid.min);
  const min = low.length === 0 ? lowest : (lowEdges.shift() as number);
  return {
    ...grid,
    min,
    max,
    edges: [...lowEdges, ...grid.edges, ...ascending(after).filter((edge) => edge >= grid.max && edge < max)],
  };
}

/** Cells beyond what was seen, on the side the values moved to. */
const HEADROOM_CELLS = 4;

/**
 * Ends of cells beyond the newest extreme, together as wide as the range so far: a number that keeps growing leaves its grid a
 * logarithmic number of times, not with every window. Each time the log is counted anew.
 */
function headroom(from: number, width: number): number[] {
  const ends = Array.from({ length: HEADROOM_CELLS }, (_, i) => Math.fround(from + (width * (i + 1)) / HEADROOM_CELLS));
  return ends.filter((end) => Number.isFinite(end) && end !== from);
}

const ascending = (values: readonly number[]) => [...new Set(values)].sort((left, right) => left - right);

/** The largest float32 below a float32. */
function below32(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  if (value === 0) return -1.401298464324817e-45;
  view.setFloat32(0, value);
  const bits = view.getInt32(0);
  view.setInt32(0, value > 0 ? bits - 1 : bits + 1);
  return view.getFloat32(0);
}

/**
 * Where each cell of `from` lies in `to`: its first cell there, one after the last of the feature. Undefined when `to` does not
 * hold every cell of `from` whole.
 */
export function cellsWithin(from: FeatureGrid, to: FeatureGrid): readonly number[] | undefined {
  if (from.kind !== to.kind || from.name !== to.name) return undefined;
  if (from.kind === "category" && to.kind === "category") {
    const at = new Map(to.categories.map((text, i) => [text, i]));
    const cells = from.categories.map((text) => at.get(text) ?? -1);
    return cells.includes(-1) ? undefined : cells;
  }
  if (from.kind === "number" && to.kind === "number") return numberCellsWithin(from, to);
  return [0, 1];
}

function numberCellsWithin(from: NumberGrid, to: NumberGrid): readonly number[] | undefined {
  if (from.values !== undefined) {
    const values = to.values;
    const cells = values === undefined ? [] : from.values.map((value) => values.indexOf(value));
    return values === undefined || cells.includes(-1) ? undefined : cells;
  }
  if (to.values !== undefined || from.min < to.min || from.max > to.max) return undefined;
  const start = from.min === to.min ? 0 : to.edges.filter((edge) => edge < from.min).length;
  const same = from.edges.every((edge, i) => to.edges[start + i] === edge);
  const closes = from.max === to.max || to.edges[start + from.edges.length] === from.max;
  return same && closes ? Array.from({ length: from.edges.length + 1 }, (_, i) => start + i) : undefined;
}

/** True when every cell of `from` is a cell of `to`: counts over `to` can answer for `from`. */
export function coversGrid(to: readonly FeatureGrid[], from: readonly FeatureGrid[]): boolean {
  return (
    to.length === from.length && from.every((feature, i) => cellsWithin(feature, to[i] as FeatureGrid) !== undefined)
  );
}
