/** Parameters of `mlp`. */
import type { ParameterTable } from "../params.ts";

export const PARAMETERS = {
  hidden: {
    description: "Units of each hidden layer, from the input on: one to three layers.",
    default: [64],
    min: 1,
    max: 4096,
    integer: true,
    maxLength: 3,
  },
  activation: { description: "What a hidden unit does with its sum.", default: "relu", choices: ["relu", "tanh"] },
  epochs: { description: "Passes over the training rows, at most.", default: 100, min: 1, max: 10_000, integer: true },
  patience: {
    description: "Epochs without a lower validation loss after which training stops.",
    default: 8,
    min: 1,
    max: 10_000,
    integer: true,
  },
  batch: {
    description: "Rows of a step, at most; few training rows make it smaller, so that an epoch has at least 20 steps.",
    default: 128,
    min: 4,
    max: 65_536,
    integer: true,
  },
  learningRate: { description: "Step of Adam.", default: 0.002, min: 1e-7, max: 1 },
  warmRate: {
    description: "Warm starts, and the reused layers of a transfer, learn with this share of the learning rate.",
    default: 0.2,
    min: 1e-6,
    max: 1,
  },
  l2: { description: "Strength of the penalty on large weights, in rows.", default: 1, min: 0, max: 1e9 },
  dropout: { description: "Share of the hidden units left out at each step.", default: 0, min: 0, max: 0.9 },
  classWeights: {
    description:
      "`balanced` counts every class alike, whatever its share of the rows; probabilities are then those of such a world.",
    default: "none",
    choices: ["none", "balanced"],
  },
} as const satisfies ParameterTable;

export interface MlpParameters {
  readonly hidden: readonly number[];
  readonly activation: "relu" | "tanh";
  readonly epochs: number;
  readonly patience: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly warmRate: number;
  readonly l2: number;
  readonly dropout: number;
  readonly classWeights: "none" | "balanced";
}
