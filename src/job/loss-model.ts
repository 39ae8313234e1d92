/**
 * Direct loss estimation: two small boosted models, fitted on the held-out rows, of the version's absolute and squared error from
 * the features and its own answer. They say what to expect of a prediction before its label arrives.
 */
import { seedFrom } from "../core/index.ts";
import { type Dataset, fitPreparation, type Frame } from "../data/index.ts";
import { findTrainer } from "../learn/index.ts";
import { encodeWeights } from "../model/index.ts";
import { answerColumn, type LossModel } from "../monitor/index.ts";
import type { HeldOut } from "./held-out.ts";
import { fitOnDataset } from "./fit.ts";

/** Fewer held-out rows teach nothing about errors. */
const MIN_ROWS = 200;
/** Small on purpose: errors are mostly noise, and a large model would learn it. */
const PARAMS = { epochs: 60, patience: 8, learningRate: 0.1, maxLeaves: 8, minChildWeight: 20 };

/** @returns undefined with too few rows. */
export async function fitLossModel(held: HeldOut, signal: AbortSignal): Promise<LossModel | undefined> {
  const { dataset, rows, scores } = held;
  if (rows.length < MIN_ROWS) return undefined;
  const trainer = findTrainer("gbdt");
  const frame = withAnswers(dataset, rows, scores);
  const preparation = fitPreparation({ frame, rows, input: trainer.input, classes: [] });
  const train = rows.filter((_, i) => i % 5 !== 4);
  const validation = rows.filter((_, i) => i % 5 === 4);
  const fit = async (power: 1 | 2) => {
    const target = new Float64Array(dataset.rows);
    rows.forEach((row, i) => {
      const error = Math.abs((scores[i] as number) - (dataset.target[row] as number));
      target[row] = power === 1 ? error : error * error;
    });
    const weights = await fitOnDataset({
      folder: held.input.folder,
      task: "regression",
      trainer,
      params: trainer.resolveParams(PARAMS),
      seed: seedFrom(held.input.seed, "loss-model", power),
      dataset: { ...dataset, frame, target, classes: [] },
      preparation,
      train,
      validation,
      signal,
      onPoint: async () => {},
    });
    const { json, binary } = encodeWeights(weights);
    return { json, binary: Buffer.from(binary).toString("base64") };
  };
  return { rows: rows.length, preparation, absolute: await fit(1), squared: await fit(2) };
}

/** The frame with the version's answers as one more column; rows that are not held out keep it missing. */
function withAnswers(dataset: Dataset, rows: Uint32Array, scores: Float64Array): Frame {
  const values = new Float32Array(dataset.frame.rows).fill(Number.NaN);
  rows.forEach((row, i) => {
    values[row] = scores[i] as number;
  });
  const name = answerColumn(dataset.frame.columns.map((column) => column.name));
  return { rows: dataset.frame.rows, columns: [...dataset.frame.columns, { kind: "number", name, values }] };
}
