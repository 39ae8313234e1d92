/**
 * Grows one tree from packed gradients. Histograms are exact integers, so a child's is its parent's minus its sibling's, and
 * only the smaller child is ever counted. Leaf-wise: the leaf with the largest gain is split next, ties to the older leaf.
 * Depth-wise: the oldest leaf of the shallowest level.
 */
import { takeTurn } from "../turn.ts";
import { MISSING_BIN } from "./binning.ts";
import type { BinnedColumn } from "./binning.ts";
import { weightedQuantile } from "./loss.ts";
import { maxLeavesOf } from "./memory.ts";
import type { Memory } from "./memory.ts";
import type { GbdtParams } from "./params.ts";
import { createSplitFinder } from "./split.ts";
import type { LeafSums, Split, SplitFinder } from "./split.ts";
import { growingNode } from "./tree.ts";
import type { GrowingNode } from "./tree.ts";

export interface TreeRequest {
  readonly memory: Memory;
  readonly columns: readonly BinnedColumn[];
  readonly directions: Int8Array;
  readonly allowed: Uint8Array;
  readonly params: GbdtParams;
  readonly scaleG: number;
  readonly scaleH: number;
  /** Rows in the index; fewer than all when sampled. */
  readonly rowCount: number;
  /** Offset of the scores the tree is added to. */
  readonly scores: number;
  readonly leafQuantile: number | undefined;
  readonly signal: AbortSignal;
}

interface Leaf extends LeafSums {
  histogram: number;
  readonly node: number;
  readonly begin: number;
  readonly end: number;
  readonly depth: number;
  split: Split | undefined;
}

/** Values of histograms between two turns of the event loop: 20 to 60 ms, so that a cancel is seen within 200 ms. */
const WORK_PER_TURN = 30_000_000;

/** The tree, its answers already added to the scores of the rows in the index. */
export async function growTree(request: TreeRequest): Promise<GrowingNode[]> {
  const { memory, params, rowCount, signal } = request;
  const { layout } = memory;
  const finder = createSplitFinder(request);
  const nodes: GrowingNode[] = [growingNode(rowCount)];
  const leaves: Leaf[] = [plantRoot(request, finder)];
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
    const [left, right] = splitLeaf(request, finder, nodes, leaf);
    // The left child takes its parent's place and the right one comes last: "older" then means what was there first.
    leaves[at] = left;
    leaves.push(right);
    const mayGrow = !isLast && (params.maxDepth === 0 || left.depth < params.maxDepth);
    if (mayGrow) findChildSplits(request, finder, [left, right], freeHistograms);
    work += (leaf.end - leaf.begin) * layout.stride;
    if (work < WORK_PER_TURN) continue;
    work = 0;
    await takeTurn(signal);
  }
  for (const leaf of leaves) finishLeaf(request, finder, nodes[leaf.node] as GrowingNode, leaf);
  return nodes;
}

function plantRoot(request: TreeRequest, finder: SplitFinder): Leaf {
  const { memory, rowCount } = request;
  const { layout, kernels, ints } = memory;
  const { histograms, byRow, stride, packed, index, rows } = layout;
  if (rowCount === rows) kernels.histogramAll(histograms, byRow, stride, packed, rows);
  else kernels.histogramRows(histograms, byRow, stride, packed, index, 0, rowCount);
  let g = 0;
  let h = 0;
  // Every row is in one bin of every column, so any column adds up to all.
  for (let bin = 0; bin < 256; bin++) {
    h += ints[(histograms >>> 2) + bin * 2] as number;
    g += ints[(histograms >>> 2) + bin * 2 + 1] as number;
  }
  const range = { lower: -Infinity, upper: Infinity };
  const root: Leaf = {
    node: 0,
    begin: 0,
    end: rowCount,
    depth: 0,
    histogram: histograms,
    g,
    h,
    ...range,
    split: undefined,
  };
  root.split = finder.find(root);
  return root;
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

function splitLeaf(request: TreeRequest, finder: SplitFinder, nodes: GrowingNode[], leaf: Leaf): [Leaf, Leaf] {
  const { memory, columns } = request;
  const { layout, kernels } = memory;
  const split = leaf.split as Split;
  const { column, bin, missingLeft, set, leftG, leftH } = split;
  writeDirections(memory, split);
  const columnBins = layout.byColumn + column * layout.rows;
  const { index, goesLeft, scratch } = layout;
  const middle = leaf.begin + kernels.partition(index, leaf.begin, leaf.end, columnBins, goesLeft, scratch);
  const node = nodes[leaf.node] as GrowingNode;
  node.column = (columns[column] as BinnedColumn).source;
  node.place = column;
  node.bin = bin;
  node.threshold = (columns[column] as BinnedColumn).edges[bin] ?? Infinity;
  node.missingLeft = missingLeft;
  node.set = set;
  node.gain = split.gain;
  node.left = nodes.push(growingNode(middle - leaf.begin)) - 1;
  node.right = nodes.push(growingNode(leaf.end - middle)) - 1;
  const left = childOf(leaf, node.left, leaf.begin, middle, leftG, leftH);
  const right = childOf(leaf, node.right, middle, leaf.end, leaf.g - leftG, leaf.h - leftH);
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

function childOf(parent: Leaf, node: number, begin: number, end: number, g: number, h: number): Leaf {
  const { histogram, lower, upper, depth } = parent;
  return { node, begin, end, depth: depth + 1, histogram, g, h, lower, upper, split: undefined };
}

/** The way of every bin at a split: one table for numbers, categories and missing values. */
function writeDirections({ layout, bytes }: Memory, { bin, missingLeft, set }: Split): void {
  const { goesLeft } = layout;
  // A loop: on a view of this size `fill` costs microseconds a call.
  if (set === undefined) for (let b = 0; b < MISSING_BIN; b++) bytes[goesLeft + b] = b <= bin ? 1 : 0;
  else bytes.set(set, goesLeft);
  bytes[goesLeft + MISSING_BIN] = missingLeft ? 1 : 0;
}

function findChildSplits(request: TreeRequest, finder: SplitFinder, pair: [Leaf, Leaf], freeHistograms: number[]) {
  const { memory, params, scaleH } = request;
  const { layout, kernels } = memory;
  // A leaf lighter than two of the least children has no split, and needs no histogram.
  const least = 2 * params.minChildWeight * scaleH;
  const canSplit = (leaf: Leaf) => leaf.h >= least && leaf.end - leaf.begin > 1;
  const [small, large] = pair[0].end - pair[0].begin <= pair[1].end - pair[1].begin ? pair : [pair[1], pair[0]];
  if (!canSplit(small) && !canSplit(large)) return;
  const own = freeHistograms.pop() as number;
  const { byRow, stride, packed, index } = layout;
  kernels.histogramRows(own, byRow, stride, packed, index, small.begin, small.end);
  if (canSplit(large)) {
    kernels.subtractHistogram(large.histogram, own, stride);
    large.split = finder.find(large);
  }
  small.histogram = own;
  if (canSplit(small)) small.split = finder.find(small);
}

function finishLeaf(request: TreeRequest, finder: SplitFinder, node: GrowingNode, leaf: Leaf): void {
  const { memory, params, scores, leafQuantile } = request;
  const { layout, kernels } = memory;
  const value = leafQuantile === undefined ? finder.leafValue(leaf) : residualQuantile(request, leaf, leafQuantile);
  node.value = Math.fround(value * params.learningRate);
  kernels.addValue(scores, layout.index, leaf.begin, leaf.end, node.value);
}

/** The answer of a leaf under absolute and quantile loss: that quantile of label − score, within the leaf's range. */
function residualQuantile({ memory, scores }: TreeRequest, leaf: Leaf, share: number): number {
  const { layout, ints, floats } = memory;
  const residuals = new Float64Array(leaf.end - leaf.begin);
  const weights = layout.weights === 0 ? undefined : new Float64Array(residuals.length);
  for (let i = 0; i < residuals.length; i++) {
    const row = ints[(layout.index >>> 2) + leaf.begin + i] as number;
    residuals[i] = (floats[(layout.labels >>> 2) + row] as number) - (floats[(scores >>> 2) + row] as number);
    if (weights !== undefined) weights[i] = floats[(layout.weights >>> 2) + row] as number;
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
