/**
 * Prediction by kernels/trees.ts: a memory filled with a model's tables once, then rows in, scores out. Blocks of rows and single
 * rows want different tables; a model has those it was asked for. Where the WebAssembly file is missing, or a tree has more than
 * 64 leaves, there is none, and predict.ts walks the trees: the same bits, in several times the time.
 */
import { MemoryPlan, openWasm } from "../wasm.ts";
import { SET_INTS } from "./tree.ts";
import type { Comparison, ComparedTree } from "./tree-tables.ts";

const KERNEL_VERSION = 1;
/** Rows of a block and bytes of one of its columns, as in the kernel. */
const BLOCK_ROWS = 128;
const SLOT_BYTES = BLOCK_ROWS * 4;

interface TreeKernels {
  spreadRows(values: number, rows: number, columns: number, slots: number, slotCount: number, block: number): void;
  addBlock(block: number, rows: number, trees: number, treeCount: number, outputs: number, scores: number): void;
  scoreRow(
    values: number,
    columns: number,
    columnCount: number,
    nodes: number,
    bits: number,
    bitBytes: number,
    trees: number,
    treeCount: number,
    scores: number,
  ): void;
}

/** Adds the trees to scores of `rows` rows: `scores[output × stride + row]`, float32. */
export type AddToRows = (
  x: Float32Array,
  rows: { readonly rows: number; readonly columns: number },
  scores: Float32Array,
  stride: number,
) => void;
/** Adds the trees to one row's scores, one per output. */
export type AddToRow = (x: Float32Array, offset: number, scores: Float32Array) => void;

interface Views {
  readonly kernels: TreeKernels & { readonly buffer: ArrayBuffer };
  readonly ints: Int32Array;
  readonly floats: Float32Array;
}

function open(bytes: number): Views | undefined {
  const kernels = openWasm<TreeKernels>("trees", KERNEL_VERSION, bytes);
  if (kernels === undefined) return undefined;
  return { kernels, ints: new Int32Array(kernels.buffer), floats: new Float32Array(kernels.buffer) };
}

const SLOT_KINDS = { "missing-right": 0, "missing-left": 1, category: 2 } as const;
const countOf = (trees: readonly ComparedTree[], count: (tree: ComparedTree) => number) =>
  trees.reduce((sum, tree) => sum + count(tree), 0);
const setsOf = (trees: readonly ComparedTree[]) =>
  countOf(trees, ({ comparisons }) => comparisons.filter(({ set }) => set !== undefined).length);

/** The kernel for blocks of rows of `columns` columns; undefined where it cannot be had. */
export function openBlocks(trees: readonly ComparedTree[], outputs: number, columns: number): AddToRows | undefined {
  const slots = slotsOf(trees);
  const plan = new MemoryPlan();
  const at = {
    slots: plan.reserve(slots.size * 8),
    trees: plan.reserve(trees.length * 20),
    nodes: plan.reserve(countOf(trees, (tree) => tree.comparisons.length * (8 + tree.words * 4))),
    sets: plan.reserve(setsOf(trees) * SET_INTS * 4),
    leaves: plan.reserve(countOf(trees, (tree) => tree.leaves.length * 4)),
    values: plan.reserve(BLOCK_ROWS * columns * 4),
    block: plan.reserve(slots.size * SLOT_BYTES),
    scores: plan.reserve(outputs * SLOT_BYTES),
  };
  const views = open(plan.used);
  if (views === undefined) return undefined;
  writeBlockTables(views, trees, slots, at);
  const { kernels, floats } = views;
  const [values, scored] = [at.values >>> 2, at.scores >>> 2];
  return (x, { rows, columns: width }, scores, stride) => {
    for (let from = 0; from < rows; from += BLOCK_ROWS) {
      const count = Math.min(BLOCK_ROWS, rows - from);
      floats.set(x.subarray(from * width, (from + count) * width), values);
      kernels.spreadRows(at.values, count, width, at.slots, slots.size, at.block);
      for (let output = 0; output < outputs; output++) {
        const first = output * stride + from;
        floats.set(scores.subarray(first, first + count), scored + output * BLOCK_ROWS);
      }
      kernels.addBlock(at.block, count, at.trees, trees.length, outputs, at.scores);
      for (let output = 0; output < outputs; output++) {
        const own = scored + output * BLOCK_ROWS;
        scores.set(floats.subarray(own, own + count), output * stride + from);
      }
    }
  };
}

const slotKey = ({ column, kind }: Comparison) => `${column} ${kind}`;

/** A slot for each column and way of reading it. */
function slotsOf(trees: readonly ComparedTree[]): Map<string, readonly [place: number, column: number, kind: number]> {
  const slots = new Map<string, readonly [number, number, number]>();
  for (const { comparisons } of trees) {
    for (const comparison of comparisons) {
      const key = slotKey(comparison);
      if (!slots.has(key)) slots.set(key, [slots.size, comparison.column, SLOT_KINDS[comparison.kind]]);
    }
  }
  return slots;
}

function writeBlockTables(
  { ints, floats }: Views,
  trees: readonly ComparedTree[],
  slots: ReturnType<typeof slotsOf>,
  at: Readonly<Record<"slots" | "trees" | "nodes" | "sets" | "leaves", number>>,
): void {
  for (const [place, column, kind] of slots.values()) ints.set([column, kind], (at.slots >>> 2) + place * 2);
  let [node, set, leaf] = [at.nodes >>> 2, at.sets >>> 2, at.leaves >>> 2];
  trees.forEach(({ words, leaves, comparisons }, t) => {
    const numeric = comparisons.filter((one) => one.set === undefined);
    const own = [words, numeric.length, comparisons.length, node * 4, leaf * 4];
    ints.set(own, (at.trees >>> 2) + t * 5);
    floats.set(leaves, leaf);
    leaf += leaves.length;
    for (const one of [...numeric, ...comparisons.filter(({ set }) => set !== undefined)]) {
      ints[node] = (slots.get(slotKey(one)) as readonly [number, number, number])[0] * SLOT_BYTES;
      if (one.set === undefined) floats[node + 1] = one.threshold;
      else {
        ints[node + 1] = set * 4;
        ints.set(one.set, set);
        set += SET_INTS;
      }
      ints[node + 2] = one.low;
      if (words === 2) ints[node + 3] = one.high;
      node += 2 + words;
    }
  });
}

/** A comparison with one word it clears bits of. */
interface RowNode {
  readonly comparison: Comparison;
  readonly word: number;
  readonly mask: number;
}

const KIND_ORDER = ["missing-right", "missing-left", "category"] as const;

/** The kernel for one row at a time; undefined where it cannot be had. */
export function openRow(trees: readonly ComparedTree[], outputs: number, columns: number): AddToRow | undefined {
  const bitWords = countOf(trees, ({ words }) => words);
  const nodes = rowNodes(trees);
  const plan = new MemoryPlan();
  const at = {
    values: plan.reserve(columns * 4),
    scores: plan.reserve(outputs * 4),
    bits: plan.reserve(bitWords * 4),
    columns: plan.reserve(columns * 16),
    nodes: plan.reserve(nodes.length * 12),
    trees: plan.reserve(trees.length * 16),
    sets: plan.reserve(nodes.filter(({ comparison }) => comparison.set !== undefined).length * SET_INTS * 4),
    leaves: plan.reserve(countOf(trees, (tree) => tree.leaves.length * 4)),
  };
  const views = open(plan.used);
  if (views === undefined) return undefined;
  const columnCount = writeRowNodes(views, nodes, at);
  writeRowTrees(views, trees, outputs, at);
  const { kernels, floats } = views;
  const [values, first] = [at.values >>> 2, at.scores >>> 2];
  const bitBytes = bitWords * 4;
  return (x, offset, scores) => {
    // Loops: setting a handful of numbers by `set` costs more than the numbers.
    for (let c = 0; c < columns; c++) floats[values + c] = x[offset + c] as number;
    for (let output = 0; output < outputs; output++) floats[first + output] = scores[output] as number;
    kernels.scoreRow(
      at.values,
      at.columns,
      columnCount,
      at.nodes,
      at.bits,
      bitBytes,
      at.trees,
      trees.length,
      at.scores,
    );
    for (let output = 0; output < outputs; output++) scores[output] = floats[first + output] as number;
  };
}

/** Nodes by column, kind and threshold: a row passes over those below its value and stops. */
function rowNodes(trees: readonly ComparedTree[]): RowNode[] {
  const nodes: RowNode[] = [];
  let word = 0;
  for (const { words, comparisons } of trees) {
    for (const comparison of comparisons) {
      if (comparison.low !== -1) nodes.push({ comparison, word, mask: comparison.low });
      if (comparison.high !== -1 && words === 2) nodes.push({ comparison, word: word + 1, mask: comparison.high });
    }
    word += words;
  }
  const order = (kind: Comparison["kind"]) => KIND_ORDER.indexOf(kind);
  return nodes.sort(
    ({ comparison: a }, { comparison: b }) =>
      a.column - b.column ||
      order(a.kind) - order(b.kind) ||
      (a.threshold < b.threshold ? -1 : Number(a.threshold > b.threshold)),
  );
}

/** Returns how many columns have nodes. */
function writeRowNodes(
  { ints, floats }: Views,
  nodes: readonly RowNode[],
  at: Readonly<Record<"columns" | "nodes" | "bits" | "sets", number>>,
): number {
  let set = at.sets >>> 2;
  let entry = at.columns >>> 2;
  nodes.forEach(({ comparison, word, mask }, i) => {
    const node = (at.nodes >>> 2) + i * 3;
    if (comparison.set === undefined) floats[node] = comparison.threshold;
    else {
      ints[node] = set * 4;
      ints.set(comparison.set, set);
      set += SET_INTS;
    }
    ints[node + 1] = at.bits + word * 4;
    ints[node + 2] = mask;
    const end = (node + 3) * 4;
    // The end of a kind is the end of those after it too, until one of them comes.
    for (let kind = KIND_ORDER.indexOf(comparison.kind); kind < 3; kind++) ints[entry + kind] = end;
    if (nodes[i - 1]?.comparison.column !== comparison.column) {
      for (let kind = 0; kind < KIND_ORDER.indexOf(comparison.kind); kind++) ints[entry + kind] = node * 4;
      ints[entry + 3] = comparison.column;
    }
    if (nodes[i + 1]?.comparison.column !== comparison.column) entry += 4;
  });
  return (entry - (at.columns >>> 2)) / 4;
}

function writeRowTrees(
  { ints, floats }: Views,
  trees: readonly ComparedTree[],
  outputs: number,
  at: Readonly<Record<"trees" | "bits" | "leaves" | "scores", number>>,
): void {
  let [word, leaf] = [at.bits, at.leaves];
  trees.forEach(({ words, leaves }, t) => {
    ints.set([words, word, leaf, t % outputs], (at.trees >>> 2) + t * 4);
    floats.set(leaves, leaf >>> 2);
    word += words * 4;
    leaf += leaves.length * 4;
  });
}
