/**
 * A network in the memory of the kernels: parameters, Adam's moments, one batch of activations and gradients. `step` learns one
 * batch, `scores` runs rows forward. All sizes are padded to the kernels' tiles; what is padded stays zero.
 */
import { fail } from "../../core/index.ts";
import type { Task } from "../../core/index.ts";
import { rowOrder } from "../order.ts";
import type { Matrix, Targets } from "../trainer.ts";
import { MAX_KERNEL_BYTES, MemoryPlan } from "../wasm.ts";
import type { KernelChoice } from "../wasm.ts";
import { openMlpKernels } from "./kernels.ts";
import { padLayers, planLayers, unpadLayers } from "./layers.ts";
import type { Layer, PaddedLayer } from "./layers.ts";
import { INPUT_LIMIT } from "./score.ts";

const LOSS_KIND: Readonly<Record<Task, number>> = {
  regression: 0,
  forecast: 0,
  recommend: 0,
  binary: 1,
  multiclass: 2,
};
/** Rows run forward at a time when scoring. */
const SCORE_ROWS = 256;
/** Rows of a batch are padded to this many. */
const ROW_PAD = 4;

export interface NetworkOptions {
  readonly task: Task;
  readonly x: Matrix;
  /** Regression: in the scale's unit. */
  readonly target: Float64Array;
  readonly rowWeights: Targets["weights"];
  readonly layers: readonly Layer[];
  /** Learning rate of each layer; 0 freezes it. */
  readonly rates: readonly number[];
  readonly isTanh: boolean;
  readonly batch: number;
  readonly dropout: number;
  /** Penalty in rows. */
  readonly l2: number;
  readonly kernels: KernelChoice;
}

export interface Network {
  /** Puts all rows in an order drawn from the state. */
  shuffle(state: readonly number[]): void;
  seedDropout(state: readonly number[]): void;
  /** Learns from rows `from` to `to` of the order, at most a batch. */
  step(from: number, to: number): void;
  /** Scores of the last layer for `count` rows of a matrix, every `stride`th: count × outputs. */
  scores(x: Matrix, count: number, stride: number): Float32Array;
  layers(): Layer[];
  /** Everything a checkpoint needs. */
  readonly state: { readonly parameters: Float32Array; readonly first: Float32Array; readonly second: Float32Array };
  restore(state: Network["state"], steps: number): void;
  readonly steps: number;
}

/** @throws TRAINER_FAILED when the training would need more than 4 GiB. */
export function openNetwork(options: NetworkOptions): Network {
  const { layers, x, batch } = options;
  const { places, floats } = planLayers(layers);
  const width = (places[0] as PaddedLayer).inputs;
  const batchRows = Math.ceil(Math.max(batch, SCORE_ROWS) / ROW_PAD) * ROW_PAD;
  const widest = Math.max(...places.map((place) => place.outputs));
  const plan = new MemoryPlan();
  const at = {
    values: plan.reserve(x.rows * width * 4),
    target: plan.reserve(x.rows * 4),
    rowWeights: options.rowWeights === undefined ? 0 : plan.reserve(x.rows * 4),
    order: plan.reserve(x.rows * 4),
    shuffleState: plan.reserve(16),
    dropoutState: plan.reserve(16),
    parameters: plan.reserve(floats * 4),
    gradients: plan.reserve(floats * 4),
    first: plan.reserve(floats * 4),
    second: plan.reserve(floats * 4),
    // Eight columns of a factor, or one row of sums, while a product is taken.
    panel: plan.reserve(Math.max(batchRows, ...places.map((place) => Math.max(place.inputs, place.outputs))) * 32),
    transposed: plan.reserve(Math.max(...places.map((place) => place.inputs * place.outputs)) * 4),
    input: plan.reserve(batchRows * width * 4),
    outputs: places.map((place) => plan.reserve(batchRows * place.outputs * 4)),
    // Where dropout leaves units out: the mask, and the activations under it.
    masks: places.map((place) => (options.dropout > 0 ? plan.reserve(batchRows * place.outputs * 4) : 0)),
    dropped: places.map((place) => (options.dropout > 0 ? plan.reserve(batchRows * place.outputs * 4) : 0)),
    errors: [plan.reserve(batchRows * widest * 4), plan.reserve(batchRows * widest * 4)] as const,
  };
  if (plan.used > MAX_KERNEL_BYTES) {
    throw fail("TRAINER_FAILED", {
      message: `Training ${x.rows} rows × ${x.columns} columns needs ${(plan.used / 1e9).toFixed(1)} GB; one training can address 4.3 GB.`,
      remedy: "Drop columns, lower `hidden` or `buckets` of text features, or shorten `data.window`.",
    });
  }
  const kernels = openMlpKernels(plan.used, options.kernels);
  const floatsOf = new Float32Array(kernels.buffer);
  const words = new Uint32Array(kernels.buffer);
  const slice = (from: number, count: number) => floatsOf.subarray(from / 4, from / 4 + count);
  const parameters = slice(at.parameters, floats);
  padLayers(layers, places, parameters);
  fillRows(x, 1, slice(at.values, x.rows * width), width);
  slice(at.target, x.rows).set(options.target);
  if (options.rowWeights !== undefined) slice(at.rowWeights, x.rows).set(options.rowWeights);
  const identity = rowOrder(x.rows);
  const weightSum = options.rowWeights === undefined ? x.rows : options.rowWeights.reduce((sum, one) => sum + one, 0);
  const l2 = options.l2 / weightSum;
  const last = places.length - 1;
  const lowest = options.rates.findIndex((rate) => rate > 0);
  const isTanh = options.isTanh ? 1 : 0;
  /** Inputs of a layer that are not padding, up to the lanes of a row: what is padded to the tile adds nothing. */
  const usedInputs = layers.map((layer) => Math.ceil(layer.inputs / ROW_PAD) * ROW_PAD);
  /** A single output has kernels of its own: the tile would be eight wide for one. */
  const isSingle = (layers[last] as Layer).outputs === 1;
  let steps = 0;
  // 1 − β₁ᵗ and 1 − β₂ᵗ by repeated products: no power function is needed.
  let firstDecay = 1;
  let secondDecay = 1;

  const parameterAt = (float: number) => at.parameters + float * 4;
  const gradientAt = (float: number) => at.gradients + float * 4;

  function forward(rows: number, learning: boolean): void {
    let input = at.input;
    places.forEach((place, l) => {
      const output = at.outputs[l] as number;
      const rowBytes = place.outputs * 4;
      kernels.fillRows(output, rows, parameterAt(place.biases), rowBytes);
      const weights = parameterAt(place.weights);
      const [used, inBytes] = [usedInputs[l] as number, place.inputs * 4];
      if (l === last && isSingle) {
        kernels.multiplyOne(rows, used, input, inBytes, weights, rowBytes, output, rowBytes);
        return;
      }
      kernels.multiply(rows, place.outputs, used, input, inBytes, 4, weights, rowBytes, output, rowBytes, at.panel);
      input = output;
      if (l === last) return;
      kernels.activate(output, rows * place.outputs, isTanh);
      if (!learning || options.dropout === 0) return;
      const threshold = Math.floor(options.dropout * 4_294_967_296);
      const scale = 1 / (1 - options.dropout);
      const mask = at.masks[l] as number;
      kernels.drawMask(mask, rows * place.outputs, threshold, scale, at.dropoutState);
      input = at.dropped[l] as number;
      kernels.scaleBy(output, mask, input, rows * place.outputs);
    });
  }

  /** The weights' gradient of a layer: what lies below it, transposed, times the errors above. */
  function writeGradient(l: number, rows: number, below: number, error: number): void {
    const { inputs, outputs, weights } = places[l] as PaddedLayer;
    const gradient = gradientAt(weights);
    const [used, inBytes, rowBytes] = [usedInputs[l] as number, inputs * 4, outputs * 4];
    if (l === last && isSingle) {
      kernels.weightedSums(below, error, rowBytes, rows, inputs, gradient, rowBytes, at.panel);
      return;
    }
    slice(gradient, inputs * outputs).fill(0);
    kernels.multiply(used, outputs, rows, below, 4, inBytes, error, rowBytes, gradient, rowBytes, at.panel);
  }

  function backward(rows: number): void {
    let error = at.outputs[last] as number;
    for (let l = last; l >= Math.max(0, lowest); l--) {
      const place = places[l] as PaddedLayer;
      const rowBytes = place.outputs * 4;
      const below =
        l === 0 ? at.input : options.dropout > 0 ? (at.dropped[l - 1] as number) : (at.outputs[l - 1] as number);
      if ((options.rates[l] as number) > 0) {
        writeGradient(l, rows, below, error);
        kernels.columnSums(error, rows, place.outputs, gradientAt(place.biases));
      }
      if (l === 0 || l === lowest) return;
      // The error of the layer below: this one's, times the transposed weights, times the slope of the activation.
      const next = error === at.errors[0] ? at.errors[1] : at.errors[0];
      const inBytes = place.inputs * 4;
      kernels.transpose(parameterAt(place.weights), place.inputs, place.outputs, at.transposed);
      if (l === last && isSingle) kernels.outer(error, rowBytes, rows, at.transposed, place.inputs, next);
      else {
        slice(next, rows * place.inputs).fill(0);
        const [m, n, k] = [rows, place.inputs, place.outputs];
        kernels.multiply(m, n, k, error, rowBytes, 4, at.transposed, inBytes, next, inBytes, at.panel);
      }
      if (options.dropout > 0) kernels.scaleBy(next, at.masks[l - 1] as number, next, rows * place.inputs);
      kernels.activationGradient(next, at.outputs[l - 1] as number, rows * place.inputs, isTanh);
      error = next;
    }
  }

  function learn(): void {
    steps++;
    firstDecay *= 0.9;
    secondDecay *= 0.999;
    places.forEach((place, l) => {
      const rate = options.rates[l] as number;
      if (rate === 0) return;
      const move = (from: number, count: number, penalty: number) => {
        const [m, v] = [at.first + from * 4, at.second + from * 4];
        const bounds = [1 / (1 - firstDecay), 1 / (1 - secondDecay)] as const;
        kernels.adam(parameterAt(from), gradientAt(from), m, v, count, rate, penalty, ...bounds);
      };
      move(place.weights, (usedInputs[l] as number) * place.outputs, l2);
      move(place.biases, place.outputs, 0);
    });
  }

  return {
    shuffle(state) {
      words.subarray(at.order / 4, at.order / 4 + x.rows).set(identity);
      words.set(state, at.shuffleState / 4);
      kernels.shuffle(at.order, x.rows, at.shuffleState);
    },
    seedDropout: (state) => words.set(state, at.dropoutState / 4),
    step(from, to) {
      const count = to - from;
      const rows = Math.ceil(count / ROW_PAD) * ROW_PAD;
      kernels.gather(at.order, from, count, at.values, width * 4, at.input);
      slice(at.input + count * width * 4, (rows - count) * width).fill(0);
      forward(rows, true);
      const place = places[last] as PaddedLayer;
      const scores = at.outputs[last] as number;
      const outputs = (layers[last] as Layer).outputs;
      const scale = x.rows / (count * weightSum);
      const kind = LOSS_KIND[options.task];
      kernels.lossGradient(
        scores,
        place.outputs * 4,
        outputs,
        kind,
        at.order,
        from,
        count,
        at.target,
        at.rowWeights,
        scale,
      );
      // Padded columns hold biases of zero and gradients of zero; padded rows must not count.
      slice(scores + count * place.outputs * 4, (rows - count) * place.outputs).fill(0);
      backward(rows);
      learn();
    },
    scores(from, count, stride) {
      const outputs = (layers[last] as Layer).outputs;
      const place = places[last] as PaddedLayer;
      const all = new Float32Array(count * outputs);
      for (let start = 0; start < count; start += SCORE_ROWS) {
        const rows = Math.min(SCORE_ROWS, count - start);
        const paddedRows = Math.ceil(rows / ROW_PAD) * ROW_PAD;
        const part = { rows, columns: from.columns, values: from.values.subarray(start * stride * from.columns) };
        fillRows(part, stride, slice(at.input, paddedRows * width), width);
        forward(paddedRows, false);
        const scores = slice(at.outputs[last] as number, rows * place.outputs);
        for (let i = 0; i < rows; i++) {
          for (let c = 0; c < outputs; c++) all[(start + i) * outputs + c] = scores[i * place.outputs + c] as number;
        }
      }
      return all;
    },
    layers: () => unpadLayers(layers, places, parameters),
    get state() {
      return {
        parameters: parameters.slice(),
        first: slice(at.first, floats).slice(),
        second: slice(at.second, floats).slice(),
      };
    },
    restore(state, count) {
      parameters.set(state.parameters);
      slice(at.first, floats).set(state.first);
      slice(at.second, floats).set(state.second);
      for (steps = 0; steps < count; steps++) {
        firstDecay *= 0.9;
        secondDecay *= 0.999;
      }
    },
    get steps() {
      return steps;
    },
  };
}

/** Rows written by one call: a function called often is compiled once for all trainings, a long loop anew in each of them. */
const ROWS_PER_CALL = 512;

/** Every `stride`th row into rows of `width` floats, cut to the range of the network; the rest of the width stays zero. */
function fillRows(x: Matrix, stride: number, to: Float32Array, width: number): void {
  for (let from = 0; from < x.rows; from += ROWS_PER_CALL) {
    fillSomeRows(x, stride, to, width, from, Math.min(x.rows, from + ROWS_PER_CALL));
  }
}

function fillSomeRows(
  { columns, values }: Matrix,
  stride: number,
  to: Float32Array,
  width: number,
  from: number,
  end: number,
): void {
  for (let i = from; i < end; i++) {
    const read = i * stride * columns;
    for (let j = 0; j < columns; j++) {
      const value = values[read + j] as number;
      to[i * width + j] = value > INPUT_LIMIT ? INPUT_LIMIT : value < -INPUT_LIMIT ? -INPUT_LIMIT : value;
    }
  }
}
