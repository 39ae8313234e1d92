/** Tables of a job folder for external trainers: Arrow by flechette, CSV by hand, Parquet by DuckDB out of the CSV. */
import { createWriteStream } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { once } from "node:events";
import {
  bool,
  columnFromArray,
  dictionary,
  float32,
  float64,
  int32,
  tableFromColumns,
  tableToIPC,
  utf8,
} from "@uwdata/flechette";
import type { DataType } from "@uwdata/flechette";
import { openDuckDb } from "./dataset-file.ts";

/** A column with its cells; null is missing. */
export interface ExternalColumn {
  readonly name: string;
  readonly type: "float32" | "float64" | "int32" | "bool" | "text";
  readonly rows: number;
  value(row: number): number | boolean | string | null;
}
export type TableFormat = "arrow" | "parquet" | "csv";

const ARROW_TYPES: Readonly<Record<ExternalColumn["type"], () => DataType>> = {
  float32,
  float64,
  int32,
  bool,
  // Codes and a dictionary: what pandas calls a categorical.
  text: () => dictionary(utf8(), int32()),
};
const SQL_TYPES = { float32: "FLOAT", float64: "DOUBLE", int32: "INTEGER", bool: "BOOLEAN", text: "VARCHAR" } as const;

/** @returns the file's name. Rows keep their order. */
export async function writeTable(
  folder: string,
  name: string,
  columns: readonly ExternalColumn[],
  format: TableFormat,
): Promise<string> {
  const file = `${name}.${format}`;
  if (format === "arrow") {
    const arrays = columns.map(
      (column) =>
        [
          column.name,
          columnFromArray(
            Array.from({ length: column.rows }, (_, row) => column.value(row)),
            ARROW_TYPES[column.type](),
          ),
        ] as const,
    );
    const bytes = tableToIPC(tableFromColumns(arrays as never), { format: "file" });
    await writeFile(join(folder, file), bytes as Uint8Array);
    return file;
  }
  const csv = join(folder, `${name}.csv`);
  await writeCsv(csv, columns);
  if (format === "csv") return file;
  await csvToParquet(csv, join(folder, file), columns);
  await rm(csv);
  return file;
}

/** Lines written at a time. */
const CSV_BLOCK_ROWS = 5_000;

function cell(value: number | boolean | string | null): string {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  return `"${value.replaceAll('"', '""')}"`;
}

async function writeCsv(path: string, columns: readonly ExternalColumn[]): Promise<void> {
  const stream = createWriteStream(path);
  const rows = columns[0]?.rows ?? 0;
  stream.write(`${columns.map(({ name }) => cell(name)).join(",")}\n`);
  for (let from = 0; from < rows; from += CSV_BLOCK_ROWS) {
    const lines: string[] = [];
    for (let row = from; row < Math.min(rows, from + CSV_BLOCK_ROWS); row++) {
      lines.push(columns.map((column) => cell(column.value(row))).join(","));
    }
    if (!stream.write(`${lines.join("\n")}\n`)) await once(stream, "drain");
  }
  stream.end();
  await once(stream, "close");
}

async function csvToParquet(csv: string, parquet: string, columns: readonly ExternalColumn[]): Promise<void> {
  const duckdb = await openDuckDb();
  const text = (value: string) => `'${value.replaceAll("'", "''")}'`;
  const types = columns.map(({ name, type }) => `${text(name)}: '${SQL_TYPES[type]}'`).join(", ");
  // Quoted empty texts are texts; unquoted ones are missing.
  const options = `header = true, quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, parallel = false`;
  await duckdb.run(
    `COPY (SELECT * FROM read_csv(${text(csv)}, columns = {${types}}, auto_detect = false, delim = ',', ${options})) TO ${text(parquet)} (FORMAT parquet)`,
  );
}
