/**
 * Profiles: mergeable counters that describe columns. The grid (cells of a number, categories worth counting) is fixed by a
 * reference, so profiles of any two windows over the same grid add up cell by cell, exactly and in any order.
 */
import { fail } from "../../core/index.ts";
import type { Frame, FrameColumn } from "../frame.ts";
import { type FeatureLayout, layoutOf, type ProfileLayout, TAILS } from "./counts.ts";
import { cellsWithin, type FeatureGrid, gridOfColumn } from "./grid.ts";
import { profiledFrame } from "./profiled.ts";
import type { RowSample } from "./sample.ts";
import { countBooleans, countCategories, countNumbers } from "./kernel.ts";

export interface FeatureProfile {
  readonly name: string;
  /** Number: one count per cell. Category: one per listed category. Boolean: false, true. */
  readonly counts: readonly number[];
  /** Number: below min and above max of the grid. */
  readonly below: number;
  readonly above: number;
  /** Category: texts the reference had but the grid does not list. */
  readonly other: number;
  /** Values the reference never had: categories, or numbers counted value by value. */
  readonly unseen: number;
  readonly missing: number;
  /** Infinite numbers, such as those float32 cannot hold. */
  readonly nonFinite: number;
}
export interface Profile {
  readonly rows: number;
  readonly features: readonly FeatureProfile[];
}
/** What one column (a score, a label) looked like in the reference. */
export interface ReferenceColumn {
  readonly grid: FeatureGrid;
  readonly rows: number;
  readonly profile: FeatureProfile;
}
/** A grid with the reference's own profile over it: `profile.json` of an artifact. */
export interface ReferenceProfile {
  readonly format: 1;
  readonly grid: readonly FeatureGrid[];
  /** Categories the reference had beyond the listed ones: they count as `other`, anything else as `unseen`. */
  readonly rare: Readonly<Record<string, readonly string[]>>;
  readonly reference: Profile;
  /** Some of the reference's rows, for what no count by column can say. Absent in versions made before it was kept. */
  readonly sample?: RowSample;
  /** The version's answers on rows it was not trained on: probability of true, the decided class, or the value. */
  readonly scores?: ReferenceColumn;
  /** The labels of the reference rows. */
  readonly labels?: ReferenceColumn;
  /** Share of the version's answers that rests on each feature, in [0, 1]; they sum to 1. A wide feature stands for its parts. */
  readonly importance?: Readonly<Record<string, number>>;
}

/** Rare categories remembered by name; beyond this many a column is close to an id, and "unseen" has no meaning for it. */
export const RARE_REMEMBERED = 5_000;

/**
 * The grid of a reference and its profile; wide features are described by the plain columns that stand for them. Cost O(rows × features).
 * @param within a grid to count over instead of making one: where every column is described by it the same way
 */
export function buildReferenceProfile(
  described: Frame,
  rows: Uint32Array,
  within?: readonly FeatureGrid[],
): ReferenceProfile {
  const frame = profiledFrame(described);
  const rare: Record<string, readonly string[]> = {};
  const grid = frame.columns.map((column, i): FeatureGrid => {
    const made = gridOfColumn(column, rows);
    const used = within?.[i];
    if (used === undefined || used.name !== column.name || used.kind !== column.kind) {
      if (made.rest.length > 0) rare[column.name] = made.rest.slice(0, RARE_REMEMBERED);
      return made.grid;
    }
    if (made.grid.kind === "category" && used.kind === "category") {
      const listed = new Set(used.categories);
      const rest = [...made.grid.categories, ...made.rest].filter((text) => !listed.has(text));
      if (rest.length > 0) rare[column.name] = rest.slice(0, RARE_REMEMBERED);
    }
    return used;
  });
  const empty: ReferenceProfile = { format: 1, grid, rare, reference: { rows: 0, features: [] } };
  return { ...empty, reference: profileFrame(empty, frame, rows) };
}

/** The profile of rows over an existing grid. @throws COLUMN_MISSING when the frame lacks a column of the grid. */
export function profileFrame(
  reference: Pick<ReferenceProfile, "grid" | "rare">,
  frame: Frame,
  rows: Uint32Array,
): Profile {
  const layout = layoutOf(reference.grid);
  return profileOf(layout, countFrame(layout, reference.rare, frame, rows));
}

/** The counts of rows (default: all) as a vector of the layout. @throws COLUMN_MISSING */
export function countFrame(
  layout: ProfileLayout,
  rare: ReferenceProfile["rare"],
  frame: Frame,
  rows?: Uint32Array,
): Float64Array {
  const vector = new Float64Array(layout.size);
  vector[0] = rows === undefined ? frame.rows : rows.length;
  for (const feature of layout.features) {
    const { grid } = feature;
    const column = frame.columns.find((candidate) => candidate.name === grid.name);
    if (column === undefined || column.kind !== grid.kind) {
      throw fail("COLUMN_MISSING", {
        message: `The profile describes the ${grid.kind} feature "${grid.name}", which the data do not have${column === undefined ? "" : ` (there it is a ${column.kind})`}.`,
        remedy: "Compare rows of the same definition.",
      });
    }
    countColumn(feature, column, rows, vector, rare[grid.name]);
  }
  return vector;
}

const NONE: ReadonlySet<string> = new Set();

export function countColumn(
  layout: FeatureLayout,
  column: FrameColumn,
  rows: Uint32Array | undefined,
  into: Float64Array,
  rare: readonly string[] = [],
): void {
  if (column.kind === "number") countNumbers(layout, column.values, rows, into);
  else if (column.kind === "boolean") countBooleans(layout, column.values, rows, into);
  else countCategories(layout, column, rows, into, rare.length === 0 ? NONE : new Set(rare));
}

/** A vector of the layout as records by feature. */
export function profileOf(layout: ProfileLayout, vector: Float64Array): Profile {
  return {
    rows: vector[0] as number,
    features: layout.features.map(({ grid, offset, cells }) => {
      const tail = (i: number) => vector[offset + cells + i] as number;
      return {
        name: grid.name,
        counts: [...vector.subarray(offset, offset + cells)],
        below: tail(0),
        above: tail(1),
        other: tail(2),
        unseen: tail(3),
        missing: tail(4),
        nonFinite: tail(5),
      };
    }),
  };
}

/** The profile as a vector of the layout of its grid. */
export function vectorOf(layout: ProfileLayout, profile: Profile): Float64Array {
  const vector = new Float64Array(layout.size);
  vector[0] = profile.rows;
  layout.features.forEach(({ offset, cells }, i) => {
    const feature = profile.features[i] as FeatureProfile;
    vector.set(feature.counts, offset);
    TAILS.forEach((tail, j) => {
      vector[offset + cells + j] = feature[tail];
    });
  });
  return vector;
}

/** The profile of one column by itself: a score or a label. */
export function referenceColumn(column: FrameColumn, grid?: FeatureGrid): ReferenceColumn {
  const length = column.kind === "category" ? column.codes.length : column.values.length;
  const rows = Uint32Array.from({ length }, (_, i) => i);
  const used = grid ?? gridOfColumn(column, rows).grid;
  const layout = layoutOf([used]);
  const profile = profileOf(layout, countFrame(layout, {}, { rows: length, columns: [column] }));
  return { grid: used, rows: length, profile: profile.features[0] as FeatureProfile };
}

/**
 * A reference as it reads over a grid that covers its own: counts move to the same cells there. What lay beyond the old
 * range is put beside it: a reference that has overflow at all has at most 1 % of it.
 */
export function overGrid(reference: ReferenceProfile, grid: readonly FeatureGrid[]): ReferenceProfile {
  const features = reference.grid.map((from, i) => {
    const to = grid[i] as FeatureGrid;
    const profile = reference.reference.features[i] as FeatureProfile;
    const cells = to === undefined ? undefined : cellsWithin(from, to);
    if (cells === undefined) {
      throw fail("STATISTIC_UNDEFINED", {
        message: `The grid of "${from.name}" does not hold the cells of the reference.`,
        remedy: "Profile the reference again.",
      });
    }
    const size = layoutOf([to]).features[0]?.cells ?? 0;
    const counts = new Array<number>(size).fill(0);
    cells.forEach((cell, j) => {
      counts[cell] = profile.counts[j] as number;
    });
    let { below, above } = profile;
    const first = cells[0] ?? 0;
    const last = cells[cells.length - 1] ?? 0;
    if (from.kind === "number" && from.values === undefined) {
      if (first > 0) {
        counts[first - 1] = below;
        below = 0;
      }
      if (last + 1 < size) {
        counts[last + 1] = above;
        above = 0;
      }
    }
    return { ...profile, counts, below, above };
  });
  return { ...reference, grid, reference: { rows: reference.reference.rows, features } };
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
        nonFinite: one.nonFinite + other.nonFinite,
      };
    }),
  };
}
