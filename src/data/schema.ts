/**
 * The resolved schema of a model: what a row may hold. Plain JSON, so it travels to the training process and into manifests.
 * The builder `f` that users write, and the row types inferred from it, are in `config/`.
 */
import type { LabelValue, Task } from "../core/index.ts";
import type { AggregateSpec } from "./aggregates.ts";
import type { Frequency } from "./calendar.ts";

export interface NumberFeature {
  readonly kind: "number";
  readonly min?: number;
  readonly max?: number;
  /** Texts that mean "missing" in CSV files. */
  readonly missing?: readonly string[];
}
export interface CategoryFeature {
  readonly kind: "category";
  /** When given, any other value goes to quarantine; else every text is a category. */
  readonly categories?: readonly string[];
  readonly missing?: readonly string[];
}
export interface BooleanFeature {
  readonly kind: "boolean";
  /** Text forms in CSV files: [false, true]. */
  readonly texts?: readonly [string, string];
  readonly missing?: readonly string[];
}
/** A text, hashed into `buckets` numbers: runs of up to `words` words and of 3 to `characters` characters within words. */
export interface TextFeature {
  readonly kind: "text";
  readonly buckets: number;
  readonly words: number;
  readonly characters: number;
  readonly missing?: readonly string[];
}
/** A list of `size` numbers, such as an embedding. */
export interface VectorFeature {
  readonly kind: "vector";
  readonly size: number;
  readonly missing?: readonly string[];
}
/** A PNG or JPEG file as base64, brought to width × height; 1 channel is gray, 3 are red, green, blue. */
export interface ImageFeature {
  readonly kind: "image";
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly missing?: readonly string[];
}
export type FeatureSpec = NumberFeature | CategoryFeature | BooleanFeature | TextFeature | VectorFeature | ImageFeature;

/** What an example is labelled with when nobody did in time. Without it silence means unknown. */
export interface SilenceRule {
  readonly afterMs: number;
  readonly value: boolean | string | number;
}
interface SilentLabel {
  readonly ifMissingAfter?: SilenceRule;
}

export type LabelSpec = SilentLabel &
  (
    | { readonly kind: "boolean"; readonly texts?: readonly [string, string] }
    | { readonly kind: "category"; readonly categories?: readonly string[] }
    | { readonly kind: "number"; readonly min?: number; readonly max?: number }
  );

/** A forecast: many series on a grid of periods, several steps ahead. */
export interface ForecastSchema {
  /** Column of the series; it is the first feature, a category. */
  readonly series: string;
  /** Periods ahead. */
  readonly horizon: number;
  readonly frequency: Frequency;
}

/** A recommendation: who took what, and slates of what they may take next. */
export interface RecommendSchema {
  /** Columns of the user and the item: the two features, categories. */
  readonly user: string;
  readonly item: string;
  /** Items of a slate. */
  readonly k: number;
  /** How long after a slate an interaction is its outcome. */
  readonly outcomeWindowMs: number;
}

export interface DataSchema {
  readonly task: Task;
  /** Column of the example id; absent: the id is the SHA-256 of the row, or the request's own id. */
  readonly id?: string;
  /** Column of the event time; absent: the time it was received. */
  readonly time?: string;
  /** Column of the unit of sticky assignment. */
  readonly unit?: string;
  /** Column of the label in files and labelled rows. */
  readonly labelColumn: string;
  /** In the order of the definition; the order of `features` in every frame. */
  readonly features: readonly { readonly name: string; readonly spec: FeatureSpec }[];
  readonly label: LabelSpec;
  /** Columns that rows may carry and nobody reads: free texts, internal notes. */
  readonly ignore?: readonly string[];
  /** Task forecast only. An example is then (series, period), and features are covariates known ahead. */
  readonly forecast?: ForecastSchema;
  /** Task recommend only. A row is an interaction; its label says how much it says for the item. */
  readonly recommend?: RecommendSchema;
  /** Features that are computed from earlier rows of an entity; they stand among `features` as numbers. */
  readonly aggregates?: readonly AggregateSpec[];
}

/** Class values in score order. Binary is always [false, true]; multiclass sorted by the training data; regression none. */
export type Classes = readonly LabelValue[];
