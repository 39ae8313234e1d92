/** What a version looks at, feature by feature. Made by `model/importance.ts`. */
export interface FeatureCoefficient {
  /** Column of the model's input, such as `age` or `job=nurse`. */
  readonly column: string;
  /**
   * What the raw score gains: per standard deviation of a number, or where a category or a missing value is present. In log-odds,
   * or in the target's unit. One of each of `outputs`.
   */
  readonly values: readonly number[];
}

export interface FeatureImportance {
  readonly feature: string;
  /** Share of the answers' mean absolute change that exchanging this feature's values makes, on held-out rows, in [0, 1]. */
  readonly answerShare?: number;
  /** Trees: share of the gain of all splits, in [0, 1]. It favors features with many values. */
  readonly gainShare?: number;
  /** Trees: splits of the feature. */
  readonly splits?: number;
  /** Linear: its columns, largest first, at most 20. */
  readonly coefficients?: readonly FeatureCoefficient[];
  /** Linear: how many columns it has. */
  readonly columns?: number;
}

export interface ModelImportance {
  readonly trainer: string;
  /** What `coefficients` are of: one name, or the classes. */
  readonly outputs: readonly string[];
  /** Most important first: by gain, else by change of the answers, else by the largest coefficient. Empty where there is none. */
  readonly features: readonly FeatureImportance[];
  /** Why `features` is empty. */
  readonly reason?: string;
}
