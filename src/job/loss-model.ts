/**
 * What errors to expect of a version before labels arrive: small boosted models of its error from the features and its own answer,
 * fitted on the held-out rows. Two say how large it is (direct loss estimation: the absolute and the squared error), two between
 * which values the label lies (the 0.1 and 0.9 quantile of the signed error). They serve every trainer, also one from outside.
 */
import { type JsonObject, seedFrom } from "../core/index.ts";
import { type Dataset, fitPreparation } from "../data/index.ts";
import { findTrainer } from "../learn/index.ts";
import { encodeWeights } from "../model/index.ts";
import {
  type ErrorQuantiles,
  INTERVAL,
  type LossModel,
  predictorOfErrors,
  type StoredWeights,
  widening,
  withAnswers,
} from "../monitor/index.ts";
import type { HeldOut } from "./held-out.ts";
import { fitOnDataset } from "./fit.ts";

/** Fewer held-out rows teach nothing about errors. */
const MIN_ROWS = 200;
/** Small on purpose: errors are mostly noise, and a large model would learn it. */
const PARAMS = { epochs: 60, patience: 8, learningRate: 0.1, maxLeaves: 8, minChildWeight: 20 };
/** Smaller still: a tail has a tenth of the rows. In simulations ranks of widths come out better than with eight leaves at every size. */
const QUANTILE_PARAMS = { ...PARAMS, loss: "quantile", maxLeaves: 4 };

type Fit = (params: JsonObject, name: string | number, target: (error: number) => number) => Promise<StoredWeights>;

/** @returns undefined with too few rows. */
export async function fitLossModel(held: HeldOut, signal: AbortSignal): Promise<LossModel | undefined> {
  const { dataset, rows, scores } = held;
  if (rows.length < MIN_ROWS) return undefined;
  const trainer = findTrainer("gbdt");
  const frame = withAnswers(dataset.frame, rows, scores);
  const preparation = fitPreparation({ frame, rows, input: trainer.input, classes: [] });
  const train = rows.filter((_, i) => i % 5 !== 4);
  const validation = rows.filter((_, i) => i % 5 === 4);
  const fit: Fit = async (params, name, targetOf) => {
    const target = new Float64Array(dataset.rows);
    rows.forEach((row, i) => {
      target[row] = targetOf((dataset.target[row] as number) - (scores[i] as number));
    });
    const weights = await fitOnDataset({
      folder: held.input.folder,
      task: "regression",
      trainer,
      params: trainer.resolveParams(params),
      seed: seedFrom(held.input.seed, "loss-model", name),
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
  const absolute = await fit(PARAMS, 1, Math.abs);
  const squared = await fit(PARAMS, 2, (error) => error * error);
  const [low, high] = [await fitQuantile(fit, INTERVAL.low), await fitQuantile(fit, INTERVAL.high)];
  const quantiles = { low, high, widen: 0 };
  const model = { rows: rows.length, preparation, absolute, squared, quantiles };
  return { ...model, quantiles: { ...quantiles, widen: measureWidening(model, frame, validation, held) } };
}

const fitQuantile = (fit: Fit, quantile: number) =>
  fit({ ...QUANTILE_PARAMS, quantile }, `q${quantile}`, (error) => error);

/** On the rows that only ended the fits: how far beyond the interval a fifth of the labels lie. */
function measureWidening(
  model: LossModel & { readonly quantiles: ErrorQuantiles },
  frame: Dataset["frame"],
  rows: Uint32Array,
  held: HeldOut,
): number {
  const [low, high] = [model.quantiles.low, model.quantiles.high].map((stored) =>
    predictorOfErrors(model, stored).scoreFrame(frame, rows),
  ) as [Float64Array, Float64Array];
  const scoreOf = new Map(Array.from(held.rows, (row, i) => [row, held.scores[i] as number]));
  return widening(
    Float64Array.from(rows, (row, i) => {
      const error = (held.dataset.target[row] as number) - (scoreOf.get(row) as number);
      return Math.max((low[i] as number) - error, error - (high[i] as number));
    }),
  );
}
