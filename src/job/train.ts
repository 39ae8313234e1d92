/** `train`: fits the trainer; streams one trace point per epoch; writes `out/`. Run again it gives the same bits, after a kill from its last checkpoint. */
import type { JobHandler } from "../core/job-child.ts";
import { asRetrainError, fail, sha256Hex, systemClock } from "../core/index.ts";
import type { JsonObject } from "../core/index.ts";
import {
  checkpointTimer,
  readCheckpoint,
  removeCheckpoint,
  requestFingerprint,
  writeCheckpoint,
} from "./checkpoint.ts";
import type { Preparation } from "../data/index.ts";
import { describeTrainer, findTrainer } from "../learn/index.ts";
import type { TrainedWeights, TrainingPoint } from "../learn/index.ts";
import { modelHashOf } from "../model/index.ts";
import { strategyParams } from "../train/index.ts";
import { fitForecastDataset } from "./forecast/train.ts";
import { fitOnDataset } from "./fit.ts";
import { loadDataset, readArtifactFolder, readPrepared, writeTrained } from "./folder.ts";
import type { TrainedState } from "./folder.ts";
import { type Frozen, frozenCurve, frozenResult, readFrozen } from "./frozen.ts";
import { type JobInput, parseJobInput } from "./input.ts";
import { fitRecommendDataset } from "./recommend/train.ts";

export const train: JobHandler = async (raw, control) => {
  const input = parseJobInput(raw);
  const { spec } = input;
  const dataset = await loadDataset(input.folder, spec);
  const { splits, preparation, state } = await readPrepared(input.folder, dataset);
  const frozen = await readFrozen(input, state.strategy);
  if (frozen !== undefined) return await writeFrozen(input, frozen, preparation, control);
  const trainer = describeTrainer(spec.trainer.name);
  const params = strategyParams(trainer, state.strategy, spec.trainer.params);
  const planned = typeof params["epochs"] === "number" ? params["epochs"] : 1;
  const isExternal = trainer.name === "command";
  const started = systemClock.monotonicMs();
  const base =
    state.strategy === "full" || input.baseFolder === undefined
      ? undefined
      : await readArtifactFolder(input.baseFolder);
  const freeze = state.strategy === "transfer" ? (spec.retrain.transfer?.freeze ?? []) : undefined;
  const fingerprint = requestFingerprint({
    dataset: dataset.hash,
    splits: sha256Hex(splits.assignment),
    trainer: trainer.name,
    params,
    ...(spec.data.weights === undefined ? {} : { weights: spec.data.weights as unknown as JsonObject }),
    seed: input.seed,
    base: base?.manifest.modelHash ?? null,
    freeze: freeze ?? null,
    preparation: preparation as unknown as JsonObject,
  });
  const checkpoint = await readCheckpoint(input.folder, fingerprint);
  const isDue = checkpointTimer(input.checkpointEveryMs);
  const points: TrainingPoint[] = [...(checkpoint?.points ?? [])];
  let weights: TrainedWeights;
  const onPoint = async ({ epoch, metrics, share }: TrainingPoint) => {
    const elapsedMs = systemClock.monotonicMs() - started;
    points.push({ epoch, metrics });
    control.progress({
      epoch,
      metrics,
      elapsedMs,
      ...expected(elapsedMs, share ?? (isExternal ? undefined : Math.min(1, epoch / planned))),
    });
  };
  const job = { params, seed: input.seed, dataset, preparation, signal: control.signal, onPoint };
  const going = {
    ...(base === undefined ? {} : { base: base.weights }),
    ...(checkpoint === undefined ? {} : { resume: checkpoint.state }),
    onCheckpoint: async (state: () => TrainedWeights) => {
      if (isDue()) await writeCheckpoint(input.folder, fingerprint, { state: state(), points });
    },
  };
  try {
    weights =
      spec.schema.forecast !== undefined
        ? await fitForecastDataset({ ...job, spec, splits })
        : spec.schema.recommend !== undefined
          ? await fitRecommendDataset({ ...job, ...going, spec, splits, trainer: spec.trainer.name })
          : await fitOnDataset({
              ...job,
              task: spec.schema.task,
              trainer: findTrainer(spec.trainer.name),
              train: splits.train,
              validation: splits.validation,
              weights: spec.data.weights,
              holdout: splits.holdout,
              folder: input.folder,
              model: spec.name,
              ...(freeze === undefined ? {} : { freeze }),
              ...going,
            });
  } catch (error) {
    throw trainerError(error, spec.trainer.name);
  }
  const epochs = points.length;
  const result = {
    bestEpoch: weights.bestEpoch,
    epochs,
    stoppedEarly: !isExternal && epochs < planned,
    modelHash: modelHashOf(weights, preparation),
    metrics: points.find(({ epoch }) => epoch === weights.bestEpoch)?.metrics ?? {},
    ...(weights.shape["recorded"] === true ? { recorded: true } : {}),
  };
  await writeTrained(input.folder, { weights, state: result, trace: points.map((point) => JSON.stringify(point)) });
  await removeCheckpoint(input.folder);
  return result as unknown as JsonObject;
};

/** The candidate learned example by example, before the run began. */
async function writeFrozen(
  input: JobInput,
  frozen: Frozen,
  preparation: Preparation,
  control: Parameters<JobHandler>[1],
): Promise<JsonObject> {
  const points = frozenCurve(frozen);
  points.forEach(({ epoch, metrics }) =>
    control.progress({ epoch, metrics, elapsedMs: 0, share: epoch / points.length }),
  );
  const result = { ...frozenResult(points), modelHash: modelHashOf(frozen.weights, preparation) };
  const trace = points.map((point) => JSON.stringify(point));
  await writeTrained(input.folder, { weights: frozen.weights, state: result as unknown as TrainedState, trace });
  return { ...result, learnedRows: frozen.learned.rows };
}

/** The share done and the rest it takes at this pace; nothing where the trainer does not say how far it is. */
function expected(elapsedMs: number, share: number | undefined): JsonObject {
  if (share === undefined) return {};
  return { share, ...(share > 0 ? { etaMs: Math.max(0, (elapsedMs / share) * (1 - share)) } : {}) };
}

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
