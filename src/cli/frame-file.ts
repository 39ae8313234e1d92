/**
 * The columns of any CSV or Parquet file as a frame, for comparisons that need no server: DuckDB reads, vectors are copied whole. A
 * column is a number, a boolean or a category by its type in the file; times and nested values are left out and named.
 */
import type { DuckDBConnection, DuckDBDataChunk, DuckDBVector } from "@duckdb/node-api";
import { formatOfPath } from "../collect/index.ts";
import { fail } from "../core/index.ts";
import type { Frame, FrameColumn } from "../data/index.ts";
import { booleanReader, TextCodes } from "../job/chunk-readers.ts";

export type ColumnKind = FrameColumn["kind"];
export interface FileColumns {
  readonly path: string;
  readonly rows: number;
  /** By name; `null` where the type is not one that can be compared. */
  readonly kinds: ReadonlyMap<string, ColumnKind | null>;
}

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;
const name = (text: string) => `"${text.replaceAll('"', '""')}"`;

function sourceOf(path: string): string {
  const format = formatOfPath(path);
  if (format === "parquet") return `read_parquet(${quote(path)})`;
  if (format === "csv") return `read_csv(${quote(path)}, nullstr = ['', 'NA'], sample_size = -1)`;
  throw fail("FORMAT_UNSUPPORTED", {
    message: `${JSON.stringify(path)} is ${format}; a comparison of files reads CSV and Parquet.`,
    remedy: "Write it as Parquet or CSV.",
  });
}

const NUMBER_TYPE = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*)$/;

function kindOf(type: string): ColumnKind | null {
  if (NUMBER_TYPE.test(type)) return "number";
  if (type === "BOOLEAN") return "boolean";
  return type === "VARCHAR" || type.startsWith("ENUM") ? "category" : null;
}

/** Opens an in-memory DuckDB for the time of the work. */
export async function withDuckDb<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  const connection = await instance.connect();
  try {
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function reading<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof Error && cause.name === "RetrainError") throw cause;
    const why = cause instanceof Error ? (cause.message.split("\n")[0] as string).slice(0, 300) : String(cause);
    throw fail("FILE_INVALID", {
      message: `${JSON.stringify(path)} cannot be read: ${why}`,
      remedy: "Check the path, and that the file is whole.",
      cause,
    });
  }
}

/** @throws FORMAT_UNSUPPORTED, FILE_INVALID */
export async function describeFile(connection: DuckDBConnection, path: string): Promise<FileColumns> {
  const source = sourceOf(path);
  return reading(path, async () => {
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`);
    const counted = await connection.runAndReadAll(`SELECT count(*)::DOUBLE FROM ${source}`);
    const kinds = described.getRows().map((row) => [String(row[0]), kindOf(String(row[1]))] as const);
    return { path, rows: Number(counted.getRows()[0]?.[0] ?? 0), kinds: new Map(kinds) };
  });
}

interface Filler {
  add(chunk: DuckDBDataChunk, index: number, start: number): void;
  finish(): FrameColumn;
}

const SQL_TYPES: Readonly<Record<ColumnKind, string>> = { number: "FLOAT", boolean: "BOOLEAN", category: "VARCHAR" };

/** Reads the given columns, each as the given kind. @throws FILE_INVALID */
export async function readColumns(
  connection: DuckDBConnection,
  file: FileColumns,
  columns: readonly (readonly [string, ColumnKind])[],
): Promise<Frame> {
  const list = columns.map(([column, kind]) => `CAST(${name(column)} AS ${SQL_TYPES[kind]})`).join(", ");
  return reading(file.path, async () => {
    const result = await connection.stream(`SELECT ${list} FROM ${sourceOf(file.path)}`);
    const fillers = columns.map(([column, kind]) => fillerOf(column, kind, file.rows));
    let start = 0;
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      for (let i = 0; i < fillers.length; i++) (fillers[i] as Filler).add(chunk, i, start);
      start += chunk.rowCount;
    }
    return { rows: file.rows, columns: fillers.map((filler) => filler.finish()) };
  });
}

function fillerOf(column: string, kind: ColumnKind, rows: number): Filler {
  if (kind === "number") {
    const values = new Float32Array(rows).fill(Number.NaN);
    return {
      add: (chunk, index, start) => copyNumbers(chunk.getColumnVector(index), chunk.rowCount, values, start),
      finish: () => ({ kind, name: column, values }),
    };
  }
  if (kind === "boolean") {
    const values = new Uint8Array(rows);
    return {
      add(chunk, index, start) {
        const read = booleanReader(chunk.getColumnVector(index));
        for (let i = 0; i < chunk.rowCount; i++) values[start + i] = read(i);
      },
      finish: () => ({ kind, name: column, values }),
    };
  }
  const codes = new Int32Array(rows);
  const texts = new TextCodes();
  return {
    add(chunk, index, start) {
      const read = texts.reader(chunk.getColumnVector(index));
      for (let i = 0; i < chunk.rowCount; i++) codes[start + i] = read(i);
    },
    finish: () => ({ kind, name: column, codes, dictionary: texts.dictionary }),
  };
}

/** A vector without missing values is copied at once. The fields are internal to the library, hence the other way. */
function copyNumbers(vector: DuckDBVector, rows: number, into: Float32Array, start: number): void {
  const { items, validity } = vector as unknown as { items?: unknown; validity?: { data?: unknown } };
  if (items instanceof Float32Array && validity !== undefined && validity.data === null) {
    into.set(rows === items.length ? items : items.subarray(0, rows), start);
    return;
  }
  for (let i = 0; i < rows; i++) {
    const value = vector.getItem(i);
    into[start + i] = value === null ? Number.NaN : Number(value);
  }
}
