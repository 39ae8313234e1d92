/** `gate`: what a candidate must prove, as a user writes it. The fields and rules of each kind are in `evaluate/gates/`. */
import type { DurationText, Json, LabelValue } from "../core/index.ts";
import type { GateFunction } from "../evaluate/index.ts";
import type { MetricName } from "../stats/index.ts";

export interface SlicesOptions<M extends MetricName> {
  /** Default log loss (MAE for regression). */
  readonly metric?: M;
  /** How much worse a slice may be, in the metric's unit; default 0. */
  readonly margin?: number;
  /** Smaller slices are not judged; default 50. */
  readonly minRows?: number;
}
export interface ProbesConfig {
  readonly golden?: readonly {
    readonly row: Readonly<Record<string, Json>>;
    readonly decision?: LabelValue;
    readonly min?: number;
    readonly max?: number;
  }[];
  readonly invariances?: readonly {
    readonly feature: string;
    readonly values: readonly (string | number | boolean)[];
    readonly maxChange: number;
    readonly share?: number;
  }[];
  readonly directions?: readonly {
    readonly feature: string;
    readonly add: number;
    readonly expect: "up" | "down";
    readonly share?: number;
  }[];
}

/** @typeParam F the model's features, where the gate names any */
export type GateConfig<M extends MetricName = MetricName, F extends string = string> =
  | { readonly kind: "atLeast"; readonly metric: M; readonly value: number }
  | { readonly kind: "noWorseThanChampion"; readonly metric: M; readonly margin?: number }
  | { readonly kind: "betterThanChampion"; readonly metric: M; readonly by?: number }
  | { readonly kind: "betterThanBaseline"; readonly metric: M }
  | ({ readonly kind: "slices"; readonly features?: readonly F[] } & SlicesOptions<M>)
  | { readonly kind: "calibration"; readonly max?: number }
  | { readonly kind: "latency"; readonly max: DurationText }
  | { readonly kind: "size"; readonly maxMiB: number }
  | ({ readonly kind: "probes" } & ProbesConfig)
  | { readonly kind: "custom"; readonly name: string; readonly check: GateFunction }
  | {
      readonly kind: "approval";
      readonly role?: "labeler" | "operator" | "admin";
      readonly people?: number;
      readonly validFor?: DurationText;
    };
type Gate<K extends GateConfig["kind"], M extends MetricName = never> = Extract<GateConfig<M>, { readonly kind: K }>;

type Slices<M extends MetricName, F extends string> = {
  readonly kind: "slices";
  readonly features?: readonly F[];
} & SlicesOptions<M>;
function slicesGate<const M extends MetricName = never>(options?: SlicesOptions<M>): Slices<M, never>;
function slicesGate<const F extends string, const M extends MetricName = never>(
  features: readonly F[],
  options?: SlicesOptions<M>,
): Slices<M, F>;
function slicesGate(
  first: readonly string[] | SlicesOptions<MetricName> = {},
  options: SlicesOptions<MetricName> = {},
): Slices<MetricName, string> {
  return Array.isArray(first)
    ? { kind: "slices", features: first as readonly string[], ...options }
    : { kind: "slices", ...(first as SlicesOptions<MetricName>) };
}

export const gate = {
  /** The one-sided 95 % bound of the metric reaches the value (for errors: stays at or below it). */
  atLeast: <const M extends MetricName>(metric: M, value: number): Gate<"atLeast", M> => ({
    kind: "atLeast",
    metric,
    value,
  }),
  /** Not worse than the champion on the same rows by more than the margin (default: derived from the holdout size). */
  noWorseThanChampion: <const M extends MetricName>(
    metric: M,
    options: { readonly margin?: number } = {},
  ): Gate<"noWorseThanChampion", M> => ({ kind: "noWorseThanChampion", metric, ...options }),
  /** Better than the champion on the same rows, by at least `by` (default 0) with 95 % confidence. */
  betterThanChampion: <const M extends MetricName>(
    metric: M,
    options: { readonly by?: number } = {},
  ): Gate<"betterThanChampion", M> => ({ kind: "betterThanChampion", metric, ...options }),
  /** Better than always answering the majority class (regression: the mean). */
  betterThanBaseline: <const M extends MetricName>(metric: M): Gate<"betterThanBaseline", M> => ({
    kind: "betterThanBaseline",
    metric,
  }),
  /**
   * No slice is worse than under the champion, corrected for the number of slices. Slices are the values (quartiles) of the named
   * features; without names of every feature, and pairs of the most common values.
   */
  slices: slicesGate,
  /** The expected calibration error of a binary model is at most `max` (default 0.05), by its bound. */
  calibration: (options: { readonly max?: number } = {}): Gate<"calibration"> => ({ kind: "calibration", ...options }),
  /** 99 of 100 predictions take at most this long, by the upper bound, without the network. Not judged on a virtual clock. */
  latency: (max: DurationText): Gate<"latency"> => ({ kind: "latency", max }),
  /** The artifact is no larger than this. */
  size: (options: { readonly maxMiB: number }): Gate<"size"> => ({ kind: "size", ...options }),
  /** Golden rows, features that must not matter, features that must push the score one way. */
  probes: (options: ProbesConfig): Gate<"probes"> => ({ kind: "probes", ...options }),
  /** A function of yours over the evaluation report; it returns { outcome, reason } and has 30 s. */
  custom: (name: string, check: GateFunction): Gate<"custom"> => ({ kind: "custom", name, check }),
  /** People of a role (default one operator) approve the version with `retrain approve`; their word holds `validFor` (default "7d"). */
  approval: (options: Omit<Gate<"approval">, "kind"> = {}): Gate<"approval"> => ({ kind: "approval", ...options }),
} as const;
