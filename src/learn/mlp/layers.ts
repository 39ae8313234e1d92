/** The layers of a network: their sizes, starting weights, and the way between stored weights and the kernels' padded ones. */
import { createRandom, fail, seedFrom } from "../../core/index.ts";
import { logDeterministic } from "../../stats/index.ts";
import { classTotals } from "../targets.ts";
import type { FitRequest, TrainedWeights } from "../trainer.ts";
import type { MlpParameters } from "./params.ts";

/** One dense layer: `inputs` × `outputs` weights, row by row, and one bias per output. */
export interface Layer {
  /** hidden1, hidden2, hidden3, output. */
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: Float32Array;
  readonly biases: Float32Array;
}

/** Sizes are padded to this many floats: the width of a tile of the kernels. */
export const PAD = 8;
export const padded = (size: number) => Math.ceil(size / PAD) * PAD;

export function layerNames(hidden: number): string[] {
  return [...Array.from({ length: hidden }, (_, i) => `hidden${i + 1}`), "output"];
}

/**
 * Uniform in ±√(6 / (inputs + outputs)), biases too (X. Glorot and Y. Bengio 2010, as scikit-learn does it): with zero biases
 * small networks end visibly worse. The output's biases start at the class shares, so a rare class is calibrated at once.
 */
export function startLayers(request: FitRequest, params: MlpParameters, outputs: number): Layer[] {
  const sizes = [request.train.x.columns, ...params.hidden, outputs];
  const layers = layerNames(params.hidden.length).map((name, i) => {
    const [inputs, units] = [sizes[i] as number, sizes[i + 1] as number];
    const random = createRandom(seedFrom(request.seed, "weights", name));
    const bound = Math.sqrt(6 / (inputs + units));
    const draw = (count: number) => Float32Array.from({ length: count }, () => (random.nextFloat() * 2 - 1) * bound);
    return { name, inputs, outputs: units, weights: draw(inputs * units), biases: draw(units) };
  });
  startBiases(request, layers[layers.length - 1] as Layer);
  return layers;
}

function startBiases({ task, train }: FitRequest, { biases }: Layer): void {
  if (task === "regression") biases.fill(0);
  else {
    // Half a row for each class keeps the logarithm finite where validation alone has a class.
    const logs = classTotals(train.y).map((total) => logDeterministic(total + 0.5));
    if (task === "binary") biases[0] = (logs[1] as number) - (logs[0] as number);
    else biases.set(logs);
  }
}

export function storeLayers(layers: readonly Layer[]): TrainedWeights["arrays"] {
  return Object.fromEntries(
    layers.flatMap(({ name, weights, biases }) => [
      [`${name}.weights`, weights],
      [`${name}.biases`, biases],
    ]),
  );
}

/** The layers of stored weights. @throws TRAINER_FAILED for weights of another trainer */
export function readLayers(trained: TrainedWeights): Layer[] {
  if (trained.trainer !== "mlp") throw foreignBase(`a ${trained.trainer}`);
  const hidden = trained.shape["hidden"] as readonly number[];
  const sizes = [Number(trained.shape["columns"]), ...hidden, Number(trained.shape["outputs"])];
  return layerNames(hidden.length).map((name, i) => ({
    name,
    inputs: sizes[i] as number,
    outputs: sizes[i + 1] as number,
    weights: trained.arrays[`${name}.weights`] as Float32Array,
    biases: trained.arrays[`${name}.biases`] as Float32Array,
  }));
}

function foreignBase(what: string) {
  return fail("TRAINER_FAILED", {
    message: `The base model is ${what}, which this network cannot go on from.`,
    remedy: "Run a full training: features, classes, layers or trainer have changed since the base.",
  });
}

/** The base's layers as they are. @throws TRAINER_FAILED where a size differs */
export function continueLayers(base: TrainedWeights, fresh: readonly Layer[]): Layer[] {
  const layers = readLayers(base);
  const sizes = (all: readonly Layer[]) => all.map(({ inputs, outputs }) => `${inputs} × ${outputs}`).join(", ");
  if (sizes(layers) !== sizes(fresh)) {
    throw foreignBase(`a network of ${sizes(layers)}; this run needs ${sizes(fresh)}`);
  }
  return layers;
}

/** Where the parameters of padded layers lie, in floats: weights (padded inputs × padded outputs), then biases, layer by layer. */
export interface PaddedLayer {
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: number;
  readonly biases: number;
}

export function planLayers(layers: readonly Layer[]): {
  readonly places: readonly PaddedLayer[];
  readonly floats: number;
} {
  let floats = 0;
  const places = layers.map((layer) => {
    const inputs = padded(layer.inputs);
    const outputs = padded(layer.outputs);
    const weights = floats;
    const biases = weights + inputs * outputs;
    floats = biases + outputs;
    return { inputs, outputs, weights, biases };
  });
  return { places, floats };
}

export function padLayers(layers: readonly Layer[], places: readonly PaddedLayer[], to: Float32Array): void {
  layers.forEach((layer, l) => {
    const place = places[l] as PaddedLayer;
    for (let i = 0; i < layer.inputs; i++) {
      const row = layer.weights.subarray(i * layer.outputs, (i + 1) * layer.outputs);
      to.set(row, place.weights + i * place.outputs);
    }
    to.set(layer.biases, place.biases);
  });
}

export function unpadLayers(layers: readonly Layer[], places: readonly PaddedLayer[], from: Float32Array): Layer[] {
  return layers.map((layer, l) => {
    const place = places[l] as PaddedLayer;
    const weights = new Float32Array(layer.inputs * layer.outputs);
    for (let i = 0; i < layer.inputs; i++) {
      const start = place.weights + i * place.outputs;
      weights.set(from.subarray(start, start + layer.outputs), i * layer.outputs);
    }
    return { ...layer, weights, biases: from.slice(place.biases, place.biases + layer.outputs) };
  });
}
