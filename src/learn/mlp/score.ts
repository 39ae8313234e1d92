/** Scores of a trained network, one row at a time, in plain JavaScript: about a nanosecond per weight. */
import type { Task } from "../../core/index.ts";
import { expSingle } from "../gbdt/twin.ts";
import { sigmoid } from "../../stats/index.ts";
import { softmaxInPlace } from "../softmax.ts";
import type { ScoreRow, TrainedWeights } from "../trainer.ts";
import { readLayers } from "./layers.ts";
import type { MlpParameters } from "./params.ts";

/** Inputs are cut here, in training and at serving: products of larger ones leave the range of 32-bit floats. */
export const INPUT_LIMIT = 10_000;

export const cutInput = (value: number) =>
  value > INPUT_LIMIT ? INPUT_LIMIT : value < -INPUT_LIMIT ? -INPUT_LIMIT : value;

/** Turns the scores of the last layer into what a prediction says: probabilities, or the value in the target's unit. */
export function finishScores(
  trained: TrainedWeights,
  task: Task,
): (scores: ArrayLike<number>, out: Float64Array) => void {
  if (task === "multiclass") {
    return (scores, out) => {
      for (let c = 0; c < out.length; c++) out[c] = scores[c] as number;
      softmaxInPlace(out);
    };
  }
  if (task === "binary") {
    return (scores, out) => {
      const p = sigmoid(scores[0] as number);
      out[0] = 1 - p;
      out[1] = p;
    };
  }
  const mean = Number(trained.shape["targetMean"]);
  const deviation = Number(trained.shape["targetDeviation"]);
  return (scores, out) => {
    out[0] = mean + deviation * (scores[0] as number);
  };
}

/** One hidden activation, as the kernels compute it. */
function activation(name: MlpParameters["activation"]): (x: number) => number {
  if (name === "relu") return (x) => (x > 0 ? x : 0);
  return (x) => 1 - 2 / (expSingle(Math.fround(2 * x)) + 1);
}

export function mlpScorer(trained: TrainedWeights, task: Task): ScoreRow {
  const layers = readLayers(trained);
  const sums = layers.map((layer) => new Float64Array(layer.outputs));
  const finish = finishScores(trained, task);
  const act = activation(trained.shape["activation"] as MlpParameters["activation"]);
  const last = layers.length - 1;
  const columns = layers[0]?.inputs ?? 0;
  const inputs = new Float64Array(columns);
  return (x, offset, out) => {
    for (let i = 0; i < columns; i++) inputs[i] = cutInput(x[offset + i] as number);
    let from: Float64Array = inputs;
    for (let l = 0; l <= last; l++) {
      const { weights, biases, outputs } = layers[l] as (typeof layers)[number];
      const to = sums[l] as Float64Array;
      to.set(biases);
      for (let i = 0; i < from.length; i++) {
        const value = from[i] as number;
        // One-hot columns and closed units are mostly zeros.
        if (value === 0) continue;
        const row = i * outputs;
        for (let j = 0; j < outputs; j++) to[j] = (to[j] as number) + value * (weights[row + j] as number);
      }
      if (l < last) for (let j = 0; j < outputs; j++) to[j] = act(to[j] as number);
      from = to;
    }
    finish(from, out);
  };
}
