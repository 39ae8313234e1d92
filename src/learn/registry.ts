/** Every built-in trainer by name. Adding one is one file and one line here; the contract suite finds it by itself. */
import { fail, nearestWord } from "../core/index.ts";
import { lastValue, majority, mean } from "./baselines.ts";
import { command } from "./command.ts";
import { gbdt } from "./gbdt/gbdt.ts";
import { linear } from "./linear/linear.ts";
import { mlp } from "./mlp/mlp.ts";
import type { TrainerKind } from "./trainer.ts";

export const TRAINERS: readonly TrainerKind[] = [linear, mlp, majority, mean, lastValue, gbdt];

/** The built-in ones and the program of somebody else, which has no pure `fit` for the contract suite to call. */
export const ALL_TRAINERS: readonly TrainerKind[] = [...TRAINERS, command];

/** @throws CONFIG_INVALID naming the nearest trainer. */
export function findTrainer(name: string): TrainerKind {
  const found = ALL_TRAINERS.find((trainer) => trainer.name === name);
  if (found !== undefined) return found;
  const names = ALL_TRAINERS.map((trainer) => trainer.name);
  const near = nearestWord(name, names);
  throw fail("CONFIG_INVALID", {
    message: `There is no trainer "${name}".${near === undefined ? "" : ` Closest: "${near}".`} There are ${names.join(", ")}.`,
    remedy: "Correct `trainer` in the model's definition.",
  });
}
