/**
 * One file that grows at its end (CSV, NDJSON) or is replaced as a whole (JSON, Parquet, packed files).
 *
 * A growing file is read by byte offset, after the SHA-256 of everything before the offset was found unchanged. A last line
 * without its end waits while somebody may be writing it: half a line is what a writer in the middle of its work looks like. Once
 * the file has rested it is taken if it is a whole row, because many programs write no end after their last line; should it be
 * written on after all, that counts as a change. When the part that was read has changed, the anomaly SOURCE_REWRITTEN says so and
 * the file is read again from the start: going on at an offset in another file would cut a row in half. Whatever the file held at
 * that moment may have been taken before, so those batches say `mayBeKnown`: rows that the log has as they are count once.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Anomaly, JsonObject, SystemClock } from "../../core/index.ts";
import { type CsvHeader, CsvParser } from "../csv.ts";
import { NdjsonParser } from "../ndjson.ts";
import { type Format, formatOfPath, readFileRows } from "../read-rows.ts";
import type { RowParser, RowReading } from "../row-reading.ts";
import { BATCH_ROWS, inBatches, type Source, type SourceBatch } from "./source.ts";

export interface FileSourceOptions {
  readonly name: string;
  readonly model: string;
  readonly path: string;
  readonly format?: Format;
  readonly pollMs: number;
  readonly missing: readonly string[];
  readonly clock: SystemClock;
}

/** What is stored: how far the file was read, and the hash of everything up to there. */
interface FilePosition {
  readonly offset: number;
  readonly sha256: string;
  readonly header?: CsvHeader;
  /** Rows before the offset: rows without an id are named by their place. */
  readonly rows?: number;
  /** Lines before the offset, for messages. */
  readonly lines?: number;
  /** The size the file had when it was found rewritten: rows up to there may have been taken before. */
  readonly knownUntil?: number;
  /** The last row was taken without an end of its line. */
  readonly open?: true;
}

/** Size, time and inode of the file when a poll last found nothing new: an unchanged file is not read again. */
interface Seen {
  readonly size: number;
  readonly mtimeMs: number;
  readonly ino: number;
  readonly position: string;
}

/** A batch of long rows is closed by its size: it is held in memory and written in one commit. */
const BATCH_BYTES = 8 * 1_048_576;
/** A file that nobody has written to for so long is one that nobody is writing, ms: longer than the pauses of a writer at work. */
export const SETTLE_MS = 2_000;
const LF = 10;
const CR = 13;
const EMPTY_SHA256 = createHash("sha256").digest("hex");

export function createFileSource(options: FileSourceOptions): Source {
  const format = options.format ?? formatOfPath(options.path);
  const grows = (format === "csv" || format === "ndjson") && !options.path.endsWith(".gz");
  let seen: Seen | undefined;
  let isThere = true;
  return {
    name: options.name,
    model: options.model,
    pollMs: options.pollMs,
    missing: options.missing,
    waitsFor: () => (isThere ? undefined : `There is no file ${options.path}. Create it, or correct its path.`),
    async *poll(position) {
      const file = await stat(options.path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw error;
      });
      isThere = file !== undefined;
      if (file === undefined) return;
      const now: Seen = {
        size: file.size,
        mtimeMs: file.mtimeMs,
        ino: file.ino,
        position: JSON.stringify(position ?? null),
      };
      if (seen !== undefined && JSON.stringify(seen) === JSON.stringify(now)) return;
      let last: JsonObject | undefined;
      const isSettled = options.clock.now() - file.mtimeMs >= SETTLE_MS;
      const batches = grows ? pollGrowing(options, format, position, isSettled) : pollWhole(options, format, position);
      for await (const batch of batches) {
        yield batch;
        last = batch.position;
      }
      // Until it has settled its last line may still wait.
      if (isSettled || !grows) seen = { ...now, position: JSON.stringify(last ?? position ?? null) };
    },
  };
}

async function* pollGrowing(
  options: FileSourceOptions,
  format: Format,
  stored: JsonObject | undefined,
  isSettled: boolean,
): AsyncGenerator<SourceBatch> {
  const before = stored as unknown as FilePosition | undefined;
  const start: FilePosition = before ?? { offset: 0, sha256: EMPTY_SHA256 };
  const prefix = await hashPrefix(options.path, start.offset);
  const unchanged = prefix !== undefined && prefix.digest === start.sha256;
  if (unchanged && !(start.open === true && (await isWrittenOn(options.path, start.offset)))) {
    yield* readFrom({ options, format, start, hash: prefix.hash, anomalies: [], isSettled });
    return;
  }
  const { size } = await stat(options.path);
  const again = { offset: 0, sha256: EMPTY_SHA256, knownUntil: size };
  const anomalies = [rewritten(options.path, start.offset, prefix === undefined)];
  yield* readFrom({ options, format, start: again, hash: createHash("sha256"), anomalies, isSettled });
}

/** Whether a line that had no end goes on after the offset. */
async function isWrittenOn(path: string, offset: number): Promise<boolean> {
  const handle = await open(path, "r");
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(1), 0, 1, offset);
    return bytesRead === 1 && buffer[0] !== LF && buffer[0] !== CR;
  } finally {
    await handle.close();
  }
}

interface Reading {
  readonly options: FileSourceOptions;
  readonly format: Format;
  readonly start: FilePosition;
  /** Of everything before the start. */
  readonly hash: ReturnType<typeof createHash>;
  readonly anomalies: readonly Anomaly[];
  readonly isSettled: boolean;
}

async function* readFrom({ options, format, start, hash, anomalies, isSettled }: Reading): AsyncGenerator<SourceBatch> {
  const parser = parserAt(format, start);
  const origin = `file:${basename(options.path)}`;
  let rows: SourceBatch["rows"][number][] = [];
  // Bytes that were read but belong to no row yet: the hash may only cover what the offset covers.
  let ahead: Buffer = Buffer.alloc(0);
  let hashed = start.offset;
  let batchFrom = start.offset;
  let rowNumber = start.rows ?? 0;
  let told = false;
  let isOpen = false;
  const isKnownPart = (offset: number) => offset < (start.knownUntil ?? 0);
  const catchUp = () => {
    const length = parser.offset - hashed;
    hash.update(ahead.subarray(0, length));
    ahead = ahead.subarray(length);
    hashed = parser.offset;
  };
  const batch = (): SourceBatch => {
    if (!isOpen) catchUp();
    rowNumber = rows.at(-1)?.rowNumber ?? rowNumber;
    const position = {
      offset: hashed,
      sha256: hash.copy().digest("hex"),
      ...headerOf(parser),
      rows: rowNumber,
      ...(isKnownPart(hashed) ? { knownUntil: start.knownUntil } : {}),
      ...(isOpen ? { open: true } : {}),
    } as unknown as JsonObject;
    const mayBeKnown = isKnownPart(batchFrom);
    const result = { rows, position, anomalies: told ? [] : anomalies, origin, ...(mayBeKnown ? { mayBeKnown } : {}) };
    told = true;
    rows = [];
    batchFrom = hashed;
    return result;
  };
  for await (const chunk of createReadStream(options.path, { start: start.offset }) as AsyncIterable<Buffer>) {
    ahead = ahead.length === 0 ? chunk : Buffer.concat([ahead, chunk]);
    for (const reading of parser.push(chunk)) {
      rows.push(reading);
      if (rows.length >= BATCH_ROWS || parser.offset - batchFrom >= BATCH_BYTES) yield batch();
    }
    catchUp();
  }
  const last = isSettled ? wholeRow(format, parser, rowNumber + rows.length, ahead) : undefined;
  if (last !== undefined) {
    rows.push(last);
    hash.update(ahead);
    hashed += ahead.length;
    isOpen = true;
  }
  if (rows.length > 0 || (anomalies.length > 0 && !told)) yield batch();
  const swallowed = isSettled ? unclosedQuote(options.path, parser, ahead) : undefined;
  if (swallowed !== undefined) yield { ...batch(), anomalies: [swallowed] };
}

/** A quote that nobody closes takes every line after it into one field, for ever: somebody has to be told. */
function unclosedQuote(path: string, parser: RowParser, bytes: Buffer): Anomaly | undefined {
  const line = parser instanceof CsvParser ? parser.openLine : undefined;
  if (line === undefined || bytes.indexOf(LF) === bytes.lastIndexOf(LF)) return undefined;
  return {
    code: "QUOTE_UNCLOSED",
    message: `The quote opened in line ${line} of ${basename(path)} is not closed, so nothing from there on is read. Close it, or double a quote that belongs to the text.`,
    blocking: false,
    details: { line },
  };
}

/** The row that the bytes after the last end of a line make; undefined where they are none, or half of one. */
function wholeRow(format: Format, parser: RowParser, rows: number, bytes: Buffer): RowReading | undefined {
  const headed = headerOf(parser);
  if (bytes.length === 0 || (format === "csv" && headed.header === undefined)) return undefined;
  const own = parserAt(format, { offset: parser.offset, sha256: "", rows, ...headed });
  const [reading] = [...own.push(bytes), ...own.end()];
  return reading !== undefined && "row" in reading ? reading : undefined;
}

function headerOf(parser: RowParser): { header?: CsvHeader; lines?: number } {
  if (!(parser instanceof CsvParser) || parser.header === undefined) return {};
  const { columns, separator } = parser.header;
  return { header: { columns: [...columns], separator }, lines: parser.lineNumber };
}

function parserAt(format: Format, start: FilePosition): RowParser {
  const { header, offset, rows: rowNumber = 0, lines: lineNumber = 0 } = start;
  if (format === "ndjson") return new NdjsonParser(offset, rowNumber);
  return header === undefined ? new CsvParser() : new CsvParser({ header, offset, rowNumber, lineNumber });
}

/** Hash of the first `length` bytes; undefined where the file is shorter. Cost: one read of the prefix, in constant memory. */
async function hashPrefix(path: string, length: number) {
  const hash = createHash("sha256");
  if (length === 0) return { hash, digest: EMPTY_SHA256 };
  let bytes = 0;
  for await (const chunk of createReadStream(path, { end: length - 1 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return bytes < length ? undefined : { hash, digest: hash.copy().digest("hex") };
}

function rewritten(path: string, offset: number, shorter: boolean): Anomaly {
  const how = shorter
    ? `is shorter than the ${offset} bytes that were read`
    : `differs in the first ${offset} bytes, which were read`;
  return {
    code: "SOURCE_REWRITTEN",
    message: `The file ${basename(path)} ${how}. It is read again from the start; rows that were taken already count once.`,
    blocking: false,
    details: { offset, shorter },
  };
}

/** Files without a growing end: a new content is a new delivery, of which the rows that are there already count once. */
async function* pollWhole(
  options: FileSourceOptions,
  format: Format,
  stored: JsonObject | undefined,
): AsyncGenerator<SourceBatch> {
  const sha256 = await hashFile(options.path);
  const same = stored?.["sha256"] === sha256;
  if (same && stored?.["rows"] === null) return;
  // A crash in the middle left the number of rows that were stored.
  const done = same ? ((stored?.["rows"] as number | undefined) ?? 0) : 0;
  const isLater = stored !== undefined && (!same || stored["later"] === true);
  const later = isLater ? { later: true } : {};
  const origin = `file:${basename(options.path)}`;
  let count = done;
  yield* inBatches(skip(readFileRows(options.path, format), done), (rows, last) => {
    count += rows.length;
    const position = { sha256, rows: last ? null : count, ...later };
    return { rows, position, anomalies: [], origin, ...(isLater ? { mayBeKnown: true } : {}) };
  });
}

export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest("hex");
}

export async function* skip<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let left = count;
  for await (const item of items) {
    if (left > 0) left--;
    else yield item;
  }
}
