/** The memory of one training, laid out before it is asked for: wasm memory grows, but its views break when it does. */
import { fail } from "../../core/index.ts";
import type { Kernels } from "./kernel-contract.ts";
import { openKernels } from "./kernels.ts";
import type { KernelChoice } from "./kernels.ts";
import type { GbdtParams } from "./params.ts";

/** A wasm memory addresses 32 bits. */
const MAX_BYTES = 4_294_901_760;
const ALIGNMENT = 16;
const HISTOGRAM_COLUMN_BYTES = 2048;
/** Raw rows copied in at a time for binning: 4,096 × 20 columns are 320 kB, which stays in the cache. */
export const BIN_BLOCK_ROWS = 4096;
/** Sorted at most for the edges of a column: the rank error of an edge is then below 0.3 % (√(p(1−p)/n) at two deviations). */
export const EDGE_SAMPLE_ROWS = 200_000;

/** Byte offsets of everything a training holds. Rows are padded to a multiple of 4, the columns of a row of bins too. */
export interface Layout {
  readonly rows: number;
  readonly paddedRows: number;
  readonly columns: number;
  readonly stride: number;
  readonly outputs: number;
  readonly byRow: number;
  readonly byColumn: number;
  readonly binCounts: number;
  readonly edges: number;
  readonly block: number;
  readonly sortScratch: number;
  readonly sortCounts: number;
  readonly labels: number;
  /** 0 without weights. */
  readonly weights: number;
  readonly scores: number;
  readonly gradients: number;
  readonly hessians: number;
  readonly packed: number;
  readonly index: number;
  readonly scratch: number;
  readonly goesLeft: number;
  readonly out: number;
  readonly histograms: number;
  readonly histogramBytes: number;
  readonly histogramCount: number;
}

export interface Memory {
  readonly layout: Layout;
  readonly kernels: Kernels;
  readonly bytes: Uint8Array;
  readonly ints: Int32Array;
  readonly floats: Float32Array;
  readonly doubles: Float64Array;
}

const align = (value: number, to: number) => Math.ceil(value / to) * to;

/** @throws TRAINER_FAILED when the training would need more than 4 GiB. */
export function openMemory(options: {
  readonly rows: number;
  readonly columns: number;
  readonly outputs: number;
  readonly hasWeights: boolean;
  readonly params: GbdtParams;
  readonly kernels: KernelChoice;
}): Memory {
  const { rows, columns, outputs, hasWeights, params } = options;
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
    byRow: reserve(rows * stride),
    byColumn: reserve(rows * columns),
    binCounts: reserve(columns * 4),
    edges: reserve(256 * 4),
    block: reserve(Math.max(sample, Math.min(rows, BIN_BLOCK_ROWS) * columns) * 4),
    sortScratch: reserve(sample * 4),
    sortCounts: reserve(2048 * 4),
    labels: reserve(paddedRows * 4),
    weights: hasWeights ? reserve(paddedRows * 4) : 0,
    scores: reserve(paddedRows * 4 * outputs),
    gradients: reserve(paddedRows * 4 * outputs),
    hessians: reserve(paddedRows * 4 * outputs),
    packed: reserve(paddedRows * 8),
    index: reserve(rows * 4),
    // One word more: the branchless partition writes each row to both sides before it knows which counts.
    scratch: reserve((rows + 1) * 4),
    goesLeft: reserve(256),
    out: reserve(64),
    histograms: reserve(stride * HISTOGRAM_COLUMN_BYTES * leaves),
    histogramBytes: stride * HISTOGRAM_COLUMN_BYTES,
    histogramCount: leaves,
  };
  if (used > MAX_BYTES) throw tooLarge(used, rows, columns, leaves);
  const kernels = openKernels(used, options.kernels);
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
