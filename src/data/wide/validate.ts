/** Checks texts, vectors and images of a row, and brings the latter two into their stored form. */
import type { FeatureValue } from "../../core/index.ts";
import {
  decodeImage,
  decodeVector,
  encodeImage,
  encodeVector,
  fromBase64,
  IMAGE_PREFIX,
  VECTOR_PREFIX,
} from "./codec.ts";
import type { WideSpec } from "./columns.ts";
import { wideSize } from "./columns.ts";
import { readImage } from "./image.ts";

export type WideProblem = "TYPE_MISMATCH" | "VECTOR_INVALID" | "IMAGE_INVALID";
export type WideReading =
  | { readonly value: FeatureValue }
  | { readonly problem: WideProblem; readonly message: string };

/** Bytes of an image file, as base64, at most. */
const IMAGE_FILE_LIMIT = 8_000_000;
const DATA_URL = /^data:image\/(?:png|jpe?g);base64,/;

/** For vectors and images; texts are stored as they are. */
export function compileWideReader(
  column: string,
  spec: Exclude<WideSpec, { kind: "text" }>,
): (value: unknown) => WideReading {
  return spec.kind === "vector"
    ? (value) => readVector(column, spec.size, value)
    : (value) => readImageValue(column, spec, value);
}

function wrong(problem: WideProblem, message: string): WideReading {
  return { problem, message };
}

function readVector(column: string, size: number, value: unknown): WideReading {
  if (typeof value === "string" && value.startsWith(VECTOR_PREFIX)) {
    if (decodeVector(value, size) !== undefined) return { value };
    return wrong("VECTOR_INVALID", `"${column}" is a stored vector, but not one of ${size} finite numbers.`);
  }
  if (!Array.isArray(value)) {
    return wrong("TYPE_MISMATCH", `"${column}" is a ${typeof value}, but the schema says a list of ${size} numbers.`);
  }
  if (value.length !== size) {
    return wrong("VECTOR_INVALID", `"${column}" is a list of ${value.length}; the schema says ${size} numbers.`);
  }
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const one: unknown = value[i];
    values[i] = typeof one === "number" ? one : Number.NaN;
    if (!Number.isFinite(values[i])) {
      return wrong(
        "VECTOR_INVALID",
        `Number ${i + 1} of "${column}" is ${JSON.stringify(one)}; a finite 32-bit number is needed.`,
      );
    }
  }
  return { value: encodeVector(values) };
}

function readImageValue(column: string, spec: Extract<WideSpec, { kind: "image" }>, value: unknown): WideReading {
  if (typeof value !== "string") {
    return wrong(
      "TYPE_MISMATCH",
      `"${column}" is a ${typeof value}, but the schema says an image: a PNG or JPEG file as base64.`,
    );
  }
  if (value.startsWith(IMAGE_PREFIX)) {
    if (decodeImage(value, wideSize(spec)) !== undefined) return { value };
    return wrong(
      "IMAGE_INVALID",
      `"${column}" is a stored image, but not one of ${spec.width} × ${spec.height} × ${spec.channels}.`,
    );
  }
  const text = value.replace(DATA_URL, "");
  if (text.length > IMAGE_FILE_LIMIT) {
    return wrong(
      "IMAGE_INVALID",
      `"${column}" has ${text.length} characters of base64; at most ${IMAGE_FILE_LIMIT} are read.`,
    );
  }
  const bytes = fromBase64(text);
  if (bytes === undefined) {
    return wrong(
      "IMAGE_INVALID",
      `"${column}" is not base64. Send the bytes of a PNG or JPEG file as base64, or as a data URL.`,
    );
  }
  const pixels = readImage(bytes, spec);
  return typeof pixels === "string" ? wrong("IMAGE_INVALID", `"${column}" ${pixels}.`) : { value: encodeImage(pixels) };
}
