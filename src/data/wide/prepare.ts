/** Fits and applies the preparation of wide features: hashed texts, vectors, pixels. Missing rows are zeros, the mean. */
import type { FeatureValue } from "../../core/index.ts";
import type { TextColumn, VectorColumn, WideColumn, WideSpec } from "./columns.ts";
import { readWide } from "./columns.ts";
import { eachTerm, fitRarity, textWriter } from "./text.ts";
import type { TextShape } from "./text.ts";

/** `column` is the first of `size` output columns; `missingColumn` stands where training had missing rows. */
export type WidePreparation = { readonly name: string; readonly column: number; readonly missingColumn?: number } & (
  | ({ readonly kind: "text"; readonly size: number; readonly rarity: readonly number[] } & TextShape)
  | {
      readonly kind: "vector" | "image";
      readonly size: number;
      /** One of each for every place of a vector; one for all pixels of an image, which are one quantity. */
      readonly means: readonly number[];
      /** 1 / standard deviation, 0 where constant. */
      readonly inverseDeviations: readonly number[];
    }
);
/** Of trees: raw values. */
export type WideForm = "dense" | "codes";

interface FitOptions {
  readonly column: WideColumn;
  readonly spec: WideSpec;
  readonly rows: Uint32Array;
  readonly form: WideForm;
  /** Adds output columns; returns the index of the first. */
  readonly addColumns: (names: readonly string[]) => number;
}

export function fitWide(options: FitOptions): WidePreparation {
  const { column, rows, form, addColumns } = options;
  const { name } = column;
  const missing = countMissingRows(column, rows);
  const size = column.kind === "text" ? shapeOf(options).buckets : column.size;
  const first = addColumns(Array.from({ length: size }, (_, i) => `${name}#${i}`));
  const place = {
    name,
    column: first,
    ...(missing > 0 && form === "dense" ? { missingColumn: addColumns([`${name} is missing`]) } : {}),
  };
  if (column.kind === "text") {
    const shape = shapeOf(options);
    const texts = Array.from(rows, (row) => column.values[row] ?? null);
    return { kind: "text", ...place, size, ...shape, rarity: fitRarity(texts, shape) };
  }
  const groups = column.kind === "vector" ? column.size : 1;
  return { kind: column.kind, ...place, size, ...fitScale(column, rows, groups) };
}

function shapeOf({ spec }: FitOptions): TextShape {
  const { buckets, words, characters } = spec as Extract<WideSpec, { kind: "text" }>;
  return { buckets, words, characters };
}

function countMissingRows(column: WideColumn, rows: Uint32Array): number {
  let missing = 0;
  for (const row of rows) {
    const isMissing =
      column.kind === "text" ? column.values[row] === null : Number.isNaN(column.values[row * column.size]);
    if (isMissing) missing++;
  }
  return missing;
}

/** Mean and deviation of each group of places (place modulo `groups`), by two passes in row order. */
function fitScale(column: VectorColumn, rows: Uint32Array, groups: number) {
  const sums = new Float64Array(groups);
  const squares = new Float64Array(groups);
  const count = new Float64Array(groups);
  const each = (see: (group: number, value: number) => void) => {
    for (const row of rows) {
      const from = row * column.size;
      if (Number.isNaN(column.values[from])) continue;
      for (let i = 0; i < column.size; i++) see(groups === 1 ? 0 : i, column.values[from + i] as number);
    }
  };
  each((group, value) => {
    sums[group] = (sums[group] as number) + value;
    count[group] = (count[group] as number) + 1;
  });
  // "+ 0" turns −0 into 0, as JSON would.
  const means = sums.map((sum, i) => (count[i] === 0 ? 0 : sum / (count[i] as number)) + 0);
  each((group, value) => {
    const difference = value - (means[group] as number);
    squares[group] = (squares[group] as number) + difference * difference;
  });
  const inverseDeviations = squares.map((sum, i) => {
    const deviation = count[i] === 0 ? 0 : Math.sqrt(sum / (count[i] as number));
    return deviation > Math.abs(means[i] as number) * 1e-12 ? 1 / deviation : 0;
  });
  return { means: [...means], inverseDeviations: [...inverseDeviations] };
}

/** Writes one feature's columns of a row, which are zero before. */
export interface WideWriter {
  fromValue(value: FeatureValue | undefined, out: Float32Array, offset: number): void;
  fromColumn(column: WideColumn, row: number, out: Float32Array, offset: number): void;
}

/** @param limit scaled values are cut here, in standard deviations */
export function wideWriter(preparation: WidePreparation, form: WideForm, limit: number): WideWriter {
  const { column: first, missingColumn } = preparation;
  const noteMissing = (out: Float32Array, offset: number) => {
    if (form === "codes") out.fill(Number.NaN, offset + first, offset + first + preparation.size);
    else if (missingColumn !== undefined) out[offset + missingColumn] = 1;
  };
  if (preparation.kind === "text") {
    const write = textWriter(preparation, preparation.rarity);
    const put = (text: string | null, out: Float32Array, offset: number) => {
      if (text === null) noteMissing(out, offset);
      else write(text, out, offset + first);
    };
    return {
      fromValue: (value, out, offset) => put(typeof value === "string" ? value : null, out, offset),
      fromColumn: (column, row, out, offset) => put((column as TextColumn).values[row] ?? null, out, offset),
    };
  }
  const { kind, size } = preparation;
  const means = Float64Array.from(preparation.means);
  const scales = Float64Array.from(preparation.inverseDeviations);
  const put = (values: Float32Array, from: number, out: Float32Array, offset: number) => {
    for (let i = 0; i < size; i++) {
      const value = values[from + i] as number;
      if (form === "codes") out[offset + first + i] = value;
      else {
        const group = means.length === 1 ? 0 : i;
        const scaled = (value - (means[group] as number)) * (scales[group] as number);
        out[offset + first + i] = scaled > limit ? limit : scaled < -limit ? -limit : scaled;
      }
    }
  };
  return {
    fromValue(value, out, offset) {
      const values = typeof value === "string" ? readWide(kind, value, size) : undefined;
      if (values === undefined) noteMissing(out, offset);
      else put(values, 0, out, offset);
    },
    fromColumn(column, row, out, offset) {
      const { values } = column as VectorColumn;
      if (Number.isNaN(values[row * size])) noteMissing(out, offset);
      else put(values, row * size, out, offset);
    },
  };
}

/** The terms of a text by the bucket they fall into, for explanations. */
export function termsByBucket(text: string, shape: TextShape): ReadonlyMap<number, readonly string[]> {
  const found = new Map<number, string[]>();
  eachTerm(text, shape, (bucket, _sign, term) => {
    const list = found.get(bucket) ?? [];
    if (!list.includes(term)) list.push(term);
    found.set(bucket, list);
  });
  return found;
}
