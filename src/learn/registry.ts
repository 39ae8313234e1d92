/** Every built-in trainer by name. Adding one is one file and one line here; the contract suite finds it by itself. */
import { fail, nearestWord } from "../core/index.ts";
import { lastValue, majority, mean } from "./baselines.ts";
import { command } from "./command.ts";
import { gbdt } from "./gbdt/gbdt.ts";
import { linear } from "./linear/linear.ts";
import { forecast, seasonalNaiveBaseline } from "./forecast/forecast.ts";
import { mlp } from "./mlp/mlp.ts";
import { matrixFactorization, popularity } from "./recommend/matrix-factorization.ts";
import type { TrainerDescription, TrainerKind } from "./trainer.ts";

export const TRAINERS: readonly TrainerKind[] = [linear, mlp, majority, mean, lastValue, gbdt];

/** Trainers of rows: the built-in ones, and the program of somebody else, which has no pure `fit` for the contract suite to call. */
export const ROW_TRAINERS: readonly TrainerKind[] = [...TRAINERS, command];
/** Trainers that learn from whole series instead of rows; the jobs of their task call them. */
export const FORECAST_TRAINERS = [forecast, seasonalNaiveBaseline] as const;
/** Trainers that learn from who took what; the jobs of their task call them. */
export const RECOMMEND_TRAINERS = [matrixFactorization, popularity] as const;

/** What a definition may name, whatever it learns from. */
export const ALL_TRAINERS: readonly TrainerDescription[] = [
  ...ROW_TRAINERS,
  ...FORECAST_TRAINERS,
  ...RECOMMEND_TRAINERS,
];

/** @throws CONFIG_INVALID naming the nearest trainer. */
export function findTrainer(name: string): TrainerKind {
  return find(ROW_TRAINERS, name);
}

/** @throws CONFIG_INVALID naming the nearest trainer. */
export function describeTrainer(name: string): TrainerDescription {
  return find(ALL_TRAINERS, name);
}

function find<T extends { readonly name: string }>(trainers: readonly T[], name: string): T {
  const found = trainers.find((trainer) => trainer.name === name);
  if (found !== undefined) return found;
  const names = trainers.map((trainer) => trainer.name);
  const near = nearestWord(name, names);
  throw fail("CONFIG_INVALID", {
    message: `There is no trainer "${name}".${near === undefined ? "" : ` Closest: "${near}".`} There are ${names.join(", ")}.`,
    remedy: "Correct `trainer` in the model's definition.",
  });
}
