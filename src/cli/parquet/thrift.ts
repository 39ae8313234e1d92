/**
 * Thrift's compact protocol, as far as a Parquet file's descriptions use it: structures by the numbers of their fields. Numbers beyond
 * 2⁵³ lose digits; sizes and counts of a file do not reach them.
 */
export type ThriftValue = number | boolean | Uint8Array | readonly ThriftValue[] | ThriftStruct;
export type ThriftStruct = ReadonlyMap<number, ThriftValue>;

/** A description this reader does not follow, or one that is not whole: another reader has to look. */
export class UnreadablePage extends Error {}

const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const MAP = 11;
const STRUCT = 12;
/** Structures within structures: a Parquet file has five. */
const MOST_DEPTH = 16;

export class ThriftReader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.at = at;
  }

  struct(depth = 0): ThriftStruct {
    if (depth > MOST_DEPTH) throw new UnreadablePage("structures without end");
    const fields = new Map<number, ThriftValue>();
    let id = 0;
    for (;;) {
      const head = this.#byte();
      if (head === 0) return fields;
      id = head >>> 4 === 0 ? this.#signed() : id + (head >>> 4);
      const type = head & 15;
      fields.set(id, type === TRUE || type === FALSE ? type === TRUE : this.#value(type, depth));
    }
  }

  #value(type: number, depth: number): ThriftValue {
    if (type === TRUE || type === FALSE) return this.#byte() === TRUE;
    if (type === BYTE) return (this.#byte() << 24) >> 24;
    if (type > BYTE && type < DOUBLE) return this.#signed();
    if (type === DOUBLE) return this.#take(8);
    if (type === BINARY) return this.#take(this.#unsigned());
    if (type === LIST || type === SET) return this.#list(depth);
    if (type === STRUCT) return this.struct(depth + 1);
    throw new UnreadablePage(type === MAP ? "a map" : `type ${type}`);
  }

  #list(depth: number): ThriftValue[] {
    const head = this.#byte();
    const count = head >>> 4 === 15 ? this.#unsigned() : head >>> 4;
    if (count > this.#bytes.length) throw new UnreadablePage("a list longer than the file");
    return Array.from({ length: count }, () => this.#value(head & 15, depth + 1));
  }

  #byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new UnreadablePage("an end before its time");
    return byte;
  }

  #take(count: number): Uint8Array {
    if (count > this.#bytes.length - this.at) throw new UnreadablePage("an end before its time");
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  #unsigned(): number {
    let value = 0;
    for (let shift = 0; shift < 64; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new UnreadablePage("a number without end");
  }

  #signed(): number {
    const value = this.#unsigned();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

/** A field that must be there. */
export function numberAt(struct: ThriftStruct, id: number): number {
  const value = struct.get(id);
  if (typeof value !== "number") throw new UnreadablePage(`no number in field ${id}`);
  return value;
}

export function structAt(struct: ThriftStruct, id: number): ThriftStruct {
  const value = struct.get(id);
  if (!(value instanceof Map)) throw new UnreadablePage(`no structure in field ${id}`);
  return value as ThriftStruct;
}

export function structsAt(struct: ThriftStruct, id: number): readonly ThriftStruct[] {
  const value = struct.get(id);
  if (!Array.isArray(value) || !value.every((one) => one instanceof Map))
    throw new UnreadablePage(`no list in field ${id}`);
  return value as readonly ThriftStruct[];
}

export function textAt(struct: ThriftStruct, id: number): string | undefined {
  const value = struct.get(id);
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : undefined;
}
