/**
 * CSV after RFC 4180, from bytes and in pieces: byte offsets of complete records are needed to follow a growing file, and an
 * error must cost one line. Every value stays a text. The separator is the one out of comma, semicolon and tab that the header
 * uses most outside quotes. Tested against csv-parse on random tables.
 */
import { plural } from "../core/index.ts";
import {
  checkHeader,
  decodeUtf8,
  fileInvalid,
  type Line,
  LineSplitter,
  problemAt,
  ROW_LIMIT_BYTES,
  type RowParser,
  type RowReading,
  withoutBom,
} from "./row-reading.ts";

export interface CsvHeader {
  readonly columns: readonly string[];
  readonly separator: string;
}

/** Lines of a record whose quote is still open. */
interface OpenRecord {
  readonly texts: string[];
  bytes: number;
  readonly line: number;
}

const QUOTE = 34;
const SEPARATORS = [",", ";", "\t"];

export class CsvParser implements RowParser {
  readonly #lines: LineSplitter;
  #header: CsvHeader | undefined;
  #offset: number;
  #rowNumber = 0;
  #lineNumber = 0;
  /** Lines through the offset. */
  #linesDone = 0;
  #open: OpenRecord | undefined;

  /** @param resume the header, the offset of the input in the file and the rows and lines before it, to go on after its first part */
  constructor(resume?: {
    readonly header: CsvHeader;
    readonly offset: number;
    readonly rowNumber: number;
    readonly lineNumber: number;
  }) {
    this.#lines = new LineSplitter(resume?.offset ?? 0);
    this.#header = resume?.header;
    this.#offset = resume?.offset ?? 0;
    this.#rowNumber = resume?.rowNumber ?? 0;
    this.#lineNumber = resume?.lineNumber ?? 0;
    this.#linesDone = this.#lineNumber;
  }

  get offset(): number {
    return this.#offset;
  }
  get lineNumber(): number {
    return this.#linesDone;
  }
  /** The line of a quote that no line since has closed. */
  get openLine(): number | undefined {
    return this.#open?.line;
  }
  /** Known after the first record. */
  get header(): CsvHeader | undefined {
    return this.#header;
  }

  *push(chunk: Uint8Array): Iterable<RowReading> {
    for (const line of this.#lines.push(chunk)) {
      const reading = this.#take(line);
      if (reading !== undefined) yield reading;
    }
  }

  *end(): Iterable<RowReading> {
    const line = this.#lines.end();
    const reading = line === undefined ? undefined : this.#take(line);
    if (reading !== undefined) yield reading;
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    if (this.#header === undefined) throw unclosedHeader();
    yield problemAt(
      ++this.#rowNumber,
      "ROW_QUOTES",
      `The quote opened in line ${open.line} is never closed.`,
      open.texts.join("\n"),
    );
  }

  #take(line: Line): RowReading | undefined {
    this.#lineNumber++;
    const first = this.#offset === 0 && this.#header === undefined && this.#open === undefined;
    const reading = this.#read(first ? withoutBom(line.bytes) : line.bytes, line.tooLong);
    if (this.#open === undefined) {
      this.#offset = line.end;
      this.#linesDone = this.#lineNumber;
    }
    return reading;
  }

  #read(bytes: Buffer, tooLong: boolean): RowReading | undefined {
    if (tooLong) return this.#problem("ROW_TOO_LONG", "The line is longer than 1 MiB.", bytes.toString("utf8"));
    const text = decodeUtf8(bytes);
    if (text === undefined) return this.#problem("TEXT_ENCODING", "The line is not UTF-8.", bytes.toString("latin1"));
    if (this.#open !== undefined) return this.#continue(this.#open, text, bytes);
    if (text.trim() === "") return undefined;
    const separator = this.#header?.separator ?? separatorOf(text);
    if (!bytes.includes(QUOTE)) return this.#record(text.split(separator), text, separator);
    const parsed = parseRecord(text, separator);
    if (parsed === "open") {
      this.#open = { texts: [text], bytes: bytes.length, line: this.#lineNumber };
      return undefined;
    }
    if (parsed === "broken") return this.#broken(text);
    return this.#record(parsed, text, separator);
  }

  #continue(open: OpenRecord, text: string, bytes: Buffer): RowReading | undefined {
    open.texts.push(text);
    open.bytes += bytes.length + 1;
    if (open.bytes > ROW_LIMIT_BYTES) {
      throw fileInvalid(
        `The quote opened in line ${open.line} is not closed within 1 MiB.`,
        "Close the quote, or double a quote that belongs to the text.",
      );
    }
    // An even number of quotes cannot close the open one.
    if (!bytes.includes(QUOTE)) return undefined;
    const whole = open.texts.join("\n");
    const separator = this.#header?.separator ?? separatorOf(whole);
    const parsed = parseRecord(whole, separator);
    if (parsed === "open") return undefined;
    this.#open = undefined;
    if (parsed === "broken") return this.#broken(whole);
    return this.#record(parsed, whole, separator);
  }

  #record(fields: readonly string[], raw: string, separator: string): RowReading | undefined {
    if (this.#header === undefined) {
      if (raw.replace(/"[^"]*"/g, "").includes("\r"))
        throw fileInvalid(
          "The lines end with a carriage return alone.",
          "Save the file with line feeds (LF or CR LF).",
        );
      const columns = fields.map((name) => name.trim());
      checkHeader(columns);
      this.#header = { columns, separator };
      return undefined;
    }
    const { columns } = this.#header;
    if (fields.length !== columns.length) {
      const message = `Line ${this.#lineNumber} has ${plural(fields.length, "field")}; the header names ${plural(columns.length, "column")}.`;
      return this.#problem("ROW_RAGGED", message, raw);
    }
    const row: Record<string, string> = {};
    for (let i = 0; i < columns.length; i++) row[columns[i] as string] = fields[i] as string;
    return { rowNumber: ++this.#rowNumber, row, text: true, raw };
  }

  #broken(raw: string): RowReading {
    const message = `Line ${this.#lineNumber} has a quote inside a field that does not begin with one, or text after a closing quote.`;
    return this.#problem("ROW_QUOTES", message, raw);
  }

  #problem(code: "ROW_TOO_LONG" | "TEXT_ENCODING" | "ROW_RAGGED" | "ROW_QUOTES", message: string, raw: string) {
    if (this.#header === undefined) {
      const remedy = code === "TEXT_ENCODING" ? "Save the file as UTF-8." : "Correct the first line.";
      throw fileInvalid(`The header cannot be read: ${message}`, remedy);
    }
    return problemAt(++this.#rowNumber, code, message, raw);
  }
}

function unclosedHeader() {
  return fileInvalid("A quote opened in the header is never closed.", "Correct the first line.");
}

/** The separator that occurs most in the header outside quotes; a tie is won by the first of comma, semicolon, tab. */
function separatorOf(header: string): string {
  const plain = header.replace(/"[^"]*"/g, "");
  let best = ",";
  let most = 0;
  for (const separator of SEPARATORS) {
    const count = plain.split(separator).length - 1;
    if (count > most) {
      best = separator;
      most = count;
    }
  }
  return best;
}

/** Fields of a record; "open" where it ends inside quotes, "broken" where a quote stands wrong. Cost O(length). */
export function parseRecord(text: string, separator: string): readonly string[] | "open" | "broken" {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text.charCodeAt(at) !== QUOTE) {
      const end = text.indexOf(separator, at);
      const field = end === -1 ? text.slice(at) : text.slice(at, end);
      if (field.includes('"')) return "broken";
      fields.push(field);
      if (end === -1) return fields;
      at = end + 1;
      continue;
    }
    let field = "";
    let from = at + 1;
    for (;;) {
      const close = text.indexOf('"', from);
      if (close === -1) return "open";
      field += text.slice(from, close);
      from = close + 1;
      if (text.charCodeAt(from) !== QUOTE) break;
      field += '"';
      from++;
    }
    fields.push(field);
    if (from === text.length) return fields;
    if (text[from] !== separator) return "broken";
    at = from + 1;
  }
}
