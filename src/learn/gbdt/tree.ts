/**
 * Trees as one array of 16-byte records, the form that is stored, served and exported. A record is four int32:
 * [threshold | offset of the set | leaf value, column and flags, left, right]. Children are offsets into the array, in int32;
 * a leaf has −1 in the second place. A numeric node goes left for `x <= threshold`; a categorical one where the bit of the code
 * is set in its 256-bit set; missing values follow a flag.
 */
export const NODE_INTS = 4;
export const FLAG_CATEGORY = 1 << 30;
export const FLAG_MISSING_LEFT = 1 << 29;
export const COLUMN_MASK = FLAG_MISSING_LEFT - 1;
/** int32 words of one set of category codes. */
export const SET_INTS = 8;

/** A node while its tree grows. */
export interface GrowingNode {
  /** Column of the matrix. */
  column: number;
  /** The same among the binned columns. */
  place: number;
  /** Numeric: the last bin that goes left. */
  bin: number;
  threshold: number;
  missingLeft: boolean;
  /** Categorical: 1 for each bin that goes left. */
  set: Uint8Array | undefined;
  left: number;
  right: number;
  /** Leaf: what is added to the score, in single precision. */
  value: number;
  gain: number;
  /** Training rows that came through, as sampled. */
  count: number;
}

export function growingNode(count: number): GrowingNode {
  return {
    column: -1,
    place: -1,
    bin: 0,
    threshold: 0,
    missingLeft: false,
    set: undefined,
    left: -1,
    right: -1,
    value: 0,
    gain: 0,
    count,
  };
}

/** The trees of a model, packed. */
export interface PackedTrees {
  /** Offset of each tree's root in `nodes`. */
  readonly roots: Int32Array;
  readonly nodes: Int32Array;
  readonly sets: Int32Array;
  /** Gain of each inner node, 0 for leaves. */
  readonly gains: Float32Array;
  /** Training rows of each node: the weight of its branch in explanations, and what drift of leaves is compared with. */
  readonly counts: Int32Array;
}

export const NO_TREES: PackedTrees = {
  roots: new Int32Array(0),
  nodes: new Int32Array(0),
  sets: new Int32Array(0),
  gains: new Float32Array(0),
  counts: new Int32Array(0),
};

function concatInts(parts: readonly Int32Array[]): Int32Array {
  const out = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Packed trees followed by grown ones. */
export function packTrees(base: PackedTrees, trees: readonly (readonly GrowingNode[])[]): PackedTrees {
  const count = trees.reduce((sum, tree) => sum + tree.length, 0);
  const nodes = new Int32Array(count * NODE_INTS);
  const values = new Float32Array(nodes.buffer);
  const gains = new Float32Array(base.gains.length + count);
  gains.set(base.gains);
  const counts = new Int32Array(count);
  const roots = new Int32Array(trees.length);
  const sets: Int32Array[] = [base.sets];
  let setInts = base.sets.length;
  let n = 0;
  trees.forEach((tree, t) => {
    const root = base.nodes.length + n * NODE_INTS;
    roots[t] = root;
    for (const node of tree) {
      const at = n * NODE_INTS;
      gains[base.gains.length + n] = node.gain;
      counts[n] = node.count;
      n++;
      if (node.left < 0) {
        values[at] = node.value;
        nodes.set([-1, -1, -1], at + 1);
        continue;
      }
      let meta = node.column | (node.missingLeft ? FLAG_MISSING_LEFT : 0);
      if (node.set === undefined) values[at] = node.threshold;
      else {
        meta |= FLAG_CATEGORY;
        nodes[at] = setInts;
        sets.push(packSet(node.set));
        setInts += SET_INTS;
      }
      nodes.set([meta, root + node.left * NODE_INTS, root + node.right * NODE_INTS], at + 1);
    }
  });
  return {
    roots: concatInts([base.roots, roots]),
    nodes: concatInts([base.nodes, nodes]),
    sets: concatInts(sets),
    gains,
    counts: concatInts([base.counts, counts]),
  };
}

/** Bits by category code: bin + 1. Code 0, which no preparation writes, counts as "other". */
function packSet(bins: Uint8Array): Int32Array {
  const words = new Int32Array(SET_INTS);
  for (let bin = 0; bin < 255; bin++) {
    if (bins[bin] === 1) words[(bin + 1) >> 5] = (words[(bin + 1) >> 5] as number) | (1 << ((bin + 1) & 31));
  }
  if (bins[254] === 1) words[0] = (words[0] as number) | 1;
  return words;
}
