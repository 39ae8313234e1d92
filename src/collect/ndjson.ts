/** One JSON object a line. Blank lines are skipped; a line that is none costs one row. */
import {
  decodeUtf8,
  type Line,
  LineSplitter,
  problemAt,
  type RowParser,
  type RowReading,
  withoutBom,
} from "./row-reading.ts";

export class NdjsonParser implements RowParser {
  readonly #lines: LineSplitter;
  #offset: number;
  #rowNumber: number;

  /** @param offset where in the file the input begins, after `rowNumber` rows */
  constructor(offset = 0, rowNumber = 0) {
    this.#rowNumber = rowNumber;
    this.#lines = new LineSplitter(offset);
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  *push(chunk: Uint8Array): Iterable<RowReading> {
    for (const line of this.#lines.push(chunk)) {
      const reading = this.#read(line);
      this.#offset = line.end;
      if (reading !== undefined) yield reading;
    }
  }

  *end(): Iterable<RowReading> {
    const line = this.#lines.end();
    if (line === undefined) return;
    const reading = this.#read(line);
    this.#offset = line.end;
    if (reading !== undefined) yield reading;
  }

  #read(line: Line): RowReading | undefined {
    const bytes = this.#offset === 0 ? withoutBom(line.bytes) : line.bytes;
    const text = decodeUtf8(bytes);
    if (text?.trim() === "") return undefined;
    const rowNumber = ++this.#rowNumber;
    if (line.tooLong)
      return problemAt(rowNumber, "ROW_TOO_LONG", "The line is longer than 1 MiB.", bytes.toString("utf8"));
    if (text === undefined)
      return problemAt(rowNumber, "TEXT_ENCODING", "The line is not UTF-8.", bytes.toString("latin1"));
    return readJsonRow(rowNumber, text);
  }
}

/** Shared with JSON arrays, whose elements are texts of their own. */
export function readJsonRow(rowNumber: number, text: string): RowReading {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 200) : "";
    return problemAt(rowNumber, "ROW_UNREADABLE", `The row is not valid JSON: ${why}`, text);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return problemAt(rowNumber, "ROW_NOT_OBJECT", "The row is valid JSON, but not an object of columns.", text);
  return { rowNumber, row: value as Record<string, unknown>, raw: text };
}
