/** Row losses: one number a row whose mean is the metric. They feed counters, paired bootstraps and drift detectors alike. */
import { logDeterministic } from "../exp.ts";
import { checkInput, DEFAULT_THRESHOLD, type MetricInput } from "./metric.ts";

/**
 * Probabilities are kept this far from 0 and 1 before the logarithm, so one certain mistake costs 34.5 and not infinity.
 * 1e-15 is scikit-learn's value up to 1.2, with which the reference numbers were made.
 */
export const LOG_LOSS_CLIP = 1e-15;

/** Log loss of one binary row in nats. */
export function binaryLogLossOf(label: number, score: number): number {
  const p = score < LOG_LOSS_CLIP ? LOG_LOSS_CLIP : score > 1 - LOG_LOSS_CLIP ? 1 - LOG_LOSS_CLIP : score;
  return label > 0 ? -logDeterministic(p) : -logDeterministic(1 - p);
}

/** Binary or multiclass log loss per row, in nats. Multiclass probabilities are clipped, then divided by their sum. */
export function logLossRows(input: MetricInput): Float64Array {
  const rowCount = checkInput("logLoss", input);
  const losses = new Float64Array(rowCount);
  const k = input.classCount ?? 1;
  if (k === 1) {
    for (let i = 0; i < rowCount; i++)
      losses[i] = binaryLogLossOf(input.labels[i] as number, input.scores[i] as number);
    return losses;
  }
  for (let i = 0; i < rowCount; i++) {
    let sum = 0;
    let own = 0;
    for (let j = 0; j < k; j++) {
      const score = input.scores[i * k + j] as number;
      const p = Math.min(Math.max(score, LOG_LOSS_CLIP), 1 - LOG_LOSS_CLIP);
      sum += p;
      if (j === input.labels[i]) own = p;
    }
    losses[i] = -logDeterministic(own / sum);
  }
  return losses;
}

/** Squared distance of the probability from the 0/1 label per row (binary), or summed over classes (multiclass, 0..2). */
export function brierRows(input: MetricInput): Float64Array {
  const rowCount = checkInput("brier", input);
  const losses = new Float64Array(rowCount);
  const k = input.classCount ?? 1;
  for (let i = 0; i < rowCount; i++) {
    let sum = 0;
    for (let j = 0; j < k; j++) {
      const target = k === 1 ? (input.labels[i] as number) : j === input.labels[i] ? 1 : 0;
      const error = (input.scores[i * k + j] as number) - target;
      sum += error * error;
    }
    losses[i] = sum;
  }
  return losses;
}

/** The decided class per row: score ≥ threshold (binary), or the first class of largest probability (multiclass). */
export function decisions(input: MetricInput): Int32Array {
  const rowCount = checkInput("decisions", input);
  const decided = new Int32Array(rowCount);
  const k = input.classCount ?? 1;
  const threshold = input.threshold ?? DEFAULT_THRESHOLD;
  for (let i = 0; i < rowCount; i++) {
    if (k === 1) {
      decided[i] = (input.scores[i] as number) >= threshold ? 1 : 0;
      continue;
    }
    let best = 0;
    for (let j = 1; j < k; j++) {
      if ((input.scores[i * k + j] as number) > (input.scores[i * k + best] as number)) best = j;
    }
    decided[i] = best;
  }
  return decided;
}

/** 1 where the decision equals the label, else 0: higher is better, unlike the other row values. */
export function correctRows(input: MetricInput): Float64Array {
  const decided = decisions(input);
  return Float64Array.from(decided, (value, i) => (value === input.labels[i] ? 1 : 0));
}

/** |score − label| per row. */
export function absoluteErrorRows(input: MetricInput): Float64Array {
  const rowCount = checkInput("mae", input);
  const losses = new Float64Array(rowCount);
  for (let i = 0; i < rowCount; i++) losses[i] = Math.abs((input.scores[i] as number) - (input.labels[i] as number));
  return losses;
}

/** (score − label)² per row. */
export function squaredErrorRows(input: MetricInput): Float64Array {
  const losses = absoluteErrorRows(input);
  for (let i = 0; i < losses.length; i++) losses[i] = (losses[i] as number) * (losses[i] as number);
  return losses;
}

/** Pinball loss of a quantile forecast per row: q·(y − s) where y ≥ s, (1 − q)·(s − y) elsewhere. */
export function pinballRows(input: MetricInput, quantile: number): Float64Array {
  const rowCount = checkInput("pinball", input);
  const losses = new Float64Array(rowCount);
  for (let i = 0; i < rowCount; i++) {
    const error = (input.labels[i] as number) - (input.scores[i] as number);
    losses[i] = error >= 0 ? quantile * error : (quantile - 1) * error;
  }
  return losses;
}
