/** The stored form of direct loss estimation, and asking it. */
import type { Features } from "../core/index.ts";
import type { Preparation } from "../data/index.ts";
import { createPredictor, decodeWeights } from "../model/index.ts";

interface StoredWeights {
  readonly json: string;
  /** Base64. */
  readonly binary: string;
}
export interface LossModel {
  /** Held-out rows it was fitted on. */
  readonly rows: number;
  readonly preparation: Preparation;
  readonly absolute: StoredWeights;
  readonly squared: StoredWeights;
}

/** Name of the column that holds the version's own answer: one no feature has. */
export function answerColumn(features: readonly string[]): string {
  let name = "its answer";
  while (features.includes(name)) name = `${name}'`;
  return name;
}

/** @returns expected absolute and squared error of one answer. Cost of a look-up: two small tree models, some µs. */
export function createLossEstimator(model: LossModel, features: readonly string[]) {
  const load = ({ json, binary }: StoredWeights) =>
    createPredictor({
      task: "regression",
      classes: [],
      preparation: model.preparation,
      weights: decodeWeights(json, Buffer.from(binary, "base64")),
    });
  const absolute = load(model.absolute);
  const squared = load(model.squared);
  const name = answerColumn(features);
  return (row: Features, answer: number): readonly [number, number] => {
    const asked = { ...row, [name]: answer };
    return [absolute.predictRow(asked).scores[0] as number, squared.predictRow(asked).scores[0] as number];
  };
}
