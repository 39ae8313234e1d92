/**
 * The columns of any CSV or Parquet file, for comparisons that need no server: DuckDB reads. A column is a number, a boolean or a
 * category by its type in the file; times and nested values are left out and named.
 */
import { statSync } from "node:fs";
import type { DuckDBConnection } from "@duckdb/node-api";
import { formatOfPath } from "../collect/index.ts";
import { fail } from "../core/index.ts";
import type { FrameColumn } from "../data/index.ts";

export type ColumnKind = FrameColumn["kind"];
export interface FileColumns {
  readonly path: string;
  readonly rows: number;
  /** By name; `null` where the type is not one that can be compared. */
  readonly kinds: ReadonlyMap<string, ColumnKind | null>;
  /** DuckDB's types. */
  readonly types: ReadonlyMap<string, string>;
  /** What to select from. */
  readonly source: string;
  /** Which of the file's rows these are, where they lie together. */
  readonly range?: RowRange;
}
/** From the first to before the last. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;
/** A name as SQL quotes it. */
export const columnName = (text: string): string => `"${text.replaceAll('"', '""')}"`;

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

/** Opens an in-memory DuckDB with three connections, for questions asked at once, for the time of the work. */
export async function withDuckDb<T>(
  work: (connection: DuckDBConnection, second: DuckDBConnection, third: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    // Every column is read once: keeping the bytes of a file would cost its size in memory and a tenth of the time.
    enable_external_file_cache: "false",
  });
  const connections = [await instance.connect(), await instance.connect(), await instance.connect()] as const;
  try {
    return await work(...connections);
  } finally {
    for (const connection of connections) connection.closeSync();
    instance.closeSync();
  }
}

/** Foreign errors in words. @throws FILE_INVALID */
export async function reading<T>(path: string, run: () => Promise<T>): Promise<T> {
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

/**
 * A text file up to this size is parsed once, into a table. A larger one is parsed again by every reader: slower, but nobody
 * knows how much memory its rows take.
 */
const TABLE_BYTES = 1 << 30;
let tables = 0;

/** @throws FORMAT_UNSUPPORTED, FILE_INVALID */
export async function describeFile(connection: DuckDBConnection, path: string): Promise<FileColumns> {
  let source = sourceOf(path);
  return reading(path, async () => {
    if (formatOfPath(path) === "csv" && statSync(path).size <= TABLE_BYTES) {
      const table = `file${tables++}`;
      await connection.run(`CREATE TABLE ${table} AS SELECT * FROM ${source}`);
      source = table;
    }
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`);
    const counted = await connection.runAndReadAll(`SELECT count(*)::DOUBLE FROM ${source}`);
    const types = described.getRows().map((row) => [String(row[0]), String(row[1])] as const);
    const kinds = types.map(([name, type]) => [name, kindOf(type)] as const);
    const rows = Number(counted.getRows()[0]?.[0] ?? 0);
    return { path, rows, kinds: new Map(kinds), types: new Map(types), source, range: { from: 0, to: rows } };
  });
}
