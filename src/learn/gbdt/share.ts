/**
 * One thread's share of a step of the training. A step is a command and its arguments in the control block; each thread takes
 * its own rows, or its own columns of the histograms. Sums are integers and every other number is of one row, so the model has
 * the same bits whatever the number of threads; with one thread the same lines run and nobody is waited for.
 */
import { categoryBin } from "./category.ts";
import { BIN_BLOCK_ROWS, OUT_BYTES, SCAN_BYTES, SUM_ROWS } from "./memory.ts";
import type { Memory } from "./memory.ts";

export const COMMANDS = { stop: 0, gradients: 1, plant: 2, split: 3, scan: 4, finish: 5, bin: 6 } as const;
export type Command = (typeof COMMANDS)[keyof typeof COMMANDS];

/** int32 places of the control block. The two that threads wait at lie on cache lines of their own. */
export const CONTROL = {
  sequence: 0,
  done: 16,
  command: 32,
  hasFailed: 33,
  threads: 34,
  arguments: 36,
  /** From here float64, two places each. */
  numbers: 64,
} as const;

/** float64 places among the numbers of a command. */
export const NUMBERS = { scaleG: 0, scaleH: 1, l2: 2, minChild: 3, least: 4 } as const;

export interface Share {
  readonly memory: Memory;
  readonly thread: number;
}

/** The rows of a thread. */
export function rowsOf({ memory, thread }: Share): { readonly from: number; readonly to: number } {
  const { layout, ints } = memory;
  const threads = ints[(layout.control >>> 2) + CONTROL.threads] as number;
  const blocks = Math.ceil(layout.rows / SUM_ROWS);
  const edge = (at: number) => Math.min(layout.rows, Math.floor((blocks * at) / threads) * SUM_ROWS);
  return { from: edge(thread), to: thread + 1 === threads ? layout.rows : edge(thread + 1) };
}

/** Does this thread's share of the command in the control block. */
export function doShare(share: Share, command: Command): void {
  switch (command) {
    case COMMANDS.gradients:
      return takeGradients(share);
    case COMMANDS.plant:
      return plant(share);
    case COMMANDS.split:
      return split(share);
    case COMMANDS.scan:
      return scan(share);
    case COMMANDS.finish:
      return finish(share);
    case COMMANDS.bin:
      return bin(share);
    case COMMANDS.stop:
      return undefined;
  }
}

function argument({ memory }: Share, place: number): number {
  return memory.ints[(memory.layout.control >>> 2) + CONTROL.arguments + place] as number;
}

function numberAt({ memory }: Share, place: number): number {
  return memory.doubles[(memory.layout.control >>> 3) + CONTROL.numbers / 2 + place] as number;
}

/** Rows for the kernels that take four at a time: the last thread's reach into the padding. */
function paddedRowsOf(share: Share): { readonly from: number; readonly count: number } {
  const { layout } = share.memory;
  const { from, to } = rowsOf(share);
  return { from, count: (to === layout.rows ? layout.paddedRows : to) - from };
}

/** int32 place of a leaf's rows in the index, as this thread keeps them: begin, end. */
export function rangePlace({ layout }: Memory, slot: number, thread: number): number {
  return (layout.ranges >>> 2) + (slot * layout.threads + thread) * 2;
}

function takeGradients(share: Share): void {
  const { kernels, layout } = share.memory;
  const { scores, labels, weights, gradients, hessians, sums } = layout;
  const { from, count } = paddedRowsOf(share);
  if (count <= 0) return;
  const at = from * 4;
  const ownSums = sums + (from / SUM_ROWS) * 16;
  kernels.logisticGradients(
    scores + at,
    labels + at,
    weights === 0 ? 0 : weights + at,
    gradients + at,
    hessians + at,
    count,
    ownSums,
  );
}

/** Where this thread counts: the first one in place, the others in a histogram of their own that is added afterwards. */
function countingPlace({ memory, thread }: Share, destination: number): number {
  const { partials, histogramBytes } = memory.layout;
  return thread === 0 ? destination : partials + (thread - 1) * histogramBytes;
}

/** Fixed-point gradients, and the root's histogram. Arguments: offset of the output, whether the index holds a sample. */
function plant(share: Share): void {
  const { memory, thread } = share;
  const { kernels, layout, ints } = memory;
  const { gradients, hessians, packed, byRow, stride, index, histograms } = layout;
  const { from, to } = rowsOf(share);
  const { count } = paddedRowsOf(share);
  const at = argument(share, 0) + from * 4;
  const scaleG = numberAt(share, NUMBERS.scaleG);
  const scaleH = numberAt(share, NUMBERS.scaleH);
  if (count > 0) kernels.quantize(gradients + at, hessians + at, packed + from * 8, count, scaleG, scaleH);
  const place = countingPlace(share, histograms);
  const range = rangePlace(memory, 0, thread);
  if (argument(share, 1) === 1) {
    kernels.histogramRows(place, byRow, stride, packed, index, ints[range] as number, ints[range + 1] as number);
    return;
  }
  kernels.countUp(index, from, to);
  ints[range] = from;
  ints[range + 1] = to;
  kernels.histogramAll(place, byRow + from * stride, stride, packed + from * 8, to - from);
}

/** Arguments: the leaf, the new leaf on its right, the column, where the smaller one is counted (0: nowhere), whether that is the right. */
function split(share: Share): void {
  const { memory, thread } = share;
  const { kernels, layout, ints } = memory;
  const { byRow, stride, packed, index, goesLeft, scratch } = layout;
  const left = rangePlace(memory, argument(share, 0), thread);
  const right = rangePlace(memory, argument(share, 1), thread);
  const columnBins = layout.byColumn + argument(share, 2) * layout.rows;
  const begin = ints[left] as number;
  const end = ints[left + 1] as number;
  const middle = begin + kernels.partition(index, begin, end, columnBins, goesLeft, scratch + (begin + thread * 4) * 4);
  ints[left + 1] = middle;
  ints[right] = middle;
  ints[right + 1] = end;
  const destination = argument(share, 3);
  if (destination === 0) return;
  const place = countingPlace(share, destination);
  const isRight = argument(share, 4) === 1;
  kernels.histogramRows(place, byRow, stride, packed, index, isRight ? middle : begin, isRight ? end : middle);
}

/**
 * Arguments: the histogram just counted, the one to take it from (0: none), then for each of two leaves its histogram (0: no
 * search), sum of gradients and sum of hessians. Answers stand at `out`, by leaf and thread.
 */
function scan(share: Share): void {
  const { memory, thread } = share;
  const { kernels, layout, ints } = memory;
  const threads = ints[(layout.control >>> 2) + CONTROL.threads] as number;
  const first = Math.floor((layout.stride * thread) / threads);
  const count = Math.floor((layout.stride * (thread + 1)) / threads) - first;
  const bytes = layout.histogramBytes / layout.stride;
  const counted = argument(share, 0) + first * bytes;
  for (let other = 1; other < threads; other++) {
    kernels.addHistogram(counted, layout.partials + (other - 1) * layout.histogramBytes + first * bytes, count);
  }
  const parent = argument(share, 1);
  if (parent !== 0) kernels.subtractHistogram(parent + first * bytes, counted, count);
  for (let leaf = 0; leaf < 2; leaf++) {
    const histogram = argument(share, 2 + leaf * 3);
    const out = outPlace(memory, leaf, thread);
    ints[(out >>> 2) + 2] = -1;
    const columns = Math.min(count, layout.columns - first);
    if (histogram === 0 || columns <= 0) continue;
    kernels.scanColumns(
      histogram + first * bytes,
      layout.binCounts + first * 4,
      columns,
      argument(share, 3 + leaf * 3),
      argument(share, 4 + leaf * 3),
      1 / numberAt(share, NUMBERS.scaleG),
      1 / numberAt(share, NUMBERS.scaleH),
      numberAt(share, NUMBERS.l2),
      numberAt(share, NUMBERS.minChild),
      numberAt(share, NUMBERS.least + leaf),
      layout.scan + thread * SCAN_BYTES,
      out,
    );
    const column = ints[(out >>> 2) + 2] as number;
    if (column >= 0) ints[(out >>> 2) + 2] = column + first;
  }
}

/** Byte offset of a thread's answer about a leaf of a scan. */
export function outPlace({ layout }: Memory, leaf: number, thread: number): number {
  return layout.out + (leaf * layout.threads + thread) * OUT_BYTES;
}

/** Arguments: how many leaves, offset of the scores. Their values stand at `values`. */
function finish(share: Share): void {
  const { memory, thread } = share;
  const { kernels, layout } = memory;
  const ranges = rangePlace(memory, 0, thread) * 4;
  kernels.addLeaves(argument(share, 1), layout.index, ranges, layout.threads * 8, layout.values, argument(share, 0));
}

/** Argument: the first row. Each thread has a block of raw rows: thread t those from `first` + t blocks on. */
function bin(share: Share): void {
  const { memory, thread } = share;
  const { kernels, layout, ints, bytes, floats } = memory;
  const { byRow, byColumn, stride, edges, columns } = layout;
  const from = argument(share, 0) + thread * BIN_BLOCK_ROWS;
  const rows = Math.min(BIN_BLOCK_ROWS, layout.rows - from);
  if (rows <= 0) return;
  const block = layout.block + thread * BIN_BLOCK_ROWS * columns * 4;
  for (let c = 0; c < columns; c++) {
    const about = (layout.columnTable >>> 2) + c * 2;
    const source = ints[about] as number;
    const toRow = byRow + from * stride + c;
    const toColumn = byColumn + c * layout.rows + from;
    if (ints[about + 1] === 0) {
      kernels.binColumn(block + source * 4, rows, columns, edges + c * 1024, toRow, stride, toColumn);
      continue;
    }
    for (let i = 0; i < rows; i++) {
      const code = categoryBin(floats[(block >>> 2) + i * columns + source] as number);
      bytes[toRow + i * stride] = code;
      bytes[toColumn + i] = code;
    }
  }
}
