/**
 * As much of the protocol-buffer wire format as ONNX needs: varints, 32- and 64-bit words, length-delimited fields. A message is
 * built from its fields inside out, and read as a flat list of them; which number means what stands in `graph.ts` and
 * `inspect.ts`. Source: protobuf.dev, "Encoding"; onnx.proto of ONNX 1.16.
 */
import { fail } from "../../core/index.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A varint; negative numbers take ten bytes, as int64 does. */
function varint(value: number): Uint8Array {
  if (value >= 0 && value < 128) return Uint8Array.of(value);
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

const WIRE_VARINT = 0;
const WIRE_64 = 1;
const WIRE_BYTES = 2;
const WIRE_32 = 5;

const tag = (field: number, wire: number) => varint(field * 8 + wire);

export const intField = (field: number, value: number): Uint8Array =>
  concatBytes([tag(field, WIRE_VARINT), varint(value)]);
export const bytesField = (field: number, value: Uint8Array): Uint8Array =>
  concatBytes([tag(field, WIRE_BYTES), varint(value.length), value]);
export const textField = (field: number, value: string): Uint8Array => bytesField(field, encoder.encode(value));
export const messageField = (field: number, parts: readonly Uint8Array[]): Uint8Array =>
  bytesField(field, concatBytes(parts));

export function floatField(field: number, value: number): Uint8Array {
  return concatBytes([tag(field, WIRE_32), new Uint8Array(Float32Array.of(value).buffer)]);
}

export function packedInts(field: number, values: ArrayLike<number>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let i = 0; i < values.length; i++) parts.push(varint(values[i] as number));
  return messageField(field, parts);
}

export function packedFloats(field: number, values: ArrayLike<number>): Uint8Array {
  return bytesField(field, new Uint8Array(Float32Array.from(values).buffer));
}

/** One field as it lies in a message: a number for varints, else the bytes. */
export interface ProtoField {
  readonly field: number;
  readonly wire: number;
  /** Varints; exact below 2^53, which dimensions, types and enums are. */
  readonly int: number;
  readonly bytes: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

function broken(why: string) {
  return fail("MODEL_INVALID", {
    message: `The file is no ONNX model: ${why}.`,
    remedy: "Export the model again, and upload the .onnx file itself, not an archive.",
  });
}

/** @throws MODEL_INVALID where the bytes end inside a field or name an unknown kind of field. */
export function readFields(bytes: Uint8Array): ProtoField[] {
  const fields: ProtoField[] = [];
  let at = 0;
  const readVarint = (): number => {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = bytes[at++];
      if (byte === undefined) throw broken("it ends in the middle of a number");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw broken("a number in it has more than 64 bits");
  };
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw broken("it ends in the middle of a field");
    const part = bytes.subarray(at, at + length);
    at += length;
    return part;
  };
  while (at < bytes.length) {
    const key = readVarint();
    const field = Math.floor(key / 8);
    const wire = key % 8;
    if (field < 1) throw broken("a field in it has no number");
    if (wire === WIRE_VARINT) fields.push({ field, wire, int: readVarint(), bytes: NO_BYTES });
    else if (wire === WIRE_BYTES) fields.push({ field, wire, int: 0, bytes: take(readVarint()) });
    else if (wire === WIRE_32) fields.push({ field, wire, int: 0, bytes: take(4) });
    else if (wire === WIRE_64) fields.push({ field, wire, int: 0, bytes: take(8) });
    else throw broken(`a field in it has the unknown kind ${wire}`);
  }
  return fields;
}

/** Fields of a message back into bytes, unchanged ones bit for bit. */
export function writeFields(fields: readonly ProtoField[]): Uint8Array {
  return concatBytes(
    fields.map(({ field, wire, int, bytes }) => {
      if (wire === WIRE_VARINT) return intField(field, int);
      return wire === WIRE_BYTES ? bytesField(field, bytes) : concatBytes([tag(field, wire), bytes]);
    }),
  );
}

export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes);
/** The text of the first field of that number, or "". */
export function firstText(fields: readonly ProtoField[], number: number): string {
  const found = fields.find(({ field }) => field === number);
  return found === undefined ? "" : textOf(found.bytes);
}
