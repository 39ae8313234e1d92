/** Losses and quick metrics of a part of the data under a scorer: what the trace shows and early stopping looks at. */
import type { Task } from "../core/index.ts";
import { logDeterministic } from "../stats/index.ts";
import type { Matrix, ScoreRow, Targets } from "./trainer.ts";

/** Probabilities are clipped here before the logarithm, as scikit-learn's log_loss does for float64. */
const SMALLEST = 2.220446049250313e-16;
/**
 * Rows looked at per epoch and part. The trace is a picture, and 2,000 rows give a log loss within about ±3 % of all rows;
 * looking at a million rows each epoch would double the time of training.
 */
export const TRACE_ROWS = 2_000;

export interface PartMetrics {
  /** Log loss, or the mean squared error. */
  readonly loss: number;
  readonly accuracy: number;
  readonly mae: number;
  /** Scores of the looked-at rows: binary p(1). With their targets, for ranking metrics. */
  readonly scores: Float64Array;
  readonly labels: Float64Array;
}

/** Metrics over evenly spaced rows, weighted as in training. `scale` brings regression errors to other units (1 = the target's). */
export function measurePart(
  task: Task,
  part: { readonly x: Matrix; readonly y: Targets },
  score: ScoreRow,
  maxRows = TRACE_ROWS,
): PartMetrics {
  const { x, y } = part;
  const step = Math.max(1, Math.ceil(x.rows / maxRows));
  const count = Math.ceil(x.rows / step);
  const scores = new Float64Array(count);
  const labels = new Float64Array(count);
  const out = new Float64Array(Math.max(1, y.classCount));
  let loss = 0;
  let hits = 0;
  let absolute = 0;
  let total = 0;
  for (let i = 0; i < count; i++) {
    const row = i * step;
    const weight = y.weights === undefined ? 1 : (y.weights[row] as number);
    const label = y.values[row] as number;
    score(x.values, row * x.columns, out);
    labels[i] = label;
    scores[i] = (task === "binary" ? out[1] : out[0]) as number;
    total += weight;
    if (task === "regression") {
      const error = (out[0] as number) - label;
      loss += weight * error * error;
      absolute += weight * Math.abs(error);
    } else {
      loss -= weight * logDeterministic(Math.max(SMALLEST, out[label] as number));
      if (largestIndex(out) === label) hits += weight;
    }
  }
  const n = total === 0 ? 1 : total;
  return { loss: loss / n, accuracy: hits / n, mae: absolute / n, scores, labels };
}

/** Index of the largest value; the first of equal ones. */
export function largestIndex(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}
