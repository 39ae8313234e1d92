/** Parameters of `linear`. */
import type { ParameterTable } from "../params.ts";

export const PARAMETERS = {
  epochs: { description: "Passes over the training rows, at most.", default: 30, min: 1, max: 10_000, integer: true },
  patience: {
    description: "Epochs without a lower validation loss after which training stops.",
    default: 5,
    min: 1,
    max: 10_000,
    integer: true,
  },
  l2: {
    description: "Strength of the penalty on large weights, in rows: 1 equals scikit-learn's C = 1.",
    default: 1,
    min: 0,
    max: 1e9,
  },
  l1: {
    description: "Strength of the penalty on absolute weights, in rows: weights that earn less become exactly 0.",
    default: 0,
    min: 0,
    max: 1e9,
  },
  classWeights: {
    description:
      "`balanced` counts every class alike, whatever its share of the rows; probabilities are then those of such a world.",
    default: "none",
    choices: ["none", "balanced"],
  },
  learningRate: {
    description: "First step as a share of the largest safe step; 1 is bold, 0.1 careful.",
    default: 0.1,
    min: 1e-6,
    max: 100,
  },
  warmRate: {
    description: "Warm starts and incremental training begin with this share of the learning rate.",
    default: 0.1,
    min: 1e-6,
    max: 1,
  },
} as const satisfies ParameterTable;

export interface LinearParameters {
  readonly epochs: number;
  readonly patience: number;
  readonly l2: number;
  readonly l1: number;
  readonly classWeights: "none" | "balanced";
  readonly learningRate: number;
  readonly warmRate: number;
}
