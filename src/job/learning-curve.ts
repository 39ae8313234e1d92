/**
 * `learning-curve`: trains the model's own trainer on growing parts of the labels, once in the order of those chosen by score,
 * once of the others, and judges each on the same held-out rows, none of which was chosen by score. It answers whether asking
 * where the model is unsure was worth it, and whether asking on is.
 */
import type { JobHandler } from "../core/job-child.ts";
import { fail, type JsonObject } from "../core/index.ts";
import type { ModelSpec } from "../config/spec.ts";
import type { Dataset, Splits } from "../data/index.ts";
import { splitRows } from "../data/index.ts";
import { findTrainer, inputOf } from "../learn/index.ts";
import { createPredictor } from "../model/index.ts";
import { computeMetric, METRICS, type MetricName, normalIsf, rowLosses } from "../stats/index.ts";
import { embedDataset, fitInputs, trainerEmbedding } from "./embed.ts";
import { fitOnDataset } from "./fit.ts";
import { loadDataset } from "./folder.ts";
import { parseJobInput } from "./input.ts";

/** Points of a curve, each twice the labels of the one before: six trainings cost less than three full ones. */
const POINTS = 6;
const SMALLEST = 20;
/** Steps of the curve that the advice to stop looks back over. */
const LOOK_BACK = 3;

interface Trained {
  readonly labels: number;
  readonly value: number;
  readonly losses: Float64Array;
}

export const learningCurve: JobHandler = async (raw, control) => {
  const input = parseJobInput(raw);
  const { spec } = input;
  const dataset = await loadDataset(input.folder, spec);
  const splits = splitAtRandom(dataset, spec, input.asOf);
  const metric = (input.gatedMetrics[0] ?? (spec.schema.task === "regression" ? "mae" : "logLoss")) as MetricName;
  const order = [...splits.train].sort(
    (left, right) => (dataset.knownAt[left] as number) - (dataset.knownAt[right] as number) || left - right,
  );
  const isChosen = (row: number) => dataset.selective?.[row] === 1;
  const chosen = order.filter(isChosen);
  const others = order.filter((row) => !isChosen(row));
  if (chosen.length < SMALLEST && others.length < SMALLEST) {
    throw fail("DATASET_TOO_SMALL", {
      message: `A learning curve starts at ${SMALLEST} training labels; there are ${chosen.length} chosen by score and ${others.length} others.`,
      remedy: "Label more examples first.",
    });
  }
  const trainOn = (rows: readonly number[]) =>
    trainPart({ input, dataset, splits, metric, signal: control.signal }, Uint32Array.from(rows).sort());
  const strategy = await curveOf(chosen, trainOn);
  const random = await curveOf(others, trainOn);
  return {
    metric,
    higherIsBetter: METRICS[metric].higherIsBetter,
    holdoutRows: splits.holdout.length,
    strategy: strategy.map(({ labels, value }) => ({ labels, value })),
    random: random.map(({ labels, value }) => ({ labels, value })),
    lastGain: gainOf(strategy.length > LOOK_BACK ? strategy : random),
  };
};

/**
 * Held-out rows are drawn from all mature ones that may judge, not the newest of them as for a version: people are asked about the
 * newest rows, so across time no answer of theirs would train before the next ones. The curve compares labels; it judges no version.
 */
function splitAtRandom(dataset: Dataset, spec: ModelSpec, asOf: number): Splits {
  const { holdout, validationShare } = spec.data;
  const { at, knownAt, idHash, selective } = dataset;
  const isTimed = spec.schema.time !== undefined;
  const young = isTimed ? at.findIndex((one) => one > asOf - spec.labelDelayMs) : -1;
  const rows = young < 0 ? dataset.rows : young;
  const mature = {
    rows,
    at: at.subarray(0, rows),
    knownAt: knownAt.subarray(0, rows),
    idHash: idHash.subarray(0, rows * 2),
    ...(selective === undefined ? {} : { selective: selective.subarray(0, rows) }),
  };
  return splitRows(mature, { holdout, validationShare, labelDelayMs: spec.labelDelayMs, timeOrdered: false }, asOf);
}

async function curveOf(
  rows: readonly number[],
  trainOn: (rows: readonly number[]) => Promise<Trained | undefined>,
): Promise<readonly Trained[]> {
  const sizes = new Set<number>();
  for (let i = POINTS - 1; i >= 0; i--) sizes.add(Math.round(rows.length / (1 << i)));
  const points: Trained[] = [];
  for (const size of sizes) {
    if (size < SMALLEST) continue;
    const trained = await trainOn(rows.slice(0, size));
    if (trained !== undefined) points.push(trained);
  }
  return points;
}

/** Undefined where so few labels hold one class alone: there is nothing to learn from yet. */
async function trainPart(
  job: {
    readonly input: ReturnType<typeof parseJobInput>;
    readonly dataset: Dataset;
    readonly splits: Splits;
    readonly metric: MetricName;
    readonly signal: AbortSignal;
  },
  train: Uint32Array,
): Promise<Trained | undefined> {
  const { input, dataset, splits, metric, signal } = job;
  const { spec } = input;
  const { task } = spec.schema;
  if (task !== "regression" && new Set(Array.from(train, (row) => dataset.target[row])).size < 2) return undefined;
  const trainer = findTrainer(spec.trainer.name);
  const embedding = trainerEmbedding(spec.trainer);
  const preparation = fitInputs({
    dataset: await embedDataset(dataset, embedding, { folder: input.folder, signal }),
    rows: train,
    input: inputOf(trainer, spec.trainer.params),
    features: spec.schema.features,
    embedding,
  });
  const weights = await fitOnDataset({
    task,
    trainer,
    params: spec.trainer.params,
    seed: input.seed,
    dataset,
    preparation,
    folder: input.folder,
    model: spec.name,
    train,
    validation: splits.validation,
    weights: spec.data.weights,
    signal,
    onPoint: async () => {},
  });
  const predictor = createPredictor({ task, classes: dataset.classes, preparation, weights });
  const measured = {
    labels: Float64Array.from(splits.holdout, (row) => dataset.target[row] as number),
    scores: predictor.scoreFrame(dataset.frame, splits.holdout),
    ...(task === "multiclass" ? { classCount: dataset.classes.length } : {}),
  };
  const value = computeMetric(metric, measured);
  if (value === null) return undefined;
  const losses = rowLosses(task === "regression" ? "mae" : "logLoss", measured);
  return { labels: train.length, value, losses };
}

/** Mean improvement per held-out row over the last steps, with its 95 % interval; null for a short curve. */
function gainOf(points: readonly Trained[]): JsonObject | null {
  const last = points.at(-1);
  const before = points.at(-1 - LOOK_BACK);
  if (last === undefined || before === undefined) return null;
  const gains = before.losses.map((loss, i) => loss - (last.losses[i] as number));
  const mean = gains.reduce((sum, gain) => sum + gain, 0) / gains.length;
  const squares = gains.reduce((sum, gain) => sum + (gain - mean) * (gain - mean), 0);
  const half = normalIsf(0.025) * Math.sqrt(squares / Math.max(1, gains.length - 1) / gains.length);
  return { mean, low: mean - half, high: mean + half };
}
