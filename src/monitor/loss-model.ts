/**
 * The stored form of what errors to expect of a version, and asking it: the mean absolute and squared error of one answer (direct
 * loss estimation), and the interval that the label of a row lies in with 80 % probability. The interval's ends are quantiles of the
 * signed error (R. Koenker and G. Bassett, "Regression quantiles", 1978), moved apart by one number measured on rows set aside
 * (Y. Romano, E. Patterson and E. Candès, "Conformalized quantile regression", 2019, eq. 5-7). Its width says where the label is
 * least certain, given the row. Left out: intervals of another probability.
 */
import type { Features } from "../core/index.ts";
import type { Frame, Preparation } from "../data/index.ts";
import { createPredictor, decodeWeights, type Predictor } from "../model/index.ts";

export interface StoredWeights {
  readonly json: string;
  /** Base64. */
  readonly binary: string;
}
export interface ErrorQuantiles {
  readonly low: StoredWeights;
  readonly high: StoredWeights;
  /** Added to both ends, so that the interval holds its share of labels the fits have not seen; negative where they were too wide. */
  readonly widen: number;
}
export interface LossModel {
  /** Held-out rows it was fitted on. */
  readonly rows: number;
  readonly preparation: Preparation;
  readonly absolute: StoredWeights;
  readonly squared: StoredWeights;
  /** Absent in versions that were made before there was an interval. */
  readonly quantiles?: ErrorQuantiles;
}

/** Ends of the interval as quantiles of the label, and so of the error. */
export const INTERVAL = { low: 0.1, high: 0.9 } as const;

/** Name of the column that holds the version's own answer: one no feature has. */
export function answerColumn(features: readonly string[]): string {
  let name = "its answer";
  while (features.includes(name)) name = `${name}'`;
  return name;
}

/** The frame with the version's answers to some rows as one more column; the others keep it missing. */
export function withAnswers(frame: Frame, rows: Uint32Array, answers: Float64Array): Frame {
  const values = new Float32Array(frame.rows).fill(Number.NaN);
  rows.forEach((row, i) => {
    values[row] = answers[i] as number;
  });
  const name = answerColumn(frame.columns.map((column) => column.name));
  return { rows: frame.rows, columns: [...frame.columns, { kind: "number", name, values }] };
}

/**
 * How far an interval's ends are moved apart.
 * @param beyond of n rows that were not fitted on: how far the label lies beyond the nearer end, negative inside
 * @returns the ⌈(n + 1) × 0.8⌉-th smallest, or the largest of too few
 */
export function widening(beyond: Float64Array): number {
  const sorted = beyond.slice().sort();
  const wanted = Math.ceil((sorted.length + 1) * (INTERVAL.high - INTERVAL.low));
  return sorted[Math.min(wanted, sorted.length) - 1] ?? 0;
}

export function predictorOfErrors({ preparation }: LossModel, { json, binary }: StoredWeights): Predictor {
  return createPredictor({
    task: "regression",
    classes: [],
    preparation,
    weights: decodeWeights(json, Buffer.from(binary, "base64")),
  });
}

/** @returns expected absolute and squared error of one answer. Cost of a look-up: two small tree models, some µs. */
export function createLossEstimator(model: LossModel, features: readonly string[]) {
  const absolute = predictorOfErrors(model, model.absolute);
  const squared = predictorOfErrors(model, model.squared);
  const name = answerColumn(features);
  return (row: Features, answer: number): readonly [number, number] => {
    const asked = { ...row, [name]: answer };
    return [absolute.predictRow(asked).scores[0] as number, squared.predictRow(asked).scores[0] as number];
  };
}

/** Rows of a frame with what the version answers to them. */
export interface AnsweredRows {
  readonly frame: Frame;
  readonly rows: Uint32Array;
  readonly answers: Float64Array;
}

/** Expected absolute error of each answer, 0 at least. */
export function expectedErrors(model: LossModel, { frame, rows, answers }: AnsweredRows): Float64Array {
  const errors = predictorOfErrors(model, model.absolute).scoreFrame(withAnswers(frame, rows, answers), rows);
  return errors.map((error) => Math.max(0, error));
}

/** The interval of each row's label. Undefined for a version that has none. Cost: two small tree models a row. */
export function labelIntervals(
  model: LossModel,
  { frame, rows, answers }: AnsweredRows,
): { readonly low: Float64Array; readonly high: Float64Array } | undefined {
  if (model.quantiles === undefined) return undefined;
  const { low, high, widen } = model.quantiles;
  const asked = withAnswers(frame, rows, answers);
  const end = (stored: StoredWeights, by: number) =>
    predictorOfErrors(model, stored)
      .scoreFrame(asked, rows)
      .map((error, i) => (answers[i] as number) + error + by);
  return { low: end(low, -widen), high: end(high, widen) };
}

/** How far apart the interval's ends are; 0 where the two fits cross. */
export function quantileWidths(model: LossModel, asked: AnsweredRows): Float64Array | undefined {
  const found = labelIntervals(model, asked);
  return found?.high.map((high, i) => Math.max(0, high - (found.low[i] as number)));
}
