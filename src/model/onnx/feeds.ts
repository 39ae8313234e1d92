/** Rows into the tensors of a model, and its answer into scores. Plain data: it crosses threads and processes. */
import { fail } from "../../core/index.ts";
import type { Features, FeatureValue, Task, TensorFeed } from "../../core/index.ts";
import type { OnnxSignature } from "./signature.ts";

export type Feed = TensorFeed;

const NUMBERS = new Set(["int32", "int64", "bool"]);

function column(type: string, values: readonly FeatureValue[], name: string): Feed["data"] {
  if (type === "string") return values.map((value) => (value === null ? "" : String(value)));
  const numbers = values.map((value) => (value === null ? Number.NaN : Number(value)));
  if (NUMBERS.has(type)) {
    const row = numbers.findIndex((value) => !Number.isInteger(value));
    if (row >= 0) {
      throw fail("MODEL_INVALID", {
        message: `The model takes "${name}" as ${type}, which cannot hold ${values[row] === null ? "a missing value" : String(values[row])}.`,
        remedy: "Export the model with a float input for this feature: missing values arrive as NaN.",
      });
    }
  }
  if (type === "float64") return Float64Array.from(numbers, Math.fround);
  if (type === "int32") return Int32Array.from(numbers);
  if (type === "int64") return BigInt64Array.from(numbers, BigInt);
  return type === "bool" ? Uint8Array.from(numbers) : Float32Array.from(numbers);
}

/** Tensors of raw rows. A number goes through float32 whatever the tensor's type: what training saw. */
export function feedsOfRows(
  signature: OnnxSignature,
  featureNames: readonly string[],
  rows: readonly Features[],
): Feed[] {
  if (signature.form === "matrix") {
    const { length } = featureNames;
    const values = new Float32Array(rows.length * length);
    rows.forEach((row, i) => {
      featureNames.forEach((name, j) => {
        const value = row[name] ?? null;
        values[i * length + j] = value === null ? Number.NaN : Number(value);
      });
    });
    return [feedOfMatrix(signature, values, rows.length)];
  }
  return signature.inputs.map(({ name, type }) => ({
    name,
    type,
    dims: [rows.length, 1],
    data: column(
      type,
      rows.map((row) => row[name] ?? null),
      name,
    ),
  }));
}

/** The one tensor of prepared rows, row-major. */
export function feedOfMatrix({ inputs, columns }: OnnxSignature, values: Float32Array, rows: number): Feed {
  const { name, type } = inputs[0] as OnnxSignature["inputs"][number];
  return { name, type, dims: [rows, columns], data: type === "float64" ? Float64Array.from(values) : values };
}

/**
 * The answer as scores: per row one probability per class, or one value. A single probability stands for `true`.
 * @throws OUTPUT_INVALID where the number of values is not rows × classes.
 */
export function scoresOf(task: Task, classes: number, rows: number, answer: ArrayLike<number>): Float64Array {
  const width = task === "regression" ? 1 : classes;
  if (task === "binary" && answer.length === rows) {
    const scores = new Float64Array(rows * 2);
    for (let i = 0; i < rows; i++) {
      scores[2 * i] = 1 - (answer[i] as number);
      scores[2 * i + 1] = answer[i] as number;
    }
    return scores;
  }
  if (answer.length !== rows * width) {
    throw fail("OUTPUT_INVALID", {
      message: `The ONNX model answers ${rows} rows with ${answer.length} numbers; ${rows * width} were expected.`,
      remedy: "Export the model with a dynamic batch dimension and one row of answers per row of input.",
    });
  }
  return Float64Array.from({ length: answer.length }, (_, i) => answer[i] as number);
}
