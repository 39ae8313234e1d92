/**
 * Fast readers over DuckDB's chunk vectors. The library's own `getItem` makes a BigInt per validity bit and decodes every text;
 * here a validity bit is one 32-bit load and a short text, which DuckDB keeps inline in its 16-byte cell, is recognized by
 * those 16 bytes without being decoded again. The fields used are internal to the library's classes, so a reader falls back to
 * `getItem` where they are not what it expects.
 */
import { Buffer } from "node:buffer";
import type { DuckDBVector } from "@duckdb/node-api";
import { BOOLEAN_MISSING, CATEGORY_MISSING } from "../data/index.ts";

interface VectorFields {
  readonly items?: Float64Array;
  readonly dataView?: DataView;
  readonly validity?: { readonly data?: BigUint64Array | null; readonly offset?: number };
}

function fieldsOf(vector: DuckDBVector): VectorFields {
  return vector as unknown as VectorFields;
}

/** The validity bits as 32-bit words; null when every item is valid; undefined when the fields are not as expected. */
function validityWords(fields: VectorFields): Uint32Array | null | undefined {
  if (fields.validity === undefined || (fields.validity.offset ?? 0) !== 0) return undefined;
  const { data } = fields.validity;
  if (data === null) return null;
  return data instanceof BigUint64Array ? new Uint32Array(data.buffer, data.byteOffset, data.length * 2) : undefined;
}

/** Numbers; missing is NaN. */
export function doubleReader(vector: DuckDBVector): (i: number) => number {
  const fields = fieldsOf(vector);
  const words = validityWords(fields);
  const { items } = fields;
  if (!(items instanceof Float64Array) || words === undefined) {
    return (i) => {
      const value = vector.getItem(i);
      return value === null ? Number.NaN : Number(value);
    };
  }
  if (words === null) return (i) => items[i] as number;
  return (i) => (((words[i >>> 5] as number) >>> (i & 31)) & 1 ? (items[i] as number) : Number.NaN);
}

type Numbers =
  | Float64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;
const isNumbers = (items: unknown): items is Numbers =>
  ArrayBuffer.isView(items) &&
  !(items instanceof DataView || items instanceof BigInt64Array || items instanceof BigUint64Array);

/**
 * Copies a chunk's numbers, as many as `into` holds; missing is NaN.
 * @param fillDoubles copies float64 its own way; without it they are rounded, and what float32 cannot hold is infinite
 */
export function fillNumbers(
  vector: DuckDBVector,
  into: Float32Array,
  fillDoubles?: (doubles: Float64Array) => void,
): void {
  const fields = fieldsOf(vector);
  const words = validityWords(fields);
  const items: unknown = fields.items;
  if (!isNumbers(items) || words === undefined) {
    for (let i = 0; i < into.length; i++) {
      const value = vector.getItem(i);
      into[i] = value === null ? Number.NaN : Number(value);
    }
    return;
  }
  const used = items.length === into.length ? items : items.subarray(0, into.length);
  if (used instanceof Float64Array && fillDoubles !== undefined) fillDoubles(used);
  else into.set(used);
  if (words === null) return;
  for (let word = 0; word * 32 < into.length; word++) {
    // From the lowest bit of what is missing to the next; beyond the last row a typed array ignores what is set.
    for (let missing = ~(words[word] as number); missing !== 0; missing &= missing - 1) {
      into[word * 32 + 31 - Math.clz32(missing & -missing)] = Number.NaN;
    }
  }
}

/** 0, 1 or BOOLEAN_MISSING. */
export function booleanReader(vector: DuckDBVector): (i: number) => number {
  return (i) => {
    const value = vector.getItem(i);
    return value === null ? BOOLEAN_MISSING : value === true ? 1 : 0;
  };
}

export function textReader(vector: DuckDBVector): (i: number) => string | null {
  return (i) => vector.getItem(i) as string | null;
}

/** Slots of the cell cache; a power of two. A column with more short texts than this decodes the rest each time. */
const CACHE_SLOTS = 4096;
/** DuckDB keeps texts up to this many bytes inside the cell. */
const INLINE_BYTES = 12;

/** Texts of one column as codes in order of first appearance. */
export class TextCodes {
  readonly dictionary: string[] = [];
  readonly #codes = new Map<string, number>();
  readonly #bytes: Uint8Array[] = [];
  readonly #cells = new Uint32Array(CACHE_SLOTS * 4);
  readonly #cellCodes = new Int32Array(CACHE_SLOTS).fill(-1);

  /** UTF-8 bytes of a code's text. */
  bytes(code: number): Uint8Array {
    return this.#bytes[code] as Uint8Array;
  }

  #codeOf(text: string): number {
    const known = this.#codes.get(text);
    if (known !== undefined) return known;
    const code = this.dictionary.length;
    this.#codes.set(text, code);
    this.dictionary.push(text);
    this.#bytes.push(Buffer.from(text, "utf8"));
    return code;
  }

  reader(vector: DuckDBVector): (i: number) => number {
    const decode = (i: number) => {
      const text = vector.getItem(i) as string | null;
      return text === null ? CATEGORY_MISSING : this.#codeOf(text);
    };
    const fields = fieldsOf(vector);
    const words = validityWords(fields);
    const view = fields.dataView;
    if (!(view instanceof DataView) || words === undefined || view.byteOffset % 4 !== 0) return decode;
    const cells = new Uint32Array(view.buffer, view.byteOffset, view.byteLength >>> 2);
    return (i) => {
      if (words !== null && (((words[i >>> 5] as number) >>> (i & 31)) & 1) === 0) return CATEGORY_MISSING;
      return (cells[i * 4] as number) > INLINE_BYTES ? decode(i) : this.#cached(cells, i * 4, decode, i);
    };
  }

  #cached(cells: Uint32Array, at: number, decode: (i: number) => number, i: number): number {
    const a = cells[at] as number;
    const b = cells[at + 1] as number;
    const c = cells[at + 2] as number;
    const d = cells[at + 3] as number;
    const mixed = Math.imul(Math.imul(Math.imul(a ^ b, 0x9e3779b1) ^ c, 0x85ebca6b) ^ d, 0xc2b2ae35);
    const slot = (mixed ^ (mixed >>> 15)) & (CACHE_SLOTS - 1);
    const base = slot * 4;
    const kept = this.#cells;
    if (
      this.#cellCodes[slot] !== -1 &&
      kept[base] === a &&
      kept[base + 1] === b &&
      kept[base + 2] === c &&
      kept[base + 3] === d
    ) {
      return this.#cellCodes[slot] as number;
    }
    const code = decode(i);
    kept[base] = a;
    kept[base + 1] = b;
    kept[base + 2] = c;
    kept[base + 3] = d;
    this.#cellCodes[slot] = code;
    return code;
  }
}
