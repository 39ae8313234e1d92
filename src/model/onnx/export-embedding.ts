/**
 * The backbone of a version inside its exported graph, with what goes before it: pixels scaled and turned as the backbone wants
 * them, numbers side by side; and after it: rows that miss something get a vector of NaN, as our own predictor gives them.
 */
import type { Embedding, EmbeddingInput } from "../../data/index.ts";
import { ML_DOMAIN } from "./graph.ts";
import type { GraphBuilder } from "./graph.ts";
import { spliceModel } from "./splice.ts";

const FLOAT = 1;
const BOOL = 9;
const DOUBLE = 11;

interface Fed {
  readonly value: string;
  /** rows × 1: whether the row misses it; absent for numbers, whose backbone decides. */
  readonly isMissing?: string;
}

/** Declares the inputs that the backbone takes and adds it. @returns the vectors, rows × size float32 */
export function addEmbedding(graph: GraphBuilder, embedding: Embedding, backbone: Uint8Array): string {
  const { inputs, output, size } = embedding;
  const fed = inputs.map((input) => ({ input, ...feed(graph, input) }));
  const feeds = new Map(fed.map(({ input, value }) => [input.name, value]));
  const answer = spliceModel(graph, backbone, feeds, output);
  const vector = reshape(graph, graph.node("Cast", [answer], { to: { int: FLOAT } }), [-1, size]);
  const ones = graph.constant({ type: "float", dims: [size, 1], values: new Float32Array(size).fill(1) });
  // x − x is 0 for numbers and NaN for anything else, and so is the sum over a row.
  const unknown = graph.node("IsNaN", [graph.node("MatMul", [graph.node("Sub", [vector, vector]), ones])]);
  const isMissing = fed.reduce(
    (all, one) => (one.isMissing === undefined ? all : graph.node("Or", [all, one.isMissing])),
    unknown,
  );
  return graph.node("Where", [isMissing, graph.scalar("float", Number.NaN), vector]);
}

function reshape(graph: GraphBuilder, value: string, dims: readonly number[]): string {
  return graph.node("Reshape", [value, graph.constant({ type: "int64", dims: [dims.length], values: dims })]);
}

function feed(graph: GraphBuilder, input: EmbeddingInput): Fed {
  const { kind, features, dims, type } = input;
  const typed = (value: string) => (type === "float64" ? graph.node("Cast", [value], { to: { int: DOUBLE } }) : value);
  if (kind === "numbers") {
    const columns = features.map((name) => graph.input(name, "float"));
    const matrix = columns.length === 1 ? (columns[0] as string) : graph.node("Concat", columns, { axis: { int: 1 } });
    return { value: typed(reshape(graph, matrix, [-1, ...dims])) };
  }
  const name = features[0] as string;
  if (kind === "text") {
    const given = graph.input(name, "string");
    const attributes = { keys_strings: { texts: [""] }, values_floats: { floats: [1] }, default_float: { float: 0 } };
    const empty = graph.node("LabelEncoder", [given], attributes, { domain: ML_DOMAIN });
    return {
      value: reshape(graph, given, [-1, ...dims]),
      isMissing: graph.node("Cast", [empty], { to: { int: BOOL } }),
    };
  }
  const given = graph.input(name, "float", input.size);
  const place = graph.constant({ type: "int64", dims: [1], values: [0] });
  const isMissing = graph.node("IsNaN", [graph.node("Gather", [given, place], { axis: { int: 1 } })]);
  const filled = graph.node("Where", [isMissing, graph.scalar("float", 0), given]);
  const scaled = kind === "image" ? pixels(graph, input, filled) : filled;
  return { value: typed(reshape(graph, scaled, [-1, ...dims])), isMissing };
}

/** 0 to 255 into what the backbone was trained on, channels where it wants them. */
function pixels(graph: GraphBuilder, input: EmbeddingInput, given: string): string {
  const { size, channelsFirst = 1, mean = [0], deviation = [1] } = input;
  const channels = Math.max(channelsFirst, mean.length, deviation.length);
  const row = (values: readonly number[]) =>
    graph.constant({ type: "double", dims: [1, 1, values.length], values: Float64Array.from(values) });
  const unit = graph.node("Div", [given, graph.scalar("float", 255)]);
  const wide = graph.node("Cast", [reshape(graph, unit, [-1, size / channels, channels])], { to: { int: DOUBLE } });
  const scaled = graph.node("Div", [graph.node("Sub", [wide, row(mean)]), row(deviation)]);
  const single = graph.node("Cast", [scaled], { to: { int: FLOAT } });
  return channelsFirst > 1 ? graph.node("Transpose", [single], { perm: { ints: [0, 2, 1] } }) : single;
}
