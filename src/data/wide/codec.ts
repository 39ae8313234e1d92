/**
 * How wide values are written in rows, events and segments: one short text each. A vector is `f32:` and the base64 of its
 * little-endian floats, an image `px8:` and the base64 of its deflated pixels (row by row, channels together), already in the
 * declared size. Reading them back needs no decoder of file formats, so a stored row means the same for ever.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";

export const VECTOR_PREFIX = "f32:";
export const IMAGE_PREFIX = "px8:";
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The bytes of a base64 text; undefined for any other. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !BASE64.test(text)) return undefined;
  return Buffer.from(text, "base64");
}

export function encodeVector(values: Float32Array): string {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => bytes.writeFloatLE(value, i * 4));
  return VECTOR_PREFIX + bytes.toString("base64");
}

/** Undefined unless the text is a stored vector of `size` finite floats. */
export function decodeVector(text: string, size: number): Float32Array | undefined {
  if (!text.startsWith(VECTOR_PREFIX)) return undefined;
  const bytes = fromBase64(text.slice(VECTOR_PREFIX.length));
  if (bytes === undefined || bytes.length !== size * 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    values[i] = view.getFloat32(i * 4, true);
    if (!Number.isFinite(values[i])) return undefined;
  }
  return values;
}

export function encodeImage(pixels: Uint8Array): string {
  return IMAGE_PREFIX + deflateRawSync(pixels, { level: 9 }).toString("base64");
}

/** Undefined unless the text is a stored image of `size` values. */
export function decodeImage(text: string, size: number): Uint8Array | undefined {
  if (!text.startsWith(IMAGE_PREFIX)) return undefined;
  const bytes = fromBase64(text.slice(IMAGE_PREFIX.length));
  if (bytes === undefined) return undefined;
  try {
    const pixels = inflateRawSync(bytes, { maxOutputLength: size });
    return pixels.length === size ? pixels : undefined;
  } catch {
    return undefined;
  }
}
