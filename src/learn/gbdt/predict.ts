/**
 * Prediction over packed trees: single-precision sums in tree order, the very sums training kept, so a served score has the
 * bits of the score that was trained. Trees of up to 64 leaves are compared by a kernel instead of walked (tree-kernel.ts).
 *
 * Walking: four trees are walked side by side until none of the walks moves: leaves lead to themselves. A processor cannot guess which
 * way a row goes; with nothing to guess on the way and four walks to overlap, a row costs a third of the time.
 */
import type { JsonObject, Task } from "../../core/index.ts";
import { expDeterministic, sigmoid } from "../../stats/index.ts";
import { softmaxInPlace } from "../softmax.ts";
import type { ScoreRow, ScoreRows, TrainedWeights } from "../trainer.ts";
import { categoryBin } from "./category.ts";
import { openBlocks, openRow } from "./tree-kernel.ts";
import type { AddToRow, AddToRows } from "./tree-kernel.ts";
import { compareTrees } from "./tree-tables.ts";
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

/** How the trees are added up: by comparisons in WebAssembly where that can be had, else by walking. The same bits. */
export type TreePath = "auto" | "walk";

/** Adds all trees to the scores of one row, one per output. */
function openRowPath(trees: PackedTrees, outputs: number, columns: number, path: TreePath): AddToRow {
  const compared = path === "walk" ? undefined : compareTrees(trees);
  const kernel = compared === undefined ? undefined : openRow(compared, outputs, columns);
  if (kernel !== undefined) return kernel;
  const reader = readTrees(trees);
  const each = Array.from({ length: outputs }, (_, output) => ({ output, outputs }));
  return (x, offset, scores) => {
    for (const one of each) scores[one.output] = addTrees(reader, one, x, offset, scores[one.output] as number);
  };
}

/** Adds all trees to the scores of rows, `scores[output × stride + row]`. */
export function openRowsPath(trees: PackedTrees, outputs: number, columns: number, path: TreePath = "auto"): AddToRows {
  const compared = path === "walk" ? undefined : compareTrees(trees);
  const kernel = compared === undefined ? undefined : openBlocks(compared, outputs, columns);
  if (kernel !== undefined) return kernel;
  const reader = readTrees(trees);
  return (x, rows, scores, stride) => {
    for (let output = 0; output < outputs; output++) {
      for (let row = 0; row < rows.rows; row++) {
        const at = output * stride + row;
        scores[at] = addTrees(reader, { output, outputs }, x, row * rows.columns, scores[at] as number);
      }
    }
  };
}

/** What scores mean: they become the row's answer, in place. */
function answerInPlace(task: Task, shape: JsonObject): (out: Float64Array) => void {
  if (task === "multiclass") return softmaxInPlace;
  if (task === "regression") {
    const answer = regressionAnswer(shape);
    return (out) => {
      out[0] = answer(out[0] as number);
    };
  }
  return (out) => {
    const p = sigmoid(out[0] as number);
    out[0] = 1 - p;
    out[1] = p;
  };
}

export function gbdtScorer(trained: TrainedWeights, task: Task, path: TreePath = "auto"): ScoreRow {
  const start = trained.arrays["start"] as Float32Array;
  const outputs = start.length;
  const answer = answerInPlace(task, trained.shape);
  const scores = new Float32Array(outputs);
  let add: AddToRow | undefined;
  return (x, offset, out) => {
    add ??= openRowPath(packedTreesOf(trained), outputs, Number(trained.shape["columns"]), path);
    for (let output = 0; output < outputs; output++) scores[output] = start[output] as number;
    add(x, offset, scores);
    for (let output = 0; output < outputs; output++) out[output] = scores[output] as number;
    answer(out);
  };
}

/** Rows whose scores are kept at a time. */
const ROWS_AT_ONCE = 1024;

export function gbdtRowsScorer(trained: TrainedWeights, task: Task, path: TreePath = "auto"): ScoreRows {
  const start = trained.arrays["start"] as Float32Array;
  const outputs = start.length;
  const width = task === "binary" ? 2 : outputs;
  const columns = Number(trained.shape["columns"]);
  const answer = answerInPlace(task, trained.shape);
  const scores = new Float32Array(outputs * ROWS_AT_ONCE);
  const row = new Float64Array(width);
  let add: AddToRows | undefined;
  return (x, rows, out) => {
    add ??= openRowsPath(packedTreesOf(trained), outputs, columns, path);
    for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
      const count = Math.min(ROWS_AT_ONCE, rows - from);
      for (let output = 0; output < outputs; output++) {
        scores.fill(start[output] as number, output * ROWS_AT_ONCE, (output + 1) * ROWS_AT_ONCE);
      }
      add(x.subarray(from * columns), { rows: count, columns }, scores, ROWS_AT_ONCE);
      for (let i = 0; i < count; i++) {
        for (let output = 0; output < outputs; output++) row[output] = scores[output * ROWS_AT_ONCE + i] as number;
        answer(row);
        for (let k = 0; k < width; k++) out[(from + i) * width + k] = row[k] as number;
      }
    }
  };
}
