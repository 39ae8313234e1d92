/**
 * Losses: where scores start, their gradients and hessians, and what a score means. Squared, absolute and quantile losses work
 * on the standardized target, so that one set of defaults fits every unit; Poisson works on the logarithm of the mean.
 * Sources: J. Friedman, "Greedy function approximation", Annals of Statistics 29 (2001), §4; T. Chen and C. Guestrin,
 * "XGBoost" (2016), eq. 2-7.
 */
import { fail } from "../../core/index.ts";
import type { Task } from "../../core/index.ts";
import { logDeterministic } from "../../stats/index.ts";
import type { Targets, TrainedWeights } from "../trainer.ts";
import type { Crew } from "./crew.ts";
import { SUM_ROWS } from "./memory.ts";
import type { Memory } from "./memory.ts";
import type { GbdtParams } from "./params.ts";
import { COMMANDS } from "./share.ts";
import { expSingle } from "./twin.ts";

export type Loss = "logistic" | "softmax" | "squared" | "absolute" | "quantile" | "poisson";

export interface Objective {
  readonly loss: Loss;
  /** Trees per round: classes of a softmax, else 1. */
  readonly outputs: number;
  /** Scores before the first tree. */
  readonly start: Float32Array;
  /** Regression: score × deviation + mean is the target. */
  readonly mean: number;
  readonly deviation: number;
  /** Absolute and quantile loss: leaves take this quantile of their residuals, since the gradient's size says nothing. */
  readonly leafQuantile: number | undefined;
}

export interface GradientSums {
  readonly g: number;
  readonly h: number;
}

/** Poisson: hessians are raised by e^0.7, LightGBM's and XGBoost's guard against steps that overshoot in the exponent. */
const POISSON_GUARD = Math.fround(2.0137527);
/** Hessians are at least this, as in XGBoost: a certain row still counts a little. */
const LEAST_HESSIAN = Math.fround(1e-16);

/** @throws CONFIG_INVALID when the loss does not fit the task, TRAINER_FAILED for targets the loss cannot take. */
export function chooseObjective(
  task: Task,
  y: Targets,
  params: GbdtParams,
  base: TrainedWeights | undefined,
): Objective {
  const loss = lossOf(task, params);
  const outputs = outputsOf(task, y);
  if (loss === "poisson") checkCounts(y);
  const leafQuantile = loss === "absolute" ? 0.5 : loss === "quantile" ? params.quantile : undefined;
  if (base !== undefined) {
    const { targetMean, targetDeviation } = base.shape;
    const start = base.arrays["start"] as Float32Array;
    return { loss, outputs, start, mean: Number(targetMean), deviation: Number(targetDeviation), leafQuantile };
  }
  const unit = { mean: 0, deviation: 1 };
  if (loss === "logistic" || loss === "softmax") {
    return { loss, outputs, start: classStart(y, outputs), ...unit, leafQuantile };
  }
  const { mean, deviation } = targetScale(y);
  if (loss === "poisson") {
    // Without a single count the logarithm of the mean is −∞; half a count over all rows is as good a guess and finite.
    const start = Float32Array.of(logDeterministic(mean > 0 ? mean : 0.5 / y.values.length));
    return { loss, outputs, start, ...unit, leafQuantile };
  }
  const at = leafQuantile === undefined ? 0 : (weightedQuantile(y.values, y.weights, leafQuantile) - mean) / deviation;
  return { loss, outputs, start: Float32Array.of(at), mean, deviation, leafQuantile };
}

/** Trees of a round. */
export function outputsOf(task: Task, y: Targets): number {
  return task === "multiclass" ? y.classCount : 1;
}

function lossOf(task: Task, params: GbdtParams): Loss {
  if (task === "regression") return params.loss === "auto" ? "squared" : params.loss;
  if (params.loss !== "auto") {
    throw fail("CONFIG_INVALID", {
      message: `\`trainer.gbdt.loss\` is "${params.loss}", but a ${task} model minimizes the log loss.`,
      remedy: 'Leave `loss` out, or set `task: "regression"`.',
    });
  }
  return task === "binary" ? "logistic" : "softmax";
}

function checkCounts(y: Targets): void {
  const row = y.values.findIndex((value) => value < 0);
  if (row < 0) return;
  throw fail("TRAINER_FAILED", {
    message: `The target of training row ${row} is ${y.values[row]}; the Poisson loss takes counts and rates from 0 up.`,
    remedy: 'Set `loss: "squared"`, or remove the row.',
  });
}

const weightOf = (y: Targets, row: number) => (y.weights === undefined ? 1 : (y.weights[row] as number));

/** Log-odds or log-shares of the classes, with half a row for each, so that a class only validation has stays finite. */
function classStart(y: Targets, outputs: number): Float32Array {
  const shares = new Float64Array(y.classCount).fill(0.5);
  for (let i = 0; i < y.values.length; i++) {
    const label = y.values[i] as number;
    shares[label] = (shares[label] as number) + weightOf(y, i);
  }
  if (outputs === 1) return Float32Array.of(logDeterministic((shares[1] as number) / (shares[0] as number)));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return Float32Array.from(shares, (share) => logDeterministic(share / total));
}

function targetScale(y: Targets): { readonly mean: number; readonly deviation: number } {
  let total = 0;
  let sum = 0;
  for (let i = 0; i < y.values.length; i++) {
    total += weightOf(y, i);
    sum += weightOf(y, i) * (y.values[i] as number);
  }
  const mean = total > 0 ? sum / total : 0;
  let squares = 0;
  for (let i = 0; i < y.values.length; i++) {
    const difference = (y.values[i] as number) - mean;
    squares += weightOf(y, i) * difference * difference;
  }
  const deviation = Math.sqrt(squares / total);
  const isUsable = deviation > Math.abs(mean) * 1e-12 && Number.isFinite(deviation);
  return { mean, deviation: isUsable ? deviation : 1 };
}

/** The least value with at least `share` of the weight at or below it. Cost: a sort. */
export function weightedQuantile(
  values: ArrayLike<number>,
  weights: ArrayLike<number> | undefined,
  share: number,
): number {
  const sorted = Float64Array.from(values).sort();
  if (weights === undefined) return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  const order = Uint32Array.from(values, (_, i) => i).sort(
    (a, b) => (values[a] as number) - (values[b] as number) || a - b,
  );
  let total = 0;
  for (let i = 0; i < values.length; i++) total += weights[i] as number;
  let below = 0;
  for (const row of order) {
    below += weights[row] as number;
    if (below >= share * total) return values[row] as number;
  }
  return sorted[sorted.length - 1] ?? 0;
}

/** Labels as the gradients want them: classes and counts as they are, other numbers standardized. */
export function writeTargets(memory: Memory, y: Targets, { mean, deviation }: Objective): void {
  const { layout, floats } = memory;
  const labels = layout.labels >>> 2;
  const weights = layout.weights >>> 2;
  for (let i = 0; i < y.values.length; i++) {
    floats[labels + i] = ((y.values[i] as number) - mean) / deviation;
    if (y.weights !== undefined) floats[weights + i] = y.weights[i] as number;
  }
}

/** Gradients and hessians of every output at the current scores. Returns the sums of |g| and h of each output. */
export function writeGradients(crew: Crew, objective: Objective): GradientSums[] {
  const { memory } = crew;
  const { layout, doubles } = memory;
  if (objective.loss === "softmax") return softmaxGradients(memory, objective.outputs);
  if (objective.loss !== "logistic") return [singleGradients(memory, objective)];
  crew.run(COMMANDS.gradients);
  let [g, h] = [0, 0];
  const blocks = Math.ceil(layout.rows / SUM_ROWS);
  for (let block = 0; block < blocks; block++) {
    g += doubles[(layout.sums >>> 3) + block * 2] as number;
    h += doubles[(layout.sums >>> 3) + block * 2 + 1] as number;
  }
  return [{ g, h }];
}

function singleGradients({ layout, floats }: Memory, { loss, leafQuantile }: Objective): GradientSums {
  const { rows, weights } = layout;
  const [scores, labels, gradients, hessians] = [layout.scores, layout.labels, layout.gradients, layout.hessians].map(
    (offset) => offset >>> 2,
  ) as [number, number, number, number];
  const above = Math.fround(1 - (leafQuantile ?? 0));
  const below = Math.fround(-(leafQuantile ?? 0));
  let sumG = 0;
  let sumH = 0;
  for (let i = 0; i < rows; i++) {
    const score = floats[scores + i] as number;
    const label = floats[labels + i] as number;
    let g: number;
    let h = 1;
    if (loss === "squared") g = Math.fround(score - label);
    else if (loss === "poisson") {
      const rate = expSingle(score);
      g = Math.fround(rate - label);
      h = Math.max(LEAST_HESSIAN, Math.fround(rate * POISSON_GUARD));
    } else g = score > label ? above : score < label ? below : 0;
    if (weights !== 0) {
      const weight = floats[(weights >>> 2) + i] as number;
      g = Math.fround(g * weight);
      h = Math.fround(h * weight);
    }
    floats[gradients + i] = g;
    floats[hessians + i] = h;
    sumG += g < 0 ? -g : g;
    sumH += h;
  }
  return { g: sumG, h: sumH };
}

/** All classes at once, from the same scores, before any of the round's trees changes them. */
function softmaxGradients({ layout, floats }: Memory, outputs: number): GradientSums[] {
  const { rows, paddedRows, weights } = layout;
  const [scores, labels, gradients, hessians] = [layout.scores, layout.labels, layout.gradients, layout.hessians].map(
    (offset) => offset >>> 2,
  ) as [number, number, number, number];
  const sums = Array.from({ length: outputs }, () => ({ g: 0, h: 0 }));
  // Redundant classes make p(1−p) too small by (k−1)/k: with two classes the softmax then takes the logistic step.
  const factor = Math.fround(outputs / (outputs - 1));
  const shares = new Float32Array(outputs);
  for (let i = 0; i < rows; i++) {
    let largest = floats[scores + i] as number;
    for (let c = 1; c < outputs; c++) largest = Math.max(largest, floats[scores + c * paddedRows + i] as number);
    let total = 0;
    for (let c = 0; c < outputs; c++) {
      const e = expSingle(Math.fround((floats[scores + c * paddedRows + i] as number) - largest));
      shares[c] = e;
      total = Math.fround(total + e);
    }
    const weight = weights === 0 ? 1 : (floats[(weights >>> 2) + i] as number);
    const label = floats[labels + i] as number;
    for (let c = 0; c < outputs; c++) {
      const p = Math.fround((shares[c] as number) / total);
      const g = Math.fround(Math.fround(p - (c === label ? 1 : 0)) * weight);
      const h = Math.fround(
        Math.max(LEAST_HESSIAN, Math.fround(Math.fround(p * Math.fround(1 - p)) * factor)) * weight,
      );
      floats[gradients + c * paddedRows + i] = g;
      floats[hessians + c * paddedRows + i] = h;
      const sum = sums[c] as { g: number; h: number };
      sum.g += g < 0 ? -g : g;
      sum.h += h;
    }
  }
  return sums;
}

/** The power of two that brings a sum to between 2^29 and 2^30, so that no sum of rounded parts can leave 32 bits. */
export function fixedPointScale(sum: number): number {
  if (!(sum > 0) || !Number.isFinite(sum)) return 1;
  let scale = 1;
  while (sum * scale < 536_870_912 && scale < 1e300) scale *= 2;
  while (sum * scale >= 1_073_741_824) scale /= 2;
  return scale;
}
