/**
 * Prediction over packed trees: single-precision sums in tree order, the very sums training kept, so a served score has the
 * bits of the score that was trained.
 *
 * Four trees are walked side by side until none of the walks moves: leaves lead to themselves. A processor cannot guess which
 * way a row goes; with nothing to guess on the way and four walks to overlap, a row costs a third of the time.
 */
import type { JsonObject, Task } from "../../core/index.ts";
import { expDeterministic, sigmoid } from "../../stats/index.ts";
import { softmaxInPlace } from "../softmax.ts";
import type { ScoreRow, TrainedWeights } from "../trainer.ts";
import { categoryBin } from "./binning.ts";
import { COLUMN_MASK, FLAG_CATEGORY, FLAG_MISSING_LEFT, NODE_INTS } from "./tree.ts";
import type { PackedTrees } from "./tree.ts";

/** The trees ready for walking. */
export interface TreeReader extends PackedTrees {
  readonly floats: Float32Array;
  /** The nodes again, with leaves that lead to themselves. */
  readonly steps: Int32Array;
}

export function readTrees(trees: PackedTrees): TreeReader {
  const { nodes } = trees;
  const floats = new Float32Array(nodes.buffer, nodes.byteOffset, nodes.length);
  const steps = Int32Array.from(nodes);
  for (let at = 0; at < steps.length; at += NODE_INTS) {
    if ((steps[at + 1] as number) >= 0) continue;
    steps[at + 1] = 0;
    steps[at + 2] = at;
    steps[at + 3] = at;
  }
  return { ...trees, floats, steps };
}

/** The child of a node that is no plain comparison. */
function specialBranch({ steps, sets }: TreeReader, at: number, meta: number, value: number): number {
  const isLeft = value !== value ? (meta & FLAG_MISSING_LEFT) !== 0 : isInSet(sets, steps[at] as number, value);
  return steps[at + (isLeft ? 2 : 3)] as number;
}

/** Offset of the child a row of raw values goes to; a leaf leads to itself. */
export function findBranch(trees: TreeReader, at: number, x: Float32Array, offset: number): number {
  return step(trees, trees.steps, trees.floats, at, x, offset);
}

/** `findBranch` with the arrays at hand, small enough to be copied into the loop that walks. */
function step(
  trees: TreeReader,
  steps: Int32Array,
  floats: Float32Array,
  at: number,
  x: Float32Array,
  offset: number,
): number {
  const meta = steps[at + 1] as number;
  const value = x[offset + (meta & COLUMN_MASK)] as number;
  if (value !== value || meta >= FLAG_CATEGORY) return specialBranch(trees, at, meta, value);
  // Arithmetic instead of a condition: the compiler then compares without a jump.
  return steps[at + 3 - Number(value <= (floats[at] as number))] as number;
}

function isInSet(sets: Int32Array, offset: number, value: number): boolean {
  const code = categoryBin(value) + 1;
  return (((sets[offset + (code >> 5)] as number) >> (code & 31)) & 1) === 1;
}

/** Adds the trees of one output to its score, in order: trees of several outputs take turns. */
export function addTrees(
  trees: TreeReader,
  { output, outputs }: { readonly output: number; readonly outputs: number },
  x: Float32Array,
  offset: number,
  start: number,
): number {
  const { roots, steps, floats } = trees;
  const count = roots.length;
  let score = start;
  let t = output;
  for (; t + 3 * outputs < count; t += 4 * outputs) {
    let a = roots[t] as number;
    let b = roots[t + outputs] as number;
    let c = roots[t + 2 * outputs] as number;
    let d = roots[t + 3 * outputs] as number;
    let moved = 1;
    while (moved !== 0) {
      const nextA = step(trees, steps, floats, a, x, offset);
      const nextB = step(trees, steps, floats, b, x, offset);
      const nextC = step(trees, steps, floats, c, x, offset);
      const nextD = step(trees, steps, floats, d, x, offset);
      moved = (nextA ^ a) | (nextB ^ b) | (nextC ^ c) | (nextD ^ d);
      a = nextA;
      b = nextB;
      c = nextC;
      d = nextD;
    }
    score = Math.fround(score + (floats[a] as number));
    score = Math.fround(score + (floats[b] as number));
    score = Math.fround(score + (floats[c] as number));
    score = Math.fround(score + (floats[d] as number));
  }
  for (; t < count; t += outputs) {
    let at = -1;
    let next = roots[t] as number;
    while (next !== at) {
      at = next;
      next = step(trees, steps, floats, at, x, offset);
    }
    score = Math.fround(score + (floats[at] as number));
  }
  return score;
}

/** The arrays of a trained model. */
export function packedTreesOf({ arrays }: TrainedWeights): PackedTrees {
  return {
    roots: arrays["roots"] as Int32Array,
    nodes: arrays["nodes"] as Int32Array,
    sets: arrays["sets"] as Int32Array,
    gains: arrays["gains"] as Float32Array,
    counts: arrays["counts"] as Int32Array,
  };
}

/** A regression's score in the target's unit: the exponential of a Poisson score, else the standardization undone. */
export function regressionAnswer(shape: JsonObject): (score: number) => number {
  if (shape["loss"] === "poisson") return expDeterministic;
  const mean = Number(shape["targetMean"]);
  const deviation = Number(shape["targetDeviation"]);
  return (score) => mean + deviation * score;
}

export function gbdtScorer(trained: TrainedWeights, task: Task): ScoreRow {
  const trees = readTrees(packedTreesOf(trained));
  const start = trained.arrays["start"] as Float32Array;
  const outputs = start.length;
  const first = start[0] as number;
  const one = { output: 0, outputs: 1 };
  if (task === "binary") {
    return (x, offset, out) => {
      const p = sigmoid(addTrees(trees, one, x, offset, first));
      out[0] = 1 - p;
      out[1] = p;
    };
  }
  if (task === "regression") {
    const answer = regressionAnswer(trained.shape);
    return (x, offset, out) => {
      out[0] = answer(addTrees(trees, one, x, offset, first));
    };
  }
  const each = Array.from({ length: outputs }, (_, output) => ({ output, outputs }));
  return (x, offset, out) => {
    for (let c = 0; c < outputs; c++) {
      out[c] = addTrees(trees, each[c] as (typeof each)[number], x, offset, start[c] as number);
    }
    softmaxInPlace(out);
  };
}
