/**
 * The refit: the recipe that passed the gate (parameters, epochs, threshold) fitted once more on all mature rows, held-out ones
 * included, so that the version that goes live knows the newest data. Its own quality is never measured; the manifest says so.
 */
import type { ModelSpec } from "../config/spec.ts";
import type { TrainingStrategy } from "../core/index.ts";
import type { Dataset, Preparation, Splits } from "../data/index.ts";
import { findTrainer, inputOf } from "../learn/index.ts";
import type { TrainedWeights } from "../learn/index.ts";
import { createPredictor } from "../model/index.ts";
import type { Predictor } from "../model/index.ts";
import { strategyParams } from "../train/index.ts";
import { requireValidScores, trainedBy } from "./checks.ts";
import { embedDataset, fitInputs, trainerEmbedding } from "./embed.ts";
import { fitOnDataset } from "./fit.ts";
import type { JobInput } from "./input.ts";

export interface FinalModel {
  readonly weights: TrainedWeights;
  readonly preparation: Preparation;
  readonly predictor: Predictor;
}

/** Every row up to the end of the holdout: training, validation, holdout, embargoed and not replayed ones. */
export function refitRows(dataset: Dataset, splits: Splits): Uint32Array {
  const immature = splits.immatureRows;
  return Uint32Array.from({ length: dataset.rows - immature }, (_, row) => row);
}

/**
 * Whether the version is refitted. Only a full training is: a warm start's best epoch counts the epochs it added, so fitting
 * that many from nothing would make a smaller model than the one that passed the gate.
 */
export function isRefitted(spec: ModelSpec, strategy: TrainingStrategy): boolean {
  return spec.data.refit && strategy === "full";
}

export async function refitOnAll(options: {
  readonly input: JobInput;
  readonly dataset: Dataset;
  readonly splits: Splits;
  readonly gated: FinalModel;
  readonly threshold: number | undefined;
  readonly bestEpoch: number;
  readonly signal: AbortSignal;
}): Promise<FinalModel> {
  const { input, dataset, splits, threshold, bestEpoch, signal } = options;
  const { task } = input.spec.schema;
  const trainer = findTrainer(input.spec.trainer.name);
  const rows = refitRows(dataset, splits);
  const embedding = trainerEmbedding(input.spec.trainer);
  const preparation = fitInputs({
    dataset: await embedDataset(dataset, embedding, { folder: input.folder, signal }),
    rows,
    input: inputOf(trainer, input.spec.trainer.params),
    features: input.spec.schema.features,
    embedding,
  });
  const params = strategyParams(trainer, "full", input.spec.trainer.params);
  const weights = await fitOnDataset({
    task,
    trainer,
    params: typeof params["epochs"] === "number" ? { ...params, epochs: bestEpoch, patience: bestEpoch } : params,
    seed: input.seed,
    dataset,
    preparation,
    train: rows,
    validation: new Uint32Array(0),
    weights: input.spec.data.weights,
    folder: input.folder,
    model: input.spec.name,
    signal,
    onPoint: async () => {},
  });
  const predictor = createPredictor({
    task,
    classes: dataset.classes,
    preparation,
    weights,
    ...(threshold === undefined ? {} : { threshold }),
  });
  const width = task === "multiclass" ? dataset.classes.length : 1;
  requireValidScores(task, predictor.scoreFrame(dataset.frame, splits.holdout), width, trainedBy(trainer.name));
  return { weights, preparation, predictor };
}
