/**
 * A recommender as a graph: what a user took goes in, its slate comes out. A user is solved from these items inside the graph, as
 * the server does it (fold-in); there is nobody to look up, since a version keeps items and no users. Who took nothing the version
 * knows is answered by popularity. What was taken is left out of the slate.
 */
import type { TrainedWeights } from "../../learn/index.ts";
import { MOST_OBSERVATIONS, popularScores, type RecommenderShape } from "../../learn/recommend/recommender.ts";
import { addRankedUser } from "./export-ranked-user.ts";
import { addSolvedUser, type History } from "./export-user.ts";
import type { GraphBuilder } from "./graph.ts";
import { Operators } from "./operators.ts";

/** Adds inputs, outputs and all between. */
export function addRecommender(graph: GraphBuilder, weights: TrainedWeights): void {
  const shape = weights.shape as unknown as RecommenderShape;
  const o = new Operators(graph);
  const history = addHistory(o, shape.items);
  const wanted = graph.input("k", "int64", "scalar");
  const count = shape.items.length;
  const shares = graph.constant({ type: "float", dims: [1, count], values: popularScores(weights) });
  const popular = o.expand(shares, history.items, [count]);
  const scores = shape.method === "popularity" ? popular : tasteScores(o, { weights, shape, history, popular });
  addSlate(o, { items: shape.items, taken: history.items, wanted, scores });
}

function addHistory(o: Operators, names: readonly string[]): History {
  const { graph } = o;
  const taken = graph.input("history", "string", ["taken"]);
  const given = graph.input("strengths", "float", ["taken"]);
  const known = names.flatMap((name, i) => (name === "" ? [] : [[name, i] as const]));
  const items = o.codes(
    taken,
    known.map(([name]) => name),
    known.map(([, i]) => i),
    names.length,
  );
  // An interaction without a label says as much as one of strength 1.
  const strengths = o.where(o.isMissing(given), graph.scalar("float", 1), given);
  const isLiked = o.and(o.less(items, o.int(names.length)), o.less(graph.scalar("float", 0), strengths));
  const age = graph.node("CumSum", [o.cast(isLiked, "int64"), o.int(1)], { reverse: { int: 1 } });
  const isUsed = o.and(isLiked, o.less(age, o.int(MOST_OBSERVATIONS + 1)));
  return { items, strengths, isUsed, age, count: o.reduce("ReduceSum", o.cast(isUsed, "int64")) };
}

/** Float32 as in our own predictor, where float64 sums are rounded at the end: equal items keep equal scores. */
function tasteScores(
  o: Operators,
  parts: {
    readonly weights: TrainedWeights;
    readonly shape: RecommenderShape;
    readonly history: History;
    readonly popular: string;
  },
): string {
  const { weights, shape, history, popular } = parts;
  const width = shape.width as number;
  const factors = o.graph.constant({
    type: "float",
    dims: [shape.items.length, width],
    values: weights.arrays["items"] as Float32Array,
  });
  const add = shape.method === "als" ? addSolvedUser : addRankedUser;
  const vector = o.cast(o.cast(add(o, { weights, shape, history, factors }), "float"), "double");
  const turned = o.cast(o.graph.node("Transpose", [factors]), "double");
  const scores = o.cast(o.product(vector, turned), "float");
  return o.where(o.less(o.int(0), history.count), scores, popular);
}

/** The k best: equal scores in the order of items, as TopK has it too. Places that nothing is left for are "" with NaN. */
function addSlate(
  o: Operators,
  parts: {
    readonly items: readonly string[];
    readonly taken: string;
    readonly wanted: string;
    readonly scores: string;
  },
): void {
  const { items, taken, wanted, scores } = parts;
  const { graph } = o;
  const count = o.int(items.length);
  const lowest = graph.scalar("float", Number.NEGATIVE_INFINITY);
  const k = o.reshape(wanted, [1]);
  // One place more takes what is unknown, and more where k exceeds the catalog.
  const room = graph.node("Max", [o.ints([1]), o.add(k, o.ints([1 - items.length]))]);
  const padded = o.pad(scores, o.ints([0]), room, lowest);
  const lows = graph.node("Expand", [lowest, graph.node("Shape", [taken])]);
  const open = graph.node("ScatterElements", [padded, taken, lows], { axis: { int: 1 } });
  const [best, places] = graph.split("TopK", [open, k], { axis: { int: 1 } }, 2) as [string, string];
  const isEmpty = graph.node("IsInf", [best]);
  const names = graph.constant({ type: "string", dims: [items.length + 1], values: [...items, ""] });
  const offered = o.gather(names, o.where(isEmpty, count, places), 0);
  graph.node("Identity", [offered], {}, { output: "items" });
  graph.node("Where", [isEmpty, graph.scalar("float", Number.NaN), best], {}, { output: "scores" });
  graph.output("items", "string", ["k"]);
  graph.output("scores", "float", ["k"]);
}
