/** `f`: what a column holds. The same builder describes features and the label. */
import type { DurationText } from "../core/index.ts";
import type { AggregateConfig, AggregateOptions } from "./aggregate.ts";

/**
 * Only of a label: what an example is labelled with when no answer came for so long, such as `{ "30d": false }`. Without it
 * silence means unknown. A real answer that comes later replaces it.
 */
export type IfMissingAfter<V> = { readonly [after in DurationText]?: V };

export interface NumberFeatureConfig {
  readonly kind: "number";
  /** Values outside [min, max] go to quarantine. */
  readonly min?: number;
  readonly max?: number;
  /** Texts that mean "missing" in CSV files, besides blank and NA. */
  readonly missing?: readonly string[];
  readonly ifMissingAfter?: IfMissingAfter<number>;
}
export interface CategoryFeatureConfig<C extends string = string> {
  readonly kind: "category";
  /** When given, any other value goes to quarantine; else every text is a category. */
  readonly categories?: readonly C[];
  readonly missing?: readonly string[];
  readonly ifMissingAfter?: IfMissingAfter<C>;
}
export interface BooleanFeatureConfig {
  readonly kind: "boolean";
  /** Text forms in CSV files: [false, true]. */
  readonly texts?: readonly [string, string];
  readonly missing?: readonly string[];
  readonly ifMissingAfter?: IfMissingAfter<boolean>;
}
export interface TextFeatureConfig {
  readonly kind: "text";
  /** Numbers the text is hashed into; default 2048. */
  readonly buckets?: number;
  /** Longest run of words that is a term; default 2, 0: no words. */
  readonly words?: number;
  /** Longest run of characters within a word that is a term, from 3 on; default 4, 0: none. */
  readonly characters?: number;
  readonly missing?: readonly string[];
}
export interface VectorFeatureConfig {
  readonly kind: "vector";
  /** How many numbers. */
  readonly size: number;
}
export interface ImageFeatureConfig {
  readonly kind: "image";
  /** Images of another size are averaged down or repeated up to this one. */
  readonly width: number;
  readonly height: number;
  /** 1 is gray (the default), 3 are red, green, blue. */
  readonly channels?: 1 | 3;
}
export type FeatureConfig =
  | NumberFeatureConfig
  | CategoryFeatureConfig
  | BooleanFeatureConfig
  | TextFeatureConfig
  | AggregateConfig
  | VectorFeatureConfig
  | ImageFeatureConfig;

export type NumberLabel = NumberFeatureConfig;
export type CategoryLabel<C extends string = string> = CategoryFeatureConfig<C>;
export type BooleanLabel = BooleanFeatureConfig;

type Options<T> = Omit<T, "kind" | "categories">;

/** A named type, so that the compiler can say "does not exist on type 'FeatureBuilder'". */
export interface FeatureBuilder {
  /** A number; `f.number({ min: 0, max: 120 })` sends others to quarantine. */
  number(options?: Options<NumberFeatureConfig>): NumberFeatureConfig;
  /** A text out of an open set. */
  category(options?: Options<CategoryFeatureConfig>): { readonly kind: "category" } & Options<CategoryFeatureConfig>;
  /** A text out of a closed set; any other goes to quarantine. */
  category<const C extends string>(
    ...categories: readonly [C, ...C[]]
  ): { readonly kind: "category"; readonly categories: readonly C[] };
  category<const C extends string>(options: {
    readonly categories: readonly C[];
    readonly missing?: readonly string[];
    readonly ifMissingAfter?: IfMissingAfter<NoInfer<C>>;
  }): { readonly kind: "category"; readonly categories: readonly C[]; readonly missing?: readonly string[] };
  /** True or false; `texts` names the two forms in CSV files. */
  boolean(options?: Options<BooleanFeatureConfig>): BooleanFeatureConfig;
  /** A text of any length up to 64 KiB, hashed by words and runs of characters. */
  text(options?: Options<TextFeatureConfig>): TextFeatureConfig;
  /**
   * Nobody sends it: it is computed from earlier rows of the same entity, for collected rows and requests alike.
   * `f.aggregate({ by: "card", window: "24h", sum: "amount" })`, `f.aggregate({ by: "card", last: "amount", rows: 2 })`.
   */
  aggregate(options: AggregateOptions): AggregateConfig;
  /** A list of `size` numbers, such as an embedding. */
  vector(size: number): VectorFeatureConfig;
  /** A PNG or JPEG file as base64. */
  image(options: Options<ImageFeatureConfig>): ImageFeatureConfig;
}

function category(...given: readonly unknown[]): CategoryFeatureConfig {
  const first = given[0];
  if (typeof first === "object" && first !== null) return { ...first, kind: "category" };
  return given.length === 0 ? { kind: "category" } : { kind: "category", categories: given as readonly string[] };
}

export const f: FeatureBuilder = {
  number: (options = {}) => ({ ...options, kind: "number" }),
  category: category as FeatureBuilder["category"],
  boolean: (options = {}) => ({ ...options, kind: "boolean" }),
  text: (options = {}) => ({ ...options, kind: "text" }),
  aggregate: (options) => ({ ...options, kind: "aggregate" }),
  vector: (size) => ({ kind: "vector", size }),
  image: (options) => ({ ...options, kind: "image" }),
};
