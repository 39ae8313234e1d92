/**
 * Binds the ports of a backbone to the features of a model. Everything that would go wrong in a training an hour later goes wrong
 * here: an input of another shape or type, a batch of fixed size, an output whose size nobody knows.
 */
import { fail, nearestWord, plural } from "../../core/index.ts";
import type { DataSchema, Embedding, EmbeddingInput, FeatureSpec } from "../../data/index.ts";
import { wideSize } from "../../data/index.ts";
import type { OnnxFile, OnnxPort } from "./inspect.ts";

/** A head on more numbers than this has more weights than any set of rows could teach it. */
const MOST_OUTPUTS = 16_384;

export interface BackboneRequest {
  readonly file: OnnxFile;
  readonly sha256: string;
  readonly features: DataSchema["features"];
  /** Features that go into its one input; absent: the one text, vector or image, else all numbers. */
  readonly of?: readonly string[];
  /** Which output is the vector, where there are several. */
  readonly output?: string;
  /** Of images, per channel or one for all. */
  readonly mean?: readonly number[];
  readonly deviation?: readonly number[];
}

type Named = DataSchema["features"][number];
type ImageSpec = Extract<FeatureSpec, { readonly kind: "image" }>;

function misfit(why: string, remedy: string) {
  return fail("MODEL_INVALID", { message: `The backbone does not fit: ${why}.`, remedy });
}

const shown = ({ name, type, dims }: OnnxPort) =>
  `"${name}" (${type}, ${dims.map((d) => (d < 0 ? "?" : d)).join(" × ") || "no shape"})`;

/** @throws MODEL_INVALID naming the port that does not fit and what was expected. */
export function bindBackbone(request: BackboneRequest): Embedding {
  const { file, sha256, features } = request;
  const inputs = bindInputs(request).map((input) => withScale(input, request));
  const { output, size } = bindOutput(request);
  if ((request.mean ?? request.deviation) !== undefined && !inputs.some(({ kind }) => kind === "image")) {
    throw misfit("`mean` and `deviation` are of the pixels of an image, and it is given none", "Leave them out.");
  }
  for (const port of file.inputs) requireBatch(port, "input");
  const used = inputs.flatMap((input) => input.features);
  return { sha256, inputs, output, size, column: columnName(used, features) };
}

function columnName(used: readonly string[], features: DataSchema["features"]): string {
  if (used.length === 1) return used[0] as string;
  const taken = features.filter(({ name }) => !used.includes(name)).map(({ name }) => name);
  let name = "embedding";
  for (let i = 2; taken.includes(name); i++) name = `embedding ${i}`;
  return name;
}

function bindInputs({ file, features, of }: BackboneRequest): EmbeddingInput[] {
  const byName = new Map(features.map((feature) => [feature.name, feature]));
  const unknown = of?.find((name) => !byName.has(name));
  if (unknown !== undefined) {
    const near = nearestWord(unknown, byName.keys());
    throw misfit(
      `\`of\` names "${unknown}", which is no feature${near === undefined ? "" : `; the nearest is "${near}"`}`,
      `Name some of ${[...byName.keys()].slice(0, 20).join(", ")}.`,
    );
  }
  if (
    file.inputs.every((port) => isNamedLike(byName.get(port.name), port)) &&
    (of === undefined || file.inputs.length > 1)
  ) {
    return file.inputs.map((port) => bindInput(port, [byName.get(port.name) as Named]));
  }
  const [port, ...others] = file.inputs;
  if (port === undefined || others.length > 0) {
    throw misfit(
      `it has the inputs ${file.inputs.map(shown).join(", ")}`,
      `Give it one input, or name its inputs like the features: ${[...byName.keys()].slice(0, 20).join(", ")}.`,
    );
  }
  return [bindInput(port, of === undefined ? chooseFeatures(features) : of.map((name) => byName.get(name) as Named))];
}

/** One input for all numbers may happen to be called like one of them. */
function isNamedLike(feature: Named | undefined, { dims }: OnnxPort): boolean {
  if (feature === undefined) return false;
  return feature.spec.kind !== "number" || dims.slice(1).every((dim) => Math.abs(dim) === 1);
}

/** The one feature that wants a backbone, or all numbers as one row of a matrix. */
function chooseFeatures(features: DataSchema["features"]): readonly Named[] {
  const wide = features.filter(({ spec }) => ["image", "vector", "text"].includes(spec.kind));
  if (wide.length === 1) return wide;
  if (wide.length > 1) {
    const names = wide.map(({ name }) => name);
    throw misfit(
      `the model has ${names.length} texts, vectors and images, and nothing says which of them goes into it`,
      `Write \`onnx(path, { of: "${names[0]}" })\` with one of ${names.join(", ")}.`,
    );
  }
  const numbers = features.filter(({ spec }) => spec.kind === "number");
  if (numbers.length > 0) return numbers;
  throw misfit("the model has no text, vector, image or number to give it", "Add one to `features`.");
}

function bindInput(port: OnnxPort, features: readonly Named[]): EmbeddingInput {
  const [first] = features as readonly [Named];
  const { name: feature, spec } = first;
  const isNumber = ({ spec: { kind } }: Named) => kind === "number" || kind === "boolean";
  if (features.every(isNumber)) return bindNumbers(port, features);
  if (features.length > 1) {
    throw misfit(
      `its input ${shown(port)} is given ${features.map(({ name }) => `"${name}"`).join(", ")}; several features go in together only if all are numbers`,
      "Name one text, vector or image in `of`, or numbers and booleans alone.",
    );
  }
  if (spec.kind === "text") return bindText(port, feature);
  if (spec.kind === "image") return bindImage(port, feature, spec);
  if (spec.kind === "vector") {
    requireFloat(port, feature, "a vector");
    const dims = fillDims(port, spec.size);
    if (dims !== undefined) {
      return { name: port.name, type: floatType(port), kind: "vector", features: [feature], dims, size: spec.size };
    }
    throw misfit(
      `its input ${shown(port)} does not hold the ${spec.size} numbers of "${feature}"`,
      `Export it for a batch of ${spec.size} numbers, or change the size of \`f.vector\`.`,
    );
  }
  throw misfit(
    `its input ${shown(port)} is given "${feature}", a ${spec.kind}; a backbone takes texts, vectors, images and numbers`,
    "Name another feature in `of`.",
  );
}

function bindNumbers(port: OnnxPort, features: readonly Named[]): EmbeddingInput {
  const names = features.map(({ name }) => name);
  requireFloat(port, names[0] as string, "numbers");
  const dims = fillDims(port, names.length);
  if (dims?.length === 1) {
    return { name: port.name, type: floatType(port), kind: "numbers", features: names, dims, size: names.length };
  }
  throw misfit(
    `its input ${shown(port)} must be a float matrix of ? × ${names.length}, for ${names.slice(0, 10).join(", ")}${names.length > 10 ? ", …" : ""}`,
    "Name the numbers that it was trained on in `of`, in its order.",
  );
}

function bindText(port: OnnxPort, feature: string): EmbeddingInput {
  const [, second] = port.dims;
  if (port.type === "string" && port.dims.length <= 2 && (second === undefined || Math.abs(second) === 1)) {
    const dims = port.dims.length === 2 ? [1] : [];
    return { name: port.name, type: "string", kind: "text", features: [feature], dims, size: 1 };
  }
  throw misfit(
    `its input ${shown(port)} is given the text "${feature}", which goes in as one string per row`,
    "Export it with its tokenizer inside, taking strings of ? or ? × 1; or make vectors of the texts before they are sent, and use `f.vector`.",
  );
}

function bindImage(port: OnnxPort, feature: string, spec: ImageSpec): EmbeddingInput {
  requireFloat(port, feature, "an image");
  const { width, height, channels } = spec;
  const rest = port.dims.slice(1);
  const fits = (wanted: readonly number[]) =>
    rest.length === wanted.length && rest.every((dim, i) => dim < 0 || dim === wanted[i]);
  const input = { name: port.name, type: floatType(port), kind: "image", features: [feature] } as const;
  const size = wideSize(spec);
  const first = [channels, height, width];
  const last = [height, width, channels];
  if (rest.length === 3 && channels > 1 && fits(first) && fits(last)) {
    throw misfit(
      `its input ${shown(port)} does not say whether the channels of "${feature}" come first or last`,
      `Export it with a fixed number of channels: ? × ${first.join(" × ")} or ? × ${last.join(" × ")}.`,
    );
  }
  if (fits(first)) return { ...input, dims: first, size, ...(channels > 1 ? { channelsFirst: channels } : {}) };
  if (fits(last)) return { ...input, dims: last, size };
  if (fits([size])) return { ...input, dims: [size], size };
  if (channels === 1 && fits([height, width])) return { ...input, dims: [height, width], size };
  throw misfit(
    `its input ${shown(port)} does not take the image "${feature}" of ${width} × ${height} × ${channels}`,
    `Take ? × ${first.join(" × ")}, ? × ${last.join(" × ")} or ? × ${size}; or change width, height and channels of \`f.image\` to what it was trained for.`,
  );
}

function withScale(input: EmbeddingInput, { mean, deviation, features }: BackboneRequest): EmbeddingInput {
  if (input.kind !== "image") return input;
  const spec = features.find(({ name }) => name === input.features[0])?.spec as ImageSpec;
  for (const [key, values] of Object.entries({ mean, deviation })) {
    if (values === undefined || values.length === 1 || values.length === spec.channels) continue;
    throw misfit(
      `\`${key}\` has ${values.length} numbers, and the image "${input.features[0]}" ${spec.channels} channels`,
      "Give one number per channel, or one for all.",
    );
  }
  return { ...input, ...(mean === undefined ? {} : { mean }), ...(deviation === undefined ? {} : { deviation }) };
}

/** The dimensions of one row, with at most one free one filled in; undefined where they do not hold `size` numbers. */
function fillDims({ dims }: OnnxPort, size: number): readonly number[] | undefined {
  const rest = dims.slice(1);
  const known = rest.reduce((product, dim) => (dim < 0 ? product : product * dim), 1);
  const free = rest.filter((dim) => dim < 0).length;
  if (rest.length === 0 || free > 1 || (free === 0 ? known !== size : size % known !== 0)) return undefined;
  return rest.map((dim) => (dim < 0 ? size / known : dim));
}

const floatType = ({ type }: OnnxPort) => (type === "float64" ? "float64" : "float32");

function requireFloat(port: OnnxPort, feature: string, what: string): void {
  if (port.type === "float32" || port.type === "float64") return;
  throw misfit(
    `its input ${shown(port)} is given "${feature}", ${what}, which goes in as float32`,
    "Export it with a float input.",
  );
}

/** Rows are asked in batches of any size. */
function requireBatch(port: OnnxPort, what: "input" | "output"): void {
  const [batch] = port.dims;
  if (batch === undefined) {
    throw misfit(`its ${what} ${shown(port)} states no shape`, "Export it with the shapes of its inputs and outputs.");
  }
  if (batch < 0) return;
  throw misfit(
    `its ${what} ${shown(port)} takes exactly ${plural(batch, "row")} at a time`,
    "Export it with a dynamic first dimension (PyTorch: `dynamic_axes={name: {0: 'batch'}}` for inputs and outputs).",
  );
}

function bindOutput({ file, output }: BackboneRequest): { readonly output: string; readonly size: number } {
  const named = output === undefined ? file.outputs : file.outputs.filter(({ name }) => name === output);
  const all = file.outputs.map(shown).join(", ");
  if (named.length === 0) throw misfit(`it has no output "${output}"; its outputs are ${all}`, "Correct `output`.");
  const floats = named.filter(({ type }) => type === "float32" || type === "float64");
  const sizeOf = ({ dims }: OnnxPort) =>
    dims.length < 2 ? -1 : dims.slice(1).reduce((a, b) => (b < 0 ? -1 : a * b), 1);
  const fixed = floats.filter((port) => sizeOf(port) > 0);
  const [port, second] = fixed;
  if (port === undefined) {
    throw misfit(
      floats.length === 0
        ? `none of its outputs is a float vector: ${all}`
        : `its output ${shown(floats[0] as OnnxPort)} has no fixed size per row`,
      "Export it with one float output of ? × size; where it answers per word or patch, average over them inside the graph.",
    );
  }
  if (second !== undefined) {
    throw misfit(`it has several vectors: ${fixed.map(shown).join(", ")}`, "Name one of them in `output`.");
  }
  requireBatch(port, "output");
  const size = sizeOf(port);
  if (size <= MOST_OUTPUTS) return { output: port.name, size };
  throw misfit(
    `its output ${shown(port)} has ${size} numbers per row; at most ${MOST_OUTPUTS} are learned from`,
    "Cut it off at a later layer, or pool inside the graph.",
  );
}
