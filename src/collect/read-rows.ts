/** Rows out of bytes, by format. */
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { fail, nearestWord, RetrainError } from "../core/index.ts";
import { CsvParser } from "./csv.ts";
import { JsonParser } from "./json.ts";
import { NdjsonParser } from "./ndjson.ts";
import { readParquetFile, readParquetStream } from "./parquet.ts";
import { fileInvalid, type RowParser, type RowReading } from "./row-reading.ts";

export const FORMATS = ["csv", "ndjson", "json", "parquet"] as const;
export type Format = (typeof FORMATS)[number];

const BY_TYPE: Readonly<Record<string, Format>> = {
  "application/json": "json",
  "text/json": "json",
  "application/x-ndjson": "ndjson",
  "application/ndjson": "ndjson",
  "application/jsonl": "ndjson",
  "application/x-jsonlines": "ndjson",
  "text/csv": "csv",
  "text/tab-separated-values": "csv",
  "application/vnd.apache.parquet": "parquet",
  "application/x-parquet": "parquet",
};
const BY_ENDING: Readonly<Record<string, Format>> = {
  csv: "csv",
  tsv: "csv",
  ndjson: "ndjson",
  jsonl: "ndjson",
  json: "json",
  parquet: "parquet",
};

/** @throws FORMAT_UNSUPPORTED listing what is read */
export function formatOfContentType(contentType: string | undefined): Format {
  const type = (contentType ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  const format = BY_TYPE[type];
  if (format !== undefined) return format;
  throw fail("FORMAT_UNSUPPORTED", {
    message: `The content type ${JSON.stringify(type)} is not one we read.`,
    remedy: "Send application/json, application/x-ndjson, text/csv or application/vnd.apache.parquet.",
  });
}

/** By the ending of a name, which may be followed by `.gz`. @throws FORMAT_UNSUPPORTED naming the nearest ending */
export function formatOfPath(path: string): Format {
  const ending = /\.([A-Za-z0-9]+)(?:\.gz)?$/.exec(path)?.[1]?.toLowerCase() ?? "";
  const format = BY_ENDING[ending];
  if (format !== undefined) return format;
  const near = nearestWord(ending, Object.keys(BY_ENDING));
  throw fail("FORMAT_UNSUPPORTED", {
    message: `The file ${JSON.stringify(path)} does not end in one of .csv, .tsv, .ndjson, .jsonl, .json, .parquet.${near === undefined ? "" : ` Closest: .${near}.`}`,
    remedy: "Name the format, or rename the file.",
  });
}

export function createParser(format: Exclude<Format, "parquet">): RowParser {
  if (format === "csv") return new CsvParser();
  return format === "ndjson" ? new NdjsonParser() : new JsonParser();
}

/** A slice large enough for speed and small enough that no array of a whole upload's rows is ever made. */
const SLICE_BYTES = 65_536;

/**
 * Rows and problems in order. Memory is bounded by one row and one chunk, also for bytes at hand (their rows are made lazily).
 * @throws FILE_INVALID, HEADER_DUPLICATE while iterating, where the rest cannot be read
 */
export function readRows(
  format: Format,
  input: Uint8Array | AsyncIterable<Uint8Array>,
): Iterable<RowReading> | AsyncIterable<RowReading> {
  if (format === "parquet") return readParquetStream(input instanceof Uint8Array ? once(input) : input);
  const parser = createParser(format);
  return input instanceof Uint8Array ? readBytes(parser, input) : readChunks(parser, input);
}

/** Rows of a file, unpacked where it ends in `.gz`. @throws also FORMAT_UNSUPPORTED, and FILE_INVALID where it cannot be opened */
export async function* readFileRows(path: string, format: Format = formatOfPath(path)): AsyncGenerator<RowReading> {
  const zipped = path.endsWith(".gz");
  if (format === "parquet" && !zipped) {
    yield* readParquetFile(path);
    return;
  }
  const file = createReadStream(path);
  const bytes = zipped ? file.pipe(createGunzip()) : file;
  file.on("error", (error) => bytes.destroy(error));
  try {
    yield* readRows(format, bytes as AsyncIterable<Uint8Array>);
  } catch (error) {
    if (error instanceof RetrainError) throw error;
    throw fileInvalid(
      `${JSON.stringify(path)} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      "Check the path and the file's rights.",
      error,
    );
  } finally {
    file.destroy();
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function* readBytes(parser: RowParser, bytes: Uint8Array): Generator<RowReading> {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) yield* parser.push(bytes.subarray(at, at + SLICE_BYTES));
  yield* parser.end();
}

async function* readChunks(parser: RowParser, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<RowReading> {
  // Not `yield*`: in an async generator it would await every row of a list that is at hand.
  for await (const chunk of chunks) for (const reading of parser.push(chunk)) yield reading;
  for (const reading of parser.end()) yield reading;
}
