/**
 * Small trees grown in one call of the kernel: plain numeric columns and one thread. At a thousand rows the calls of the thirty
 * splits and what is made for each of them cost as much as the work; the steps of grow.ts give the same bits.
 */
import { LEAF_BYTES, maxLeavesOf, NODE_BYTES, PLAN_BYTES } from "./memory.ts";
import type { LeafSums, SplitContext } from "./split.ts";
import { growingNode } from "./tree.ts";
import type { GrowingNode } from "./tree.ts";

/** A leaf of a grown tree: its node, and its place among the leaves. */
export interface GrownLeaf extends LeafSums {
  readonly node: number;
  readonly slot: number;
  readonly count: number;
}

/** Values of histograms a call may have to read at most: some 60 ms, in which nothing else happens. */
const MOST_WORK = 30_000_000;

/** Whether `growAtOnce` can grow the trees of these columns: without sets, constraints, threads or many rows. */
export function canGrowAtOnce({ crew, columns, allowed, directions, params }: SplitContext): boolean {
  const { kernels, layout } = crew.memory;
  if (kernels.growTree === undefined || layout.threads > 1) return false;
  if (layout.rows * layout.stride * maxLeavesOf(params) > MOST_WORK) return false;
  return columns.every(({ kind }, c) => (kind === "number" && directions[c] === 0) || allowed[c] !== 1);
}

/** The tree below a root that is planted: its rows stand in the index and its histogram is counted. */
export function growAtOnce(context: SplitContext, leastGain: number, root: LeafSums) {
  const { memory } = context.crew;
  const { kernels, layout } = memory;
  writePlan(context, leastGain, root);
  const count = kernels.growTree?.(layout.growth) ?? 0;
  const leaves = readLeaves(context, count);
  return { nodes: readNodes(context, 2 * count - 1), leaves };
}

function writePlan({ crew, params, scaleG, scaleH }: SplitContext, leastGain: number, { g, h }: LeafSums): void {
  const { layout, ints, doubles } = crew.memory;
  const at = layout.growth >>> 3;
  [1 / scaleG, 1 / scaleH, params.l2, params.minChildWeight, leastGain].forEach((number, i) => {
    doubles[at + i] = number;
  });
  const leaves = layout.growth + PLAN_BYTES;
  const limit = maxLeavesOf(params);
  const places = [layout.byRow, layout.byColumn, layout.rows, layout.stride, layout.columns, layout.packed].concat(
    [layout.index, layout.ranges, layout.scratch, layout.goesLeft, layout.histograms, layout.binCounts],
    [layout.scan, layout.out, leaves, leaves + limit * LEAF_BYTES],
  );
  ints.set(places.concat(limit, params.maxDepth, params.grow === "depth" ? 1 : 0, g, h), (at + 5) * 2);
}

/** int32 places in a leaf and in a node. */
const LEAF = { node: 3, sumG: 5, sumH: 6 } as const;
const NODE = { left: 2, column: 3, bin: 4, missingLeft: 5, count: 6 } as const;

function readLeaves({ crew }: SplitContext, count: number): GrownLeaf[] {
  const { layout, ints } = crew.memory;
  const leaves: GrownLeaf[] = [];
  for (let slot = 0; slot < count; slot++) {
    const at = (layout.growth + PLAN_BYTES + slot * LEAF_BYTES) >>> 2;
    const range = (layout.ranges >>> 2) + slot * 2;
    leaves.push({
      node: ints[at + LEAF.node] as number,
      slot,
      count: (ints[range + 1] as number) - (ints[range] as number),
      histogram: 0,
      g: ints[at + LEAF.sumG] as number,
      h: ints[at + LEAF.sumH] as number,
      lower: -Infinity,
      upper: Infinity,
    });
  }
  return leaves;
}

function readNodes({ crew, columns, params }: SplitContext, count: number): GrowingNode[] {
  const { layout, ints, doubles } = crew.memory;
  const first = layout.growth + PLAN_BYTES + maxLeavesOf(params) * LEAF_BYTES;
  const nodes: GrowingNode[] = [];
  for (let i = 0; i < count; i++) {
    const at = (first + i * NODE_BYTES) >>> 2;
    const node = growingNode(ints[at + NODE.count] as number);
    nodes.push(node);
    node.left = ints[at + NODE.left] as number;
    if (node.left < 0) continue;
    const place = ints[at + NODE.column] as number;
    const column = columns[place] as SplitContext["columns"][number];
    node.right = node.left + 1;
    node.place = place;
    node.column = column.source;
    node.bin = ints[at + NODE.bin] as number;
    node.threshold = column.edges[node.bin] ?? Infinity;
    node.missingLeft = ints[at + NODE.missingLeft] === 1;
    node.gain = doubles[at >>> 1] as number;
  }
  return nodes;
}
