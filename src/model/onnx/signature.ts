/**
 * How the ports of an ONNX model meet the features and the answer of ours. Two conventions are understood: one matrix input
 * (rows × columns), or one input per feature under the feature's name (rows × 1). The answer is a float output: probabilities
 * rows × classes, one probability of `true`, or one value. Outputs of other types (labels) are not asked for.
 */
import { fail, nearestWord } from "../../core/index.ts";
import type { JsonObject, Task } from "../../core/index.ts";
import type { OnnxFile, OnnxPort } from "./inspect.ts";

/** What an external trainer is given, and its model then takes. */
export type OnnxInputForm = "raw" | "codes" | "prepared";

export interface OnnxSignature {
  readonly form: "matrix" | "features";
  /** One for a matrix; else in the order of the model's inputs, each the name of a feature. */
  readonly inputs: readonly { readonly name: string; readonly type: string }[];
  /** Columns of the matrix. */
  readonly columns: number;
  readonly output: { readonly name: string; readonly type: string };
}

export interface SignatureRequest {
  readonly file: OnnxFile;
  readonly form: OnnxInputForm;
  readonly task: Task;
  readonly classes: number;
  readonly features: readonly { readonly name: string; readonly kind: "number" | "category" | "boolean" }[];
  /** Columns of the prepared matrix; for raw input the number of features. */
  readonly width: number;
}

const FLOATS = ["float32", "float64"];
const ANSWER_NAMES = ["probabilities", "output_probability", "probability", "value", "variable", "scores"];

function misfit(why: string, remedy: string) {
  return fail("MODEL_INVALID", { message: `The ONNX model does not fit: ${why}.`, remedy });
}

const shown = ({ name, type, dims }: OnnxPort) =>
  `"${name}" (${type}, ${dims.map((d) => (d < 0 ? "?" : d)).join(" × ") || "any shape"})`;

/** @throws MODEL_INVALID naming the port that does not fit and what was expected. */
export function bindSignature(request: SignatureRequest): OnnxSignature {
  const { inputs } = request.file;
  const names = request.features.map((feature) => feature.name);
  const isByName =
    inputs.every(({ name }) => names.includes(name)) && (inputs.length > 1 || request.features.length === 1);
  const output = answerOf(request);
  if (!isByName && inputs.length === 1) return { ...bindMatrix(request, inputs[0] as OnnxPort), output };
  if (request.form !== "raw") {
    throw misfit(
      `it has ${inputs.length} inputs, and a model of prepared data takes one matrix of ${request.width} columns`,
      'Export it with a single input, or train it with `input: "raw"`.',
    );
  }
  const byName = new Map(request.features.map((feature) => [feature.name, feature]));
  const bound = inputs.map((port) => {
    const feature = byName.get(port.name);
    if (feature === undefined) {
      const near = nearestWord(port.name, names);
      throw misfit(
        `its input ${shown(port)} is no feature of the model${near === undefined ? "" : `; the nearest is "${near}"`}`,
        `Name the inputs like the features: ${names.join(", ")}.`,
      );
    }
    const fits =
      feature.kind === "category" ? port.type === "string" : [...FLOATS, "int64", "int32", "bool"].includes(port.type);
    if (!fits) {
      throw misfit(
        `its input ${shown(port)} stands for a ${feature.kind}`,
        feature.kind === "category" ? "Take categories as text (string tensors)." : "Take numbers as float tensors.",
      );
    }
    return { name: port.name, type: port.type };
  });
  return { form: "features", inputs: bound, columns: bound.length, output };
}

function bindMatrix(request: SignatureRequest, port: OnnxPort): Omit<OnnxSignature, "output"> {
  const { width, form, features } = request;
  const columns = port.dims.at(-1) ?? -1;
  if (
    !FLOATS.includes(port.type) ||
    (port.dims.length !== 0 && port.dims.length !== 2) ||
    (columns >= 0 && columns !== width)
  ) {
    throw misfit(
      `its only input ${shown(port)} must be a float matrix of ? × ${width}`,
      form === "raw"
        ? "Export it over all features, or with one input per feature."
        : "Export it over all prepared columns.",
    );
  }
  const category = features.find(({ kind }) => kind === "category");
  if (form === "raw" && category !== undefined) {
    throw misfit(
      `it takes one matrix of numbers, and the feature "${category.name}" is a category`,
      'Give it one input per feature, or train it with `input: "codes"` or `input: "prepared"`.',
    );
  }
  return { form: "matrix", inputs: [{ name: port.name, type: port.type }], columns: width };
}

function answerOf({ file, task, classes }: SignatureRequest): OnnxSignature["output"] {
  const floats = file.outputs.filter(({ type }) => FLOATS.includes(type));
  const fits = floats.filter(({ dims }) => {
    const last = dims.length < 2 ? -1 : (dims.at(-1) as number);
    if (last < 0) return true;
    return task === "regression" ? last === 1 : last === classes || (task === "binary" && last === 1);
  });
  const found =
    ANSWER_NAMES.map((name) => fits.find((port) => port.name === name)).find((port) => port !== undefined) ?? fits[0];
  if (found !== undefined) return { name: found.name, type: found.type };
  const wanted =
    task === "regression"
      ? "a float output of one value per row"
      : `a float output of ${classes} probabilities per row`;
  throw misfit(
    `it has no ${wanted.slice(2)}; its outputs are ${file.outputs.map(shown).join(", ")}`,
    `Export the model with ${wanted}.`,
  );
}

export const signatureFromJson = (value: JsonObject): OnnxSignature => value as unknown as OnnxSignature;
