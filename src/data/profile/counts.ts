/**
 * A profile as one flat vector of whole numbers: place 0 the rows, then per feature its cells and six tails. Adding vectors is
 * merging profiles, exactly and in any order. Stored sparse, as pairs (gap to the next non-zero place, count) in base-128
 * bytes: an hour of a quiet model is a few hundred bytes.
 */
import type { FeatureGrid } from "./grid.ts";
import { cellCount } from "./grid.ts";

/** What a feature counts beside its cells, in this order. */
export const TAILS = ["below", "above", "other", "unseen", "missing", "nonFinite"] as const;
export type Tail = (typeof TAILS)[number];

export interface FeatureLayout {
  readonly grid: FeatureGrid;
  /** Place of the first cell. */
  readonly offset: number;
  readonly cells: number;
}
export interface ProfileLayout {
  readonly size: number;
  readonly features: readonly FeatureLayout[];
}

export function layoutOf(grid: readonly FeatureGrid[]): ProfileLayout {
  let offset = 1;
  const features = grid.map((feature) => {
    const cells = cellCount(feature);
    const layout = { grid: feature, offset, cells };
    offset += cells + TAILS.length;
    return layout;
  });
  return { size: offset, features };
}

/** Non-zero places in ascending order with their counts. */
export interface SparseCounts {
  readonly places: Uint32Array;
  readonly counts: Float64Array;
}

export function sparseOf(vector: Float64Array): SparseCounts {
  let size = 0;
  for (let i = 0; i < vector.length; i++) if (vector[i] !== 0) size++;
  const places = new Uint32Array(size);
  const counts = new Float64Array(size);
  let at = 0;
  for (let i = 0; i < vector.length; i++) {
    if (vector[i] === 0) continue;
    places[at] = i;
    counts[at++] = vector[i] as number;
  }
  return { places, counts };
}

/** Adds into a vector of the same layout. */
export function addSparseInPlace(vector: Float64Array, sparse: SparseCounts): void {
  const { places, counts } = sparse;
  for (let i = 0; i < places.length; i++) {
    const place = places[i] as number;
    vector[place] = (vector[place] as number) + (counts[i] as number);
  }
}

export function mergeSparse(left: SparseCounts, right: SparseCounts, size: number): SparseCounts {
  const vector = new Float64Array(size);
  addSparseInPlace(vector, left);
  addSparseInPlace(vector, right);
  return sparseOf(vector);
}

export function encodeCounts({ places, counts }: SparseCounts): string {
  const bytes: number[] = [];
  let before = -1;
  for (let i = 0; i < places.length; i++) {
    pushVarint(bytes, (places[i] as number) - before);
    pushVarint(bytes, counts[i] as number);
    before = places[i] as number;
  }
  return Buffer.from(bytes).toString("base64");
}

/** Whole numbers up to 2^53, seven bits a byte, low bits first. */
function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

export function decodeCounts(text: string): SparseCounts {
  const bytes = Buffer.from(text, "base64");
  const numbers: number[] = [];
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte & 127) * scale;
    scale *= 128;
    if (byte >= 128) continue;
    numbers.push(value);
    value = 0;
    scale = 1;
  }
  const size = numbers.length >> 1;
  const places = new Uint32Array(size);
  const counts = new Float64Array(size);
  let place = -1;
  for (let i = 0; i < size; i++) {
    place += numbers[2 * i] as number;
    places[i] = place;
    counts[i] = numbers[2 * i + 1] as number;
  }
  return { places, counts };
}
