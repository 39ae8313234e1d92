/** Reads a pool of unlabelled examples (its columns are documented on `PoolRequest`) into a frame, chunk vector by chunk vector. */
import { fail } from "../core/index.ts";
import type { DataSchema, Frame } from "../data/index.ts";
import { RowHasher } from "../data/index.ts";
import { textReader } from "./chunk-readers.ts";
import { createColumn, finishFrame, openDuckDb, quoteName, quoteText, SQL_TYPES } from "./dataset-file.ts";

export interface Pool {
  readonly frame: Frame;
  readonly exampleIds: readonly string[];
  /** Null for an example that was never predicted. */
  readonly predictionIds: readonly (string | null)[];
}

/** @throws FILE_INVALID when the file is not one of ours */
export async function readPoolFile(path: string, schema: DataSchema): Promise<Pool> {
  const duckdb = await openDuckDb();
  const source = `read_parquet(${quoteText(path)})`;
  const features = schema.features.map(
    ({ name, spec }) => `CAST(${quoteName(`f_${name}`)} AS ${SQL_TYPES[spec.kind]})`,
  );
  try {
    const counted = await duckdb.runAndReadAll(`SELECT count(*)::DOUBLE FROM ${source}`);
    const rows = Number(counted.getRows()[0]?.[0] ?? 0);
    const columns = schema.features.map(({ name, spec }) => createColumn(name, spec, rows));
    const exampleIds: string[] = [];
    const predictionIds: (string | null)[] = [];
    // The readers hash what they read, for datasets; a pool has no hash that anybody names.
    const hasher = new RowHasher();
    const result = await duckdb.stream(
      `SELECT ${["example_id", "prediction_id", ...features].join(", ")} FROM ${source}`,
    );
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      const start = exampleIds.length;
      const id = textReader(chunk.getColumnVector(0));
      const prediction = textReader(chunk.getColumnVector(1));
      for (const [j, column] of columns.entries()) {
        column.begin(chunk, j + 2);
        for (let i = 0; i < chunk.rowCount; i++) column.read(i, start + i, hasher);
      }
      for (let i = 0; i < chunk.rowCount; i++) {
        exampleIds.push(id(i) ?? "");
        predictionIds.push(prediction(i));
      }
    }
    return { frame: finishFrame(columns, rows), exampleIds, predictionIds };
  } catch (error) {
    throw fail("FILE_INVALID", {
      message: `The pool of examples cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      remedy: "Ask for the batch again.",
      cause: error,
    });
  }
}
