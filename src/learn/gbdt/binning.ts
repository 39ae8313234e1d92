/**
 * Bins: a numeric column becomes at most 255 of them by its quantiles, a category its code − 1; bin 255 is missing. Edges are
 * float32 midpoints between neighboring values, and `x <= edge` is the rule of training and of prediction alike, so a row
 * takes the same branches in both.
 */
import type { ColumnInfo, Matrix } from "../trainer.ts";
import { takeTurn } from "../turn.ts";
import { CATEGORY_BINS } from "./category.ts";
import type { Crew } from "./crew.ts";
import { BIN_BLOCK_ROWS, EDGE_SAMPLE_ROWS } from "./memory.ts";
import type { Memory } from "./memory.ts";
import { COMMANDS } from "./share.ts";

export interface BinnedColumn {
  /** Its column in the matrix. */
  readonly source: number;
  readonly kind: ColumnInfo["kind"];
  /** Value bins; the last one is open above. */
  readonly count: number;
  /** Ascending; bin b holds edges[b − 1] < x <= edges[b]. Empty for categories. */
  readonly edges: Float32Array;
}

/** Finds edges and writes the bins of every row into the memory. Cost: O(rows × columns), about 2 ns a value. */
export async function binMatrix(options: {
  readonly crew: Crew;
  readonly x: Matrix;
  readonly weights: Float64Array | undefined;
  readonly kinds: readonly ColumnInfo["kind"][];
  readonly maxBins: number;
  readonly signal: AbortSignal;
}): Promise<BinnedColumn[]> {
  const { crew, x, weights, kinds, maxBins, signal } = options;
  const { memory } = crew;
  const order = canonicalOrder(x);
  const numeric = order.filter((source) => kinds[source] !== "category");
  const edges = new Map<number, Float32Array>();
  for (let from = 0; from < numeric.length; from += GATHER_COLUMNS) {
    const group = numeric.slice(from, from + GATHER_COLUMNS);
    groupEdges(memory, x, group, weights, maxBins).forEach((found, k) => edges.set(group[k] as number, found));
    await takeTurn(signal);
  }
  const columns = order.map((source): BinnedColumn => {
    const found = edges.get(source);
    if (found === undefined) return { source, kind: "category", count: CATEGORY_BINS, edges: new Float32Array(0) };
    return { source, kind: "number", count: found.length + 1, edges: found };
  });
  await crew.join();
  await writeBins(crew, x, columns, signal);
  return columns;
}

/** Rows that tell columns apart; enough to name one, few enough to cost nothing. */
const FINGERPRINT_ROWS = 16_384;

/**
 * Columns by a fingerprint of their values. Where two columns split a leaf alike the first one wins; ordered by what they hold,
 * it is the same one however the features are listed.
 */
function canonicalOrder(x: Matrix): number[] {
  const rows = Math.min(x.rows, FINGERPRINT_ROWS);
  const single = new Float32Array(1);
  const bits = new Uint32Array(single.buffer);
  const prints = Array.from({ length: x.columns }, (_, column) => {
    let hash = 0x811c9dc5;
    for (let row = 0; row < rows; row++) {
      const value = x.values[row * x.columns + column] as number;
      single[0] = value + 0;
      // The bits of a NaN are the engine's choice.
      hash = Math.imul(hash ^ (value === value ? (bits[0] as number) : 0x7fc00000), 0x01000193);
      hash ^= hash >>> 15;
    }
    return hash >>> 0;
  });
  return prints.map((_, column) => column).sort((a, b) => (prints[a] as number) - (prints[b] as number) || a - b);
}

/** Blocks of rows between two turns of the event loop: about 10 ms. */
const BLOCKS_PER_TURN = 16;

async function writeBins(crew: Crew, x: Matrix, columns: readonly BinnedColumn[], signal: AbortSignal) {
  const { layout, ints, floats } = crew.memory;
  columns.forEach(({ source, kind, edges }, c) => {
    ints.set([source, kind === "category" ? 1 : 0], (layout.columnTable >>> 2) + c * 2);
    const at = (layout.edges >>> 2) + c * 256;
    floats.fill(Infinity, at, at + 256);
    floats.set(edges, at);
  });
  const rows = BIN_BLOCK_ROWS * crew.threads;
  for (let from = 0; from < x.rows; from += rows) {
    const to = Math.min(x.rows, from + rows);
    floats.set(x.values.subarray(from * x.columns, to * x.columns), layout.block >>> 2);
    crew.prepare([from]);
    crew.run(COMMANDS.bin);
    if ((from / rows) % BLOCKS_PER_TURN === BLOCKS_PER_TURN - 1) await takeTurn(signal);
  }
}

/** Columns gathered at a time: reading one column after the other would miss the cache at every row. */
const GATHER_COLUMNS = 16;

/** Edges of the numeric columns among `sources`, from evenly spaced rows weighted like the rows. */
function groupEdges(
  memory: Memory,
  x: Matrix,
  sources: readonly number[],
  weights: Float64Array | undefined,
  maxBins: number,
): Float32Array[] {
  const step = Math.max(1, Math.ceil(x.rows / EDGE_SAMPLE_ROWS));
  if (weights !== undefined) {
    return sources.map((column) => edgesOf(...sortedWithWeights(x, column, weights, step), maxBins));
  }
  const sample = Math.ceil(x.rows / step);
  const gathered = new Float32Array(sources.length * sample);
  const counts = new Int32Array(sources.length);
  for (let row = 0; row < x.rows; row += step) {
    for (let k = 0; k < sources.length; k++) {
      const value = x.values[row * x.columns + (sources[k] as number)] as number;
      if (value !== value) continue;
      // "+ 0" turns −0 into 0: the two are one value, and sorting would tell them apart.
      gathered[k * sample + (counts[k] as number)] = value + 0;
      counts[k] = (counts[k] as number) + 1;
    }
  }
  const { layout, kernels, floats } = memory;
  const at = layout.block >>> 2;
  return sources.map((_, k) => {
    const count = counts[k] as number;
    floats.set(gathered.subarray(k * sample, k * sample + count), at);
    kernels.sortFloats(layout.block, layout.sortScratch, layout.sortCounts, count);
    return edgesOf(floats.subarray(at, at + count), undefined, maxBins);
  });
}

/** Values in order and their weights: each value's bits above its row in one integer, so the native sort keeps them together. */
function sortedWithWeights(x: Matrix, column: number, weights: Float64Array, step: number) {
  const keys = new BigUint64Array(Math.ceil(x.rows / step));
  const halves = new Uint32Array(keys.buffer);
  const single = new Float32Array(1);
  const bits = new Uint32Array(single.buffer);
  let count = 0;
  for (let row = 0; row < x.rows; row += step) {
    single[0] = (x.values[row * x.columns + column] as number) + 0;
    if (single[0] !== single[0]) continue;
    const raw = bits[0] as number;
    halves[count * 2] = row;
    halves[count * 2 + 1] = raw >>> 31 === 1 ? ~raw : raw ^ 0x80000000;
    count++;
  }
  keys.subarray(0, count).sort();
  const values = new Float32Array(count);
  const sorted = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const row = halves[i * 2] as number;
    values[i] = (x.values[row * x.columns + column] as number) + 0;
    sorted[i] = weights[row] as number;
  }
  return [values, sorted] as const;
}

/**
 * Edges that cut sorted values into at most `maxBins` bins of about equal weight. A value heavier than a bin gets its own, and
 * what remains is shared anew among the bins that remain, so a column of mostly zeros keeps its resolution.
 */
export function edgesOf(sorted: Float32Array, weights: Float64Array | undefined, maxBins: number): Float32Array {
  let total = 0;
  let distinct = 0;
  for (let i = 0; i < sorted.length; i++) {
    total += weights === undefined ? 1 : (weights[i] as number);
    if (i === 0 || sorted[i] !== sorted[i - 1]) distinct++;
  }
  const runs = new RunReader(sorted, weights);
  const edges: number[] = [];
  let remaining = total;
  let binsLeft = maxBins;
  let inBin = 0;
  let previous = Number.NaN;
  const close = (next: number) => {
    edges.push(midpoint(previous, next));
    remaining -= inBin;
    binsLeft--;
    inBin = 0;
  };
  while (runs.next()) {
    const { value, weight } = runs;
    const share = remaining / binsLeft;
    // A bin ends before a value that fills one alone, and after the value that filled it.
    const isFull = distinct <= maxBins || inBin >= share || weight >= share;
    if (previous === previous && isFull && binsLeft > 1) close(value);
    inBin += weight;
    previous = value;
  }
  return Float32Array.from(edges);
}

/** Reads equal neighbors of a sorted array as one value with its weight. */
class RunReader {
  value = 0;
  weight = 0;
  readonly #sorted: Float32Array;
  readonly #weights: Float64Array | undefined;
  #at = 0;

  constructor(sorted: Float32Array, weights: Float64Array | undefined) {
    this.#sorted = sorted;
    this.#weights = weights;
  }

  next(): boolean {
    const sorted = this.#sorted;
    if (this.#at >= sorted.length) return false;
    const value = sorted[this.#at] as number;
    let weight = 0;
    let at = this.#at;
    for (; at < sorted.length && sorted[at] === value; at++) {
      weight += this.#weights === undefined ? 1 : (this.#weights[at] as number);
    }
    this.#at = at;
    this.value = value;
    this.weight = weight;
    return true;
  }
}

/** A float32 t with low <= t < high. Halfway, so that a new value between the two goes to the nearer. */
function midpoint(low: number, high: number): number {
  const middle = Math.fround(low + (high - low) / 2);
  return middle >= low && middle < high ? middle : low;
}
