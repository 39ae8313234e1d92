/** What the evaluation of a forecaster says beyond metrics, and a forecast beyond its number. Instants are UTC milliseconds. */

export interface ForecastEvaluation {
  /** The method that answers, and what each tried one missed by on the validation periods (WAPE). */
  readonly method: string;
  readonly tried: readonly { readonly method: string; readonly wape: number | null }[];
  /** Share of targets the intervals should hold. */
  readonly level: number;
  readonly origins: number;
  readonly byStep: readonly {
    readonly step: number;
    readonly rows: number;
    readonly wape: number | null;
    readonly coverage: number;
  }[];
  /** The held-out periods of a few series, the largest first. */
  readonly examples: readonly {
    readonly series: string;
    readonly points: readonly {
      readonly at: number;
      readonly actual: number;
      readonly value: number;
      readonly low: number;
      readonly high: number;
      readonly baseline: number;
    }[];
  }[];
}

/** What a prediction says beside its number. */
export interface ForecastDetails {
  readonly series: string;
  /** Start of the period that is forecast. */
  readonly at: number;
  /** Periods after the origin. */
  readonly step: number;
  /** Start of the last period whose value was known. */
  readonly originAt: number;
  readonly low: number;
  readonly high: number;
  /** Share of targets the interval should hold. */
  readonly level: number;
  /** Value by quantile, such as `"0.9"`. */
  readonly quantiles: Readonly<Record<string, number>>;
}
