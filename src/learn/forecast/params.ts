/** Parameters of `forecast`. */
import type { ParameterTable } from "../params.ts";
import { METHODS } from "./forecaster.ts";

export const FORECAST_PARAMETERS = {
  method: {
    description:
      "How to forecast. `auto` takes the one with the smallest WAPE over rolling origins of the validation periods.",
    default: "auto",
    choices: ["auto", ...METHODS],
  },
  level: { description: "Share of targets that an interval should hold.", default: 0.9, min: 0.5, max: 0.99 },
  epochs: {
    description: "Trees at most; validation may stop earlier.",
    default: 300,
    min: 1,
    max: 10_000,
    integer: true,
  },
  patience: {
    description: "Trees without a lower validation loss after which training stops; 0: never.",
    default: 30,
    min: 0,
    max: 10_000,
    integer: true,
  },
  learningRate: { description: "Share of each tree's answer that is added.", default: 0.05, min: 1e-4, max: 1 },
  maxLeaves: { description: "Leaves of a tree.", default: 31, min: 2, max: 4096, integer: true },
  minChildWeight: { description: "Rows a leaf must have, by weight.", default: 20, min: 0, max: 1e9 },
  stepsPerTarget: {
    description: "Steps ahead from which each training target is looked at; more cost time and tell the same.",
    default: 3,
    min: 1,
    max: 100,
    integer: true,
  },
} as const satisfies ParameterTable;

export interface ForecastParams {
  readonly method: "auto" | (typeof METHODS)[number];
  readonly level: number;
  readonly epochs: number;
  readonly patience: number;
  readonly learningRate: number;
  readonly maxLeaves: number;
  readonly minChildWeight: number;
  readonly stepsPerTarget: number;
}
