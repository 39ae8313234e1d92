/** `prepare` of a recommender: the same split by time as ever, and which version a warm start may go on from. */
import type { JsonObject, TrainingStrategy } from "../../core/index.ts";
import { asRetrainError, plural } from "../../core/index.ts";
import { fitPreparation, splitRows } from "../../data/index.ts";
import { loadDataset, readArtifactFolder, writePrepared } from "../folder.ts";
import { type JobInput, parseJobInput } from "../input.ts";
import { noColumns } from "./interactions.ts";

export async function prepareRecommend(raw: JsonObject): Promise<JsonObject> {
  const input = parseJobInput(raw);
  const { spec } = input;
  const dataset = await loadDataset(input.folder, spec);
  const splits = splitRows(
    dataset,
    {
      holdout: spec.data.holdout,
      validationShare: spec.data.validationShare,
      labelDelayMs: spec.labelDelayMs,
      timeOrdered: true,
    },
    input.asOf,
  );
  const preparation = fitPreparation({
    frame: noColumns(dataset.frame),
    rows: splits.train,
    input: "codes",
    classes: [],
  });
  const fallback = input.strategy === "full" ? undefined : await whyNotWarm(input);
  const strategy: TrainingStrategy = fallback === undefined ? input.strategy : "full";
  const { immatureRows, embargoedRows } = splits;
  const trainRows = splits.train.length + splits.validation.length;
  const counted = { immatureRows, embargoedRows, newRows: trainRows, replayedRows: 0 };
  await writePrepared(input.folder, {
    assignment: splits.assignment,
    preparation,
    state: {
      strategy,
      ...(fallback === undefined ? {} : { fallback }),
      seed: input.seed,
      asOf: input.asOf,
      ...counted,
    },
  });
  return {
    trainRows,
    validationRows: splits.validation.length,
    holdoutRows: splits.holdout.length,
    ...counted,
    strategy,
    ...(fallback === undefined ? {} : { fallback }),
    columns: 0,
    missingFilled: 0,
    scaledColumns: 0,
    encodedColumns: 0,
    holdoutFrom: splits.holdoutFrom,
    holdoutTo: splits.holdoutTo,
  };
}

/** Why a warm start becomes a full training; undefined where the base fits. */
async function whyNotWarm(input: JobInput): Promise<string | undefined> {
  if (input.baseFolder === undefined) return "There is no earlier version to start from.";
  try {
    const { manifest } = await readArtifactFolder(input.baseFolder);
    const { trainer, retrain } = input.spec;
    if (manifest.trainer !== trainer.name)
      return `The base was trained by "${manifest.trainer}", this run uses "${trainer.name}".`;
    for (const key of ["method", "factors"])
      if (manifest.params[key] !== trainer.params[key]) return `\`${key}\` has changed since the base.`;
    const chain = (manifest.chain ?? 0) + 1;
    return retrain.maxChain === undefined || chain <= retrain.maxChain
      ? undefined
      : `The base stands ${plural(chain - 1, "version")} behind the last full training, and \`retrain.maxChain\` is ${retrain.maxChain}.`;
  } catch (error) {
    return asRetrainError(error).message;
  }
}
