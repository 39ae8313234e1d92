/** `prepare`: splits the rows and fits the preparation on the training part alone (or takes over the base's). */
import type { JobHandler } from "../core/job-child.ts";
import { asRetrainError, plural, systemClock } from "../core/index.ts";
import type { JsonObject } from "../core/index.ts";
import type { Dataset, Preparation, Splits } from "../data/index.ts";
import { checkClasses, countMissing, embeddedNames, isWide, SPLIT_UNUSED, splitRows, wideSize } from "../data/index.ts";
import { findTrainer, inputOf } from "../learn/index.ts";
import type { TrainerKind } from "../learn/index.ts";
import type { Artifact } from "../model/index.ts";
import { selectTrainingRows, strategyParams } from "../train/index.ts";
import { prepareBest } from "./best.ts";
import { embedDataset, fitInputs, sameEmbedding, trainerEmbedding } from "./embed.ts";
import { loadDataset, readArtifactFolder, SPLIT_NOT_REPLAYED, writePrepared } from "./folder.ts";
import { prepareForecast } from "./forecast/prepare.ts";
import { parseJobInput } from "./input.ts";
import { prepareRecommend } from "./recommend/prepare.ts";
import { readTransferBase, transferPreparation } from "./transfer-base.ts";
import type { JobInput } from "./input.ts";

export const prepare: JobHandler = async (raw, control) => {
  const one = (input: JsonObject) => prepareOne(input, control);
  return raw["strategy"] === "best" ? prepareBest(raw, one) : one(raw);
};

async function prepareOne(raw: JsonObject, control: Parameters<JobHandler>[1]): Promise<JsonObject> {
  const input = parseJobInput(raw);
  const { spec } = input;
  if (spec.schema.forecast !== undefined) return prepareForecast(raw);
  if (spec.schema.recommend !== undefined) return prepareRecommend(raw);
  const dataset = await loadDataset(input.folder, spec);
  const trainer = findTrainer(spec.trainer.name);
  const splits = splitRows(
    dataset,
    {
      holdout: spec.data.holdout,
      validationShare: spec.data.validationShare,
      labelDelayMs: spec.labelDelayMs,
      timeOrdered: spec.schema.time !== undefined,
    },
    input.asOf,
  );
  checkClasses(dataset.target, dataset.classes, splits);
  const { base, fallback } = await findBase(input, trainer, dataset);
  const strategy = base === undefined ? "full" : input.strategy;
  strategyParams(trainer, strategy, spec.trainer.params);
  const selection = selectTrainingRows({
    strategy,
    train: splits.train,
    at: dataset.at,
    knownAt: dataset.knownAt,
    timeOrdered: spec.schema.time !== undefined,
    base: base?.manifest.dataset,
    seed: input.seed,
  });
  const inherited =
    base !== undefined && strategy === "transfer" ? transferPreparation(base, dataset) : base?.preparation;
  const embedding = trainerEmbedding(spec.trainer);
  const embedded = await embedDataset(dataset, embedding, {
    folder: input.folder,
    signal: control.signal,
    onProgress: tellEmbedding(control),
  });
  const preparation =
    inherited ??
    fitInputs({
      dataset: embedded,
      rows: splits.train,
      input: inputOf(trainer, spec.trainer.params),
      features: spec.schema.features,
      embedding,
    });
  const assignment = Uint8Array.from(splits.assignment);
  for (const row of splits.train) assignment[row] = SPLIT_NOT_REPLAYED;
  for (const row of selection.rows) assignment[row] = 1;
  await writePrepared(input.folder, {
    assignment,
    preparation,
    state: {
      strategy,
      ...(fallback === undefined ? {} : { fallback }),
      seed: input.seed,
      asOf: input.asOf,
      immatureRows: splits.immatureRows,
      embargoedRows: splits.embargoedRows,
      newRows: selection.newRows,
      replayedRows: selection.replayedRows,
    },
  });
  return {
    trainRows: selection.rows.length,
    validationRows: splits.validation.length,
    holdoutRows: splits.holdout.length,
    immatureRows: splits.immatureRows,
    embargoedRows: splits.embargoedRows,
    waitingRows: countWaiting(dataset, splits, input),
    newRows: selection.newRows,
    replayedRows: selection.replayedRows,
    strategy,
    ...(strategy === "transfer" && input.baseVersion !== undefined ? { base: input.baseVersion } : {}),
    ...(fallback === undefined ? {} : { fallback }),
    columns: preparation.input === "none" ? preparation.features.length : preparation.columns.length,
    ...(embedding === undefined ? {} : { embedded: embedding.size }),
    ...countPrepared(dataset, preparation, splits),
    holdoutFrom: splits.holdoutFrom,
    holdoutTo: splits.holdoutTo,
  };
}

/**
 * Mature rows chosen by score that neither train nor judge: they are newer than the holdout begins. As labels that may judge arrive, the
 * holdout moves on and they train.
 */
function countWaiting({ selective, at }: Dataset, splits: Splits, { spec, asOf }: JobInput): number {
  const isMature = (row: number) => spec.schema.time === undefined || (at[row] as number) <= asOf - spec.labelDelayMs;
  let count = 0;
  selective?.forEach((chosen, row) => {
    if (chosen === 1 && splits.assignment[row] === SPLIT_UNUSED && isMature(row)) count++;
  });
  return count;
}

/** Share and remaining time of the vectors, which may take longer than the training on them. */
function tellEmbedding(control: Parameters<JobHandler>[1]): (done: number, of: number) => void {
  const started = systemClock.monotonicMs();
  return (embeddedRows, rows) => {
    const share = embeddedRows / rows;
    const elapsedMs = systemClock.monotonicMs() - started;
    control.progress({ embeddedRows, rows, share, etaMs: (elapsedMs / share) * (1 - share) });
  };
}

/** What was filled and scaled, for the status table. */
function countPrepared(dataset: Dataset, preparation: Preparation, splits: Splits) {
  const used = [splits.train, splits.validation, splits.holdout];
  let missingFilled = 0;
  for (const column of dataset.frame.columns) {
    for (const rows of used) missingFilled += countMissing(column, rows);
  }
  const isDense = preparation.input === "dense";
  return {
    missingFilled: isDense ? missingFilled : 0,
    scaledColumns: isDense ? preparation.features.filter((feature) => feature.kind !== "category").length : 0,
    encodedColumns: isDense ? preparation.features.filter((feature) => feature.kind === "category").length : 0,
  };
}

/**
 * The version to start from, when the strategy wants one and it fits. One that does not fit (other features, classes or
 * trainer) makes the run a full training and says so: a team that edits its definition should not find its runs failing.
 */
async function findBase(
  input: JobInput,
  trainer: TrainerKind,
  dataset: Dataset,
): Promise<{ readonly base?: Artifact; readonly fallback?: string }> {
  if (input.strategy === "full") return {};
  if (input.strategy === "transfer") return { base: await readTransferBase(input, trainer) };
  if (input.baseFolder === undefined) return { fallback: "There is no earlier version to start from." };
  let base: Artifact;
  try {
    base = await readArtifactFolder(input.baseFolder);
  } catch (error) {
    return { fallback: asRetrainError(error).message };
  }
  const fallback = whyBaseDoesNotFit(base, trainer, input, dataset);
  return fallback === undefined ? { base } : { fallback };
}

/**
 * Why the chain of versions ends here. Each link remembers the data of the last full training a little less, and inherits its
 * preparation: medians, scales, categories. Starting over now and then is what keeps errors from adding up.
 */
function whyChainEnds({ manifest }: Artifact, input: JobInput): string | undefined {
  const { maxChain } = input.spec.retrain;
  const chain = (manifest.chain ?? 0) + 1;
  if (maxChain === undefined || chain <= maxChain) return undefined;
  return `The base stands ${plural(chain - 1, "version")} behind the last full training, and \`retrain.maxChain\` is ${maxChain}.`;
}

/** Sizes that the base's preparation and weights are made for. */
function whySizesDiffer({ manifest, preparation }: Artifact, input: JobInput): string | undefined {
  const embedding = trainerEmbedding(input.spec.trainer);
  if (!sameEmbedding(preparation.embed, embedding)) return "The backbone has changed since the base.";
  const goneIn = embedding === undefined ? new Set() : embeddedNames(embedding);
  for (const { name, spec } of input.spec.schema.features) {
    if (!isWide(spec) || spec.kind === "text" || goneIn.has(name)) continue;
    const own = preparation.wide?.find((feature) => feature.name === name);
    if (own?.size !== wideSize(spec)) return `The size of "${name}" has changed since the base.`;
  }
  const [was, is] = [manifest.params["hidden"], input.spec.trainer.params["hidden"]];
  if (JSON.stringify(was) !== JSON.stringify(is)) return "The layers of the network have changed since the base.";
  return undefined;
}

function whyBaseDoesNotFit(
  base: Artifact,
  trainer: TrainerKind,
  input: JobInput,
  dataset: Dataset,
): string | undefined {
  const { manifest } = base;
  if (manifest.trainer !== trainer.name) {
    return `The base was trained by "${manifest.trainer}", this run uses "${trainer.name}".`;
  }
  const signature = (features: readonly { readonly name: string; readonly kind: string }[]) =>
    JSON.stringify(features.map(({ name, kind }) => [name, kind]));
  const now = input.spec.schema.features.map(({ name, spec }) => ({ name, kind: spec.kind }));
  if (signature(manifest.signature.features) !== signature(now)) return "The features have changed since the base.";
  if (JSON.stringify(manifest.classes) !== JSON.stringify(dataset.classes)) {
    return `The base knows the classes ${manifest.classes.join(", ")}; the data have ${dataset.classes.join(", ")}.`;
  }
  return whySizesDiffer(base, input) ?? whyChainEnds(base, input);
}
