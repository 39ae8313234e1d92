/** The loss of one labelled prediction, scaled into [0, 1], as concept-drift detectors take it. Larger is always worse. */
import type { Task } from "../core/index.ts";
import { binaryLogLossOf, LOG_LOSS_CLIP, logDeterministic } from "../stats/index.ts";
import { isNumeric } from "../data/dataset.ts";
import type { LabelledPrediction } from "./performance.ts";
import type { LossMetric } from "./spec.ts";

/** Which losses a task has. */
export function lossMetricsFor(task: Task): readonly LossMetric[] {
  if (task === "recommend") return ["hitShare"];
  return isNumeric(task) ? ["mae", "rmse"] : ["accuracy", "logLoss", "brier"];
}

/** Unscaled: the error bit (of a slate: a miss), log loss in nats, Brier score, absolute or squared error. */
export function lossOf(metric: LossMetric, one: LabelledPrediction): number {
  switch (metric) {
    case "accuracy":
      return one.decision === one.label ? 0 : 1;
    case "logLoss":
      return logLossOf(one);
    case "brier":
      return brierOf(one);
    case "mae":
      return Math.abs((one.scores[0] as number) - (one.label as number));
    case "hitShare":
      return (one.scores[0] as number) > 0 ? 0 : 1;
    case "rmse": {
      const error = (one.scores[0] as number) - (one.label as number);
      return error * error;
    }
  }
}

function logLossOf(one: LabelledPrediction): number {
  if (one.task === "binary") return binaryLogLossOf(one.label === true ? 1 : 0, one.scores[1] as number);
  const truth = one.classes.indexOf(one.label);
  const clipped = one.scores.map((score) => Math.min(Math.max(score, LOG_LOSS_CLIP), 1 - LOG_LOSS_CLIP));
  const sum = clipped.reduce((total, score) => total + score, 0);
  return -logDeterministic((clipped[truth] ?? LOG_LOSS_CLIP) / sum);
}

function brierOf(one: LabelledPrediction): number {
  if (one.task === "binary") {
    const error = (one.scores[1] as number) - (one.label === true ? 1 : 0);
    return error * error;
  }
  const truth = one.classes.indexOf(one.label);
  return one.scores.reduce(
    (sum, score, j) => sum + (score - (j === truth ? 1 : 0)) * (score - (j === truth ? 1 : 0)),
    truth < 0 ? 1 : 0,
  );
}

/**
 * What a loss is divided by before a detector sees it. Bits and Brier scores are bounded; others are divided by their mean plus
 * five standard deviations on the holdout, which keeps rare large losses (missed rare positives) apart from the rest.
 */
export function lossScale(metric: LossMetric, task: Task, losses: ArrayLike<number>): number {
  if (metric === "accuracy" || metric === "hitShare") return 1;
  if (metric === "brier") return task === "multiclass" ? 2 : 1;
  let n = 0;
  let mean = 0;
  let squares = 0;
  for (let i = 0; i < losses.length; i++) {
    const loss = losses[i] as number;
    const gap = loss - mean;
    n += 1;
    mean += gap / n;
    squares += gap * (loss - mean);
  }
  const scale = n < 2 ? mean : mean + 5 * Math.sqrt(squares / (n - 1));
  return scale > 0 ? scale : 1;
}

/** Clipped at 1: the bounds of ADWIN and HDDM hold for values in [0, 1], and one absurd loss is one value like another. */
export function scaledLoss(loss: number, scale: number): number {
  const share = loss / scale;
  return share > 1 ? 1 : share;
}
