/**
 * An embedding: what a frozen model from outside (the backbone) makes of some features. Its vector takes the place of those
 * features, as one more vector column; from there on it is scaled, explained and learned from like any other. This file knows
 * what goes into the backbone and what becomes of its answer; who runs it stands in `model/onnx`.
 *
 * A row whose text, vector or image is missing is not asked, and its vector is missing. Missing numbers go in as NaN; where the
 * answer then is no number, the vector is missing too.
 */
import { fail } from "../../core/index.ts";
import type { TensorFeed } from "../../core/index.ts";
import type { Frame } from "../frame.ts";
import type { DataSchema } from "../schema.ts";
import type { VectorColumn } from "../wide/columns.ts";

/** One input of the backbone and the features that go into it. */
export interface EmbeddingInput {
  readonly name: string;
  readonly type: "float32" | "float64" | "string";
  readonly kind: "image" | "vector" | "text" | "numbers";
  /** One text, vector or image; or numbers and booleans, in the order of the matrix. */
  readonly features: readonly string[];
  /** Dimensions of one row's tensor, without the batch: [3, 224, 224], [784]; [] for texts without a second dimension. */
  readonly dims: readonly number[];
  /** Numbers per row. */
  readonly size: number;
  /** Images whose channels come first: how many there are. Stored pixels have their channels together. */
  readonly channelsFirst?: number;
  /** Images: (pixel − mean) / deviation, pixels in [0, 1]; one number per channel, or one for all. */
  readonly mean?: readonly number[];
  readonly deviation?: readonly number[];
}

/** Plain JSON: part of `preparation.json`. */
export interface Embedding {
  /** SHA-256 of the backbone's file. */
  readonly sha256: string;
  readonly inputs: readonly EmbeddingInput[];
  readonly output: string;
  /** Numbers of the vector. */
  readonly size: number;
  /** Name of the vector: that of the feature where there is one alone. */
  readonly column: string;
}

/** An embedding as a definition has it. */
export interface BackboneSpec extends Embedding {
  /** The file, as written: relative to the configuration. */
  readonly path: string;
}

/** Without where the file lay: what a preparation keeps, and what two trainings have to share. */
export function embeddingOf({ sha256, inputs, output, size, column }: BackboneSpec): Embedding {
  return { sha256, inputs, output, size, column };
}

/** Numbers that go into the backbone at a time: 4 MB, which six photographs or 256 small vectors are. */
const BLOCK_NUMBERS = 1_000_000;
const MOST_BLOCK_ROWS = 256;

/** Rows asked at a time. A function of the backbone alone: sums of a batch depend on its size, and a training must be repeatable. */
export function embeddingBlock({ inputs }: Embedding): number {
  const numbers = inputs.reduce((sum, { size }) => sum + size, 0);
  return Math.max(1, Math.min(MOST_BLOCK_ROWS, Math.floor(BLOCK_NUMBERS / Math.max(1, numbers))));
}

export function embeddedNames({ inputs }: Embedding): ReadonlySet<string> {
  return new Set(inputs.flatMap(({ features }) => features));
}

/** The features as a preparation sees them: those that went into the backbone replaced by its vector. */
export function embeddedFeatures(features: DataSchema["features"], embedding: Embedding): DataSchema["features"] {
  const names = embeddedNames(embedding);
  const { column, size } = embedding;
  return [...features.filter(({ name }) => !names.has(name)), { name: column, spec: { kind: "vector", size } }];
}

/** The frame with the vectors in the place of what they were made of. */
export function withEmbedding(frame: Frame, embedding: Embedding, values: Float32Array): Frame {
  const names = embeddedNames(embedding);
  const { column: name, size } = embedding;
  const column: VectorColumn = { kind: "vector", name, size, values };
  return {
    rows: frame.rows,
    columns: frame.columns.filter((one) => !names.has(one.name)),
    wide: [...(frame.wide ?? []).filter((one) => !names.has(one.name)), column],
  };
}

/** Rows as a backbone is asked them. */
export interface EmbeddingRows {
  readonly count: number;
  /** A number, or a boolean as 0 or 1; NaN is missing. */
  number(feature: string, row: number): number;
  /** A vector, or pixels in [0, 1], row by row, channels together; undefined is missing. */
  wide(feature: string, row: number): Float32Array | undefined;
  text(feature: string, row: number): string | undefined;
}

/** What the backbone is asked: its tensors, and which of the rows they hold. */
export interface EmbeddingQuestion {
  readonly feeds: readonly TensorFeed[];
  /** Indices among the given rows; rows without their text, vector or image are left out. */
  readonly asked: readonly number[];
}

export function askEmbedding({ inputs }: Embedding, rows: EmbeddingRows): EmbeddingQuestion {
  const wide = inputs.filter(({ kind }) => kind !== "numbers");
  const asked: number[] = [];
  for (let row = 0; row < rows.count; row++) {
    const isMissing = wide.some(({ kind, features }) =>
      kind === "text"
        ? rows.text(features[0] as string, row) === undefined
        : rows.wide(features[0] as string, row) === undefined,
    );
    if (!isMissing) asked.push(row);
  }
  return { feeds: asked.length === 0 ? [] : inputs.map((input) => feedOf(input, rows, asked)), asked };
}

function feedOf(input: EmbeddingInput, rows: EmbeddingRows, asked: readonly number[]): TensorFeed {
  const { name, type, kind, features, size, dims } = input;
  const shape = [asked.length, ...dims];
  const feature = features[0] as string;
  if (kind === "text") return { name, type, dims: shape, data: asked.map((row) => rows.text(feature, row) ?? "") };
  const values = new Float32Array(asked.length * size);
  asked.forEach((row, i) => {
    if (kind === "numbers") features.forEach((one, j) => (values[i * size + j] = rows.number(one, row)));
    else writeWide(input, rows.wide(feature, row) as Float32Array, values, i * size);
  });
  return { name, type, dims: shape, data: type === "float64" ? Float64Array.from(values) : values };
}

function writeWide(input: EmbeddingInput, from: Float32Array, to: Float32Array, offset: number): void {
  const { mean, deviation, channelsFirst = 1, kind } = input;
  if (kind === "vector") {
    to.set(from, offset);
    return;
  }
  const channels = Math.max(channelsFirst, mean?.length ?? 1, deviation?.length ?? 1);
  const pixels = from.length / channels;
  for (let p = 0; p < pixels; p++) {
    for (let c = 0; c < channels; c++) {
      const shift = mean === undefined ? 0 : (mean[mean.length === 1 ? 0 : c] as number);
      const scale = deviation === undefined ? 1 : (deviation[deviation.length === 1 ? 0 : c] as number);
      const at = channelsFirst > 1 ? c * pixels + p : p * channels + c;
      to[offset + at] = ((from[p * channels + c] as number) - shift) / scale;
    }
  }
}

/**
 * The backbone's answer as vectors, `rows × size`; NaN throughout where the vector is missing.
 * @throws OUTPUT_INVALID where it answers another number of values, or NaN for a row without a missing number
 */
export function readEmbedding(
  embedding: Embedding,
  rows: EmbeddingRows,
  { asked }: EmbeddingQuestion,
  answer: ArrayLike<number>,
): Float32Array {
  const { size } = embedding;
  if (answer.length !== asked.length * size) {
    throw fail("OUTPUT_INVALID", {
      message: `The backbone answers ${asked.length} rows with ${answer.length} numbers; ${asked.length * size} were expected.`,
      remedy: "Export it with a dynamic batch dimension and one vector per row.",
    });
  }
  const out = new Float32Array(rows.count * size).fill(Number.NaN);
  asked.forEach((row, i) => {
    let isNumber = true;
    for (let j = 0; j < size; j++) isNumber &&= Number.isFinite(Math.fround(answer[i * size + j] as number));
    if (!isNumber) return requireMissing(embedding, rows, row);
    for (let j = 0; j < size; j++) out[row * size + j] = answer[i * size + j] as number;
  });
  return out;
}

function requireMissing({ inputs, output }: Embedding, rows: EmbeddingRows, row: number): void {
  const numbers = inputs.filter(({ kind }) => kind === "numbers").flatMap(({ features }) => features);
  if (numbers.some((name) => Number.isNaN(rows.number(name, row)))) return;
  throw fail("OUTPUT_INVALID", {
    message: `The output "${output}" of the backbone is no finite number for a row that misses nothing.`,
    remedy:
      "Check the range its inputs were trained for (`mean` and `deviation` of `onnx(…)` for images), and its operators.",
  });
}
