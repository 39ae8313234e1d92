/** One number per labelled prediction, whose mean is the metric, and the covariate the champion's own score gives. */
import type { ExperimentMetric, LabelValue, Task } from "../core/index.ts";
import { binaryLogLossOf, LOG_LOSS_CLIP, logDeterministic } from "../stats/index.ts";

export interface RowAnswer {
  readonly task: Task;
  /** In score order; binary [false, true]. Empty for regression. */
  readonly classes: readonly LabelValue[];
  readonly scores: readonly number[];
  readonly decision: LabelValue;
}

const clip = (p: number) => Math.min(Math.max(p, LOG_LOSS_CLIP), 1 - LOG_LOSS_CLIP);

/** A label outside the version's classes counts as wrong, with the clipped loss. */
export function rowMetric(metric: ExperimentMetric, answer: RowAnswer, label: LabelValue): number {
  const { task, scores } = answer;
  if (metric === "accuracy") return answer.decision === label ? 1 : 0;
  if (metric === "mae" || task === "regression") return Math.abs((scores[0] as number) - (label as number));
  if (task === "binary") {
    const y = label === true ? 1 : 0;
    const p = scores[1] as number;
    return metric === "logLoss" ? binaryLogLossOf(y, p) : (p - y) * (p - y);
  }
  const truth = answer.classes.indexOf(label);
  if (metric === "brier") {
    return scores.reduce(
      (sum, p, i) => sum + (p - (i === truth ? 1 : 0)) * (p - (i === truth ? 1 : 0)),
      truth < 0 ? 1 : 0,
    );
  }
  const total = scores.reduce((sum, p) => sum + clip(p), 0);
  return -logDeterministic((truth < 0 ? LOG_LOSS_CLIP : clip(scores[truth] as number)) / total);
}

/**
 * What the champion expects of this metric for the row, from its scores alone: the part of the metric's variance that was there
 * before anybody was assigned. Regression: the predicted value.
 */
export function expectedMetric(metric: ExperimentMetric, answer: Pick<RowAnswer, "task" | "scores">): number {
  const { task, scores } = answer;
  if (task === "regression" || metric === "mae") return scores[0] as number;
  if (metric === "accuracy") return Math.max(...scores);
  if (metric === "logLoss") return scores.reduce((sum, p) => sum - clip(p) * logDeterministic(clip(p)), 0);
  const squares = scores.reduce((sum, p) => sum + p * p, 0);
  return task === "binary" ? (1 - squares) / 2 : 1 - squares;
}

/** Bins of a score distribution: 20 of the (largest) probability, or a grid that is fine near 0 and coarse far away. */
export function scoreCell(answer: Pick<RowAnswer, "task" | "scores">): number {
  const { task, scores } = answer;
  if (task === "regression") {
    const value = scores[0] as number;
    return Math.max(-200, Math.min(200, Math.round(Math.asinh(value) * 8)));
  }
  const score = task === "binary" ? (scores[1] as number) : Math.max(...scores);
  return Math.min(19, Math.floor(score * 20));
}
