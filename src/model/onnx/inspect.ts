/**
 * What an ONNX file says about itself, read without running it, and what is refused before anything runs: data outside the file
 * (a path into the machine it is opened on), and files that are no models. ZipMap, which exporters of scikit-learn put behind
 * classifiers and no JavaScript runtime can answer, is taken out: its input, a plain tensor, becomes the output.
 */
import { fail } from "../../core/index.ts";
import { bytesField, firstText, intField, messageField, readFields, textField, textOf, writeFields } from "./proto.ts";
import type { ProtoField } from "./proto.ts";

/** Larger files belong behind a server of their own; the bound keeps one upload from filling the memory of ours. */
export const MAX_ONNX_BYTES = 1_073_741_824;

export interface OnnxPort {
  readonly name: string;
  /** As runtimes call it: float32, float64, int64, string, …; "other" for sequences and maps. */
  readonly type: string;
  /** −1: any size. */
  readonly dims: readonly number[];
}
export interface OnnxFile {
  readonly bytes: Uint8Array;
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  1: "float32",
  6: "int32",
  7: "int64",
  8: "string",
  9: "bool",
  11: "float64",
};
const GRAPH = 7;
const NODE = 1;
const INITIALIZER = 5;
const INPUT = 11;
const OUTPUT = 12;

function invalid(why: string, remedy: string) {
  return fail("MODEL_INVALID", { message: `The ONNX model cannot be used: ${why}.`, remedy });
}

const parts = (fields: readonly ProtoField[], number: number) =>
  fields.filter(({ field }) => field === number).map(({ bytes }) => bytes);

/** @throws MODEL_INVALID for bytes that are no model, for data outside the file, and for a graph without inputs or outputs. */
export function inspectOnnx(bytes: Uint8Array): OnnxFile {
  if (bytes.length > MAX_ONNX_BYTES) {
    throw invalid(`it has ${bytes.length} bytes, more than ${MAX_ONNX_BYTES}`, "Make the model smaller.");
  }
  const model = readFields(bytes);
  const graphBytes = parts(model, GRAPH)[0];
  if (graphBytes === undefined) throw invalid("it holds no graph", "Upload the .onnx file itself, not an archive.");
  const graph = readFields(graphBytes);
  refuseExternalData(graph);
  for (const body of parts(model, 25)) for (const node of parts(readFields(body), 7)) refuseInNode(node);
  const cleaned = withoutZipMap(graph);
  const known = new Set(parts(cleaned, INITIALIZER).map((tensor) => firstText(readFields(tensor), 8)));
  const inputs = parts(cleaned, INPUT)
    .map(readPort)
    .filter(({ name }) => !known.has(name));
  const outputs = parts(cleaned, OUTPUT).map(readPort);
  if (inputs.length === 0 || outputs.length === 0) {
    throw invalid("its graph has no input or no output", "Export the model with its inputs.");
  }
  if (cleaned === graph) return { bytes, inputs, outputs };
  const replaced = model.map((field) => (field.field === GRAPH ? { ...field, bytes: writeFields(cleaned) } : field));
  return { bytes: writeFields(replaced), inputs, outputs };
}

function readPort(info: Uint8Array): OnnxPort {
  const fields = readFields(info);
  const name = firstText(fields, 1);
  const type = parts(fields, 2)[0];
  const tensor = type === undefined ? undefined : parts(readFields(type), 1)[0];
  if (tensor === undefined) return { name, type: "other", dims: [] };
  const inner = readFields(tensor);
  const element = inner.find(({ field }) => field === 1)?.int ?? 0;
  const shape = parts(inner, 2)[0];
  const dims = shape === undefined ? [] : parts(readFields(shape), 1).map(dimension);
  return { name, type: TYPE_NAMES[element] ?? "other", dims };
}

function dimension(bytes: Uint8Array): number {
  return readFields(bytes).find(({ field, wire }) => field === 1 && wire === 0)?.int ?? -1;
}

/** Tensors hide in initializers, in attributes of nodes, and in graphs inside attributes. */
function refuseExternalData(graph: readonly ProtoField[]): void {
  for (const tensor of parts(graph, INITIALIZER)) refuseInTensor(tensor);
  for (const sparse of parts(graph, 15))
    for (const tensor of readFields(sparse)) if (tensor.field < 3) refuseInTensor(tensor.bytes);
  for (const node of parts(graph, NODE)) refuseInNode(node);
}

function refuseInNode(node: Uint8Array): void {
  for (const attribute of parts(readFields(node), 5)) {
    const fields = readFields(attribute);
    for (const tensor of [...parts(fields, 5), ...parts(fields, 10)]) refuseInTensor(tensor);
    for (const graph of [...parts(fields, 6), ...parts(fields, 11)]) refuseExternalData(readFields(graph));
  }
}

function refuseInTensor(tensor: Uint8Array): void {
  const fields = readFields(tensor);
  const isExternal = fields.some(({ field, int }) => field === 13 || (field === 14 && int === 1));
  if (!isExternal) return;
  throw invalid(
    `its tensor "${firstText(fields, 8)}" keeps its numbers in another file`,
    "Save the model with everything inside (`onnx.save_model(model, path, save_as_external_data=False)`).",
  );
}

/** The graph with each ZipMap replaced by its input, as an output of floats; the same array where there is none. */
function withoutZipMap(graph: ProtoField[]): ProtoField[] {
  const zipped = new Map<string, string>();
  const kept = graph.filter(({ field, bytes }) => {
    if (field !== NODE) return true;
    const node = readFields(bytes);
    if (firstText(node, 4) !== "ZipMap") return true;
    zipped.set(textOf(parts(node, 2)[0] ?? new Uint8Array(0)), textOf(parts(node, 1)[0] ?? new Uint8Array(0)));
    return false;
  });
  if (zipped.size === 0) return graph;
  return kept.map((field) => {
    if (field.field !== OUTPUT) return field;
    const source = zipped.get(firstText(readFields(field.bytes), 1));
    if (source === undefined) return field;
    const tensor = messageField(1, [intField(1, 1)]);
    const info = [textField(1, source), messageField(2, [tensor])];
    return {
      ...field,
      bytes: readFields(messageField(OUTPUT, info))[0]?.bytes ?? bytesField(OUTPUT, new Uint8Array(0)),
    };
  });
}
