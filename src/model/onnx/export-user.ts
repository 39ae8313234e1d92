/**
 * The vector of a user from what it took, inside a graph: the arithmetic of `learn/recommend/recommender.ts`, in float64 where
 * that one rounds to float32 between steps.
 */
import type { TrainedWeights } from "../../learn/index.ts";
import { FOLD_STEPS, itemGram, type RecommenderShape } from "../../learn/recommend/recommender.ts";
import type { Operators } from "./operators.ts";

/** A user's history in the graph. All are rows × taken, or rows × 1. */
export interface History {
  /** Index of each item; the number of items where it is unknown or a filler. */
  readonly items: string;
  readonly strengths: string;
  /** Whether it is an observation: known, liked, and among the newest. */
  readonly isUsed: string;
  /** 1 for the newest liked item, and so on. */
  readonly age: string;
  /** How many are used. */
  readonly count: string;
}

export interface UserParts {
  readonly weights: TrainedWeights;
  readonly shape: RecommenderShape;
  readonly history: History;
  /** items × width, float32. */
  readonly factors: string;
}

/** A residual whose square is below this is solved. */
const NO_RESIDUAL = 1e-20;

/** Least squares by conjugate gradients from zero, all steps written out. @returns rows × width, float64; zeros without an item */
export function addSolvedUser(o: Operators, { weights, shape, history, factors }: UserParts): string {
  const { graph } = o;
  const width = shape.width as number;
  const gram = o.doubles(itemGram(weights), [width, width]);
  // rows × taken × width; what is no observation weighs nothing.
  const taken = o.cast(
    o.gather(factors, graph.node("Min", [history.items, o.int(shape.items.length - 1)]), 0),
    "double",
  );
  const turned = graph.node("Transpose", [taken], { perm: { ints: [0, 2, 1] } });
  const scaled = o.div(o.mul(o.cast(history.strengths, "double"), shape.confidence as number), shape.unit as number);
  const confidence = o.cast(o.cast(scaled, "float"), "double");
  const column = (value: string) => graph.node("Unsqueeze", [value, o.ints([2])]);
  const row = (value: string) => graph.node("Squeeze", [value, o.ints([2])]);
  const masked = (value: string) => column(o.where(history.isUsed, value, 0));
  const extra = masked(confidence);
  const dot = (left: string, right: string) => o.reduce("ReduceSum", o.mul(left, right));
  let residual = row(o.product(turned, masked(o.add(confidence, 1))));
  let direction = residual;
  let vector = "";
  let size = dot(residual, residual);
  for (let step = 0; step < FOLD_STEPS; step++) {
    const isOpen = o.less(NO_RESIDUAL, size);
    const pulled = row(o.product(turned, o.mul(extra, o.product(taken, column(direction)))));
    const applied = o.add(o.product(direction, gram), pulled);
    const alpha = o.where(isOpen, o.div(size, dot(direction, applied)), 0);
    const moved = o.mul(alpha, direction);
    vector = vector === "" ? moved : o.add(vector, moved);
    residual = o.sub(residual, o.mul(alpha, applied));
    const fresh = dot(residual, residual);
    const beta = o.where(isOpen, o.div(fresh, size), 0);
    direction = o.add(residual, o.mul(beta, direction));
    size = o.where(isOpen, fresh, 0);
  }
  return vector;
}
