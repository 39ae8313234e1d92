/** Losses of scores kept during training: what the trace shows and early stopping looks at, without predicting again. */
import type { Task } from "../../core/index.ts";
import { expDeterministic, log1pExp, logDeterministic } from "../../stats/index.ts";
import type { Targets } from "../trainer.ts";
import type { Objective } from "./loss.ts";
import type { Memory } from "./memory.ts";

export interface ScoredPart {
  /** Byte offset of the scores: output by output, `stride` floats each. */
  readonly scores: number;
  /** Byte offset of the labels in single precision. */
  readonly labels: number;
  readonly stride: number;
  readonly y: Targets;
}

/** Sums over evenly spaced rows, at most `maxRows`. The loss is the objective's own, in the target's unit. */
export function measureScores(memory: Memory, objective: Objective, part: ScoredPart, maxRows: number) {
  const { stride, y } = part;
  const rows = y.values.length;
  const step = Math.max(1, Math.ceil(rows / maxRows));
  if (objective.loss === "logistic" && y.weights === undefined) return measureLogistic(memory, part, step);
  const scores = memory.floats.subarray(part.scores >>> 2);
  const row = new Float64Array(objective.outputs);
  let [loss, hits, absolute, total] = [0, 0, 0, 0];
  for (let i = 0; i < rows; i += step) {
    const weight = y.weights === undefined ? 1 : (y.weights[i] as number);
    for (let c = 0; c < objective.outputs; c++) row[c] = scores[c * stride + i] as number;
    const label = y.values[i] as number;
    total += weight;
    loss += weight * rowLoss(objective, row, label);
    if (y.classCount > 0) hits += isHit(row, label) ? weight : 0;
    else absolute += weight * Math.abs(answerOf(objective, row[0] as number) - label);
  }
  const n = total === 0 ? 1 : total;
  return { loss: loss / n, accuracy: hits / n, mae: absolute / n };
}

/** Factors of a product whose logarithm is taken once: each is from 1 to 2, so it stays below 2^512. */
const FACTORS = 512;

/** Log loss and accuracy of rows that weigh the same: Σ ln(1 + e^m) as the logarithm of products, which is half the work. */
function measureLogistic({ kernels, layout, doubles }: Memory, { scores, labels, y }: ScoredPart, step: number) {
  const count = Math.ceil(y.values.length / step);
  const at = layout.out >>> 3;
  let [loss, hits] = [0, 0];
  for (let from = 0; from < count; from += FACTORS) {
    const offset = from * step * 4;
    doubles[at] = loss;
    hits += kernels.logisticLosses(scores + offset, labels + offset, step, Math.min(FACTORS, count - from), layout.out);
    loss = (doubles[at] as number) + logDeterministic(doubles[at + 1] as number);
  }
  const n = Math.max(1, count);
  return { loss: loss / n, accuracy: hits / n, mae: 0 };
}

/** A regression's score in the target's unit. */
export function answerOf({ loss, mean, deviation }: Objective, score: number): number {
  return loss === "poisson" ? expDeterministic(score) : mean + deviation * score;
}

function isHit(row: Float64Array, label: number): boolean {
  if (row.length === 1) return ((row[0] as number) >= 0 ? 1 : 0) === label;
  let best = 0;
  for (let c = 1; c < row.length; c++) if ((row[c] as number) > (row[best] as number)) best = c;
  return best === label;
}

function rowLoss(objective: Objective, row: Float64Array, label: number): number {
  const score = row[0] as number;
  switch (objective.loss) {
    case "logistic":
      return log1pExp(label === 1 ? -score : score);
    case "softmax":
      return softmaxLoss(row, label);
    case "poisson": {
      const rate = expDeterministic(score);
      return 2 * ((label > 0 ? label * (logDeterministic(label) - score) : 0) - (label - rate));
    }
    case "squared": {
      const error = answerOf(objective, score) - label;
      return error * error;
    }
    default: {
      // Twice the pinball loss at one half is the absolute error.
      const error = label - answerOf(objective, score);
      const share = objective.leafQuantile as number;
      const pinball = error >= 0 ? share * error : (share - 1) * error;
      return objective.loss === "absolute" ? 2 * pinball : pinball;
    }
  }
}

function softmaxLoss(row: Float64Array, label: number): number {
  let largest = -Infinity;
  for (let c = 0; c < row.length; c++) if ((row[c] as number) > largest) largest = row[c] as number;
  let total = 0;
  for (let c = 0; c < row.length; c++) total += expDeterministic((row[c] as number) - largest);
  return largest + logDeterministic(total) - (row[label] as number);
}

/** The names the other trainers use, so that charts of all look alike. */
export function traceMetrics(
  task: Task,
  train: ReturnType<typeof measureScores>,
  validation: ReturnType<typeof measureScores>,
): Record<string, number> {
  const [trainLoss, validationLoss] = [train.loss, validation.loss];
  if (task === "regression") return { trainLoss, validationLoss, trainMae: train.mae, validationMae: validation.mae };
  return {
    trainLoss,
    validationLoss,
    trainLogLoss: train.loss,
    validationLogLoss: validation.loss,
    trainAccuracy: train.accuracy,
    validationAccuracy: validation.accuracy,
  };
}
