/** What a model in memory offers, whatever stands behind it. */
import type { Features, FeatureValue, LabelValue, Task } from "../core/index.ts";
import type { Frame, Preparation } from "../data/index.ts";
import type { Forecaster, Recommender, TrainedWeights } from "../learn/index.ts";

export interface Prediction {
  /** Probability per class in class order (binary: [p(false), p(true)]), or [value] for regression. */
  readonly scores: number[];
  readonly decision: LabelValue;
}

/** How a prediction came about, with numbers: input → filled → scaled → raw score → probability → threshold → decision. */
export interface PredictionTrace {
  readonly prepared: readonly {
    readonly column: string;
    readonly from: string;
    readonly raw: FeatureValue;
    readonly filled: number | string | boolean;
    readonly scaled: number;
    /** Where one line stands for several columns (a vector, an image): how many; `scaled` is then their length. */
    readonly columns?: number;
    /** What the column adds to the score before the link: weight × value (linear), exact Shapley value (trees). */
    readonly contribution?: number;
  }[];
  /** The part of the score that no column adds: the constant (linear), the mean score of the training rows (trees). */
  readonly intercept?: number;
  readonly link?: "logistic" | "softmax" | "identity" | "exponential";
  /** Scores before the link: one logit, one number per class, or the value. */
  readonly raw?: readonly number[];
  readonly scores: readonly number[];
  readonly threshold?: number;
  readonly decision: LabelValue;
}

/** A forecaster with the preparation of its covariates. */
export interface ForecastModel extends Forecaster {
  readonly width: number;
  /** Writes the covariates of one period. */
  writeCovariates(features: Features, out: Float32Array, offset: number): void;
}

/** A recommender's sessions: items that were folded in belong to one session. */
export interface RecommendModel {
  readonly method: Recommender["method"];
  open(): Recommender;
}

export interface Predictor {
  readonly task: Task;
  readonly classes: readonly LabelValue[];
  readonly threshold?: number;
  /** How far two answers to one row may be apart; absent: not at all. Other runtimes sum in an order that depends on the batch. */
  readonly tolerance?: number;
  /** True for predictions that somebody else computed: they answer the rows they were made for, and no others. */
  readonly isRecorded?: boolean;
  /** One validated row. About a microsecond for a linear model of 10 features; allocates the answer only. */
  predictRow(features: Features): Prediction;
  predictRows(rows: readonly Features[]): Prediction[];
  trace(features: Features): PredictionTrace;
  /** Scores of frame rows, n × k row by row (binary: k = 1, p(true); regression: k = 1). */
  scoreFrame(frame: Frame, rows: Uint32Array): Float64Array;
  /** Task forecast only. */
  readonly forecaster?: ForecastModel;
  /** Task recommend only. */
  readonly recommender?: RecommendModel;
}

export interface PredictorParts {
  readonly task: Task;
  readonly classes: readonly LabelValue[];
  readonly preparation: Preparation;
  readonly weights: TrainedWeights;
  readonly threshold?: number;
}

/** Whether two answers to the same row are the same answer of this model. */
export function sameScores(left: ArrayLike<number>, right: ArrayLike<number>, tolerance = 0): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) {
    const [a, b] = [left[i] as number, right[i] as number];
    if (a !== b && !(Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b)))) return false;
  }
  return true;
}

/** The decision of one row's scores: the threshold for two classes, the likeliest class, or the value itself. */
export function decideScores(
  task: Task,
  classes: readonly LabelValue[],
  threshold: number,
  scores: ArrayLike<number>,
): LabelValue {
  if (task === "regression") return scores[0] as number;
  if (task === "binary") return classes[(scores[1] as number) >= threshold ? 1 : 0] as LabelValue;
  let best = 0;
  for (let i = 1; i < scores.length; i++) if ((scores[i] as number) > (scores[best] as number)) best = i;
  return classes[best] as LabelValue;
}
