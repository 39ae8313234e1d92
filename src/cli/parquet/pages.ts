/** The values of a column's pages as float32 in the kernels' memory; missing is NaN, as in every frame. */
import type { PageKernels } from "../counting/kernel-contract.ts";
import type { MemoryPlan } from "../../learn/wasm.ts";
import type { ColumnPages, ParquetColumn, ParquetFile, PhysicalType } from "./footer.ts";
import { numberAt, structAt, ThriftReader, type ThriftStruct, UnreadablePage } from "./thrift.ts";

/** Room in the kernels' memory, by byte offsets. */
export interface PageRoom {
  /** Bytes as they lie in the file. */
  readonly raw: number;
  /** A page decompressed. */
  readonly page: number;
  readonly pageBytes: number;
  /** 32 bits a row: levels, then places in the dictionary. */
  readonly levels: number;
  readonly places: number;
  /** 32 bits an entry. */
  readonly dictionary: number;
  /** Rows of one group, as float32. */
  readonly rows: number;
}

/** A column of an open file. */
export interface PageColumn {
  readonly file: ParquetFile;
  readonly column: ParquetColumn;
  readonly isUnsigned: boolean;
}
export interface ColumnReading extends PageColumn {
  readonly kernels: PageKernels;
  readonly buffer: ArrayBuffer;
  readonly room: PageRoom;
}

/** The room that reading groups of these sizes takes. */
export function reservePages(plan: MemoryPlan, columns: readonly ParquetColumn[]): PageRoom {
  const groups = columns.flatMap((one) => one.groups);
  const most = (size: (group: ColumnPages) => number) => groups.reduce((found, one) => Math.max(found, size(one)), 0);
  const pageBytes = most((one) => one.wholeBytes);
  const rowBytes = most((one) => one.rows) * 4;
  return {
    raw: plan.reserve(most((one) => one.sizeBytes)),
    page: plan.reserve(pageBytes),
    pageBytes,
    levels: plan.reserve(rowBytes),
    places: plan.reserve(rowBytes),
    // An entry takes four bytes or more in its page.
    dictionary: plan.reserve(pageBytes),
    rows: plan.reserve(rowBytes),
  };
}

const WIDTHS: Readonly<Record<PhysicalType, number>> = { INT32: 4, INT64: 8, FLOAT: 4, DOUBLE: 8 };
const PLAIN = 0;
const PLAIN_DICTIONARY = 2;
const RLE = 3;
const RLE_DICTIONARY = 8;
const DATA = 0;
const INDEX = 1;
const DICTIONARY = 2;
const DATA_V2 = 3;
/** Places of a dictionary have at most so many bits; one of a million entries has 20. */
const MOST_BITS = 24;

/** Where a page's levels and values lie, decompressed. */
interface Body {
  readonly rows: number;
  readonly encoding: number;
  /** Length 0: every row has a value. */
  readonly levels: { readonly at: number; readonly length: number };
  readonly values: { readonly at: number; readonly end: number };
}

/**
 * Writes the rows of one group to `to`, 4 bytes each.
 * @throws UnreadablePage where a page is of a kind this reader does not follow
 */
export function readGroup(reading: ColumnReading, pages: ColumnPages, to: number): void {
  const { file, buffer, room } = reading;
  const raw = new Uint8Array(buffer, room.raw, pages.sizeBytes);
  file.read(pages.at, raw);
  let at = 0;
  let done = 0;
  let entries: number | undefined;
  while (done < pages.rows) {
    const reader = new ThriftReader(raw, at);
    const header = reader.struct();
    const type = numberAt(header, 1);
    const stored = { at: reader.at, length: numberAt(header, 3), pages };
    at = reader.at + stored.length;
    if (at > raw.length) throw new UnreadablePage("an end before its time");
    if (type === INDEX) continue;
    if (type === DICTIONARY) {
      entries = readDictionary(reading, header, stored);
      continue;
    }
    const body = type === DATA ? bodyOf(reading, header, stored) : bodyOfV2(reading, header, stored, type);
    if (done + body.rows > pages.rows) throw new UnreadablePage("more rows than its group");
    writePage(reading, { body, entries, to: to + done * 4 });
    done += body.rows;
  }
}

interface Stored {
  readonly at: number;
  readonly length: number;
  readonly pages: ColumnPages;
}

/** Decompresses to the room of a page, after what is there already. @returns where it lies */
function decompressed(
  { kernels, room }: ColumnReading,
  { at, length, pages }: Stored,
  size: number,
  skipped = 0,
): { readonly at: number; readonly end: number } {
  if (pages.codec === "none") return { at: room.raw + at, end: room.raw + at + length };
  if (skipped + size > room.pageBytes) throw new UnreadablePage("a page larger than its group");
  const to = room.page + skipped;
  if (kernels.unsnappy(room.raw + at, length, to, size) !== size) throw new UnreadablePage("not Snappy's format");
  return { at: to, end: to + size };
}

function readDictionary(reading: ColumnReading, header: ThriftStruct, stored: Stored): number {
  const own = structAt(header, 7);
  const encoding = numberAt(own, 2);
  if (encoding !== PLAIN && encoding !== PLAIN_DICTIONARY) throw new UnreadablePage(`encoding ${encoding}`);
  const entries = numberAt(own, 1);
  const values = decompressed(reading, stored, numberAt(header, 2));
  writePlain(reading, values, entries, reading.room.dictionary);
  return entries;
}

function bodyOf(reading: ColumnReading, header: ThriftStruct, stored: Stored): Body {
  const own = structAt(header, 5);
  const { at, end } = decompressed(reading, stored, numberAt(header, 2));
  const parts = { rows: numberAt(own, 1), encoding: numberAt(own, 2) };
  if (!reading.column.isOptional) return { ...parts, levels: { at, length: 0 }, values: { at, end } };
  if (numberAt(own, 3) !== RLE || end - at < 4) throw new UnreadablePage("levels of another encoding");
  const length = new DataView(reading.buffer).getUint32(at, true);
  if (length > end - at - 4) throw new UnreadablePage("an end before its time");
  return { ...parts, levels: { at: at + 4, length }, values: { at: at + 4 + length, end } };
}

function bodyOfV2(reading: ColumnReading, header: ThriftStruct, stored: Stored, type: number): Body {
  if (type !== DATA_V2) throw new UnreadablePage(`a page of type ${type}`);
  const own = structAt(header, 8);
  const length = numberAt(own, 5);
  if (numberAt(own, 6) !== 0 || length < 0 || length > stored.length) throw new UnreadablePage("levels of repetition");
  const levels = { at: reading.room.raw + stored.at, length: numberAt(own, 2) === 0 ? 0 : length };
  const rest = { ...stored, at: stored.at + length, length: stored.length - length };
  const isPlain = own.get(7) === false;
  const values = isPlain
    ? { at: reading.room.raw + rest.at, end: reading.room.raw + rest.at + rest.length }
    : decompressed(reading, rest, numberAt(header, 2) - length);
  return { rows: numberAt(own, 1), encoding: numberAt(own, 4), levels, values };
}

function writePage(
  reading: ColumnReading,
  page: { readonly body: Body; readonly entries: number | undefined; readonly to: number },
): void {
  const { kernels, room } = reading;
  const { body, to } = page;
  const { rows, levels, encoding } = body;
  if (rows < 0) throw new UnreadablePage("fewer rows than none");
  const present = levels.length === 0 ? rows : kernels.unpack(levels.at, levels.length, 1, rows, room.levels, 1);
  if (present < 0) throw new UnreadablePage("levels that are not whole");
  if (encoding === PLAIN) writePlain(reading, body.values, present, to);
  else if (encoding === PLAIN_DICTIONARY || encoding === RLE_DICTIONARY) writePlaces(reading, page, present);
  else throw new UnreadablePage(`encoding ${encoding}`);
  if (present < rows) kernels.spread(room.levels, rows, present, to);
}

function writePlain(
  { column, isUnsigned, kernels }: ColumnReading,
  { at, end }: { readonly at: number; readonly end: number },
  count: number,
  to: number,
): void {
  if (count < 0 || count * WIDTHS[column.type] > end - at) throw new UnreadablePage("an end before its time");
  if (column.type === "DOUBLE") kernels.narrow(at, to, count);
  else if (column.type === "FLOAT") kernels.copyFloats(at, to, count);
  else if (column.type === "INT32") kernels.fromInt32(at, to, count, Number(isUnsigned));
  else kernels.fromInt64(at, to, count, Number(isUnsigned));
}

function writePlaces(
  { buffer, kernels, room }: ColumnReading,
  page: { readonly body: Body; readonly entries: number | undefined; readonly to: number },
  present: number,
): void {
  const { at, end } = page.body.values;
  if (present === 0) return;
  if (page.entries === undefined || at >= end) throw new UnreadablePage("places without a dictionary");
  const width = new Uint8Array(buffer)[at] as number;
  if (width > MOST_BITS) throw new UnreadablePage(`places of ${width} bits`);
  if (width === 0) new Uint32Array(buffer, room.places, present).fill(0);
  else if (kernels.unpack(at + 1, end - at - 1, width, present, room.places, 0) < 0)
    throw new UnreadablePage("places that are not whole");
  if (kernels.lookUp(room.places, present, room.dictionary, page.entries, page.to) < 0)
    throw new UnreadablePage("places outside of the dictionary");
}
