/**
 * Per-event learning of linear models: one step of stochastic gradient descent a row, its size a constant share of the largest
 * safe one. 1 / (curvature · (‖x‖² + 1)) is the step after which a row's own loss cannot have grown; `learningRate` times that
 * forgets slowly enough to average the noise of labels and fast enough to follow drift, which a falling rate would not. The
 * penalties of full training are left out: the weights start from a penalized optimum and few rows move them.
 */
import { sigmoid } from "../../stats/index.ts";
import type { JsonObject, Task } from "../../core/index.ts";

import { softmaxInPlace } from "../softmax.ts";
import type { OnlineLearner, TrainedWeights } from "../trainer.ts";

import { linearScorer } from "./score.ts";

/** Largest second derivative of the loss in its score: logistic, softmax (per class), squared. */
const CURVATURE: Readonly<Record<Task, number>> = {
  binary: 0.25,
  multiclass: 0.5,
  regression: 1,
  forecast: 1,
  recommend: 1,
};

export function linearOnline(from: TrainedWeights, task: Task, params: JsonObject): OnlineLearner {
  const { trainer, shape, bestEpoch } = from;
  const weights = Float64Array.from(from.arrays["weights"] as Float64Array);
  const columns = Number(shape["columns"]);
  const outputs = Number(shape["outputs"]);
  const isBalanced = params["classWeights"] === "balanced";
  const kept = from.arrays["classCounts"] as Float64Array | undefined;
  const counts = Float64Array.from(kept ?? new Float64Array(task === "multiclass" ? outputs : 2).fill(1));
  const rate = Number(params["learningRate"]) / CURVATURE[task];
  const mean = Number(shape["targetMean"] ?? 0);
  const deviation = Number(shape["targetDeviation"] ?? 1);
  const errors = new Float64Array(outputs);

  const score = (output: number, x: Float32Array, offset: number) => {
    const base = output * (columns + 1);
    let sum = weights[base + columns] as number;
    for (let j = 0; j < columns; j++) sum += (weights[base + j] as number) * (x[offset + j] as number);
    return sum;
  };
  /** Target minus answer, for every output. */
  const measure = (x: Float32Array, offset: number, target: number) => {
    for (let c = 0; c < outputs; c++) errors[c] = score(c, x, offset);
    if (task === "binary") errors[0] = target - sigmoid(errors[0] as number);
    else if (task === "multiclass") {
      softmaxInPlace(errors);
      for (let c = 0; c < outputs; c++) errors[c] = (c === target ? 1 : 0) - (errors[c] as number);
    } else errors[0] = (deviation === 0 ? 0 : (target - mean) / deviation) - (errors[0] as number);
  };
  /** Every class weighs alike, by the rows seen so far. */
  const weightOf = (target: number) => {
    if (!isBalanced) return 1;
    counts[target] = (counts[target] as number) + 1;
    return counts.reduce((sum, one) => sum + one, 0) / (counts.length * (counts[target] as number));
  };

  const freeze = (): TrainedWeights => ({
    trainer,
    shape,
    arrays: { weights: Float64Array.from(weights) },
    bestEpoch,
  });
  return {
    partialFit(x, offset, target) {
      measure(x, offset, target);
      let norm = 1;
      for (let j = 0; j < columns; j++) norm += (x[offset + j] as number) * (x[offset + j] as number);
      // A rare class counts at most tenfold: more would overshoot.
      const step = (rate * Math.min(weightOf(target), 10)) / norm;
      for (let c = 0; c < outputs; c++) {
        const move = step * (errors[c] as number);
        const base = c * (columns + 1);
        for (let j = 0; j < columns; j++)
          weights[base + j] = (weights[base + j] as number) + move * (x[offset + j] as number);
        weights[base + columns] = (weights[base + columns] as number) + move;
      }
    },
    score: linearScorer({ trainer, shape, arrays: { weights }, bestEpoch }, task),
    freeze,
    state: () => ({
      ...freeze(),
      arrays: { weights: Float64Array.from(weights), classCounts: Float64Array.from(counts) },
    }),
  };
}
