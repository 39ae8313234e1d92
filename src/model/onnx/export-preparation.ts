/**
 * A preparation as ONNX nodes. One input per feature, shape rows × 1, under the feature's name: numbers and booleans as float32
 * (booleans 0 and 1, missing NaN), categories as text (missing: the empty text). The arithmetic is that of `data/prepare`:
 * scaling in float64, rounded to float32 at the end, so the prepared values have the same bits.
 */
import { CODE_OTHER, SCALED_LIMIT } from "../../data/index.ts";
import type { FeaturePreparation, Preparation } from "../../data/index.ts";
import type { TrainedWeights } from "../../learn/index.ts";
import { backboneOf } from "./embed.ts";
import { addEmbedding } from "./export-embedding.ts";
import { weighCounts } from "./export-text.ts";
import { ML_DOMAIN } from "./graph.ts";
import type { GraphBuilder } from "./graph.ts";

/** The code of a missing category inside the graph: no preparation writes it, and a set can hold it, which NaN cannot. */
export const MISSING_CODE = 0;

type WidePreparation = NonNullable<Preparation["wide"]>[number];

/** Scalar features first, then vectors and images in the order of their columns; the vector of a backbone is one of them. */
export function addInputs(graph: GraphBuilder, preparation: Preparation, weights: TrainedWeights): string[] {
  const { features, wide = [], embed } = preparation;
  return [
    ...features.map(({ name, kind }) => graph.input(name, kind === "category" ? "string" : "float")),
    ...wide.map(({ name, kind, size }) => {
      if (name === embed?.column) return addEmbedding(graph, embed, backboneOf(weights));
      const input = graph.input(name, "float", size);
      return kind === "image" ? graph.node("Div", [input, graph.scalar("float", 255)]) : input;
    }),
  ];
}

/** rows × 1: whether a vector is missing. Its first place says it. */
function isWideMissing(graph: GraphBuilder, input: string): string {
  const first = graph.node("Gather", [input, graph.constant({ type: "int64", dims: [1], values: [0] })], {
    axis: { int: 1 },
  });
  return graph.node("IsNaN", [first]);
}

/** Scaled and cut as `data/wide` does; a missing one is zeros, and noted where training had missing ones. */
function denseWide(graph: GraphBuilder, feature: WidePreparation, input: string): string[] {
  const isMissing = isWideMissing(graph, input);
  if (feature.kind === "text") {
    const columns = [graph.node("Where", [isMissing, graph.scalar("float", 0), weighCounts(graph, feature, input)])];
    if (feature.missingColumn !== undefined) columns.push(graph.node("Cast", [isMissing], { to: { int: 1 } }));
    return columns;
  }
  const row = (values: readonly number[]) =>
    graph.constant({ type: "double", dims: [1, values.length], values: Float64Array.from(values) });
  const wide = graph.node("Cast", [input], { to: { int: 11 } });
  const centered = graph.node("Sub", [wide, row(feature.means)]);
  const scaled = graph.node("Mul", [centered, row(feature.inverseDeviations)]);
  const limits = [graph.scalar("double", -SCALED_LIMIT), graph.scalar("double", SCALED_LIMIT)];
  const cut = graph.node("Cast", [graph.node("Clip", [scaled, ...limits])], { to: { int: 1 } });
  const columns = [graph.node("Where", [isMissing, graph.scalar("float", 0), cut])];
  if (feature.missingColumn !== undefined) columns.push(graph.node("Cast", [isMissing], { to: { int: 1 } }));
  return columns;
}

/** Text to code; the empty text is missing, an unknown one is "other". */
function categoryCodes(
  graph: GraphBuilder,
  input: string,
  categories: readonly string[],
  codes: { readonly codeOf: (index: number) => number; readonly missing: number; readonly other: number },
  type: "float" | "int64",
): string {
  const keys = ["", ...categories];
  const values = [codes.missing, ...categories.map((_, i) => codes.codeOf(i))];
  const attributes =
    type === "float"
      ? { keys_strings: { texts: keys }, values_floats: { floats: values }, default_float: { float: codes.other } }
      : { keys_strings: { texts: keys }, values_int64s: { ints: values }, default_int64: { int: codes.other } };
  return graph.node("LabelEncoder", [input], attributes, { domain: ML_DOMAIN });
}

/** The form `codes`: one float32 column per feature, missing numbers NaN, missing categories `MISSING_CODE`. */
export function addCodes(graph: GraphBuilder, preparation: Preparation, inputs: readonly string[]): string {
  const columns = preparation.features.map((feature, i) => {
    const input = inputs[i] as string;
    if (feature.kind !== "category") return input;
    const codes = { codeOf: (index: number) => index + 1, missing: MISSING_CODE, other: CODE_OTHER };
    return categoryCodes(graph, input, feature.categories, codes, "float");
  });
  const count = preparation.features.length;
  preparation.wide?.forEach((feature, i) => {
    const input = inputs[count + i] as string;
    const missing = graph.scalar("float", Number.NaN);
    const value = feature.kind === "text" ? weighCounts(graph, feature, input) : input;
    columns.push(graph.node("Where", [isWideMissing(graph, input), missing, value]));
  });
  return graph.node("Concat", columns, { axis: { int: 1 } });
}

/** The form `dense`: filled, scaled, one-hot, with indicators of missing values, in the order of the prepared columns. */
export function addDense(graph: GraphBuilder, preparation: Preparation, inputs: readonly string[]): string {
  const columns = preparation.features.flatMap((feature, i) => {
    const input = inputs[i] as string;
    return feature.kind === "category" ? denseCategory(graph, feature, input) : denseNumber(graph, feature, input);
  });
  const count = preparation.features.length;
  preparation.wide?.forEach((feature, i) => {
    columns.push(...denseWide(graph, feature, inputs[count + i] as string));
  });
  return graph.node("Concat", columns, { axis: { int: 1 } });
}

function denseNumber(
  graph: GraphBuilder,
  feature: Exclude<FeaturePreparation, { kind: "category" }>,
  input: string,
): string[] {
  const isMissing = graph.node("IsNaN", [input]);
  const filled = graph.node("Where", [isMissing, graph.scalar("float", feature.fill), input]);
  const wide = graph.node("Cast", [filled], { to: { int: 11 } });
  const centered = graph.node("Sub", [wide, graph.scalar("double", feature.mean)]);
  const scaled = graph.node("Mul", [centered, graph.scalar("double", feature.inverseDeviation)]);
  const limits = [graph.scalar("double", -SCALED_LIMIT), graph.scalar("double", SCALED_LIMIT)];
  const cut = graph.node("Clip", [scaled, ...limits]);
  const column = graph.node("Cast", [cut], { to: { int: 1 } });
  if (feature.missingColumn === undefined) return [column];
  return [column, graph.node("Cast", [isMissing], { to: { int: 1 } })];
}

function denseCategory(
  graph: GraphBuilder,
  feature: Extract<FeaturePreparation, { kind: "category" }>,
  input: string,
): string[] {
  const count = feature.categories.length + (feature.otherColumn === undefined ? 0 : 1);
  const columns: string[] = [];
  if (count > 0) {
    // An index beyond the depth makes a row of zeros, which is what an unseen text without a column of its own gets.
    const other = feature.otherColumn === undefined ? count : count - 1;
    const missing = feature.fill > 0 ? feature.fill - 1 : count;
    const codes = { codeOf: (index: number) => index, missing, other };
    const index = categoryCodes(graph, input, feature.categories, codes, "int64");
    const flat = graph.node("Reshape", [index, graph.constant({ type: "int64", dims: [1], values: [-1] })]);
    const levels = graph.constant({ type: "float", dims: [2], values: [0, 1] });
    columns.push(graph.node("OneHot", [flat, graph.scalar("int64", count), levels], { axis: { int: -1 } }));
  }
  if (feature.missingColumn !== undefined) {
    const codes = { codeOf: () => 0, missing: 1, other: 0 };
    columns.push(categoryCodes(graph, input, feature.categories.slice(0, 0), codes, "float"));
  }
  return columns;
}

/** The same float64 values for every row of `batch`. */
export function addConstantRows(graph: GraphBuilder, batch: string, values: Float64Array): string {
  const rows = graph.node("Shape", [batch], { start: { int: 0 }, end: { int: 1 } });
  const width = graph.constant({ type: "int64", dims: [1], values: [values.length] });
  const shape = graph.node("Concat", [rows, width], { axis: { int: 0 } });
  return graph.node("Expand", [graph.constant({ type: "double", dims: [1, values.length], values }), shape]);
}
