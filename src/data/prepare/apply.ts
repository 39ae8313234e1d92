/**
 * Applies a preparation. `PreparedWriter` writes one row into a preallocated array without allocating; training goes through
 * the very same `fillDense`, so a served row and a training row get the same bits.
 */
import { fail } from "../../core/index.ts";
import type { FeatureValue } from "../../core/index.ts";
import { BOOLEAN_MISSING, CATEGORY_MISSING } from "../frame.ts";
import type { Frame, FrameColumn } from "../frame.ts";
import type { WideColumn } from "../wide/columns.ts";
import { explainWide } from "../wide/explain.ts";
import { wideWriter } from "../wide/prepare.ts";
import { CODE_OTHER, SCALED_LIMIT } from "./preparation.ts";
import type { FeaturePreparation, Preparation } from "./preparation.ts";

type RawFeatures = Readonly<Record<string, FeatureValue | undefined>>;

/** One line of a prediction trace: how a raw value became an input of the model. */
export interface PreparedColumn {
  /** Output column, such as `job=admin.`. */
  readonly column: string;
  /** The feature it comes from. */
  readonly from: string;
  readonly raw: FeatureValue;
  /** The value after imputation; for a category the text it counts as. */
  readonly filled: number | string | boolean;
  readonly scaled: number;
  /** Where one line stands for several columns (a vector, an image): how many, from `column` on. */
  readonly columns?: number;
}

export interface PreparedWriter {
  /** Number of output columns. */
  readonly width: number;
  /** Writes the row's columns to `out[offset ...]`. Allocates nothing. */
  write(features: RawFeatures, out: Float32Array, offset: number): void;
  /** The matrix of the given rows of a frame, row-major `rows × width`. */
  writeFrame(frame: Frame, rows: Uint32Array): Float32Array;
  /** Every output column of a row with how it came about. A category is shown by its one active column. */
  explain(features: RawFeatures): readonly PreparedColumn[];
}

export function createPreparedWriter(preparation: Preparation): PreparedWriter {
  const { features, input } = preparation;
  const count = features.length;
  const width = preparation.columns.length;
  const names = features.map((feature) => feature.name);
  const codes = features.map((feature) =>
    feature.kind === "category" ? new Map(feature.categories.map((text, i) => [text, i + 1])) : undefined,
  );
  const raw = new Float32Array(count);
  const finish = input === "dense" ? compileDense(features, width) : copyRaw;
  const wide = (preparation.wide ?? []).map((feature) => ({
    name: feature.name,
    kind: feature.kind,
    writer: wideWriter(feature, input === "codes" ? "codes" : "dense", SCALED_LIMIT),
  }));

  return {
    width,
    write(row, out, offset) {
      if (input === "none") return;
      for (let i = 0; i < count; i++) raw[i] = rawCode(row[names[i] as string], codes[i]);
      if (wide.length > 0) out.fill(0, offset, offset + width);
      finish(raw, out, offset);
      for (const { name, writer } of wide) writer.fromValue(row[name], out, offset);
    },
    writeFrame(frame, rows) {
      const out = new Float32Array(rows.length * width);
      if (input === "none") return out;
      const readers = features.map((feature) => columnReader(frame, feature));
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i] as number;
        for (let j = 0; j < count; j++) raw[j] = (readers[j] as (row: number) => number)(row);
        finish(raw, out, i * width);
      }
      for (const { name, kind, writer } of wide) {
        const column = frame.wide?.find((candidate) => candidate.name === name);
        if (column === undefined || column.kind !== kind) throw columnMismatch({ name, kind }, column);
        for (let i = 0; i < rows.length; i++) writer.fromColumn(column, rows[i] as number, out, i * width);
      }
      return out;
    },
    explain(row) {
      const out = new Float32Array(width);
      this.write(row, out, 0);
      return explainRow(preparation, row, out);
    },
  };
}

function copyRaw(raw: Float32Array, out: Float32Array, offset: number): void {
  out.set(raw, offset);
}

/** A raw value as its float32: number, 0/1, category code, NaN for missing. */
function rawCode(value: FeatureValue | undefined, codes: ReadonlyMap<string, number> | undefined): number {
  if (typeof value === "number") return value;
  if (typeof value === "string") return codes?.get(value) ?? CODE_OTHER;
  if (typeof value === "boolean") return value ? 1 : 0;
  return Number.NaN;
}

function columnReader(frame: Frame, feature: FeaturePreparation): (row: number) => number {
  const column = frame.columns.find((candidate) => candidate.name === feature.name);
  if (column === undefined || column.kind !== feature.kind) throw columnMismatch(feature, column);
  if (column.kind === "number") return (row) => column.values[row] as number;
  if (column.kind === "boolean") {
    return (row) => {
      const value = column.values[row] as number;
      return value === BOOLEAN_MISSING ? Number.NaN : value;
    };
  }
  const known = new Map(feature.kind === "category" ? feature.categories.map((text, i) => [text, i + 1] as const) : []);
  const table = Float32Array.from(column.dictionary, (text) => known.get(text) ?? CODE_OTHER);
  return (row) => {
    const code = column.codes[row] as number;
    return code === CATEGORY_MISSING ? Number.NaN : (table[code] as number);
  };
}

function columnMismatch(
  feature: { readonly kind: string; readonly name: string },
  column: FrameColumn | WideColumn | undefined,
) {
  return fail("COLUMN_MISSING", {
    message: `The model was prepared for the ${feature.kind} feature "${feature.name}", but the data ${column === undefined ? "have no such column" : `hold a ${column.kind} there`}.`,
    remedy: "Train a full version under the current definition; a warm start needs the columns of its base.",
  });
}

const KIND_SCALED = 0;
const KIND_CATEGORY = 1;

/** The dense form, over flat arrays: no property look-ups in the inner loop. */
function compileDense(features: readonly FeaturePreparation[], width: number) {
  const count = features.length;
  const kinds = Uint8Array.from(features, (feature) => (feature.kind === "category" ? KIND_CATEGORY : KIND_SCALED));
  const fills = Float32Array.from(features, (feature) => feature.fill);
  const means = Float64Array.from(features, (feature) => (feature.kind === "category" ? 0 : feature.mean));
  const scales = Float64Array.from(features, (feature) => (feature.kind === "category" ? 0 : feature.inverseDeviation));
  const columns = Int32Array.from(features, (feature) => feature.column);
  const others = Int32Array.from(features, (feature) =>
    feature.kind === "category" ? (feature.otherColumn ?? -1) : -1,
  );
  const indicators = Int32Array.from(features, (feature) => feature.missingColumn ?? -1);
  return (raw: Float32Array, out: Float32Array, offset: number): void => {
    out.fill(0, offset, offset + width);
    for (let i = 0; i < count; i++) {
      let value = raw[i] as number;
      if (value !== value) {
        value = fills[i] as number;
        if ((indicators[i] as number) >= 0) out[offset + (indicators[i] as number)] = 1;
      }
      if (kinds[i] === KIND_SCALED) {
        const scaled = (value - (means[i] as number)) * (scales[i] as number);
        out[offset + (columns[i] as number)] =
          scaled > SCALED_LIMIT ? SCALED_LIMIT : scaled < -SCALED_LIMIT ? -SCALED_LIMIT : scaled;
      } else if (value === CODE_OTHER) {
        if ((others[i] as number) >= 0) out[offset + (others[i] as number)] = 1;
      } else if (value > 0) out[offset + (columns[i] as number) + value - 1] = 1;
    }
  };
}

function explainRow(preparation: Preparation, row: RawFeatures, out: Float32Array): PreparedColumn[] {
  const lines: PreparedColumn[] = [];
  for (const feature of preparation.features) {
    const raw = row[feature.name] ?? null;
    const add = (column: number, filled: number | string | boolean) =>
      lines.push({
        column: preparation.columns[column] as string,
        from: feature.name,
        raw,
        filled,
        scaled: out[column] as number,
      });
    if (preparation.input === "codes") {
      lines.push({
        column: feature.name,
        from: feature.name,
        raw,
        filled: raw ?? "missing",
        scaled: out[lines.length] as number,
      });
      continue;
    }
    if (preparation.input === "none") {
      lines.push({ column: feature.name, from: feature.name, raw, filled: raw ?? "missing", scaled: 0 });
      continue;
    }
    if (feature.kind === "category") explainCategory(feature, raw, preparation, lines);
    else if (feature.kind === "number") add(feature.column, typeof raw === "number" ? Math.fround(raw) : feature.fill);
    else add(feature.column, typeof raw === "boolean" ? raw : feature.fill === 1);
    if (raw === null && feature.missingColumn !== undefined) add(feature.missingColumn, true);
  }
  for (const feature of preparation.wide ?? []) lines.push(...explainWide(feature, row[feature.name] ?? null, out));
  return lines;
}

function explainCategory(
  feature: Extract<FeaturePreparation, { kind: "category" }>,
  raw: FeatureValue,
  preparation: Preparation,
  lines: PreparedColumn[],
): void {
  const index = raw === null ? feature.fill - 1 : feature.categories.indexOf(String(raw));
  const known = index >= 0;
  const column = known ? feature.column + index : raw === null ? undefined : feature.otherColumn;
  lines.push({
    column: column === undefined ? `${feature.name}=(unseen)` : (preparation.columns[column] as string),
    from: feature.name,
    raw,
    filled: known ? (feature.categories[index] as string) : raw === null ? "missing" : "(other)",
    scaled: column === undefined ? 0 : 1,
  });
}
