/**
 * `best`: several trainings on the same frozen rows and the same split, each in a folder of its own below the run's, and the
 * choice among them.
 *
 * Validation chooses, the holdout judges. Picking the best of k by the rows the gate looks at would favor whatever got lucky
 * there, and the gate's interval would say less than it claims; picked on other rows, the winner is one candidate like any
 * other. What is optimistic after the choice is its validation value, which nobody gates on. Where a warm start's base has
 * already trained on some of the validation rows, only the others choose: a model that has seen the answers would win.
 */
import { copyFile, cp, link, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { JobHandler } from "../core/job-child.ts";
import { asRetrainError, fail, plural } from "../core/index.ts";
import type { Json, JsonObject, RetrainError } from "../core/index.ts";
import { primaryMetricOf } from "../config/model-fields.ts";
import type { Dataset } from "../data/index.ts";
import { createPredictor, encodeWeights } from "../model/index.ts";
import { computeMetric, METRICS } from "../stats/index.ts";
import { candidateFolder, candidateInput, candidateNames } from "../train/index.ts";
import type { BestCandidate, BestSpec } from "../train/index.ts";
import { targetsOf } from "./compare.ts";
import { embedDataset } from "./embed.ts";
import { loadDataset, readArtifactFolder, readPrepared, readTrained, writeFolderWhole } from "./folder.ts";
import { parseJobInput } from "./input.ts";
import type { JobInput } from "./input.ts";

/** Fewer validation rows than this choose by luck; then all of them count, and the answer says so. */
const MIN_UNSEEN_ROWS = 50;

function requireBest(input: JobInput): BestSpec {
  const { best } = input.spec.retrain;
  if (best !== undefined) return best;
  throw fail("CONFIG_INVALID", {
    message: `${input.spec.name} does not say which ways of training the strategy "best" tries.`,
    remedy: 'Write `how: best({ of: ["full", "warm-start"] })`.',
  });
}

/** Prepares every candidate. One whose base does not fit is left out: it would be a second full training of the same kind. */
export async function prepareBest(
  raw: JsonObject,
  prepareOne: (input: JsonObject) => Promise<JsonObject>,
): Promise<JsonObject> {
  const input = parseJobInput(raw);
  const candidates: JsonObject[] = [];
  let first: JsonObject | undefined;
  let failure: RetrainError | undefined;
  const best = requireBest(input);
  const names = candidateNames(best);
  for (const [index, candidate] of best.of.entries()) {
    const about = { name: names[index] as string, trainer: candidate.trainer.name, strategy: candidate.how };
    const folder = candidateFolder(input.folder, index);
    await mkdir(folder, { recursive: true });
    await shareFile(join(input.folder, "dataset.parquet"), join(folder, "dataset.parquet"));
    try {
      const prepared = await prepareOne(candidateInput(raw, candidate, index));
      if (prepared["strategy"] !== candidate.how) {
        candidates.push({ ...about, skipped: prepared["fallback"] as string });
        continue;
      }
      first ??= prepared;
      candidates.push({ ...about, trainRows: prepared["trainRows"] as number });
    } catch (error) {
      failure ??= asRetrainError(error);
      candidates.push({ ...about, skipped: asRetrainError(error).message });
    }
  }
  if (first === undefined) {
    throw (
      failure ??
      fail("CONFIG_INVALID", {
        message: `None of the ways of training ${input.spec.name} can be done: ${candidates[0]?.["skipped"] as string}`,
        remedy: 'Add "full" to `best({ of })`: it needs nothing to start from.',
      })
    );
  }
  return { ...first, strategy: "best", candidates };
}

/** The same bytes under a second name, without a second copy where the disk can do that. */
async function shareFile(from: string, to: string): Promise<void> {
  await rm(to, { force: true });
  await link(from, to).catch(() => copyFile(from, to));
}

/** Input: the run's folder, and `trained`, the indexes of the candidates that have been trained. Puts the winner's files in their place. */
export const choose: JobHandler = async (raw, control) => {
  const input = parseJobInput(raw);
  const { task } = input.spec.schema;
  const candidates = requireBest(input).of;
  const trained = raw["trained"] as readonly number[];
  const dataset = await loadDataset(input.folder, input.spec);
  const metric = primaryMetricOf(task);
  const { rows, note } = await choosingRows(input, dataset, trained);
  const labels = targetsOf(dataset, rows);
  const found: { index: number; value: number | null; sizeBytes: number }[] = [];
  for (const index of trained) {
    const folder = candidateFolder(input.folder, index);
    const { preparation } = await readPrepared(folder, dataset);
    const { weights } = await readTrained(folder);
    await embedDataset(dataset, preparation.embed, { folder, signal: control.signal });
    const predictor = createPredictor({ task, classes: dataset.classes, preparation, weights });
    const scores = predictor.scoreFrame(dataset.frame, rows);
    const classCount = task === "multiclass" ? dataset.classes.length : 1;
    const isValid = scores.every((score) => Number.isFinite(score));
    const value = isValid ? computeMetric(metric, { labels, scores, classCount }) : null;
    found.push({ index, value, sizeBytes: encodeWeights(weights).binary.byteLength });
  }
  const sign = METRICS[metric].higherIsBetter ? -1 : 1;
  const rank = (value: number | null) => (value === null ? Number.POSITIVE_INFINITY : sign * value);
  // Of equal ones the first: the order of the definition is the team's preference.
  const winner = found.reduce((leader, one) => (rank(one.value) < rank(leader.value) ? one : leader));
  await takeOver(input.folder, winner.index);
  const { state } = await readTrained(input.folder);
  const chosen = candidates[winner.index] as BestCandidate;
  return {
    ...(state as unknown as JsonObject),
    winner: winner.index,
    strategy: chosen.how,
    trainer: chosen.trainer as unknown as Json,
    metric,
    rows: rows.length,
    ...(note === undefined ? {} : { note }),
    found: found as unknown as Json,
  };
};

/** Validation rows that no base of the candidates has trained on. */
async function choosingRows(
  input: JobInput,
  dataset: Dataset,
  trained: readonly number[],
): Promise<{ readonly rows: Uint32Array; readonly note?: string }> {
  const { splits } = await readPrepared(candidateFolder(input.folder, trained[0] as number), dataset);
  const usesBase = trained.some((index) => input.spec.retrain.best?.of[index]?.how !== "full");
  if (!usesBase || input.baseFolder === undefined || input.spec.schema.time === undefined)
    return { rows: splits.validation };
  const { trainTo } = (await readArtifactFolder(input.baseFolder)).manifest.dataset;
  if (trainTo === null) return { rows: splits.validation };
  const unseen = splits.validation.filter((row) => (dataset.at[row] as number) > trainTo);
  if (unseen.length === splits.validation.length) return { rows: unseen };
  const total = splits.validation.length;
  if (unseen.length >= MIN_UNSEEN_ROWS)
    return {
      rows: unseen,
      note: `${total - unseen.length} of ${plural(total, "validation row")} had trained the champion already.`,
    };
  return {
    rows: splits.validation,
    note: `${total - unseen.length} of ${plural(total, "validation row")} had trained the champion already, which favors what starts from it.`,
  };
}

/** The winner's files become the run's; `prepare.json` last, as ever. */
async function takeOver(folder: string, index: number): Promise<void> {
  const from = candidateFolder(folder, index);
  await writeFolderWhole(join(folder, "out"), (to) => cp(join(from, "out"), to, { recursive: true }));
  for (const name of ["splits.bin", "preparation.json", "prepare.json"])
    await copyFile(join(from, name), join(folder, name));
}
