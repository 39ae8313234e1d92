/**
 * The inner loops of the linear trainer: one pass of averaged stochastic gradient descent over rows in a given order.
 *
 * Each step is the implicit (proximal) one, after P. Toulis and E. M. Airoldi, "Asymptotic and finite-sample properties of
 * estimators based on stochastic gradients", Annals of Statistics 45 (2017), eq. 5, with the curvature of the loss bounded by
 * its maximum: step = rate / (1 + rate · curvature · (‖x‖² + 1)). It cannot overshoot for any rate or row, so no learning rate
 * has to be tuned. The result of a pass is the mean of the iterates (B. Polyak and A. Juditsky 1992), sampled every
 * `AVERAGE_EVERY` steps: the mean of every 16th differs from the mean of all by nothing that matters and costs a sixteenth.
 */
import { expDeterministic, sigmoid } from "../stats/index.ts";

export const AVERAGE_EVERY = 16;

/** Largest second derivative of the loss in the linear score. */
export const CURVATURE_LOGISTIC = 0.25;
export const CURVATURE_SOFTMAX = 0.5;
export const CURVATURE_SQUARED = 1;

export interface LinearState {
  /** k × (columns + 1), row by row, the intercept last. */
  readonly weights: Float64Array;
  readonly sum: Float64Array;
  /** Iterates in `sum`. */
  averaged: number;
  /** Steps done over all passes: the learning rate falls with it. */
  step: number;
}

export interface LinearPass {
  readonly values: Float32Array;
  readonly columns: number;
  readonly target: Float64Array;
  readonly rowWeights: Float64Array | undefined;
  /** ‖x‖² + 1 per row. */
  readonly norms: Float64Array;
  readonly order: Uint32Array;
  /** Rate of a step: rate / (1 + step / decaySteps). */
  readonly rate: number;
  readonly decaySteps: number;
  /** λ of the penalty λ/2 ‖w‖² added to the mean loss; the intercept is free. */
  readonly l2: number;
}

/** ‖x‖² + 1 of each row. */
export function rowNorms(values: Float32Array, rows: number, columns: number): Float64Array {
  const norms = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let sum = 1;
    const offset = i * columns;
    for (let j = 0; j < columns; j++) {
      const value = values[offset + j] as number;
      sum += value * value;
    }
    norms[i] = sum;
  }
  return norms;
}

/** Adds the iterate to the mean, and shrinks the weights by the penalty of the steps since the last time. */
function settle(state: LinearState, pass: LinearPass, rate: number): void {
  const { weights, sum } = state;
  const shrink = 1 / (1 + AVERAGE_EVERY * rate * pass.l2);
  const width = pass.columns + 1;
  for (let j = 0; j < weights.length; j++) {
    if ((j + 1) % width !== 0) weights[j] = (weights[j] as number) * shrink;
    sum[j] = (sum[j] as number) + (weights[j] as number);
  }
  state.averaged++;
}

/**
 * w·x of one row. Four sums run side by side: one sum would wait for each addition before the next, which is most of the time
 * of a step. The order of additions is fixed, so the bits are too.
 */
function dot(weights: Float64Array, base: number, values: Float32Array, offset: number, columns: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let j = 0;
  for (; j + 3 < columns; j += 4) {
    a += (weights[base + j] as number) * (values[offset + j] as number);
    b += (weights[base + j + 1] as number) * (values[offset + j + 1] as number);
    c += (weights[base + j + 2] as number) * (values[offset + j + 2] as number);
    d += (weights[base + j + 3] as number) * (values[offset + j + 3] as number);
  }
  for (; j < columns; j++) a += (weights[base + j] as number) * (values[offset + j] as number);
  return a + b + (c + d);
}

/** w += move · x of one row. */
function addRow(
  weights: Float64Array,
  base: number,
  values: Float32Array,
  offset: number,
  columns: number,
  move: number,
) {
  for (let j = 0; j < columns; j++) {
    weights[base + j] = (weights[base + j] as number) + move * (values[offset + j] as number);
  }
  weights[base + columns] = (weights[base + columns] as number) + move;
}

/** The rate at a step: constant between two settlements. */
function rateAt(pass: LinearPass, step: number): number {
  return pass.rate / (1 + step / pass.decaySteps);
}

/** Logistic (`isLogistic`, target 0/1) or squared loss, one output. Rows `from` to `to` of the order. */
export function passSingle(state: LinearState, pass: LinearPass, from: number, to: number, isLogistic: boolean): void {
  const { values, columns, target, rowWeights, norms, order } = pass;
  const { weights } = state;
  const curvature = isLogistic ? CURVATURE_LOGISTIC : CURVATURE_SQUARED;
  let step = state.step;
  let rate = rateAt(pass, step - (step % AVERAGE_EVERY));
  for (let i = from; i < to; i++) {
    const row = order[i] as number;
    const offset = row * columns;
    const score = (weights[columns] as number) + dot(weights, 0, values, offset, columns);
    const weighted = rowWeights === undefined ? rate : rate * (rowWeights[row] as number);
    const residual = (isLogistic ? sigmoid(score) : score) - (target[row] as number);
    const move = (-residual * weighted) / (1 + weighted * curvature * (norms[row] as number));
    addRow(weights, 0, values, offset, columns, move);
    step++;
    if (step % AVERAGE_EVERY === 0) {
      settle(state, pass, rate);
      rate = rateAt(pass, step);
    }
  }
  state.step = step;
}

/** Softmax loss, k outputs. `scratch` has k numbers. */
export function passSoftmax(
  state: LinearState,
  pass: LinearPass,
  from: number,
  to: number,
  scratch: Float64Array,
): void {
  const { values, columns, target, rowWeights, norms, order } = pass;
  const { weights } = state;
  const width = columns + 1;
  const classes = scratch.length;
  let step = state.step;
  let rate = rateAt(pass, step - (step % AVERAGE_EVERY));
  for (let i = from; i < to; i++) {
    const row = order[i] as number;
    const offset = row * columns;
    linearScores(weights, values, offset, columns, scratch);
    softmaxInPlace(scratch);
    const weighted = rowWeights === undefined ? rate : rate * (rowWeights[row] as number);
    const scale = weighted / (1 + weighted * CURVATURE_SOFTMAX * (norms[row] as number));
    for (let c = 0; c < classes; c++) {
      const move = ((c === target[row] ? 1 : 0) - (scratch[c] as number)) * scale;
      addRow(weights, c * width, values, offset, columns, move);
    }
    step++;
    if (step % AVERAGE_EVERY === 0) {
      settle(state, pass, rate);
      rate = rateAt(pass, step);
    }
  }
  state.step = step;
}

/** w·x + b of every output into `out`. */
export function linearScores(
  weights: Float64Array,
  values: Float32Array,
  offset: number,
  columns: number,
  out: Float64Array,
): void {
  const width = columns + 1;
  for (let c = 0; c < out.length; c++) {
    const base = c * width;
    out[c] = (weights[base + columns] as number) + dot(weights, base, values, offset, columns);
  }
}

/** Probabilities from scores; the largest is subtracted first, so nothing overflows. */
export function softmaxInPlace(scores: Float64Array): void {
  let largest = -Infinity;
  for (let c = 0; c < scores.length; c++) if ((scores[c] as number) > largest) largest = scores[c] as number;
  let total = 0;
  for (let c = 0; c < scores.length; c++) {
    const value = expDeterministic((scores[c] as number) - largest);
    scores[c] = value;
    total += value;
  }
  for (let c = 0; c < scores.length; c++) scores[c] = (scores[c] as number) / total;
}
