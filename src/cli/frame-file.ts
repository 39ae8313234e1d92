/** The columns of a file as a frame: vectors are copied whole. */
import type { DuckDBConnection, DuckDBDataChunk } from "@duckdb/node-api";
import type { Frame, FrameColumn } from "../data/index.ts";
import { booleanReader, fillNumbers, TextCodes } from "../job/chunk-readers.ts";
import { type ColumnKind, columnName, type FileColumns, reading } from "./column-file.ts";

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
  return read(connection, file, { columns, rows: file.rows, from: file.source });
}

/** At most so many rows, evenly spaced. @throws FILE_INVALID */
export async function readSample(
  connection: DuckDBConnection,
  file: FileColumns,
  columns: readonly (readonly [string, ColumnKind])[],
  most: number,
): Promise<Frame> {
  const step = Math.max(1, Math.ceil(file.rows / most));
  const from = `(SELECT * FROM ${file.source} QUALIFY (row_number() OVER () - 1) % ${step} = 0)`;
  return read(connection, file, { columns, rows: Math.ceil(file.rows / step), from });
}

async function read(
  connection: DuckDBConnection,
  file: FileColumns,
  {
    columns,
    rows,
    from,
  }: {
    readonly columns: readonly (readonly [string, ColumnKind])[];
    readonly rows: number;
    readonly from: string;
  },
): Promise<Frame> {
  const list = columns.map(([column, kind]) => `TRY_CAST(${columnName(column)} AS ${SQL_TYPES[kind]})`).join(", ");
  return reading(file.path, async () => {
    const result = await connection.stream(`SELECT ${list} FROM ${from}`);
    const fillers = columns.map(([column, kind]) => fillerOf(column, kind, rows));
    let start = 0;
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      for (let i = 0; i < fillers.length; i++) (fillers[i] as Filler).add(chunk, i, start);
      start += chunk.rowCount;
    }
    return { rows, columns: fillers.map((filler) => filler.finish()) };
  });
}

function fillerOf(column: string, kind: ColumnKind, rows: number): Filler {
  if (kind === "number") {
    const values = new Float32Array(rows).fill(Number.NaN);
    return {
      add: (chunk, index, start) =>
        fillNumbers(chunk.getColumnVector(index), values.subarray(start, start + chunk.rowCount)),
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
