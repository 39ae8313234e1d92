/**
 * One training in the memory of the kernels: rows padded to a multiple of four columns, weights in float64, and the pass over
 * them. Rows are placed in random order once; an epoch goes over blocks of neighbors in random order, which reads memory in
 * stretches and costs half of reading each row from a random place. Shuffling once is about as good as shuffling every epoch
 * (K. Mishchenko, A. Khaled and P. Richtarik, "Random reshuffling: simple analysis with vast improvements", NeurIPS 2020), blocks
 * are between the two; rows as they came would not do, where rows of one kind come together. The method: each step moves by eight rows, each four of
 * them along the implicit (proximal) direction, after P. Toulis and E. M. Airoldi, "Asymptotic and finite-sample properties of
 * estimators based on stochastic gradients", Annals of Statistics 45 (2017), eq. 5, with the curvature of the loss bounded by its
 * maximum: step = rate / (1 + rate · curvature · Σ (‖x‖² + 1)). Four rows cannot overshoot for any rate, and two fours together
 * stay below twice the inverse curvature, beyond which steps would grow: no learning rate has to be tuned. One sum over the
 * eight would halve what a row moves, and small data would take more epochs. The result of a pass is the mean of the iterates
 * (B. Polyak and A. Juditsky 1992).
 */
import { createRandom, fail } from "../../core/index.ts";
import type { Task } from "../../core/index.ts";
import type { Matrix, Targets } from "../trainer.ts";
import { rowOrder } from "../order.ts";
import { takeTurn } from "../turn.ts";
import { MAX_KERNEL_BYTES, MemoryPlan } from "../wasm.ts";
import type { KernelChoice } from "../wasm.ts";
import { openLinearKernels } from "./kernels.ts";
import type { LinearKernels } from "./kernel-contract.ts";

/** Largest second derivative of the loss in the linear score. */
const CURVATURE: Readonly<Record<Task, number>> = {
  binary: 0.25,
  multiclass: 0.5,
  regression: 1,
  forecast: 1,
  recommend: 1,
};
/** Multiplications between two turns of the event loop: about 10 ms, so a cancel is seen at once. */
const WORK_PER_TURN = 8_000_000;
/** Rows between two settlements of the penalty: a chunk ends at a multiple. */
const SETTLE_ROWS = 16;
const CACHE_LINE = 64;
/** float32 in one vector of the kernels. */
const LANES = 4;
/** float32 behind the columns of a row: target, ‖x‖² + 1, weight, and one that is free. */
const TAIL = 4;
/** Rows of one step, as in kernels/linear.ts. */
const BATCH_ROWS = 8;
/** Rows that are read one after the other: enough for a processor to fetch ahead, few enough that epochs differ. */
const BLOCK_ROWS = 256;
/** Rows of so many bytes stay in a cache, where any order costs the same: each row is then a block. */
const CACHED_BYTES = 524_288;
/** Rows brought into place by one call: few calls, and what they read and write stays in the cache. */
const ROWS_PER_CALL = 512;
/** After this many epochs the step has halved. Late steps must be small for the last digits, early ones large to get there. */
const HALVING_EPOCHS = 1;

export interface LinearMemory {
  /** Goes over all rows in an order drawn from `seed`. @throws TRAINER_CANCELED */
  runEpoch(seed: number, signal: AbortSignal): Promise<void>;
  /** The mean iterate of the last epoch: k × (columns + 1), row by row, the intercept last. */
  average(): Float64Array;
  /** The last iterate, from which the next epoch goes on. */
  iterate(): Float64Array;
  /** Rows gone over so far: the rate falls with them. */
  readonly step: number;
}

export interface LinearMemoryOptions {
  readonly task: Task;
  readonly x: Matrix;
  /** Regression: in the scale's unit. */
  readonly target: Float64Array;
  readonly rowWeights: Targets["weights"];
  readonly outputs: number;
  /** Starting weights, k × (columns + 1). */
  readonly weights: Float64Array;
  readonly step: number;
  /** Of the order in which rows are placed; the same for a training that goes on from a checkpoint. */
  readonly seed: number;
  /** First step as a share of the largest safe step. */
  readonly rate: number;
  /** Penalties in rows. */
  readonly l1: number;
  readonly l2: number;
  readonly kernels: KernelChoice;
}

/** @throws TRAINER_FAILED when the training would need more than 4 GiB. */
export function openLinearMemory(options: LinearMemoryOptions): LinearMemory {
  const { task, x, outputs } = options;
  const { rows, columns } = x;
  const stride = Math.ceil(columns / LANES) * LANES;
  const width = stride + 2;
  const rowBytes = (stride + TAIL) * 4;
  const blockRows = rows * rowBytes <= CACHED_BYTES ? 1 : BLOCK_ROWS;
  const plan = new MemoryPlan();
  const at = {
    values: plan.reserve(rows * rowBytes, CACHE_LINE),
    order: plan.reserve(rows * 4),
    blocks: plan.reserve(Math.ceil(rows / blockRows) * 4),
    random: plan.reserve(16),
    weights: plan.reserve(outputs * width * 8),
    sums: plan.reserve(outputs * width * 8),
    singles: plan.reserve(outputs * rowBytes),
    state: plan.reserve(7 * 8),
    scratch: plan.reserve(outputs * BATCH_ROWS * 4),
    rows: plan.reserve(ROWS_PER_CALL * columns * 4),
    targets: plan.reserve(ROWS_PER_CALL * 8),
    rowWeights: plan.reserve(ROWS_PER_CALL * 8),
  };
  if (plan.used > MAX_KERNEL_BYTES) throw tooLarge(plan.used, rows, columns);
  const kernels = openLinearKernels(plan.used, options.kernels);
  const words = new Uint32Array(kernels.buffer);
  const doubles = new Float64Array(kernels.buffer);
  const random = (seed: number) => words.set(createRandom(seed).state(), at.random / 4);
  words.set(rowOrder(rows), at.order / 4);
  random(options.seed);
  kernels.shuffle(at.order, rows, at.random);
  const normSum = placeRows(kernels, options, at, stride * 4);
  for (let i = 0; i < outputs; i++) {
    const own = options.weights.subarray(i * (columns + 1), (i + 1) * (columns + 1));
    doubles.set(own.subarray(0, columns), at.weights / 8 + i * width);
    doubles[at.weights / 8 + i * width + stride] = own[columns] as number;
  }
  const weightSum = options.rowWeights === undefined ? rows : options.rowWeights.reduce((sum, one) => sum + one, 0);
  const curvature = CURVATURE[task];
  const rate = (options.rate * rows) / (curvature * normSum);
  const decay = rows * HALVING_EPOCHS;
  doubles.set([options.step, 0, rate, decay, options.l2 / weightSum, options.l1 / weightSum, curvature], at.state / 8);

  const read = (from: number, scale: number) => {
    const out = new Float64Array(outputs * (columns + 1));
    for (let i = 0; i < outputs; i++) {
      const base = from / 8 + i * width;
      for (let j = 0; j < columns; j++) out[i * (columns + 1) + j] = (doubles[base + j] as number) / scale;
      out[i * (columns + 1) + columns] = (doubles[base + stride] as number) / scale;
    }
    return out;
  };
  const pass = passOf(kernels, task, outputs);
  const chunk = chunkRows(columns, outputs);
  return {
    async runEpoch(seed, signal) {
      doubles.fill(0, at.sums / 8, at.sums / 8 + outputs * width);
      doubles[at.state / 8 + 1] = 0;
      random(seed);
      kernels.shuffleBlocks(at.order, rows, at.blocks, blockRows, at.random);
      for (let from = 0; from < rows; from += chunk) {
        const to = Math.min(rows, from + chunk);
        pass(at, stride * 4, from, to);
        if (to < rows) await takeTurn(signal);
      }
    },
    average() {
      const mean = read(at.sums, doubles[at.state / 8 + 1] as number);
      if (options.l1 === 0) return mean;
      // A mean of iterates is never exactly 0; the last iterate says which weights the penalty has closed.
      const last = this.iterate();
      return mean.map((value, i) => (last[i] === 0 ? 0 : value));
    },
    iterate: () => read(at.weights, 1),
    get step() {
      return doubles[at.state / 8] as number;
    },
  };
}

type Places = Readonly<
  Record<
    "values" | "order" | "weights" | "sums" | "singles" | "state" | "scratch" | "rows" | "targets" | "rowWeights",
    number
  >
>;

function passOf(kernels: LinearKernels, task: Task, outputs: number) {
  const run = task === "multiclass" ? kernels.passSoftmax : kernels.passSingle;
  const kind = task === "multiclass" ? outputs : task === "binary" ? 1 : 0;
  return (at: Places, bytes: number, from: number, to: number) =>
    run(at.values, bytes, at.order, from, to, at.weights, at.sums, at.singles, at.state, at.scratch, kind);
}

function chunkRows(columns: number, outputs: number): number {
  const rows = Math.floor(WORK_PER_TURN / ((columns + 8) * outputs));
  return Math.max(SETTLE_ROWS, rows - (rows % SETTLE_ROWS));
}

/** Brings the rows into their slots, part by part through a small place of transit; returns the sum of ‖x‖² + 1. */
function placeRows(
  kernels: LinearKernels,
  { x, target, rowWeights }: LinearMemoryOptions,
  at: Places,
  bytes: number,
): number {
  const floats = new Float32Array(kernels.buffer);
  const doubles = new Float64Array(kernels.buffer);
  if (rowWeights === undefined) doubles.fill(1, at.rowWeights / 8, at.rowWeights / 8 + ROWS_PER_CALL);
  let total = 0;
  for (let from = 0; from < x.rows; from += ROWS_PER_CALL) {
    const end = Math.min(x.rows, from + ROWS_PER_CALL);
    floats.set(x.values.subarray(from * x.columns, end * x.columns), at.rows / 4);
    doubles.set(target.subarray(from, end), at.targets / 8);
    if (rowWeights !== undefined) doubles.set(rowWeights.subarray(from, end), at.rowWeights / 8);
    const slots = at.order + from * 4;
    total = kernels.placeRows(
      at.rows,
      end - from,
      x.columns,
      at.targets,
      at.rowWeights,
      slots,
      at.values,
      bytes,
      total,
    );
  }
  return total;
}

function tooLarge(used: number, rows: number, columns: number) {
  return fail("TRAINER_FAILED", {
    message: `Training ${rows} rows × ${columns} columns needs ${(used / 1e9).toFixed(1)} GB; one training can address 4.3 GB.`,
    remedy: "Drop columns, lower `buckets` of text features, or shorten `data.window`.",
  });
}
