/**
 * How raw features become a model's input: fitted on training rows only, stored in the artifact as `preparation.json`, applied
 * by the same code in training and at serving, so both see the same bits.
 *
 * A row goes through two stages. First `raw`: one float32 per feature: numbers as they are, booleans 0/1, categories their code
 * 1..254 by training frequency or 255 for rare and unseen, missing NaN. Tree models take that as it is (`codes`). Then `dense`:
 * missing filled, numbers scaled, categories one-hot; linear models and networks take that.
 */
import type { LabelValue } from "../../core/index.ts";
import type { Embedding } from "../embed/embedding.ts";
import type { WidePreparation } from "../wide/prepare.ts";

/** Codes 1..254 are categories; this one is every other text, rare in training or never seen. */
export const CODE_OTHER = 255;
export const MAX_CATEGORIES = 254;
/** Scaled values are cut here, in standard deviations: a typing error of 1e30 must not decide a prediction alone. */
export const SCALED_LIMIT = 10;

export interface NumberPreparation {
  readonly kind: "number";
  readonly name: string;
  /** Median of training: fills missing values. */
  readonly fill: number;
  readonly mean: number;
  /** 1 / standard deviation; 0 for a constant column, whose scaled value is then 0. */
  readonly inverseDeviation: number;
  /** Index of the scaled column, and of the missing indicator where training had missing values. */
  readonly column: number;
  readonly missingColumn?: number;
}
export interface BooleanPreparation {
  readonly kind: "boolean";
  readonly name: string;
  /** Most frequent value of training, 0 or 1. */
  readonly fill: number;
  readonly mean: number;
  readonly inverseDeviation: number;
  readonly column: number;
  readonly missingColumn?: number;
}
export interface CategoryPreparation {
  readonly kind: "category";
  readonly name: string;
  /** By falling training frequency; code = index + 1. */
  readonly categories: readonly string[];
  /** Code of the most frequent category; 0 when training never had the feature. */
  readonly fill: number;
  /** First one-hot column; one per category. */
  readonly column: number;
  /** Column of "other" where training had rare categories; absent: other texts are all zeros. */
  readonly otherColumn?: number;
  readonly missingColumn?: number;
}
export type FeaturePreparation = NumberPreparation | BooleanPreparation | CategoryPreparation;

export interface Preparation {
  readonly format: 1;
  readonly input: "dense" | "codes" | "none";
  readonly features: readonly FeaturePreparation[];
  /** Texts, vectors and images, whose columns follow those of the others; absent where there are none. */
  readonly wide?: readonly WidePreparation[];
  /** What a backbone makes of some features before anything here is applied; `wide` then holds its vector in their place. */
  readonly embed?: Embedding;
  /** Names of the output columns, in order: `age`, `age is missing`, `job=admin.`. */
  readonly columns: readonly string[];
  /** Regression: mean and deviation of the training target are kept by the trainer, not here. */
  readonly classes: readonly LabelValue[];
}
