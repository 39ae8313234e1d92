/**
 * One training in the memory of the kernels: rows padded to an even number of columns, weights in float64, and the pass over
 * them. The method: each step moves by a batch of four rows along the implicit (proximal) direction, after P. Toulis and
 * E. M. Airoldi, "Asymptotic and finite-sample properties of estimators based on stochastic gradients", Annals of Statistics 45
 * (2017), eq. 5, with the curvature of the loss bounded by its maximum:
 * step = rate / (1 + rate · curvature · Σ (‖x‖² + 1)). It cannot overshoot for any rate or row, so no learning rate has to be
 * tuned. The result of a pass is the mean of the iterates (B. Polyak and A. Juditsky 1992).
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
  const stride = columns + (columns % 2);
  const width = stride + 2;
  const plan = new MemoryPlan();
  const at = {
    // A row is read as a whole and in random order: where it begins a cache line, or in its middle, it takes one line less.
    values: plan.reserve(rows * (stride + 4) * 4, CACHE_LINE),
    rowWeights: options.rowWeights === undefined ? 0 : plan.reserve(rows * 8),
    order: plan.reserve(rows * 4),
    random: plan.reserve(16),
    weights: plan.reserve(outputs * width * 8),
    sums: plan.reserve(outputs * width * 8),
    state: plan.reserve(7 * 8),
    scratch: plan.reserve(outputs * 4 * 8),
  };
  if (plan.used > MAX_KERNEL_BYTES) throw tooLarge(plan.used, rows, columns);
  const kernels = openLinearKernels(plan.used, options.kernels);
  const words = new Uint32Array(kernels.buffer);
  const doubles = new Float64Array(kernels.buffer);
  if (options.rowWeights !== undefined) doubles.set(options.rowWeights, at.rowWeights / 8);
  const normSum = writeRows(x, options.target, { buffer: kernels.buffer, at: at.values, stride });
  for (let i = 0; i < outputs; i++) {
    const own = options.weights.subarray(i * (columns + 1), (i + 1) * (columns + 1));
    doubles.set(own.subarray(0, columns), at.weights / 8 + i * width);
    doubles[at.weights / 8 + i * width + stride] = own[columns] as number;
  }
  const order = words.subarray(at.order / 4, at.order / 4 + rows);
  const identity = rowOrder(rows);
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
      order.set(identity);
      words.set(createRandom(seed).state(), at.random / 4);
      kernels.shuffle(at.order, rows, at.random);
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

type Places = Readonly<Record<"values" | "rowWeights" | "order" | "weights" | "sums" | "state" | "scratch", number>>;

function passOf(kernels: LinearKernels, task: Task, outputs: number) {
  const run = task === "multiclass" ? kernels.passSoftmax : kernels.passSingle;
  const kind = task === "multiclass" ? outputs : task === "binary" ? 1 : 0;
  return (at: Places, bytes: number, from: number, to: number) =>
    run(at.values, bytes, at.rowWeights, at.order, from, to, at.weights, at.sums, at.state, at.scratch, kind);
}

function chunkRows(columns: number, outputs: number): number {
  const rows = Math.floor(WORK_PER_TURN / ((columns + 8) * outputs));
  return Math.max(SETTLE_ROWS, rows - (rows % SETTLE_ROWS));
}

/** Rows written by one call: a function called often is compiled once for all trainings, a long loop anew in each of them. */
const ROWS_PER_CALL = 512;

/** Writes each row with its target and ‖x‖² + 1 behind it; returns the sum of the latter. */
function writeRows(x: Matrix, target: Float64Array, to: RowPlace): number {
  const floats = new Float32Array(to.buffer, to.at, x.rows * (to.stride + 4));
  const doubles = new Float64Array(to.buffer, to.at, (x.rows * (to.stride + 4)) / 2);
  let total = 0;
  for (let from = 0; from < x.rows; from += ROWS_PER_CALL) {
    const end = Math.min(x.rows, from + ROWS_PER_CALL);
    total = writeSomeRows(x, target, { floats, doubles, stride: to.stride }, { from, end, total });
  }
  return total;
}

interface RowPlace {
  readonly buffer: ArrayBuffer;
  readonly at: number;
  /** Columns with their padding. */
  readonly stride: number;
}

function writeSomeRows(
  { columns, values }: Matrix,
  target: Float64Array,
  {
    floats,
    doubles,
    stride,
  }: { readonly floats: Float32Array; readonly doubles: Float64Array; readonly stride: number },
  part: { readonly from: number; readonly end: number; readonly total: number },
): number {
  const rowFloats = stride + 4;
  let { total } = part;
  for (let i = part.from; i < part.end; i++) {
    const from = i * columns;
    const place = i * rowFloats;
    let sum = 1;
    for (let j = 0; j < columns; j++) {
      const value = values[from + j] as number;
      floats[place + j] = value;
      sum += value * value;
    }
    const tail = (place + stride) / 2;
    doubles[tail] = target[i] as number;
    doubles[tail + 1] = sum;
    total += sum;
  }
  return total;
}

function tooLarge(used: number, rows: number, columns: number) {
  return fail("TRAINER_FAILED", {
    message: `Training ${rows} rows × ${columns} columns needs ${(used / 1e9).toFixed(1)} GB; one training can address 4.3 GB.`,
    remedy: "Drop columns, lower `buckets` of text features, or shorten `data.window`.",
  });
}
