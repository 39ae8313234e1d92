/** The memory of one training, laid out before it is asked for: wasm memory grows, but its views break when it does. */
import { fail } from "../../core/index.ts";
import type { Kernels } from "./kernel-contract.ts";
import { MAX_KERNEL_BYTES } from "../wasm.ts";
import type { SharedWasm } from "../wasm.ts";
import { hasSharedKernels, openKernels, openSharedKernels } from "./kernels.ts";
import type { KernelChoice } from "./kernels.ts";
import type { GbdtParams } from "./params.ts";

const ALIGNMENT = 16;
const HISTOGRAM_COLUMN_BYTES = 2048;
/** Raw rows copied in at a time for binning: 4,096 × 20 columns are 320 kB, which stays in the cache. */
export const BIN_BLOCK_ROWS = 4096;
/** Rows of one pair of gradient sums; a thread's rows start at a multiple. */
export const SUM_ROWS = 4096;
export const CONTROL_BYTES = 512;
/** Bytes of one answer of a scan: a cache line for each thread and leaf. */
export const OUT_BYTES = 64;
/** Bytes a scan puts its sums and rough scores in: SCAN_FILLED of kernels/gbdt.ts and what stands there, in whole cache lines. */
export const SCAN_BYTES = 4224;
/** Bytes of the plan of a tree grown in one call, of its leaves and nodes: `Plan`, `Leaf` and `Node` of kernels/gbdt/grow.ts. */
export const PLAN_BYTES = 128;
export const LEAF_BYTES = 48;
export const NODE_BYTES = 40;
/** Sorted at most for the edges of a column: the rank error of an edge is then below 0.3 % (√(p(1−p)/n) at two deviations). */
export const EDGE_SAMPLE_ROWS = 200_000;

/** Byte offsets of everything a training holds. Rows are padded to a multiple of 4, the columns of a row of bins too. */
export interface Layout {
  readonly rows: number;
  readonly paddedRows: number;
  readonly columns: number;
  readonly stride: number;
  readonly outputs: number;
  /** Threads at most; each has its own rows, and places of its own where it writes. */
  readonly threads: number;
  readonly control: number;
  readonly byRow: number;
  readonly byColumn: number;
  readonly binCounts: number;
  /** Per binned column: its source, and 1 for a category (int32). */
  readonly columnTable: number;
  /** 256 float32 per column. */
  readonly edges: number;
  /** A block of raw rows per thread; before that, the values being sorted. */
  readonly block: number;
  readonly sortScratch: number;
  readonly sortCounts: number;
  readonly labels: number;
  /** 0 without weights. */
  readonly weights: number;
  readonly scores: number;
  /** Scores of the validation rows, output by output, and their labels (float32). */
  readonly validationScores: number;
  readonly validationLabels: number;
  readonly gradients: number;
  readonly hessians: number;
  /** Sums of |g| and h of every 4,096 rows (float64). */
  readonly sums: number;
  readonly packed: number;
  /** Rows by leaf, each thread's among its own. */
  readonly index: number;
  /** Begin and end in the index, by leaf and thread (int32). */
  readonly ranges: number;
  /** Answers of the leaves (float32). */
  readonly values: number;
  readonly scratch: number;
  readonly goesLeft: number;
  readonly out: number;
  /** Scratch of a thread's scan. */
  readonly scan: number;
  /** The plan of a tree grown in one call, its leaves, its nodes. */
  readonly growth: number;
  readonly histograms: number;
  readonly histogramBytes: number;
  readonly histogramCount: number;
  /** Histograms of the threads but the first. */
  readonly partials: number;
}

export interface Memory {
  readonly layout: Layout;
  readonly kernels: Kernels;
  readonly bytes: Uint8Array;
  readonly ints: Int32Array;
  readonly floats: Float32Array;
  readonly doubles: Float64Array;
  /** What other threads join by; absent for one thread. */
  readonly shared?: SharedWasm;
}

const align = (value: number, to: number) => Math.ceil(value / to) * to;

/** @throws TRAINER_FAILED when the training would need more than 4 GiB. */
export function openMemory(options: {
  readonly rows: number;
  readonly columns: number;
  readonly outputs: number;
  readonly validationRows: number;
  readonly hasWeights: boolean;
  readonly params: GbdtParams;
  readonly kernels: KernelChoice;
  readonly threads: number;
}): Memory {
  const { rows, columns, outputs, hasWeights, params } = options;
  const threads = hasSharedKernels(options.kernels) ? options.threads : 1;
  const paddedRows = align(rows, 4);
  const stride = Math.max(4, align(columns, 4));
  const leaves = maxLeavesOf(params);
  // Offset 0 stays free: it means "none".
  let used = ALIGNMENT;
  const reserve = (size: number) => {
    const at = used;
    used += align(size, ALIGNMENT);
    return at;
  };
  const sample = Math.min(rows, EDGE_SAMPLE_ROWS);
  const layout: Layout = {
    rows,
    paddedRows,
    columns,
    stride,
    outputs,
    threads,
    control: reserve(CONTROL_BYTES),
    byRow: reserve(rows * stride),
    byColumn: reserve(rows * columns),
    binCounts: reserve(columns * 4),
    columnTable: reserve(columns * 8),
    edges: reserve(columns * 256 * 4),
    block: reserve(Math.max(sample, Math.min(rows, BIN_BLOCK_ROWS * threads) * columns) * 4),
    sortScratch: reserve(sample * 4),
    sortCounts: reserve(2048 * 4),
    labels: reserve(paddedRows * 4),
    weights: hasWeights ? reserve(paddedRows * 4) : 0,
    scores: reserve(paddedRows * 4 * outputs),
    validationScores: reserve(options.validationRows * 4 * outputs),
    validationLabels: reserve(options.validationRows * 4),
    gradients: reserve(paddedRows * 4 * outputs),
    hessians: reserve(paddedRows * 4 * outputs),
    sums: reserve(Math.ceil(rows / SUM_ROWS) * 16),
    packed: reserve(paddedRows * 8),
    index: reserve(rows * 4),
    ranges: reserve(leaves * threads * 8),
    values: reserve(leaves * 4),
    // One word more: the branchless partition writes each row to both sides before it knows which counts.
    scratch: reserve((rows + threads * 4 + 1) * 4),
    goesLeft: reserve(256),
    out: reserve(2 * threads * OUT_BYTES),
    scan: reserve(threads * SCAN_BYTES),
    growth: reserve(PLAN_BYTES + leaves * (LEAF_BYTES + 2 * NODE_BYTES)),
    histograms: reserve(stride * HISTOGRAM_COLUMN_BYTES * leaves),
    histogramBytes: stride * HISTOGRAM_COLUMN_BYTES,
    histogramCount: leaves,
    partials: reserve(stride * HISTOGRAM_COLUMN_BYTES * (threads - 1)),
  };
  if (used > MAX_KERNEL_BYTES) throw tooLarge(used, rows, columns, leaves);
  const opened = threads > 1 ? openSharedKernels(used, options.kernels) : undefined;
  if (opened === undefined) return viewMemory(layout, openKernels(used, options.kernels));
  return { ...viewMemory(layout, opened.kernels), shared: opened.shared };
}

/** The memory of kernels, seen as what it holds. */
export function viewMemory(layout: Layout, kernels: Kernels): Memory {
  const { buffer } = kernels;
  return {
    layout,
    kernels,
    bytes: new Uint8Array(buffer),
    ints: new Int32Array(buffer),
    floats: new Float32Array(buffer),
    doubles: new Float64Array(buffer),
  };
}

/** Leaves a tree can have: the limit itself, or what the depth allows. */
export function maxLeavesOf(params: GbdtParams): number {
  const byDepth = params.maxDepth === 0 ? Infinity : 1 << params.maxDepth;
  return params.grow === "depth" ? byDepth : Math.min(params.maxLeaves, byDepth);
}

function tooLarge(used: number, rows: number, columns: number, leaves: number) {
  return fail("TRAINER_FAILED", {
    message: `Training ${rows} rows × ${columns} columns with ${leaves} leaves needs ${(used / 1e9).toFixed(1)} GB; one training can address 4.3 GB.`,
    remedy: "Lower `maxLeaves` or `maxDepth`, drop columns, or shorten `data.window`.",
  });
}
