/**
 * A whole tree in one call, for tables so small that the calls of a split cost more than its work: what src/learn/gbdt/grow.ts does
 * step by step, for one thread and columns that `scanColumns` can read. The two give the same bits.
 */
import { BINS, COLUMN_BYTES, histogramRows, MISSING_BIN, subtractHistogram } from "./histogram";
import { partition } from "./rows";
import { scanColumns } from "./scan";

/** The plan of a tree, as src/learn/gbdt/plain.ts writes it: numbers first, for their alignment. */
@unmanaged
class Plan {
  inverseG: f64;
  inverseH: f64;
  l2: f64;
  minChild: f64;
  leastGain: f64;
  byRow: usize;
  byColumn: usize;
  rows: i32;
  stride: i32;
  columns: i32;
  packed: usize;
  index: usize;
  /** Begin and end of each leaf's rows; the root's are there. */
  ranges: usize;
  scratch: usize;
  goesLeft: usize;
  /** The root's histogram is the first. */
  histograms: usize;
  binCounts: usize;
  scan: usize;
  out: usize;
  leaves: usize;
  nodes: usize;
  maxLeaves: i32;
  maxDepth: i32;
  byDepth: i32;
  sumG: i32;
  sumH: i32;
}

/** A leaf while the tree grows. */
@unmanaged
class Leaf {
  gain: f64;
  histogram: usize;
  node: i32;
  depth: i32;
  sumG: i32;
  sumH: i32;
  /** −1: cannot be split. */
  column: i32;
  bin: i32;
  missingLeft: i32;
  leftG: i32;
  leftH: i32;
}

/** A node of the tree. */
@unmanaged
class Node {
  gain: f64;
  /** The right child is the next one; −1: a leaf. */
  left: i32;
  column: i32;
  bin: i32;
  missingLeft: i32;
  count: i32;
  sumG: i32;
  sumH: i32;
  /** To a multiple of 8 bytes. */
  rest: i32;
}

/** What `scanColumns` writes. */
@unmanaged
class Found {
  score: f64;
  column: i32;
  bin: i32;
  missingLeft: i32;
  leftG: i32;
  leftH: i32;
}

function leafAt(plan: Plan, at: i32): Leaf {
  return changetype<Leaf>(plan.leaves + <usize>at * offsetof<Leaf>());
}

function nodeAt(plan: Plan, at: i32): Node {
  return changetype<Node>(plan.nodes + <usize>at * offsetof<Node>());
}

/** Grows from the root's rows and histogram; writes the nodes, and the leaves in the order of their ranges. Returns the leaves. */
export function growTree(place: usize): i32 {
  const plan = changetype<Plan>(place);
  const leastH = (2 * plan.minChild) / plan.inverseH;
  plantLeaf(plan, 0, 0, 0, plan.sumG, plan.sumH);
  plantNode(plan, 0, load<i32>(plan.ranges, 4) - load<i32>(plan.ranges), plan.sumG, plan.sumH);
  const root = leafAt(plan, 0);
  root.histogram = plan.histograms;
  findSplit(plan, root);
  let leaves = 1;
  let histograms = 1;
  while (leaves < plan.maxLeaves) {
    const at = pickLeaf(plan, leaves);
    if (at < 0) break;
    const left = leafAt(plan, at);
    const isLast = leaves + 1 == plan.maxLeaves;
    const mayGrow = !isLast && (plan.maxDepth == 0 || left.depth + 1 < plan.maxDepth);
    const right = splitLeaf(plan, at, leaves);
    leaves++;
    if (!mayGrow || (<f64>left.sumH < leastH && <f64>right.sumH < leastH)) continue;
    // The lighter child is counted, the other one is what it leaves of their parent's histogram.
    const isRight = right.sumH < left.sumH;
    const small = isRight ? right : left;
    const large = isRight ? left : right;
    const range = plan.ranges + (<usize>(isRight ? leaves - 1 : at) << 3);
    const counted = plan.histograms + <usize>histograms * (<usize>plan.stride * COLUMN_BYTES);
    histograms++;
    histogramRows(counted, plan.byRow, plan.stride, plan.packed, plan.index, load<i32>(range), load<i32>(range, 4));
    large.histogram = left.histogram;
    small.histogram = counted;
    const canLarge = <f64>large.sumH >= leastH && nodeAt(plan, large.node).count > 1;
    if (canLarge) subtractHistogram(large.histogram, counted, plan.stride);
    if (<f64>small.sumH >= leastH && nodeAt(plan, small.node).count > 1) findSplit(plan, small);
    if (canLarge) findSplit(plan, large);
  }
  return leaves;
}

function plantLeaf(plan: Plan, at: i32, node: i32, depth: i32, sumG: i32, sumH: i32): void {
  const leaf = leafAt(plan, at);
  leaf.node = node;
  leaf.depth = depth;
  leaf.sumG = sumG;
  leaf.sumH = sumH;
  leaf.column = -1;
}

function plantNode(plan: Plan, at: i32, count: i32, sumG: i32, sumH: i32): void {
  const node = nodeAt(plan, at);
  node.left = -1;
  node.gain = 0;
  node.count = count;
  node.sumG = sumG;
  node.sumH = sumH;
}

/** The leaf of the largest gain, or of the least depth; the older one of two alike. */
function pickLeaf(plan: Plan, leaves: i32): i32 {
  let best = -1;
  for (let i = 0; i < leaves; i++) {
    const leaf = leafAt(plan, i);
    if (leaf.column < 0) continue;
    if (best < 0) best = i;
    else if (plan.byDepth != 0 ? leaf.depth < leafAt(plan, best).depth : leaf.gain > leafAt(plan, best).gain) best = i;
  }
  return best;
}

/** Splits leaf `at`: the left child takes its place, the right one comes last and is returned. */
function splitLeaf(plan: Plan, at: i32, last: i32): Leaf {
  const leaf = leafAt(plan, at);
  const node = nodeAt(plan, leaf.node);
  // Every split makes a leaf and two nodes.
  const child = 2 * last - 1;
  memory.fill(plan.goesLeft, 1, <usize>leaf.bin + 1);
  memory.fill(plan.goesLeft + <usize>leaf.bin + 1, 0, BINS - <usize>leaf.bin - 1);
  store<u8>(plan.goesLeft + MISSING_BIN, <u8>leaf.missingLeft);
  const range = plan.ranges + (<usize>at << 3);
  const begin = load<i32>(range);
  const end = load<i32>(range, 4);
  const bins = plan.byColumn + <usize>leaf.column * <usize>plan.rows;
  const count = partition(plan.index, begin, end, bins, plan.goesLeft, plan.scratch + (<usize>begin << 2));
  store<i32>(range, begin + count, 4);
  store<i32>(plan.ranges + (<usize>last << 3), begin + count);
  store<i32>(plan.ranges + (<usize>last << 3), end, 4);
  node.left = child;
  node.column = leaf.column;
  node.bin = leaf.bin;
  node.missingLeft = leaf.missingLeft;
  node.gain = leaf.gain;
  const rightG = leaf.sumG - leaf.leftG;
  const rightH = leaf.sumH - leaf.leftH;
  plantNode(plan, child, count, leaf.leftG, leaf.leftH);
  plantNode(plan, child + 1, end - begin - count, rightG, rightH);
  plantLeaf(plan, last, child + 1, leaf.depth + 1, rightG, rightH);
  plantLeaf(plan, at, child, leaf.depth + 1, leaf.leftG, leaf.leftH);
  return leafAt(plan, last);
}

/** What the leaf's best answer is worth, as `scoreAt` of src/learn/gbdt/split.ts writes it. */
function scoreOf(plan: Plan, leaf: Leaf): f64 {
  const g = <f64>leaf.sumG * plan.inverseG;
  const h = <f64>leaf.sumH * plan.inverseH + plan.l2;
  const w = h > 0 ? -g / h : 0;
  return -(2 * g * w + h * w * w);
}

function findSplit(plan: Plan, leaf: Leaf): void {
  const parent = scoreOf(plan, leaf);
  const isFound = scanColumns(
    leaf.histogram,
    plan.binCounts,
    plan.columns,
    leaf.sumG,
    leaf.sumH,
    plan.inverseG,
    plan.inverseH,
    plan.l2,
    plan.minChild,
    parent + plan.leastGain,
    plan.scan,
    plan.out,
  );
  if (isFound == 0) return;
  const found = changetype<Found>(plan.out);
  leaf.column = found.column;
  leaf.bin = found.bin;
  leaf.leftG = found.leftG;
  leaf.leftH = found.leftH;
  leaf.gain = found.score - parent;
  // Where a node has no missing value, later ones go with the heavier child.
  const hasMissing = load<i64>(leaf.histogram + <usize>found.column * COLUMN_BYTES + (MISSING_BIN << 3)) != 0;
  leaf.missingLeft = hasMissing ? found.missingLeft : i32(found.leftH > leaf.sumH - found.leftH);
}
