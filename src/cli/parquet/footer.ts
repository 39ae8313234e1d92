/**
 * Where the pages of a Parquet file's number columns lie. Only what is read without doubt is offered: columns at the top level, of a
 * plain physical type, uncompressed or in Snappy's format. Everything else is DuckDB's to read.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { numberAt, structAt, structsAt, textAt, ThriftReader, type ThriftStruct, UnreadablePage } from "./thrift.ts";

export type PhysicalType = "INT32" | "INT64" | "FLOAT" | "DOUBLE";
const PHYSICAL: Readonly<Record<number, PhysicalType>> = { 1: "INT32", 2: "INT64", 4: "FLOAT", 5: "DOUBLE" };
const CODECS: Readonly<Record<number, Codec>> = { 0: "none", 1: "snappy" };
export type Codec = "none" | "snappy";

/** The pages of one column in one group of rows. */
export interface ColumnPages {
  readonly rows: number;
  readonly at: number;
  readonly sizeBytes: number;
  /** Of all its pages, decompressed. */
  readonly wholeBytes: number;
  readonly codec: Codec;
}

export interface ParquetColumn {
  readonly type: PhysicalType;
  /** Rows may have no value: pages say which. */
  readonly isOptional: boolean;
  /** In the order of the rows. */
  readonly groups: readonly ColumnPages[];
}

const MAGIC = "PAR1";
const TAIL_BYTES = 8;
/** A group of rows is held at once. */
const MOST_BYTES = 256 * 1024 * 1024;

/** An open file; closed with `close`. */
export class ParquetFile {
  readonly #file: number;
  readonly rows: number;
  readonly columns: ReadonlyMap<string, ParquetColumn>;

  /** @returns undefined where this reader does not follow the file */
  static open(path: string): ParquetFile | undefined {
    let file: number | undefined;
    try {
      file = openSync(path, "r");
      return new ParquetFile(file);
    } catch {
      // DuckDB reads it, or says what is wrong with it.
      if (file !== undefined) closeSync(file);
      return undefined;
    }
  }

  private constructor(file: number) {
    this.#file = file;
    const size = fstatSync(file).size;
    const tail = this.#bytes(size - TAIL_BYTES, TAIL_BYTES);
    const length = new DataView(tail.buffer).getUint32(0, true);
    if (new TextDecoder().decode(tail.subarray(4)) !== MAGIC || length > size - TAIL_BYTES)
      throw new UnreadablePage("no footer");
    const footer = new ThriftReader(this.#bytes(size - TAIL_BYTES - length, length)).struct();
    this.rows = numberAt(footer, 3);
    this.columns = columnsOf(footer, size);
  }

  /** Reads all of `into`, or throws. */
  read(at: number, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const count = readSync(this.#file, into, done, into.length - done, at + done);
      if (count === 0) throw new UnreadablePage("an end before its time");
      done += count;
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  #bytes(at: number, count: number): Uint8Array {
    if (at < 0) throw new UnreadablePage("too short");
    const bytes = new Uint8Array(count);
    this.read(at, bytes);
    return bytes;
  }
}

function columnsOf(footer: ThriftStruct, size: number): ReadonlyMap<string, ParquetColumn> {
  const [root, ...schema] = structsAt(footer, 2);
  const groups = structsAt(footer, 4);
  const found = new Map<string, ParquetColumn>();
  if (root === undefined || schema.length !== numberAt(root, 5)) return found;
  const names = schema.map((one) => textAt(one, 4) ?? "");
  for (const [i, leaf] of schema.entries()) {
    const name = names[i] as string;
    const type = PHYSICAL[leaf.get(1) as number];
    // DuckDB tells names apart without their case, and renames what it cannot.
    const isOnly = names.every((other, j) => i === j || other.toLowerCase() !== name.toLowerCase());
    if (type === undefined || !isOnly || numberAt(leaf, 3) > 1) continue;
    const pages = groups.map((group) => pagesOf(structsAt(group, 1)[i], { name, type, size }));
    if (!pages.every((one) => one !== undefined)) continue;
    found.set(name, { type, isOptional: numberAt(leaf, 3) === 1, groups: pages });
  }
  return found;
}

function pagesOf(
  chunk: ThriftStruct | undefined,
  { name, type, size }: { readonly name: string; readonly type: PhysicalType; readonly size: number },
): ColumnPages | undefined {
  // Pages in another file, or encrypted.
  if (chunk === undefined || chunk.has(1) || chunk.has(8) || chunk.has(9)) return undefined;
  const meta = structAt(chunk, 3);
  const path = meta.get(3) as readonly Uint8Array[] | undefined;
  const codec = CODECS[numberAt(meta, 4)];
  if (path?.length !== 1 || new TextDecoder().decode(path[0]) !== name) return undefined;
  if (codec === undefined || PHYSICAL[numberAt(meta, 1)] !== type) return undefined;
  const first = numberAt(meta, 9);
  const dictionary = meta.get(11);
  // Some writers say 0 where there is none.
  const at = typeof dictionary === "number" && dictionary > 0 ? Math.min(first, dictionary) : first;
  const [wholeBytes, sizeBytes] = [numberAt(meta, 6), numberAt(meta, 7)];
  if (at < 0 || sizeBytes < 0 || at + sizeBytes > size || Math.max(wholeBytes, sizeBytes) > MOST_BYTES)
    return undefined;
  return { rows: numberAt(meta, 5), at, sizeBytes, wholeBytes, codec };
}
