/**
 * Grows one tree from packed gradients. Histograms are exact integers, so a child's is its parent's minus its sibling's, and
 * only the lighter child is ever counted. Leaf-wise: the leaf with the largest gain is split next, ties to the older leaf.
 * Depth-wise: the oldest leaf of the shallowest level.
 */
import { takeTurn } from "../turn.ts";
import type { BinnedColumn } from "./binning.ts";
import { MISSING_BIN } from "./category.ts";
import type { Crew } from "./crew.ts";
import { weightedQuantile } from "./loss.ts";
import { maxLeavesOf } from "./memory.ts";
import type { Memory } from "./memory.ts";
import type { GbdtParams } from "./params.ts";
import { canGrowAtOnce, growAtOnce } from "./plain.ts";
import type { GrownLeaf } from "./plain.ts";
import { COMMANDS, rangePlace, rowsOf } from "./share.ts";
import { createSplitFinder, leastGainOf } from "./split.ts";
import type { Split, SplitFinder } from "./split.ts";
import { growingNode } from "./tree.ts";
import type { GrowingNode } from "./tree.ts";

export interface TreeRequest {
  readonly crew: Crew;
  readonly columns: readonly BinnedColumn[];
  readonly directions: Int8Array;
  readonly allowed: Uint8Array;
  readonly params: GbdtParams;
  readonly scaleG: number;
  readonly scaleH: number;
  /** Rows the tree looks at, in order; undefined: all. */
  readonly sample: Int32Array | undefined;
  /** Offset of the gradients among those of all outputs; the scores have the same. */
  readonly offset: number;
  readonly leafQuantile: number | undefined;
  readonly signal: AbortSignal;
}

interface Leaf extends GrownLeaf {
  histogram: number;
  readonly depth: number;
  split: Split | undefined;
}

/** Values of histograms between two turns of the event loop: 20 to 60 ms, so that a cancel is seen within 200 ms. */
const WORK_PER_TURN = 30_000_000;

/** The tree, its answers already added to the scores of the rows it looked at. */
export async function growTree(request: TreeRequest): Promise<GrowingNode[]> {
  const { crew, params, signal } = request;
  const { layout } = crew.memory;
  const finder = createSplitFinder(request);
  const root = plantRoot(request);
  if (canGrowAtOnce(request)) {
    const grown = growAtOnce(request, leastGainOf(params), root);
    finishLeaves(request, finder, grown.nodes, grown.leaves);
    return grown.nodes;
  }
  [root.split] = finder.find({ counted: root.histogram, parent: 0, leaves: [root, undefined] });
  const nodes: GrowingNode[] = [growingNode(root.count)];
  const leaves: Leaf[] = [root];
  const freeHistograms = Array.from(
    { length: layout.histogramCount - 1 },
    (_, i) => layout.histograms + (i + 1) * layout.histogramBytes,
  );
  const limit = maxLeavesOf(params);
  let work = 0;
  while (leaves.length < limit) {
    const at = pickLeaf(leaves, params.grow);
    if (at < 0) break;
    const leaf = leaves[at] as Leaf;
    const isLast = leaves.length + 1 === limit;
    const mayGrow = !isLast && (params.maxDepth === 0 || leaf.depth + 1 < params.maxDepth);
    const plan = planCount(request, leaf, mayGrow, freeHistograms);
    // The left child takes its parent's place and the right one comes last: "older" then means what was there first.
    const [left, right] = splitLeaf(request, finder, nodes, leaf, leaves.length, plan);
    leaves[at] = left;
    leaves.push(right);
    if (plan !== undefined) findChildSplits(request, finder, [left, right], plan);
    work += leaf.count * layout.stride;
    if (work < WORK_PER_TURN) continue;
    work = 0;
    await takeTurn(signal);
  }
  finishLeaves(request, finder, nodes, leaves);
  return nodes;
}

function plantRoot(request: TreeRequest): Leaf {
  const { crew, sample, offset, scaleG, scaleH } = request;
  const { memory } = crew;
  const { layout, ints } = memory;
  const { histograms } = layout;
  if (sample !== undefined) placeSample(crew, sample);
  crew.prepare([offset, sample === undefined ? 0 : 1], "scaleG", [scaleG, scaleH]);
  crew.run(COMMANDS.plant);
  let g = 0;
  let h = 0;
  // Every row is in one bin of every column, so any column adds up to all: the first one, over all threads.
  for (let thread = 0; thread < crew.threads; thread++) {
    const at = (thread === 0 ? histograms : layout.partials + (thread - 1) * layout.histogramBytes) >>> 2;
    for (let bin = 0; bin < 256; bin++) {
      h += ints[at + bin * 2] as number;
      g += ints[at + bin * 2 + 1] as number;
    }
  }
  const count = sample === undefined ? layout.rows : sample.length;
  const [lower, upper] = [-Infinity, Infinity];
  return { node: 0, slot: 0, count, depth: 0, histogram: histograms, g, h, lower, upper, split: undefined };
}

/** Writes the drawn rows into the index, each thread's from where its own rows begin. */
function placeSample(crew: Crew, sample: Int32Array): void {
  const { memory } = crew;
  const { layout, ints } = memory;
  let at = 0;
  for (let thread = 0; thread < crew.threads; thread++) {
    const { from, to } = rowsOf({ memory, thread });
    const first = at;
    while (at < sample.length && (sample[at] as number) < to) at++;
    ints.set(sample.subarray(first, at), (layout.index >>> 2) + from);
    const range = rangePlace(memory, 0, thread);
    ints[range] = from;
    ints[range + 1] = from + at - first;
  }
}

function pickLeaf(leaves: readonly Leaf[], grow: GbdtParams["grow"]): number {
  let best = -1;
  for (let i = 0; i < leaves.length; i++) {
    const leaf = leaves[i] as Leaf;
    if (leaf.split === undefined) continue;
    const other = leaves[best];
    if (other?.split === undefined) best = i;
    else if (grow === "depth" ? leaf.depth < other.depth : leaf.split.gain > other.split.gain) best = i;
  }
  return best;
}

/** Where the lighter child of a split will be counted, and which one that is. */
interface CountPlan {
  readonly histogram: number;
  readonly isRight: boolean;
}

/** Undefined where neither child can be split again: a leaf lighter than two of the least children needs no histogram. */
function planCount(
  { params, scaleH }: TreeRequest,
  leaf: Leaf,
  mayGrow: boolean,
  freeHistograms: number[],
): CountPlan | undefined {
  const { leftH } = leaf.split as Split;
  const rightH = leaf.h - leftH;
  const least = 2 * params.minChildWeight * scaleH;
  if (!mayGrow || (leftH < least && rightH < least)) return undefined;
  return { histogram: freeHistograms.pop() as number, isRight: rightH < leftH };
}

function splitLeaf(
  request: TreeRequest,
  finder: SplitFinder,
  nodes: GrowingNode[],
  leaf: Leaf,
  slot: number,
  plan: CountPlan | undefined,
): [Leaf, Leaf] {
  const { crew, columns } = request;
  const { memory } = crew;
  const split = leaf.split as Split;
  const { column, bin, missingLeft, set, leftG, leftH } = split;
  writeDirections(memory, split);
  crew.prepare([leaf.slot, slot, column, plan?.histogram ?? 0, plan?.isRight === true ? 1 : 0]);
  crew.run(COMMANDS.split);
  const leftCount = countRows(crew, leaf.slot);
  const node = nodes[leaf.node] as GrowingNode;
  node.column = (columns[column] as BinnedColumn).source;
  node.place = column;
  node.bin = bin;
  node.threshold = (columns[column] as BinnedColumn).edges[bin] ?? Infinity;
  node.missingLeft = missingLeft;
  node.set = set;
  node.gain = split.gain;
  node.left = nodes.push(growingNode(leftCount)) - 1;
  node.right = nodes.push(growingNode(leaf.count - leftCount)) - 1;
  const left = childOf(leaf, { node: node.left, slot: leaf.slot, count: leftCount, g: leftG, h: leftH });
  const right = childOf(leaf, {
    node: node.right,
    slot,
    count: leaf.count - leftCount,
    g: leaf.g - leftG,
    h: leaf.h - leftH,
  });
  const direction = request.directions[column] as number;
  if (direction === 0) return [left, right];
  const between = (finder.leafValue(left) + finder.leafValue(right)) / 2;
  return direction > 0
    ? [
        { ...left, upper: between },
        { ...right, lower: between },
      ]
    : [
        { ...left, lower: between },
        { ...right, upper: between },
      ];
}

function countRows({ memory, threads }: Crew, slot: number): number {
  let count = 0;
  for (let thread = 0; thread < threads; thread++) {
    const range = rangePlace(memory, slot, thread);
    count += (memory.ints[range + 1] as number) - (memory.ints[range] as number);
  }
  return count;
}

/** Written out: spreading an object thirty times a tree costs more than all the rest of a small one. */
function childOf(
  { histogram, lower, upper, depth }: Leaf,
  { node, slot, count, g, h }: Pick<Leaf, "node" | "slot" | "count" | "g" | "h">,
): Leaf {
  return { node, slot, count, depth: depth + 1, histogram, g, h, lower, upper, split: undefined };
}

/** The way of every bin at a split: one table for numbers, categories and missing values. */
function writeDirections({ layout, bytes, ints }: Memory, { bin, missingLeft, set }: Split): void {
  const { goesLeft } = layout;
  if (set === undefined) {
    // A loop over words of four: on a view of this size `fill` costs microseconds a call.
    const [first, whole] = [goesLeft >>> 2, (bin + 1) >>> 2];
    for (let word = 0; word < 64; word++) ints[first + word] = word < whole ? 0x01010101 : 0;
    for (let b = whole * 4; b <= bin; b++) bytes[goesLeft + b] = 1;
  } else bytes.set(set, goesLeft);
  bytes[goesLeft + MISSING_BIN] = missingLeft ? 1 : 0;
}

function findChildSplits(request: TreeRequest, finder: SplitFinder, pair: [Leaf, Leaf], plan: CountPlan): void {
  const { params, scaleH } = request;
  const least = 2 * params.minChildWeight * scaleH;
  const canSplit = (leaf: Leaf) => leaf.h >= least && leaf.count > 1;
  const [small, large] = plan.isRight ? [pair[1], pair[0]] : pair;
  const parent = large.histogram;
  small.histogram = plan.histogram;
  const [splitOfSmall, splitOfLarge] = finder.find({
    counted: plan.histogram,
    parent: canSplit(large) ? parent : 0,
    leaves: [canSplit(small) ? small : undefined, canSplit(large) ? large : undefined],
  });
  small.split = splitOfSmall;
  large.split = splitOfLarge;
}

function finishLeaves(
  request: TreeRequest,
  finder: SplitFinder,
  nodes: GrowingNode[],
  leaves: readonly GrownLeaf[],
): void {
  const { crew, params, offset, leafQuantile } = request;
  const { layout, floats } = crew.memory;
  for (const leaf of leaves) {
    const value = leafQuantile === undefined ? finder.leafValue(leaf) : residualQuantile(request, leaf, leafQuantile);
    const node = nodes[leaf.node] as GrowingNode;
    node.value = Math.fround(value * params.learningRate);
    floats[(layout.values >>> 2) + leaf.slot] = node.value;
  }
  crew.prepare([leaves.length, layout.scores + offset]);
  crew.run(COMMANDS.finish);
}

/** The answer of a leaf under absolute and quantile loss: that quantile of label − score, within the leaf's range. */
function residualQuantile({ crew, offset }: TreeRequest, leaf: GrownLeaf, share: number): number {
  const { memory } = crew;
  const { layout, ints, floats } = memory;
  const residuals = new Float64Array(leaf.count);
  const weights = layout.weights === 0 ? undefined : new Float64Array(residuals.length);
  let at = 0;
  for (let thread = 0; thread < crew.threads; thread++) {
    const range = rangePlace(memory, leaf.slot, thread);
    for (let i = ints[range] as number; i < (ints[range + 1] as number); i++) {
      const row = ints[(layout.index >>> 2) + i] as number;
      const score = floats[((layout.scores + offset) >>> 2) + row] as number;
      residuals[at] = (floats[(layout.labels >>> 2) + row] as number) - score;
      if (weights !== undefined) weights[at] = floats[(layout.weights >>> 2) + row] as number;
      at++;
    }
  }
  const value = residuals.length === 0 ? 0 : weightedQuantile(residuals, weights, share);
  return Math.min(leaf.upper, Math.max(leaf.lower, value));
}

/** Adds a tree to the rows its sample left out, found by their bins. */
export function addToOthers(memory: Memory, tree: readonly GrowingNode[], inSample: Uint8Array, scores: number): void {
  const { layout, bytes, floats } = memory;
  for (let row = 0; row < layout.rows; row++) {
    if (inSample[row] === 1) continue;
    let node = tree[0] as GrowingNode;
    while (node.left >= 0) {
      const bin = bytes[layout.byRow + row * layout.stride + node.place] as number;
      const isLeft =
        bin === MISSING_BIN ? node.missingLeft : node.set === undefined ? bin <= node.bin : node.set[bin] === 1;
      node = tree[isLeft ? node.left : node.right] as GrowingNode;
    }
    const at = (scores >>> 2) + row;
    floats[at] = (floats[at] as number) + node.value;
  }
}
