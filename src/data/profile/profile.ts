/**
 * Profiles: mergeable counters that describe columns. The grid (cells of a number, categories worth counting) is fixed by a
 * reference, so profiles of any two windows over the same grid add up cell by cell, exactly and in any order.
 */
import { fail } from "../../core/index.ts";
import { BOOLEAN_MISSING, CATEGORY_MISSING } from "../frame.ts";
import type { CategoryColumn, Frame, FrameColumn, NumberColumn } from "../frame.ts";

/** Cells of a number at most: fine enough for any later binning, small enough to keep per hour and feature. */
export const MAX_CELLS = 256;
/** Categories counted by name; the rest is `other`. */
export const MAX_COUNTED_CATEGORIES = 254;

export type FeatureGrid =
  | {
      readonly kind: "number";
      readonly name: string;
      /** Ascending inner edges: cell i holds edge[i−1] < x ≤ edge[i]; the first and last cell end at min and max. */
      readonly edges: readonly number[];
      readonly min: number;
      readonly max: number;
    }
  | { readonly kind: "category"; readonly name: string; readonly categories: readonly string[] }
  | { readonly kind: "boolean"; readonly name: string };

export interface FeatureProfile {
  readonly name: string;
  /** Number: one count per cell. Category: one per listed category. Boolean: false, true. */
  readonly counts: readonly number[];
  /** Number: below min and above max of the reference. Category: texts the reference had but does not list, and never seen ones. */
  readonly below: number;
  readonly above: number;
  readonly other: number;
  readonly unseen: number;
  readonly missing: number;
}
export interface Profile {
  readonly rows: number;
  readonly features: readonly FeatureProfile[];
}
/** A grid with the reference's own profile over it: `profile.json` of an artifact. */
export interface ReferenceProfile {
  readonly format: 1;
  readonly grid: readonly FeatureGrid[];
  /** Categories the reference had beyond the listed ones: they count as `other`, anything else as `unseen`. */
  readonly rare: Readonly<Record<string, readonly string[]>>;
  readonly reference: Profile;
}

/** Values sampled for the edges of a grid, evenly spaced: cell masses are then right within about 0.2 % of the rows. */
const EDGE_SAMPLE = 65_536;
/** Rare categories remembered by name; beyond this many a column is close to an id, and "unseen" has no meaning for it. */
const RARE_REMEMBERED = 5_000;

/** The grid of a reference and its profile. Cost O(rows × features). */
export function buildReferenceProfile(frame: Frame, rows: Uint32Array): ReferenceProfile {
  const rare: Record<string, readonly string[]> = {};
  const grid = frame.columns.map((column): FeatureGrid => {
    if (column.kind === "number") return numberGrid(column, rows);
    if (column.kind === "boolean") return { kind: "boolean", name: column.name };
    const { listed, rest } = rankCategories(column, rows);
    if (rest.length > 0) rare[column.name] = rest.slice(0, RARE_REMEMBERED);
    return { kind: "category", name: column.name, categories: listed };
  });
  const empty: ReferenceProfile = { format: 1, grid, rare, reference: { rows: 0, features: [] } };
  return { ...empty, reference: profileFrame(empty, frame, rows) };
}

function numberGrid(column: NumberColumn, rows: Uint32Array): FeatureGrid {
  const step = Math.max(1, Math.ceil(rows.length / EDGE_SAMPLE));
  const sample = new Float32Array(Math.ceil(rows.length / step));
  let count = 0;
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < rows.length; i++) {
    const value = column.values[rows[i] as number] as number;
    if (value !== value) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    if (i % step === 0) sample[count++] = value;
  }
  if (min > max) return { kind: "number", name: column.name, edges: [], min: 0, max: 0 };
  const sorted = sample.subarray(0, count).sort();
  const edges: number[] = [];
  for (let cell = 1; cell < MAX_CELLS; cell++) {
    const edge = sorted[Math.min(count - 1, Math.floor((cell * count) / MAX_CELLS))] as number;
    if (edge < max && (edges.length === 0 || edge > (edges[edges.length - 1] as number))) edges.push(edge);
  }
  return { kind: "number", name: column.name, edges, min, max };
}

function rankCategories(column: CategoryColumn, rows: Uint32Array) {
  const counts = new Float64Array(column.dictionary.length);
  for (const row of rows) {
    const code = column.codes[row] as number;
    if (code !== CATEGORY_MISSING) counts[code] = (counts[code] as number) + 1;
  }
  const ranked = column.dictionary
    .map((text, code) => ({ text, count: counts[code] as number }))
    .filter(({ count }) => count > 0)
    .sort((left, right) => right.count - left.count || (left.text < right.text ? -1 : 1))
    .map(({ text }) => text);
  return { listed: ranked.slice(0, MAX_COUNTED_CATEGORIES), rest: ranked.slice(MAX_COUNTED_CATEGORIES) };
}

/** The profile of rows over an existing grid. @throws COLUMN_MISSING when the frame lacks a column of the grid. */
export function profileFrame(reference: ReferenceProfile, frame: Frame, rows: Uint32Array): Profile {
  const features = reference.grid.map((grid) => {
    const column = frame.columns.find((candidate) => candidate.name === grid.name);
    if (column === undefined || column.kind !== grid.kind) {
      throw fail("COLUMN_MISSING", {
        message: `The profile describes the ${grid.kind} feature "${grid.name}", which the data do not have${column === undefined ? "" : ` (there it is a ${column.kind})`}.`,
        remedy: "Compare rows of the same definition.",
      });
    }
    return profileColumn(grid, column, rows, reference.rare[grid.name] ?? []);
  });
  return { rows: rows.length, features };
}

function profileColumn(
  grid: FeatureGrid,
  column: FrameColumn,
  rows: Uint32Array,
  rare: readonly string[],
): FeatureProfile {
  const tail = { below: 0, above: 0, other: 0, unseen: 0, missing: 0 };
  if (grid.kind === "number" && column.kind === "number") return profileNumbers(grid, column, rows, tail);
  if (grid.kind === "category" && column.kind === "category") {
    const counts = new Array<number>(grid.categories.length).fill(0);
    const position = new Map(grid.categories.map((text, i) => [text, i]));
    const known = new Set(rare);
    const place = column.dictionary.map((text) => position.get(text) ?? (known.has(text) ? -1 : -2));
    for (const row of rows) {
      const code = column.codes[row] as number;
      const cell = code === CATEGORY_MISSING ? -3 : (place[code] as number);
      if (cell >= 0) counts[cell] = (counts[cell] as number) + 1;
      else if (cell === -1) tail.other++;
      else if (cell === -2) tail.unseen++;
      else tail.missing++;
    }
    return { name: grid.name, counts, ...tail };
  }
  const counts = [0, 0];
  if (column.kind === "boolean") {
    for (const row of rows) {
      const value = column.values[row] as number;
      if (value === BOOLEAN_MISSING) tail.missing++;
      else counts[value] = (counts[value] as number) + 1;
    }
  }
  return { name: grid.name, counts, ...tail };
}

function profileNumbers(
  grid: Extract<FeatureGrid, { kind: "number" }>,
  column: NumberColumn,
  rows: Uint32Array,
  tail: { below: number; above: number; other: number; unseen: number; missing: number },
): FeatureProfile {
  const edges = Float64Array.from(grid.edges);
  const counts = new Float64Array(edges.length + 1);
  for (let i = 0; i < rows.length; i++) {
    const value = column.values[rows[i] as number] as number;
    if (value !== value) tail.missing++;
    else if (value < grid.min) tail.below++;
    else if (value > grid.max) tail.above++;
    else {
      const cell = cellOf(edges, value);
      counts[cell] = (counts[cell] as number) + 1;
    }
  }
  return { name: grid.name, counts: [...counts], ...tail };
}

/** Index of the first edge that is not below the value; the number of edges when all are. */
function cellOf(edges: Float64Array, value: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((edges[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Two profiles over one grid as one. Exact, commutative, associative. */
export function mergeProfiles(left: Profile, right: Profile): Profile {
  return {
    rows: left.rows + right.rows,
    features: left.features.map((one, i) => {
      const other = right.features[i];
      if (other === undefined || other.name !== one.name || other.counts.length !== one.counts.length) {
        throw fail("STATISTIC_UNDEFINED", {
          message: `Profiles over different grids cannot be merged (feature "${one.name}").`,
          remedy: "Profile both windows over the same reference.",
        });
      }
      return {
        name: one.name,
        counts: one.counts.map((count, cell) => count + (other.counts[cell] as number)),
        below: one.below + other.below,
        above: one.above + other.above,
        other: one.other + other.other,
        unseen: one.unseen + other.unseen,
        missing: one.missing + other.missing,
      };
    }),
  };
}
