/**
 * Which ids a segment may hold: two sorted arrays of 53-bit hashes, of example ids and of prediction ids, in a small file
 * beside the Parquet file. A lookup of a few ids then opens only the segments that may hold one. A hash is never an answer:
 * the segment is still filtered by the id. A missing or damaged index means "may hold anything", never "holds nothing".
 */
import { readFile } from "node:fs/promises";

const MAGIC = 0x52495831;
const HEADER_BYTES = 16;

/**
 * 53-bit hash of a text as a double, which sorts natively and needs no bigint: two 32-bit multiply-xorshift lanes (the
 * public-domain cyrb53 construction).
 */
export function hashId(text: string): number {
  let low = 0xdeadbeef;
  let high = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 2654435761);
    high = Math.imul(high ^ code, 1597334677);
  }
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  return (high & 0x1fffff) * 4294967296 + (low >>> 0);
}

export interface SegmentIndex {
  readonly examples: Float64Array;
  readonly predictions: Float64Array;
}

/** From hashes in any order, repeated or not. */
export function buildIndex(exampleHashes: readonly number[], predictionHashes: readonly number[]): SegmentIndex {
  return { examples: sortedOnce(exampleHashes), predictions: sortedOnce(predictionHashes) };
}

function sortedOnce(hashes: readonly number[]): Float64Array {
  const sorted = Float64Array.from(hashes).sort();
  let count = 0;
  for (let i = 0; i < sorted.length; i++) {
    if (count === 0 || sorted[i] !== sorted[count - 1]) sorted[count++] = sorted[i] as number;
  }
  return sorted.slice(0, count);
}

export function mergeIndexes(indexes: readonly SegmentIndex[]): SegmentIndex {
  const merge = (pick: (index: SegmentIndex) => Float64Array) => {
    const all = new Set<number>();
    for (const index of indexes) for (const hash of pick(index)) all.add(hash);
    return Float64Array.from(all).sort();
  };
  return { examples: merge((index) => index.examples), predictions: merge((index) => index.predictions) };
}

function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return hash >>> 0;
}

export function indexBytes(index: SegmentIndex): Uint8Array {
  const { examples, predictions } = index;
  const bytes = new Uint8Array(HEADER_BYTES + 8 * (examples.length + predictions.length));
  const view = new DataView(bytes.buffer);
  bytes.set(new Uint8Array(examples.buffer, examples.byteOffset, examples.byteLength), HEADER_BYTES);
  bytes.set(
    new Uint8Array(predictions.buffer, predictions.byteOffset, predictions.byteLength),
    HEADER_BYTES + examples.byteLength,
  );
  view.setUint32(0, MAGIC);
  view.setUint32(4, examples.length);
  view.setUint32(8, predictions.length);
  view.setUint32(12, checksum(bytes.subarray(HEADER_BYTES)));
  return bytes;
}

export function parseIndex(bytes: Uint8Array): SegmentIndex | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const examples = view.getUint32(4);
  const predictions = view.getUint32(8);
  if (view.getUint32(0) !== MAGIC || bytes.length !== HEADER_BYTES + 8 * (examples + predictions)) return undefined;
  // A copy of its own: a Buffer's `slice` would share the pool, where our offsets mean nothing.
  const body = new Uint8Array(bytes.subarray(HEADER_BYTES));
  if (view.getUint32(12) !== checksum(body)) return undefined;
  return {
    examples: new Float64Array(body.buffer, 0, examples),
    predictions: new Float64Array(body.buffer, 8 * examples, predictions),
  };
}

function holds(sorted: Float64Array, hash: number): boolean {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const value = sorted[middle] as number;
    if (value === hash) return true;
    if (value < hash) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}

export function mayHold(
  index: SegmentIndex,
  keys: { readonly examples: readonly number[]; readonly predictions: readonly number[] },
): boolean {
  return (
    keys.examples.some((hash) => holds(index.examples, hash)) ||
    keys.predictions.some((hash) => holds(index.predictions, hash))
  );
}

/** Indexes read from disk, least recently used ones dropped beyond the byte limit. */
export class IndexCache {
  private readonly entries = new Map<string, SegmentIndex | undefined>();
  private bytes = 0;
  private readonly maxBytes: number;

  /** @param maxBytes 64 MiB hold the ids of some four million events */
  constructor(maxBytes = 64 * 1024 * 1024) {
    this.maxBytes = maxBytes;
  }

  async load(path: string): Promise<SegmentIndex | undefined> {
    if (this.entries.has(path)) {
      const known = this.entries.get(path);
      this.entries.delete(path);
      this.entries.set(path, known);
      return known;
    }
    let index: SegmentIndex | undefined;
    try {
      index = parseIndex(await readFile(path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    this.entries.set(path, index);
    this.bytes += sizeOf(index);
    for (const [oldest, value] of this.entries) {
      if (this.bytes <= this.maxBytes || oldest === path) break;
      this.entries.delete(oldest);
      this.bytes -= sizeOf(value);
    }
    return index;
  }
}

function sizeOf(index: SegmentIndex | undefined): number {
  return index ? index.examples.byteLength + index.predictions.byteLength : 0;
}
