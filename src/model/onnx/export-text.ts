/**
 * Texts of an exported graph. ONNX can neither fold nor hash words, so a text goes in as its counts: `rows × buckets` float32, in
 * each place the signed number of the text's terms that fall there, as docs/trainers.md says how to count them. Damping, rarity
 * and the length of the row are in the graph, in the arithmetic of `data/wide/text.ts`.
 */
import { TEXT_ROW_LENGTH } from "../../data/index.ts";
import type { Preparation } from "../../data/index.ts";
import type { GraphBuilder } from "./graph.ts";

export type TextPreparation = Extract<NonNullable<Preparation["wide"]>[number], { readonly kind: "text" }>;

/** Counts, `rows × buckets`, into the columns of the preparation. A missing text is NaN in the first place, and stays no number. */
export function weighCounts(graph: GraphBuilder, { rarity }: TextPreparation, counts: string): string {
  const wide = graph.node("Cast", [counts], { to: { int: 11 } });
  const damped = graph.node("Log", [graph.node("Add", [graph.node("Abs", [wide]), graph.scalar("double", 1)])]);
  const weights = graph.constant({ type: "double", dims: [1, rarity.length], values: Float64Array.from(rarity) });
  const sized = graph.node("Mul", [damped, weights]);
  const isNegative = graph.node("Less", [wide, graph.scalar("double", 0)]);
  const signed = graph.node("Where", [isNegative, graph.node("Neg", [sized]), sized]);
  const ones = new Float64Array(rarity.length).fill(1);
  const squares = graph.node("MatMul", [
    graph.node("Mul", [sized, sized]),
    graph.constant({ type: "double", dims: [rarity.length, 1], values: ones }),
  ]);
  const length = graph.node("Sqrt", [squares]);
  // A text without a single word has no length to be brought to.
  const isEmpty = graph.node("Equal", [length, graph.scalar("double", 0)]);
  const divisor = graph.node("Where", [isEmpty, graph.scalar("double", 1), length]);
  const factor = graph.node("Div", [graph.scalar("double", TEXT_ROW_LENGTH), divisor]);
  // Rounded to float32 twice, as training saw it: a tree splits between such numbers.
  const rounded = graph.node("Cast", [graph.node("Cast", [signed], { to: { int: 1 } })], { to: { int: 11 } });
  return graph.node("Cast", [graph.node("Mul", [rounded, factor])], { to: { int: 1 } });
}
