/** Rows from the outside: readers of four formats, batch anomalies, and sources that are polled. */
export * from "./anomalies.ts";
export { CsvParser, type CsvHeader } from "./csv.ts";
export { JsonParser } from "./json.ts";
export { NdjsonParser } from "./ndjson.ts";
export * from "./read-rows.ts";
export {
  COLUMN_LIMIT,
  READING_PROBLEMS,
  type ReadingProblem,
  ROW_LIMIT_BYTES,
  type RowReading,
} from "./row-reading.ts";
export { createSource, type SourceOptions } from "./sources/index.ts";
export { BATCH_ROWS, type Source, type SourceBatch } from "./sources/source.ts";
