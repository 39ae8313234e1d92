/** `when`: triggers as a user writes them. Their fields and rules are in `trigger/`. */
import type { DurationText } from "../core/index.ts";
import type { MetricName } from "../stats/index.ts";

export interface PerformanceDropConfig<M extends MetricName> {
  readonly kind: "performanceDrop";
  readonly metric: M;
  readonly relative?: number;
  readonly absolute?: number;
  readonly window?: DurationText;
  readonly minRows?: number;
  /** Judged before labels arrive, by what the version's scores say of it. Blind to concept drift. */
  readonly estimated?: boolean;
}
export interface WorthItConfig<M extends MetricName> {
  readonly kind: "worthIt";
  /** Default "accuracy", so that the price is that of an error; "mae" for regression. */
  readonly metric?: M;
  /** What a prediction costs more when its loss is larger by one unit of the metric; for accuracy: an error. */
  readonly pricePerLoss: number;
  readonly pricePerRun: number;
  /** Default 0. */
  readonly pricePerRow?: number;
  /** How long a new version is expected to serve; default "30d". */
  readonly horizon?: DurationText;
  /** Default "30d". */
  readonly window?: DurationText;
  readonly minRows?: number;
}
export interface DataDriftConfig {
  readonly kind: "dataDrift";
  /** Importance-weighted share of drifted features from which it fires; default the monitor's own. */
  readonly share?: number;
  /** Only these features; any of them that drifts fires. */
  readonly features?: readonly string[];
}
type SimpleConfig =
  | { readonly kind: "schedule"; readonly cron: string; readonly timeZone?: string }
  | { readonly kind: "interval"; readonly every: DurationText }
  | { readonly kind: "newRows" | "newLabels"; readonly count: number }
  | DataDriftConfig
  | { readonly kind: "predictionDrift" | "conceptDrift" | "manual" }
  | { readonly kind: "staleness"; readonly maxAge: DurationText }
  | { readonly kind: "event"; readonly name: string };
export interface AtLeastConfig<M extends MetricName> {
  readonly kind: "atLeast";
  readonly count: number;
  readonly of: readonly TriggerConfig<M>[];
}
export interface DebounceConfig<M extends MetricName> {
  readonly kind: "debounce";
  readonly for: DurationText;
  readonly of: readonly TriggerConfig<M>[];
}
export interface NotConfig<M extends MetricName> {
  readonly kind: "not";
  readonly of: readonly TriggerConfig<M>[];
}
type CombinedConfig<M extends MetricName> =
  | { readonly kind: "any" | "all"; readonly of: readonly TriggerConfig<M>[] }
  | NotConfig<M>
  | AtLeastConfig<M>
  | DebounceConfig<M>;
export type TriggerConfig<M extends MetricName = MetricName> =
  | CombinedConfig<M>
  | SimpleConfig
  | PerformanceDropConfig<M>
  | WorthItConfig<M>;

type Timeless = TriggerConfig<never>;
type MetricIn<T> = T extends { readonly kind: "performanceDrop" | "worthIt"; readonly metric?: infer M }
  ? M
  : T extends { readonly of: readonly (infer O)[] }
    ? MetricIn2<O>
    : never;
// Nesting deeper than two is rare; the third level is checked at run time.
type MetricIn2<T> = T extends { readonly kind: "performanceDrop" | "worthIt"; readonly metric?: infer M } ? M : never;
type Known<T> = MetricIn<T> & MetricName;

const combine =
  <K extends "any" | "all">(kind: K) =>
  <const T extends readonly [TriggerConfig, ...TriggerConfig[]]>(
    ...of: T
  ): { readonly kind: K; readonly of: readonly TriggerConfig<Known<T[number]>>[] } =>
    ({ kind, of }) as never;

export const when = {
  /** Fires when one of them does. */
  any: combine("any"),
  /** Fires when all of them do, at the same tick. */
  all: combine("all"),
  /** Fires when at least `count` of them do, at the same tick. */
  atLeast: <const T extends readonly [TriggerConfig, TriggerConfig, ...TriggerConfig[]]>(
    count: number,
    ...of: T
  ): AtLeastConfig<Known<T[number]>> => ({ kind: "atLeast", count, of }) as never,
  /** Fires when it does not; what cannot tell stays so. */
  not: <const T extends TriggerConfig>(trigger: T): NotConfig<Known<T>> => ({ kind: "not", of: [trigger] }) as never,
  /** Fires when it has fired at every tick for so long: a passing bump retrains nothing. */
  debounce: <const T extends TriggerConfig>(duration: DurationText, trigger: T): DebounceConfig<Known<T>> =>
    ({ kind: "debounce", for: duration, of: [trigger] }) as never,
  /** A cron text of five parts; time zone UTC unless said. */
  schedule: (cron: string, options: { readonly timeZone?: string } = {}): Timeless => ({
    kind: "schedule",
    cron,
    ...options,
  }),
  /** A fixed time after the last run. */
  every: (every: DurationText): Timeless => ({ kind: "interval", every }),
  newRows: (count: number): Timeless => ({ kind: "newRows", count }),
  newLabels: (count: number): Timeless => ({ kind: "newLabels", count }),
  /**
   * The champion's metric is worse than on its holdout by more than `relative` (a share of it, default 0.1) or `absolute`, over
   * `window` (default "30d") of mature examples and at least `minRows` (default 200) of them. With `estimated: true` it is judged
   * before labels arrive, from the scores alone.
   */
  performanceDrop: <const M extends MetricName>(
    metric: M,
    options: Omit<PerformanceDropConfig<M>, "kind" | "metric"> = {},
  ): PerformanceDropConfig<M> => ({ kind: "performanceDrop", metric, ...options }),
  /** The features of new rows are distributed otherwise than in training. No harm by itself: retraining on it is your choice. */
  dataDrift: (options: Omit<DataDriftConfig, "kind"> = {}): Timeless => ({ kind: "dataDrift", ...options }),
  /** The champion's answers are distributed otherwise than on its reference rows. */
  predictionDrift: (): Timeless => ({ kind: "predictionDrift" }),
  /** The champion's losses grew, by the detector of `monitors.conceptDrift`. */
  conceptDrift: (): Timeless => ({ kind: "conceptDrift" }),
  /** The newest row the champion was trained on is older than this. */
  staleness: (maxAge: DurationText): Timeless => ({ kind: "staleness", maxAge }),
  /** The expected gain of a new version exceeds what a run costs. */
  worthIt: <const M extends MetricName = never>(options: Omit<WorthItConfig<M>, "kind">): WorthItConfig<M> => ({
    kind: "worthIt",
    ...options,
  }),
  /** An external event posted to the API. */
  event: (name: string): Timeless => ({ kind: "event", name }),
  /** Only a person starts runs, the first one included. */
  manual: (): Timeless => ({ kind: "manual" }),
} as const;
