/**
 * What each column adds to a score: exact Shapley values of the trees, with the training rows of each branch as its weight, and
 * what a model's splits were worth. Source: S. Lundberg et al., "From local explanations to global understanding with
 * explainable AI for trees", Nature Machine Intelligence 2 (2020), algorithm 2. Cost: O(trees × leaves × depth²), about 20 µs a
 * tree of 31 leaves; for a trace of one prediction, not for serving.
 */
import type { JsonObject } from "../../core/index.ts";
import type { TrainedWeights } from "../trainer.ts";
import { findBranch, packedTreesOf, readTrees } from "./predict.ts";
import type { TreeReader } from "./predict.ts";
import { COLUMN_MASK, NODE_INTS } from "./tree.ts";

/** One column on the way to a leaf, with the shares of subsets that lead there. */
interface Step {
  readonly column: number;
  /** Share of training rows that go on where the column is unknown. */
  readonly zero: number;
  /** 1 where the row itself goes on here, else 0. */
  readonly one: number;
  weight: number;
}

export interface GbdtContributions {
  /** Per column, in the unit of the raw score (log-odds, log of the rate, or the target's unit). */
  readonly contributions: Float64Array;
  /** The mean score of the training rows, by the counts of their branches. */
  readonly intercept: number;
  /** Their sum, equal to the raw score up to rounding. */
  readonly score: number;
}

/** @param x a prepared row of codes. @param output the class, for several */
export function gbdtContributions(trained: TrainedWeights, x: Float32Array, output = 0): GbdtContributions {
  const trees = readTrees(packedTreesOf(trained));
  const start = trained.arrays["start"] as Float32Array;
  const values = new Float64Array(x.length);
  let mean = start[output] as number;
  for (let t = output; t < trees.roots.length; t += start.length) {
    const root = trees.roots[t] as number;
    mean += expectedValue(trees, root);
    const walk: Walk = { trees, x, values };
    visit(walk, root, [], { column: -1, zero: 1, one: 1 });
  }
  const { scale, offset } = unitOf(trained.shape);
  const contributions = values.map((value) => value * scale);
  const intercept = offset + mean * scale;
  return { contributions, intercept, score: contributions.reduce((sum, value) => sum + value, intercept) };
}

/** Regression scores are standardized, except those of the Poisson loss. */
function unitOf(shape: JsonObject): { readonly scale: number; readonly offset: number } {
  if (shape["task"] !== "regression" || shape["loss"] === "poisson") return { scale: 1, offset: 0 };
  return { scale: Number(shape["targetDeviation"]), offset: Number(shape["targetMean"]) };
}

function countAt(trees: TreeReader, at: number): number {
  return trees.counts[at / NODE_INTS] as number;
}

/** Share of a node's rows that went to a child; an even one where no row came at all. */
function shareOf(trees: TreeReader, child: number, parent: number): number {
  const rows = countAt(trees, parent);
  return rows === 0 ? 0.5 : countAt(trees, child) / rows;
}

function expectedValue(trees: TreeReader, at: number): number {
  const { nodes, floats } = trees;
  if ((nodes[at + 1] as number) < 0) return floats[at] as number;
  const [left, right] = [nodes[at + 2] as number, nodes[at + 3] as number];
  return (
    shareOf(trees, left, at) * expectedValue(trees, left) + shareOf(trees, right, at) * expectedValue(trees, right)
  );
}

interface Walk {
  readonly trees: TreeReader;
  readonly x: Float32Array;
  readonly values: Float64Array;
}

type Arrival = Omit<Step, "weight">;

function visit(walk: Walk, at: number, before: readonly Step[], arrival: Arrival): void {
  const { trees, x, values } = walk;
  const { nodes, floats } = trees;
  let path = extend(before, arrival);
  const meta = nodes[at + 1] as number;
  if (meta < 0) {
    for (let i = 1; i < path.length; i++) {
      const step = path[i] as Step;
      const weight = unwind(path, i).reduce((sum, one) => sum + one.weight, 0);
      values[step.column] = (values[step.column] as number) + weight * (step.one - step.zero) * (floats[at] as number);
    }
    return;
  }
  const column = meta & COLUMN_MASK;
  const hot = findBranch(trees, at, x, 0);
  let [zero, one] = [1, 1];
  // A column seen before on this way counts once: its earlier step is taken back.
  const earlier = path.findIndex((step, i) => i > 0 && step.column === column);
  if (earlier > 0) {
    ({ zero, one } = path[earlier] as Step);
    path = unwind(path, earlier);
  }
  for (const child of [nodes[at + 2] as number, nodes[at + 3] as number]) {
    const next = { column, zero: zero * shareOf(trees, child, at), one: child === hot ? one : 0 };
    if (next.zero !== 0 || next.one !== 0) visit(walk, child, path, next);
  }
}

/** The path with one column more: weights of its subsets by size. */
function extend(path: readonly Step[], { column, zero, one }: Arrival): Step[] {
  const length = path.length;
  const next = path.map((step) => ({ ...step }));
  next.push({ column, zero, one, weight: length === 0 ? 1 : 0 });
  for (let i = length - 1; i >= 0; i--) {
    const here = next[i] as Step;
    const after = next[i + 1] as Step;
    after.weight += (one * here.weight * (i + 1)) / (length + 1);
    here.weight = (zero * here.weight * (length - i)) / (length + 1);
  }
  return next;
}

/** The path without its column `at`: undoes `extend`. */
function unwind(path: readonly Step[], at: number): Step[] {
  const last = path.length - 1;
  const { zero, one } = path[at] as Step;
  const weights = path.map((step) => step.weight);
  let next = weights[last] as number;
  for (let i = last - 1; i >= 0; i--) {
    if (one !== 0) {
      const before = weights[i] as number;
      weights[i] = (next * (last + 1)) / ((i + 1) * one);
      next = before - ((weights[i] as number) * zero * (last - i)) / (last + 1);
    } else {
      weights[i] = ((weights[i] as number) * (last + 1)) / (zero * (last - i));
    }
  }
  const rest = path.filter((_, i) => i !== at);
  return rest.map((step, i) => ({ ...step, weight: weights[i] as number }));
}

export interface ColumnImportance {
  /** Sum of the gains of the column's splits. */
  readonly gain: number;
  readonly splits: number;
}

/** What each column was worth in training. Gains favor columns of many values; compare with a permutation before dropping one. */
export function gbdtImportance(trained: TrainedWeights): ColumnImportance[] {
  const { nodes, gains } = packedTreesOf(trained);
  const columns = Number(trained.shape["columns"]);
  const found = Array.from({ length: columns }, () => ({ gain: 0, splits: 0 }));
  for (let n = 0; n < gains.length; n++) {
    const meta = nodes[n * NODE_INTS + 1] as number;
    if (meta < 0) continue;
    const one = found[meta & COLUMN_MASK] as { gain: number; splits: number };
    one.gain += gains[n] as number;
    one.splits++;
  }
  return found;
}
