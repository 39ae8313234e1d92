/**
 * A JSON array of objects, or one object. The array is cut into its elements on the way, so a file of any size needs the memory
 * of one row, and an element that cannot be read costs one row.
 */
import { readJsonRow } from "./ndjson.ts";
import { decodeUtf8, fileInvalid, problemAt, ROW_LIMIT_BYTES, type RowParser, type RowReading } from "./row-reading.ts";

const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);
const BOM = [0xef, 0xbb, 0xbf];
const isSpace = (byte: number) => byte === 32 || byte === 10 || byte === 13 || byte === 9;

/**
 * | state | meaning | moves on by |
 * |---|---|---|
 * | start | before the first byte that counts | `[` begins an array, `{` the only row |
 * | before | in the array, an element or its end may follow | the first byte of an element, or `]` after the `[` |
 * | element | inside an element | a comma or `]` at depth 0 |
 * | done | after the end | nothing but space may follow |
 */
type State = "start" | "before" | "element" | "done";

export class JsonParser implements RowParser {
  #state: State = "start";
  #single = false;
  #afterComma = false;
  #parts: Buffer[] = [];
  #length = 0;
  #tooLong = false;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #position = 0;
  #rowNumber = 0;

  get offset(): number {
    return this.#position;
  }

  *push(chunk: Uint8Array): Iterable<RowReading> {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let from = 0;
    for (let i = 0; i < buffer.length; i++) {
      const byte = buffer[i] as number;
      this.#position++;
      if (this.#state === "element") {
        if (!this.#endsElement(byte)) continue;
        // The single object ends with its own brace, an element before the comma or bracket.
        this.#keep(buffer.subarray(from, this.#single ? i + 1 : i));
        yield this.#element();
        this.#state = this.#single || byte === 0x5d ? "done" : "before";
        this.#afterComma = byte === 0x2c;
        continue;
      }
      if (this.#begins(byte)) {
        from = i;
        this.#state = "element";
        this.#depth = 0;
        // The first byte may itself open a string or an object.
        if (this.#endsElement(byte)) throw this.#unexpected(byte);
      }
    }
    if (this.#state === "element") this.#keep(buffer.subarray(from));
  }

  end(): Iterable<RowReading> {
    if (this.#state === "done") return [];
    const what = this.#state === "start" ? "is empty" : `ends in the middle, after ${this.#position} bytes`;
    throw fileInvalid(`The JSON ${what}.`, "Send a whole array of objects, or one object.");
  }

  /** Outside elements: true when this byte begins one. */
  #begins(byte: number): boolean {
    if (isSpace(byte)) return false;
    if (this.#state === "start") {
      if (BOM[this.#position - 1] === byte) return false;
      if (byte === 0x5b) {
        this.#state = "before";
        return false;
      }
      if (byte !== 0x7b) throw this.#unexpected(byte);
      this.#single = true;
      return true;
    }
    if (this.#state === "done") {
      throw this.#single
        ? fileInvalid(
            "After the first object follows another: this looks like one object a line.",
            "Send it as NDJSON (application/x-ndjson, or a file that ends in .ndjson), or as an array.",
          )
        : this.#unexpected(byte);
    }
    if (byte === 0x5d && !this.#afterComma) {
      this.#state = "done";
      return false;
    }
    if (byte === 0x2c || byte === 0x5d || byte === 0x7d) throw this.#unexpected(byte);
    return true;
  }

  /** True when the byte ends the element: for an array's element a comma or bracket at depth 0, for the only row its brace. */
  #endsElement(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === 0x5c) this.#escaped = true;
      else if (byte === 0x22) this.#inString = false;
      return false;
    }
    if (byte === 0x22) {
      this.#inString = true;
      return false;
    }
    if (OPEN.has(byte)) {
      this.#depth++;
      return false;
    }
    if (CLOSE.has(byte)) {
      if (this.#depth === 0) return true;
      this.#depth--;
      return this.#single && this.#depth === 0;
    }
    return byte === 0x2c && this.#depth === 0;
  }

  #keep(part: Buffer): void {
    this.#length += part.length;
    if (this.#tooLong) return;
    if (this.#length > ROW_LIMIT_BYTES) this.#tooLong = true;
    else this.#parts.push(part);
  }

  #element(): RowReading {
    const bytes = Buffer.concat(this.#parts);
    const tooLong = this.#tooLong;
    this.#parts = [];
    this.#length = 0;
    this.#tooLong = false;
    const rowNumber = ++this.#rowNumber;
    if (tooLong) return problemAt(rowNumber, "ROW_TOO_LONG", "The row is longer than 1 MiB.", bytes.toString("utf8"));
    const text = decodeUtf8(bytes);
    if (text === undefined)
      return problemAt(rowNumber, "TEXT_ENCODING", "The row is not UTF-8.", bytes.toString("latin1"));
    return readJsonRow(rowNumber, text.trim());
  }

  #unexpected(byte: number) {
    const what = byte >= 32 && byte < 127 ? JSON.stringify(String.fromCharCode(byte)) : `byte 0x${byte.toString(16)}`;
    return fileInvalid(
      `The JSON has an unexpected ${what} at byte ${this.#position}.`,
      "Send an array of objects, or one object.",
    );
  }
}
