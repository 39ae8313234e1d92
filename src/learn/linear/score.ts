/** Scores and explanations of a trained linear model. Weights: outputs × (columns + 1), the intercept of each last. */
import type { Task } from "../../core/index.ts";
import { sigmoid } from "../../stats/index.ts";
import { softmaxInPlace } from "../softmax.ts";
import type { ScoreRow, TrainedWeights } from "../trainer.ts";

export function linearScorer(trained: TrainedWeights, task: Task): ScoreRow {
  const weights = trained.arrays["weights"] as Float64Array;
  const columns = Number(trained.shape["columns"]);
  const width = columns + 1;
  if (task === "multiclass") {
    return (x, offset, out) => {
      for (let c = 0; c < out.length; c++) {
        const base = c * width;
        out[c] = (weights[base + columns] as number) + dot(weights, base, x, offset, columns);
      }
      softmaxInPlace(out);
    };
  }
  const mean = Number(trained.shape["targetMean"] ?? 0);
  const deviation = Number(trained.shape["targetDeviation"] ?? 1);
  const isBinary = task === "binary";
  return (x, offset, out) => {
    const score = (weights[columns] as number) + dot(weights, 0, x, offset, columns);
    if (isBinary) {
      const p = sigmoid(score);
      out[0] = 1 - p;
      out[1] = p;
    } else out[0] = mean + deviation * score;
  };
}

/**
 * w·x of one row. Four sums run side by side: one sum would wait for each addition before the next, which is most of the time
 * of a row. The order of additions is fixed, so the bits are too.
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

/**
 * What each column adds to the score before the link: weight × scaled value, in logits (binary, multiclass of the class) or in
 * the target's unit. Their sum plus `intercept` is `score`.
 */
export function linearContributions(
  trained: TrainedWeights,
  prepared: Float32Array,
  output = 0,
): { readonly contributions: Float64Array; readonly intercept: number; readonly score: number } {
  const weights = trained.arrays["weights"] as Float64Array;
  const columns = Number(trained.shape["columns"]);
  const deviation = Number(trained.shape["targetDeviation"] ?? 1);
  const mean = Number(trained.shape["targetMean"] ?? 0);
  const base = output * (columns + 1);
  const contributions = new Float64Array(columns);
  const intercept = mean + deviation * (weights[base + columns] as number);
  let score = intercept;
  for (let j = 0; j < columns; j++) {
    contributions[j] = deviation * (weights[base + j] as number) * (prepared[j] as number);
    score += contributions[j] as number;
  }
  return { contributions, intercept, score };
}
