/**
 * Trees as the tables that kernels/trees.ts reads: for each comparison, which leaves it rules out when a row goes right. Leaves
 * are numbered from left to right, so the lowest one left over is where the row ends.
 */
import { COLUMN_MASK, FLAG_CATEGORY, FLAG_MISSING_LEFT, SET_INTS } from "./tree.ts";
import type { PackedTrees } from "./tree.ts";

/** Leaves a tree may have to be compared instead of walked: two words of bits. Past it walking takes fewer steps. */
const MAX_LEAVES = 64;

/** An inner node. */
export interface Comparison {
  readonly column: number;
  readonly kind: "missing-right" | "missing-left" | "category";
  readonly threshold: number;
  /** Categorical: eight words of bits by code 1..255, bit 0 for missing. */
  readonly set: Int32Array | undefined;
  /** Leaves left over when the row goes right, as bits of two words. */
  readonly low: number;
  readonly high: number;
}

export interface ComparedTree {
  readonly words: 1 | 2;
  readonly leaves: Float32Array;
  readonly comparisons: readonly Comparison[];
}

/** Every tree's comparisons, or undefined where one of them has too many leaves. Cost: O(nodes). */
export function compareTrees(trees: PackedTrees): ComparedTree[] | undefined {
  const floats = new Float32Array(trees.nodes.buffer, trees.nodes.byteOffset, trees.nodes.length);
  const all: ComparedTree[] = [];
  for (const root of trees.roots) {
    const leaves: number[] = [];
    const comparisons: Comparison[] = [];
    if (!visit({ trees, floats, leaves, comparisons }, root)) return undefined;
    all.push({ words: leaves.length > 32 ? 2 : 1, leaves: Float32Array.from(leaves), comparisons });
  }
  return all;
}

interface Visit {
  readonly trees: PackedTrees;
  readonly floats: Float32Array;
  readonly leaves: number[];
  readonly comparisons: Comparison[];
}

/** Depth is bounded by the leaves, which are counted on the way. */
function visit(walk: Visit, at: number): boolean {
  const { trees, floats, leaves, comparisons } = walk;
  const meta = trees.nodes[at + 1] as number;
  if (meta < 0) {
    leaves.push(floats[at] as number);
    return leaves.length <= MAX_LEAVES;
  }
  const from = leaves.length;
  if (!visit(walk, trees.nodes[at + 2] as number)) return false;
  const to = leaves.length;
  const isMissingLeft = (meta & FLAG_MISSING_LEFT) !== 0;
  const isCategory = (meta & FLAG_CATEGORY) !== 0;
  comparisons.push({
    column: meta & COLUMN_MASK,
    kind: isCategory ? "category" : isMissingLeft ? "missing-left" : "missing-right",
    threshold: isCategory ? 0 : (floats[at] as number),
    set: isCategory ? setWithMissing(trees.sets, trees.nodes[at] as number, isMissingLeft) : undefined,
    low: ~(bitsBelow(to) & ~bitsBelow(from)),
    high: ~(bitsBelow(to - 32) & ~bitsBelow(from - 32)),
  });
  return visit(walk, trees.nodes[at + 3] as number);
}

/** The lowest `count` bits of a word. */
function bitsBelow(count: number): number {
  return count <= 0 ? 0 : count >= 32 ? -1 : (1 << count) - 1;
}

/** The set of a node with bit 0 as the way of missing values: 0 is no code that a row is looked up by. */
function setWithMissing(sets: Int32Array, at: number, isMissingLeft: boolean): Int32Array {
  const set = sets.slice(at, at + SET_INTS);
  set[0] = ((set[0] as number) & ~1) | (isMissingLeft ? 1 : 0);
  return set;
}
