/**
 * A frame: the features of `n rows × d columns` as typed arrays, raw (not filled, not scaled). Numbers are float32 from here on,
 * so that training, our predictor and an exported model take identical branches. Nothing in a frame is ever changed.
 */
import { wideCell } from "./wide/columns.ts";
import type { WideColumn } from "./wide/columns.ts";
import type { WidePart } from "./wide/part.ts";

/** Missing is NaN. */
export interface NumberColumn {
  readonly kind: "number";
  readonly name: string;
  readonly values: Float32Array;
  /** Where it stands for a part of a wide feature. */
  readonly part?: WidePart;
}
/** `codes` index `dictionary` in the order of first appearance; missing is −1. */
export interface CategoryColumn {
  readonly kind: "category";
  readonly name: string;
  readonly codes: Int32Array;
  readonly dictionary: readonly string[];
  /** Where it stands for a part of a wide feature. */
  readonly part?: WidePart;
}
/** 0, 1, or `BOOLEAN_MISSING`. */
export interface BooleanColumn {
  readonly kind: "boolean";
  readonly name: string;
  readonly values: Uint8Array;
}
export type FrameColumn = NumberColumn | CategoryColumn | BooleanColumn;

export const BOOLEAN_MISSING = 255;
export const CATEGORY_MISSING = -1;

export interface Frame {
  readonly rows: number;
  readonly columns: readonly FrameColumn[];
  /** Texts, vectors and images; absent where there are none. */
  readonly wide?: readonly WideColumn[];
}

/** The raw value of one cell as a row would carry it; `null` is missing. */
export function cellValue(column: FrameColumn, row: number): number | string | boolean | null {
  switch (column.kind) {
    case "number": {
      const value = column.values[row] as number;
      return Number.isNaN(value) ? null : value;
    }
    case "category": {
      const code = column.codes[row] as number;
      return code === CATEGORY_MISSING ? null : (column.dictionary[code] as string);
    }
    case "boolean": {
      const value = column.values[row] as number;
      return value === BOOLEAN_MISSING ? null : value === 1;
    }
  }
}

/** One row as features by name. */
export function rowFeatures(frame: Frame, row: number): Record<string, number | string | boolean | null> {
  const features: Record<string, number | string | boolean | null> = {};
  for (const column of frame.columns) features[column.name] = cellValue(column, row);
  for (const column of frame.wide ?? []) features[column.name] = wideCell(column, row);
  return features;
}

/** How many cells of a column are missing, among `rows` when given. */
export function countMissing(column: FrameColumn, rows?: Uint32Array): number {
  const isMissing = missingTest(column);
  let count = 0;
  if (rows === undefined) {
    const length = column.kind === "category" ? column.codes.length : column.values.length;
    for (let i = 0; i < length; i++) if (isMissing(i)) count++;
    return count;
  }
  for (const row of rows) if (isMissing(row)) count++;
  return count;
}

function missingTest(column: FrameColumn): (row: number) => boolean {
  switch (column.kind) {
    case "number":
      return (row) => Number.isNaN(column.values[row]);
    case "category":
      return (row) => column.codes[row] === CATEGORY_MISSING;
    case "boolean":
      return (row) => column.values[row] === BOOLEAN_MISSING;
  }
}
