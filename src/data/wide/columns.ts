/**
 * Wide columns: features that become many numbers each. They stand beside the scalar columns of a frame, so that whatever looks
 * at one value per cell (profiles, slices, leakage) passes them by.
 */
import type { FeatureSpec } from "../schema.ts";
import { decodeImage, decodeVector, encodeImage, encodeVector } from "./codec.ts";

export interface TextColumn {
  readonly kind: "text";
  readonly name: string;
  /** `null` is missing. */
  readonly values: readonly (string | null)[];
}
/** `size` floats per row, row by row; a missing row is NaN throughout. Pixels are in [0, 1]. */
export interface VectorColumn {
  readonly kind: "vector" | "image";
  readonly name: string;
  readonly size: number;
  readonly values: Float32Array;
}
export type WideColumn = TextColumn | VectorColumn;
export type WideSpec = Extract<FeatureSpec, { readonly kind: "text" | "vector" | "image" }>;
export type ScalarSpec = Exclude<FeatureSpec, WideSpec>;

export function isWide(spec: FeatureSpec): spec is WideSpec {
  return spec.kind === "text" || spec.kind === "vector" || spec.kind === "image";
}

/** Numbers a wide feature holds; 0 for texts, whose width is the preparation's. */
export function wideSize(spec: WideSpec): number {
  if (spec.kind === "text") return 0;
  return spec.kind === "vector" ? spec.size : spec.width * spec.height * spec.channels;
}

export interface WideBuilder {
  /** The stored text of a cell; null and what is not a stored value are missing. */
  set(row: number, text: string | null): void;
  finish(): WideColumn;
}

export function wideBuilder(name: string, spec: WideSpec, rows: number): WideBuilder {
  if (spec.kind === "text") {
    const values = new Array<string | null>(rows).fill(null);
    return {
      set: (row, text) => {
        values[row] = text;
      },
      finish: () => ({ kind: "text", name, values }),
    };
  }
  const size = wideSize(spec);
  const { kind } = spec;
  const values = new Float32Array(rows * size).fill(Number.NaN);
  return {
    set(row, text) {
      const read = text === null ? undefined : readWide(kind, text, size);
      if (read !== undefined) values.set(read, row * size);
    },
    finish: () => ({ kind, name, size, values }),
  };
}

/** The floats of a stored vector or image; undefined where the text is none. */
export function readWide(kind: "vector" | "image", text: string, size: number): Float32Array | undefined {
  if (kind === "vector") return decodeVector(text, size);
  const pixels = decodeImage(text, size);
  return pixels === undefined ? undefined : Float32Array.from(pixels, (value) => value / 255);
}

/** The column with the given rows alone, in their order. */
export function takeWide(column: WideColumn, rows: Uint32Array): WideColumn {
  if (column.kind === "text") return { ...column, values: Array.from(rows, (row) => column.values[row] ?? null) };
  const { size } = column;
  const values = new Float32Array(rows.length * size);
  rows.forEach((row, i) => values.set(column.values.subarray(row * size, (row + 1) * size), i * size));
  return { ...column, values };
}

/** The stored text of a cell, as a row carries it; null is missing. */
export function wideCell(column: WideColumn, row: number): string | null {
  if (column.kind === "text") return column.values[row] ?? null;
  const { size, values } = column;
  const own = values.subarray(row * size, (row + 1) * size);
  if (own.length === 0 || Number.isNaN(own[0])) return null;
  return column.kind === "vector"
    ? encodeVector(own)
    : encodeImage(Uint8Array.from(own, (value) => Math.round(value * 255)));
}
