/** `train`: fits the trainer; streams one trace point per epoch; writes `out/`. Run again it gives the same bits. */
import type { JobHandler } from "../core/job-child.ts";
import { asRetrainError, fail, systemClock } from "../core/index.ts";
import type { JsonObject } from "../core/index.ts";
import { findTrainer } from "../learn/index.ts";
import type { TrainedWeights } from "../learn/index.ts";
import { modelHashOf } from "../model/index.ts";
import { strategyParams } from "../train/index.ts";
import { fitOnDataset } from "./fit.ts";
import { loadDataset, readArtifactFolder, readPrepared, writeTrained } from "./folder.ts";
import { parseJobInput } from "./input.ts";

export const train: JobHandler = async (raw, control) => {
  const input = parseJobInput(raw);
  const { spec } = input;
  const dataset = await loadDataset(input.folder, spec);
  const { splits, preparation, state } = await readPrepared(input.folder, dataset);
  const trainer = findTrainer(spec.trainer.name);
  const params = strategyParams(trainer, state.strategy, spec.trainer.params);
  const planned = typeof params["epochs"] === "number" ? params["epochs"] : 1;
  const started = systemClock.monotonicMs();
  const trace: string[] = [];
  const byEpoch = new Map<number, Readonly<Record<string, number>>>();
  let weights: TrainedWeights;
  try {
    weights = await fitOnDataset({
      task: spec.schema.task,
      trainer,
      params,
      seed: input.seed,
      dataset,
      preparation,
      train: splits.train,
      validation: splits.validation,
      ...(state.strategy === "full" || input.baseFolder === undefined
        ? {}
        : { base: (await readArtifactFolder(input.baseFolder)).weights }),
      signal: control.signal,
      onPoint: async ({ epoch, metrics }) => {
        const elapsedMs = systemClock.monotonicMs() - started;
        byEpoch.set(epoch, metrics);
        trace.push(JSON.stringify({ epoch, metrics }));
        control.progress({
          epoch,
          metrics,
          elapsedMs,
          share: Math.min(1, epoch / planned),
          etaMs: Math.max(0, (elapsedMs / epoch) * (planned - epoch)),
        });
      },
    });
  } catch (error) {
    throw trainerError(error, spec.trainer.name);
  }
  const epochs = byEpoch.size;
  const result = {
    bestEpoch: weights.bestEpoch,
    epochs,
    stoppedEarly: epochs < planned,
    modelHash: modelHashOf(weights, preparation),
    metrics: byEpoch.get(weights.bestEpoch) ?? {},
  };
  await writeTrained(input.folder, { weights, state: result, trace });
  return result as unknown as JsonObject;
};

/** A trainer's own error keeps its code; anything foreign is named after the trainer. */
function trainerError(error: unknown, trainer: string) {
  const known = asRetrainError(error);
  if (known.code !== "INTERNAL") return known;
  return fail("TRAINER_FAILED", {
    message: `The trainer "${trainer}" threw: ${error instanceof Error ? error.message : String(error)}`,
    remedy: "Rerun the step alone to see the stack; the champion keeps serving.",
    cause: error,
  });
}
