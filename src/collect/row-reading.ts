/**
 * Rows as readers find them. A reader never guesses: what is no row becomes a problem with its raw text, in the place where the
 * row would have been, so that one bad line costs one line. Only what makes the whole file unreadable throws.
 */
import { fail, plural } from "../core/index.ts";

export type RowReading =
  | {
      /** 1-based position among the rows of the file or body. */
      readonly rowNumber: number;
      readonly row: Readonly<Record<string, unknown>>;
      /** Every value is a text (CSV), to be converted by the schema. */
      readonly text?: boolean;
      readonly raw?: string;
    }
  | {
      readonly rowNumber: number;
      readonly problem: { readonly code: ReadingProblem; readonly message: string };
      readonly raw: string;
    };

/** Why a line or element is no row; listed beside the row reasons. */
export const READING_PROBLEMS = {
  ROW_UNREADABLE: "The line or element is not valid JSON.",
  ROW_NOT_OBJECT: "The row is not a JSON object.",
  ROW_RAGGED: "A CSV line has more or fewer fields than the header has columns.",
  ROW_QUOTES: "A CSV line has a quote where none may stand.",
  ROW_TOO_LONG: "The row is longer than 1 MiB.",
  TEXT_ENCODING: "The line is not UTF-8.",
} as const;
export type ReadingProblem = keyof typeof READING_PROBLEMS;

/** A row is a handful of numbers and texts; a longer one is a wrong file, and memory must stay bounded. */
export const ROW_LIMIT_BYTES = 1_048_576;
/** Wider tables are matrices; the schema allows no more features either. */
export const COLUMN_LIMIT = 2_000;
/** How much of a row that is no row is kept for the person who looks at it. */
const RAW_LIMIT = 2_000;

export function problemAt(rowNumber: number, code: ReadingProblem, message: string, raw: string): RowReading {
  return { rowNumber, problem: { code, message }, raw: raw.length > RAW_LIMIT ? `${raw.slice(0, RAW_LIMIT)}…` : raw };
}

/**
 * An incremental parser. `push` yields rows as they become complete; `offset` is the number of bytes consumed by the rows
 * yielded so far, so that a reader may stop after any row and go on from there another day.
 */
export interface RowParser {
  readonly offset: number;
  push(chunk: Uint8Array): Iterable<RowReading>;
  /** What the end of the input completes. @throws FILE_INVALID where it ends in the middle of something */
  end(): Iterable<RowReading>;
}

const strict = new TextDecoder("utf-8", { fatal: true });

/** The text, or undefined where the bytes are not UTF-8. The usual decoder would silently change them. */
export function decodeUtf8(bytes: Buffer): string | undefined {
  const text = bytes.toString("utf8");
  if (!text.includes("\ufffd")) return text;
  try {
    strict.decode(bytes);
    return text;
  } catch {
    return undefined;
  }
}

export interface Line {
  readonly bytes: Buffer;
  /** Bytes of the input through the end of the line. */
  readonly end: number;
  readonly tooLong: boolean;
}

/** Bytes to lines with their offsets, in bounded memory. A line ends with LF; a CR before it belongs to the end. */
export class LineSplitter {
  #pending: Buffer[] = [];
  #pendingLength = 0;
  #position: number;
  #tooLong = false;

  constructor(position = 0) {
    this.#position = position;
  }

  *push(chunk: Uint8Array): Iterable<Line> {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    for (let end = buffer.indexOf(10); end !== -1; end = buffer.indexOf(10, start)) {
      this.#position += end + 1 - start;
      yield this.#take(buffer.subarray(start, end));
      start = end + 1;
    }
    const rest = buffer.subarray(start);
    this.#position += rest.length;
    if (this.#tooLong || rest.length === 0) return;
    this.#pending.push(rest);
    this.#pendingLength += rest.length;
    if (this.#pendingLength <= ROW_LIMIT_BYTES) return;
    // The beginning is kept for the person who looks at it, the rest is dropped until the line ends.
    this.#pending = [Buffer.concat(this.#pending).subarray(0, RAW_LIMIT)];
    this.#pendingLength = RAW_LIMIT;
    this.#tooLong = true;
  }

  /** The last line where the input does not end with LF. */
  end(): Line | undefined {
    return this.#pendingLength === 0 ? undefined : this.#take(Buffer.alloc(0));
  }

  #take(last: Buffer): Line {
    const whole = this.#pending.length === 0 ? last : Buffer.concat([...this.#pending, last]);
    const tooLong = this.#tooLong || whole.length > ROW_LIMIT_BYTES;
    this.#pending = [];
    this.#pendingLength = 0;
    this.#tooLong = false;
    const bytes = whole[whole.length - 1] === 13 ? whole.subarray(0, -1) : whole;
    return { bytes, end: this.#position, tooLong };
  }
}

export function withoutBom(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

export function fileInvalid(message: string, remedy: string, cause?: unknown) {
  return fail("FILE_INVALID", { message, remedy, ...(cause === undefined ? {} : { cause }) });
}

export function tooManyColumns(count: number) {
  return fileInvalid(
    `The header names ${plural(count, "column")}; the limit is ${COLUMN_LIMIT.toLocaleString("en-US")}.`,
    "Send only the columns of the model.",
  );
}

export function checkHeader(names: readonly string[]): void {
  if (names.length > COLUMN_LIMIT) throw tooManyColumns(names.length);
  const seen = new Set<string>();
  for (const [i, name] of names.entries()) {
    if (name === "" || name === "__proto__") {
      throw fileInvalid(
        `Column ${i + 1} of the header ${name === "" ? "has no name" : 'is named "__proto__", which cannot be the key of a JSON object'}.`,
        "Name the column in the header.",
      );
    }
    if (seen.has(name)) {
      throw fail("HEADER_DUPLICATE", {
        message: `The header names the column ${JSON.stringify(name.slice(0, 80))} twice (the second time as column ${i + 1}).`,
        remedy: "Rename or remove one of the two.",
        details: { column: name.slice(0, 80) },
      });
    }
    seen.add(name);
  }
}
