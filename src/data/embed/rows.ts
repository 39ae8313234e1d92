/** Rows as a backbone is asked them: out of a frame when it trains, out of requests when it serves. The same numbers either way. */
import { fail } from "../../core/index.ts";
import type { Features } from "../../core/index.ts";
import { BOOLEAN_MISSING } from "../frame.ts";
import type { Frame } from "../frame.ts";
import { encodeVector } from "../wide/codec.ts";
import { readWide } from "../wide/columns.ts";
import { type Embedding, embeddedNames, type EmbeddingRows } from "./embedding.ts";

/** An empty text says as little as none, and an exported graph has no other word for none. */
const given = (text: string | null | undefined): string | undefined =>
  text === null || text === "" ? undefined : text;

export function rowsOfFrame(frame: Frame, rows: Uint32Array): EmbeddingRows {
  const columns = new Map(frame.columns.map((column) => [column.name, column]));
  const wide = new Map((frame.wide ?? []).map((column) => [column.name, column]));
  const at = (row: number) => rows[row] as number;
  return {
    count: rows.length,
    number(feature, row) {
      const column = columns.get(feature);
      if (column === undefined || column.kind === "category") throw missingColumn(feature, "number");
      const value = column.values[at(row)] as number;
      return column.kind === "boolean" && value === BOOLEAN_MISSING ? Number.NaN : value;
    },
    wide(feature, row) {
      const column = wide.get(feature);
      if (column === undefined || column.kind === "text") throw missingColumn(feature, "vector or image");
      const own = column.values.subarray(at(row) * column.size, (at(row) + 1) * column.size);
      return Number.isNaN(own[0]) ? undefined : own;
    },
    text(feature, row) {
      const column = wide.get(feature);
      if (column?.kind !== "text") throw missingColumn(feature, "text");
      return given(column.values[at(row)]);
    },
  };
}

function missingColumn(feature: string, kind: string) {
  return fail("COLUMN_MISSING", {
    message: `The backbone was bound to the ${kind} "${feature}", which the data do not have.`,
    remedy: "Train a full version under the current definition.",
  });
}

/** Rows of a request, checked before. What is not there is missing. */
export function rowsOfFeatures(embedding: Embedding, rows: readonly Features[]): EmbeddingRows {
  const inputs = new Map(embedding.inputs.flatMap((input) => input.features.map((feature) => [feature, input])));
  // Asked twice: whether it is there, and for its numbers.
  const decoded = new Map<string, Float32Array | undefined>();
  return {
    count: rows.length,
    number(feature, row) {
      const value = rows[row]?.[feature] ?? null;
      return value === null ? Number.NaN : Math.fround(Number(value));
    },
    wide(feature, row) {
      const key = `${row}\u001f${feature}`;
      if (decoded.has(key)) return decoded.get(key);
      const value = rows[row]?.[feature];
      const { kind, size } = inputs.get(feature) as Embedding["inputs"][number];
      const read = typeof value === "string" ? readWide(kind === "image" ? "image" : "vector", value, size) : undefined;
      decoded.set(key, read);
      return read;
    },
    text(feature, row) {
      const value = rows[row]?.[feature];
      return given(typeof value === "string" ? value : null);
    },
  };
}

/** Rows of a request with their vectors (`rows × size`) in the place of what they were made of. */
export function embedRows(embedding: Embedding, rows: readonly Features[], values: Float32Array): Features[] {
  const names = embeddedNames(embedding);
  const { column, size } = embedding;
  return rows.map((row, i) => {
    const own = values.subarray(i * size, (i + 1) * size);
    const rest = Object.fromEntries(Object.entries(row).filter(([name]) => !names.has(name)));
    return { ...rest, [column]: Number.isNaN(own[0]) ? null : encodeVector(own) };
  });
}
