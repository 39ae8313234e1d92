/**
 * Per-event learning of networks: one step of Adam a row, in plain JavaScript, at `learningRate` × `warmRate`. Adam's moments are
 * part of the state, so a stopped learner goes on to the same bits. Dropout and penalty are left out, as no epoch repeats a row.
 */
import { expSingle } from "../gbdt/twin.ts";
import type { JsonObject, Task } from "../../core/index.ts";
import { sigmoid } from "../../stats/index.ts";

import { softmaxInPlace } from "../softmax.ts";
import type { OnlineLearner, TrainedWeights } from "../trainer.ts";
import { readLayers, storeLayers } from "./layers.ts";
import type { Layer } from "./layers.ts";
import { cutInput, mlpScorer } from "./score.ts";

interface Moments {
  readonly first: Float32Array;
  readonly second: Float32Array;
}

export function mlpOnline(from: TrainedWeights, task: Task, params: JsonObject): OnlineLearner {
  const layers: Layer[] = readLayers(from).map((layer) => ({
    ...layer,
    weights: Float32Array.from(layer.weights),
    biases: Float32Array.from(layer.biases),
  }));
  const moments = new Map<Float32Array, Moments>();
  for (const [name, array] of Object.entries(storeLayers(layers)) as [string, Float32Array][]) {
    const kept = (which: string) => from.arrays[`${name}.${which}`] as Float32Array | undefined;
    const fresh = () => new Float32Array(array.length);
    moments.set(array, {
      first: Float32Array.from(kept("first") ?? fresh()),
      second: Float32Array.from(kept("second") ?? fresh()),
    });
  }
  const decay = Float64Array.from((from.arrays["decay"] as Float64Array | undefined) ?? [1, 1]);
  const rate = Number(params["learningRate"]) * Number(params["warmRate"]);
  const isTanh = from.shape["activation"] === "tanh";
  const [mean, deviation] = [Number(from.shape["targetMean"] ?? 0), Number(from.shape["targetDeviation"] ?? 1)];
  const last = layers.length - 1;
  const activations = layers.map(({ outputs }) => new Float64Array(outputs));
  const gradients = layers.map(({ outputs }) => new Float64Array(outputs));
  const inputs = new Float64Array(layers[0]?.inputs ?? 0);

  function forward(x: Float32Array, offset: number): void {
    for (let i = 0; i < inputs.length; i++) inputs[i] = cutInput(x[offset + i] as number);
    let below: Float64Array = inputs;
    layers.forEach(({ weights, biases, outputs }, l) => {
      const sums = activations[l] as Float64Array;
      sums.set(biases);
      for (let i = 0; i < below.length; i++) {
        const value = below[i] as number;
        if (value === 0) continue;
        for (let j = 0; j < outputs; j++) sums[j] = (sums[j] as number) + value * (weights[i * outputs + j] as number);
      }
      if (l < last) for (let j = 0; j < outputs; j++) sums[j] = activate(sums[j] as number);
      below = sums;
    });
  }
  const activate = (z: number) => (isTanh ? 1 - 2 / (expSingle(Math.fround(2 * z)) + 1) : z > 0 ? z : 0);

  /** Answer minus target at the output, then layer by layer down. */
  function backward(target: number): void {
    const error = gradients[last] as Float64Array;
    error.set(activations[last] as Float64Array);
    if (task === "multiclass") {
      softmaxInPlace(error);
      error[target] = (error[target] as number) - 1;
    } else if (task === "binary") error[0] = sigmoid(error[0] as number) - target;
    else error[0] = (error[0] as number) - (deviation === 0 ? 0 : (target - mean) / deviation);
    for (let l = last; l > 0; l--) {
      const { weights, inputs: width, outputs } = layers[l] as Layer;
      const [above, below] = [gradients[l] as Float64Array, gradients[l - 1] as Float64Array];
      for (let i = 0; i < width; i++) {
        const y = (activations[l - 1] as Float64Array)[i] as number;
        const slope = isTanh ? 1 - y * y : y > 0 ? 1 : 0;
        let sum = 0;
        if (slope !== 0)
          for (let j = 0; j < outputs; j++) sum += (above[j] as number) * (weights[i * outputs + j] as number);
        below[i] = sum * slope;
      }
    }
  }

  function move(array: Float32Array, at: number, gradient: number): void {
    const { first, second } = moments.get(array) as Moments;
    const m = 0.9 * (first[at] as number) + 0.1 * gradient;
    const v = 0.999 * (second[at] as number) + 0.001 * gradient * gradient;
    first[at] = m;
    second[at] = v;
    const size = Math.sqrt(v / (1 - (decay[1] as number))) + 1e-8;
    array[at] = (array[at] as number) - (rate * (m / (1 - (decay[0] as number)))) / size;
  }

  const freeze = (): TrainedWeights => ({
    trainer: from.trainer,
    shape: from.shape,
    arrays: copied(storeLayers(layers)),
    bestEpoch: from.bestEpoch,
  });
  return {
    partialFit(x, offset, target) {
      forward(x, offset);
      backward(target);
      decay[0] = (decay[0] as number) * 0.9;
      decay[1] = (decay[1] as number) * 0.999;
      layers.forEach(({ weights, biases, inputs: width, outputs }, l) => {
        const below = l === 0 ? inputs : (activations[l - 1] as Float64Array);
        const error = gradients[l] as Float64Array;
        for (let i = 0; i < width; i++) {
          const value = below[i] as number;
          for (let j = 0; j < outputs; j++) move(weights, i * outputs + j, value * (error[j] as number));
        }
        for (let j = 0; j < outputs; j++) move(biases, j, error[j] as number);
      });
    },
    score: mlpScorer({ ...from, arrays: storeLayers(layers) }, task),
    freeze,
    state() {
      const own = freeze();
      const more: Record<string, Float32Array | Float64Array> = { decay: Float64Array.from(decay) };
      for (const [name, array] of Object.entries(storeLayers(layers)) as [string, Float32Array][]) {
        const { first, second } = moments.get(array) as Moments;
        more[`${name}.first`] = first.slice();
        more[`${name}.second`] = second.slice();
      }
      return { ...own, arrays: { ...own.arrays, ...more } };
    },
  };
}

function copied(arrays: TrainedWeights["arrays"]): TrainedWeights["arrays"] {
  return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, array.slice()]));
}
