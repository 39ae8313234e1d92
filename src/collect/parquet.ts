/**
 * Parquet by DuckDB, chunk by chunk (2,048 rows), so memory does not grow with the file. DuckDB reads files only, so bytes that
 * arrive as a stream go through a temporary file.
 */
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { DuckDBType } from "@duckdb/node-api";
import { checkHeader, fileInvalid, type RowReading } from "./row-reading.ts";

export async function* readParquetFile(path: string): AsyncGenerator<RowReading> {
  // Loading DuckDB costs 70 MB; a server that never sees a Parquet upload should not pay it here.
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    threads: "1",
  });
  const connection = await instance.connect();
  try {
    const result = await openFile(() => connection.stream("select * from read_parquet($1)", [path]));
    const names = result.columnNames();
    checkHeader(names);
    const types = names.map((_, i) => result.columnType(i));
    let rowNumber = 0;
    for (;;) {
      const chunk = await openFile(() => result.fetchChunk());
      if (chunk === null || chunk.rowCount === 0) return;
      const columns = chunk.getColumns().map((values, i) => values.map(converterOf(types[i] as DuckDBType)));
      for (let i = 0; i < chunk.rowCount; i++) {
        const row: Record<string, unknown> = {};
        for (let j = 0; j < names.length; j++) row[names[j] as string] = columns[j]?.[i];
        yield { rowNumber: ++rowNumber, row };
      }
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Bytes to a file of our own, removed when the rows have been read or nobody wants more. */
export async function* readParquetStream(input: AsyncIterable<Uint8Array>): AsyncGenerator<RowReading> {
  const folder = await mkdtemp(join(tmpdir(), "retrain-parquet-"));
  try {
    const path = join(folder, "rows.parquet");
    await pipeline(Readable.from(input), createWriteStream(path));
    yield* readParquetFile(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function openFile<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    const message = cause instanceof Error ? (cause.message.split("\n")[0] as string).slice(0, 300) : String(cause);
    throw fileInvalid(
      `The Parquet file cannot be read: ${message}`,
      "Write it again, uncompressed or with Snappy or ZSTD.",
      cause,
    );
  }
}

/**
 * Values as a JSON row would hold them. Whole numbers beyond 2^53 stay texts: rounding an id would name another example.
 * Times become milliseconds since 1970, dates ISO texts; nested values have no meaning here and are left for validation to name.
 */
function converterOf(type: DuckDBType): (value: unknown) => unknown {
  const name = String(type);
  if (name.startsWith("TIMESTAMP")) return (value) => (value === null ? null : timestampMs(value, name));
  return (value) => {
    if (typeof value === "bigint") return safe(value);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    // DuckDB's own value classes print themselves.
    const text = (value as { toString(): string }).toString();
    return name.startsWith("DECIMAL") ? Number(text) : text;
  };
}

function safe(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function timestampMs(value: unknown, type: string): number {
  const parts = value as {
    micros?: bigint;
    millis?: bigint;
    milliseconds?: bigint;
    seconds?: bigint;
    nanos?: bigint;
    nanoseconds?: bigint;
  };
  if (type === "TIMESTAMP_S") return Number(parts.seconds) * 1000;
  if (type === "TIMESTAMP_MS") return Number(parts.millis ?? parts.milliseconds);
  if (type === "TIMESTAMP_NS") return Number((parts.nanos ?? parts.nanoseconds ?? 0n) / 1_000_000n);
  return Math.floor(Number(parts.micros) / 1000);
}
