/**
 * Prediction by trees of at most 64 leaves without walking them. Every comparison of a tree is made; one that sends a row to the
 * right clears the bits of the leaves on its left, and the lowest bit left is the leaf. There is no branch to guess and no load
 * that waits for another. After C. Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles of
 * regression trees", SIGIR 2015. Tables: src/learn/gbdt/tree-tables.ts. The twin is the walk of src/learn/gbdt/predict.ts: a
 * score is a sum in single precision, tree after tree, so both give the same bits.
 */

/** Raised with every change of a signature or a result: the driver refuses a file of another number. */
export function kernelVersion(): i32 {
  return 1;
}

/** Rows of a block: 128 × 40 slots are 20 kB, which stay in the first cache while every tree passes over them. */
const BLOCK_ROWS: usize = 128;
const SLOT_BYTES: usize = BLOCK_ROWS << 2;
const MISSING_AS_LEAST: i32 = 1;
const CATEGORY: i32 = 2;

/** Whole codes 1..254 as they are, 255 for any other number, 0 for missing. */
// @ts-ignore: decorator
@inline
function codeOf(x: f32): i32 {
  if (x != x) return 0;
  return x >= 1 && x <= 255 && x == floor<f32>(x) ? <i32>x : 255;
}

/**
 * Columns of at most 128 rows side by side, as the comparisons want them. `slots` has a column and a kind (int32 each) per slot:
 * 0 as it is (missing is greater than all), 1 missing as −Infinity, 2 category codes as int32.
 */
export function spreadRows(values: usize, rows: i32, columns: i32, slots: usize, slotCount: i32, block: usize): void {
  const stride = <usize>columns << 2;
  for (let s: usize = 0; s < <usize>slotCount; s++) {
    let from = values + (<usize>load<i32>(slots + (s << 3)) << 2);
    const kind = load<i32>(slots + (s << 3) + 4);
    let to = block + s * SLOT_BYTES;
    for (let i = 0; i < rows; i++) {
      const x = load<f32>(from);
      if (kind == CATEGORY) store<i32>(to, codeOf(x));
      else store<f32>(to, kind == MISSING_AS_LEAST && x != x ? -Infinity : x);
      from += stride;
      to += 4;
    }
  }
}

// @ts-ignore: decorator
@inline
function isInSet(set: usize, code: usize): i32 {
  // All ones where the bit is set.
  return -(<i32>((load<u32>(set + ((code >> 5) << 2)) >> (<u32>code & 31)) & 1));
}

/** Four rows' answers to a category node. */
// @ts-ignore: decorator
@inline
function inSet4(set: usize, codes: usize): v128 {
  return i32x4(
    isInSet(set, <usize>load<u32>(codes)),
    isInSet(set, <usize>load<u32>(codes + 4)),
    isInSet(set, <usize>load<u32>(codes + 8)),
    isInSet(set, <usize>load<u32>(codes + 12)),
  );
}

// @ts-ignore: decorator
@inline
function addLeaf(score: usize, leaves: usize, leaf: i32): void {
  store<f32>(score, load<f32>(score) + load<f32>(leaves + (<usize>leaf << 2)));
}

// @ts-ignore: decorator
@inline
function addLeaves(score: usize, leaves: usize, bits: v128): void {
  addLeaf(score, leaves, ctz(i32x4.extract_lane(bits, 0)));
  addLeaf(score + 4, leaves, ctz(i32x4.extract_lane(bits, 1)));
  addLeaf(score + 8, leaves, ctz(i32x4.extract_lane(bits, 2)));
  addLeaf(score + 12, leaves, ctz(i32x4.extract_lane(bits, 3)));
}

/** The lowest set bit of two words; low is 0 where it is in the second. */
// @ts-ignore: decorator
@inline
function lowest(low: i32, high: i32): i32 {
  return low != 0 ? ctz(low) : 32 + ctz(high);
}

/** Nodes: slot offset, threshold or set, then a mask per word, 4 bytes each. Eight rows at a time. */
function addSmallTree(
  block: usize,
  rows: usize,
  nodes: usize,
  numeric: usize,
  all: usize,
  leaves: usize,
  scores: usize,
): void {
  const firstCategory = nodes + numeric * 12;
  const end = nodes + all * 12;
  for (let i: usize = 0; i < rows; i += 8) {
    const at = block + (i << 2);
    let a = i32x4.splat(-1);
    let b = i32x4.splat(-1);
    for (let node = nodes; node < firstCategory; node += 12) {
      const x = at + <usize>load<u32>(node);
      const threshold = v128.load32_splat(node, 4);
      const mask = v128.load32_splat(node, 8);
      a = v128.and(a, v128.or(f32x4.le(v128.load(x), threshold), mask));
      b = v128.and(b, v128.or(f32x4.le(v128.load(x, 16), threshold), mask));
    }
    for (let node = firstCategory; node < end; node += 12) {
      const codes = at + <usize>load<u32>(node);
      const set = <usize>load<u32>(node, 4);
      const mask = v128.load32_splat(node, 8);
      a = v128.and(a, v128.or(inSet4(set, codes), mask));
      b = v128.and(b, v128.or(inSet4(set, codes + 16), mask));
    }
    const to = scores + (i << 2);
    addLeaves(to, leaves, a);
    addLeaves(to + 16, leaves, b);
  }
}

/** The same with two words of leaves, four rows at a time. */
function addLargeTree(
  block: usize,
  rows: usize,
  nodes: usize,
  numeric: usize,
  all: usize,
  leaves: usize,
  scores: usize,
): void {
  const firstCategory = nodes + numeric * 16;
  const end = nodes + all * 16;
  for (let i: usize = 0; i < rows; i += 4) {
    const at = block + (i << 2);
    let low = i32x4.splat(-1);
    let high = i32x4.splat(-1);
    for (let node = nodes; node < firstCategory; node += 16) {
      const isLeft = f32x4.le(v128.load(at + <usize>load<u32>(node)), v128.load32_splat(node, 4));
      low = v128.and(low, v128.or(isLeft, v128.load32_splat(node, 8)));
      high = v128.and(high, v128.or(isLeft, v128.load32_splat(node, 12)));
    }
    for (let node = firstCategory; node < end; node += 16) {
      const isLeft = inSet4(<usize>load<u32>(node, 4), at + <usize>load<u32>(node));
      low = v128.and(low, v128.or(isLeft, v128.load32_splat(node, 8)));
      high = v128.and(high, v128.or(isLeft, v128.load32_splat(node, 12)));
    }
    const to = scores + (i << 2);
    addLeaf(to, leaves, lowest(i32x4.extract_lane(low, 0), i32x4.extract_lane(high, 0)));
    addLeaf(to + 4, leaves, lowest(i32x4.extract_lane(low, 1), i32x4.extract_lane(high, 1)));
    addLeaf(to + 8, leaves, lowest(i32x4.extract_lane(low, 2), i32x4.extract_lane(high, 2)));
    addLeaf(to + 12, leaves, lowest(i32x4.extract_lane(low, 3), i32x4.extract_lane(high, 3)));
  }
}

/**
 * Adds all trees to the scores of a block that `spreadRows` filled. A tree is five int32: words of leaves (1 or 2), numeric
 * nodes, all nodes, offset of the nodes, offset of the leaves. `scores` has 128 float32 per output.
 */
export function addBlock(block: usize, rows: i32, trees: usize, treeCount: i32, outputs: i32, scores: usize): void {
  let output = 0;
  for (let t: usize = 0; t < <usize>treeCount; t++) {
    const tree = trees + t * 20;
    const numeric = <usize>load<u32>(tree, 4);
    const all = <usize>load<u32>(tree, 8);
    const nodes = <usize>load<u32>(tree, 12);
    const leaves = <usize>load<u32>(tree, 16);
    const to = scores + <usize>output * SLOT_BYTES;
    if (load<i32>(tree) == 1) addSmallTree(block, <usize>rows, nodes, numeric, all, leaves, to);
    else addLargeTree(block, <usize>rows, nodes, numeric, all, leaves, to);
    output = output + 1 == outputs ? 0 : output + 1;
  }
}

/** Clears bits for the nodes in [at, end) whose threshold is below x; they are in ascending order of it. */
// @ts-ignore: decorator
@inline
function clearBelow(x: f32, at: usize, end: usize): void {
  while (at < end && x > load<f32>(at)) {
    const word = <usize>load<u32>(at, 4);
    store<u32>(word, load<u32>(word) & load<u32>(at, 8));
    at += 12;
  }
}

/**
 * One row by all trees. `columns` has four int32 per column: the ends of its nodes that send missing values right, of those that
 * send them left, and of those with sets, then its place in the row. Nodes of all columns follow one another from `nodes`:
 * threshold or set, address of the word, mask. `trees` has four int32 each: words, address of the first word, offset of the leaves, output.
 */
export function scoreRow(
  values: usize,
  columns: usize,
  columnCount: i32,
  nodes: usize,
  bits: usize,
  bitBytes: i32,
  trees: usize,
  treeCount: i32,
  scores: usize,
): void {
  memory.fill(bits, 255, <usize>bitBytes);
  let at = nodes;
  for (let c: usize = 0; c < <usize>columnCount; c++) {
    const column = columns + (c << 4);
    const x = load<f32>(values + (<usize>load<u32>(column, 12) << 2));
    const endRight = <usize>load<u32>(column);
    const endLeft = <usize>load<u32>(column, 4);
    const endSets = <usize>load<u32>(column, 8);
    clearBelow(x != x ? Infinity : x, at, endRight);
    if (x != x) {
      // A threshold of Infinity holds for every number, and not for a missing one.
      for (let node = endRight; node > at && load<f32>(node - 12) == Infinity; node -= 12) {
        const word = <usize>load<u32>(node - 12, 4);
        store<u32>(word, load<u32>(word) & load<u32>(node - 12, 8));
      }
    } else clearBelow(x, endRight, endLeft);
    if (endSets > endLeft) {
      const code = <usize>codeOf(x);
      for (let node = endLeft; node < endSets; node += 12) {
        const word = <usize>load<u32>(node, 4);
        const keep = <u32>isInSet(<usize>load<u32>(node), code) | load<u32>(node, 8);
        store<u32>(word, load<u32>(word) & keep);
      }
    }
    at = endSets;
  }
  for (let t: usize = 0; t < <usize>treeCount; t++) {
    const tree = trees + (t << 4);
    const word = <usize>load<u32>(tree, 4);
    const low = load<u32>(word);
    const leaf = low != 0 || load<i32>(tree) == 1 ? ctz(low) : 32 + ctz(load<u32>(word, 4));
    addLeaf(scores + (<usize>load<u32>(tree, 12) << 2), <usize>load<u32>(tree, 8), <i32>leaf);
  }
}
