/**
 * Describing models in a typed file. Everything a user writes is plain data, so a JSON file can hold the same; the types carry
 * names and kinds from the definition to every later use, so a wrong feature, label, metric or slice does not compile. What
 * the types cannot see (JSON, an override by the environment) is checked again at run time by `resolve/`.
 */
import type { DurationText, LabelValue, RecommendDetails, Task } from "../core/index.ts";
import type { MetricName } from "../stats/index.ts";
import type { AlertConfig } from "./alerts.ts";
import type { BooleanLabel, CategoryLabel, FeatureConfig, NumberLabel } from "./features.ts";
import type { GateConfig } from "./gates.ts";
import type { MonitorsConfig } from "./monitors.ts";
import type { LabelingConfig } from "./labeling.ts";
import type { ReviewConfig } from "./review.ts";
import type { SourceConfig } from "./sources.ts";
import type { StageConfig } from "./stages.ts";
import type { StrategyConfig } from "./strategies.ts";
import type { TrainerConfig } from "./trainers.ts";
import type { TriggerConfig } from "./triggers.ts";

/** Metrics that fit a task. A test compares them with the registry. */
export interface MetricsByTask {
  readonly binary: "logLoss" | "rocAuc" | "averagePrecision" | "accuracy" | "f1" | "macroF1" | "brier" | "ece";
  readonly multiclass: "logLoss" | "accuracy" | "macroF1" | "brier";
  readonly regression: "mae" | "rmse" | "r2";
  readonly forecast: "wape" | "mase" | "rmse" | "mae" | "intervalCoverage";
  readonly recommend: "ndcg" | "recall" | "hitRate" | "hitShare";
}
export type MetricOf<T extends Task> = MetricsByTask[T] & MetricName;

interface LabelsByTask {
  readonly binary: BooleanLabel;
  readonly multiclass: CategoryLabel<string>;
  readonly regression: NumberLabel;
  readonly forecast: NumberLabel;
  readonly recommend: NumberLabel;
}
/** What only a forecast has. */
export interface ForecastFields {
  /** Column of the series: store, product, sensor. */
  readonly series: string;
  /** Column of the period. */
  readonly time: string;
  /** Periods ahead. */
  readonly horizon: number;
  readonly frequency: "daily" | "monthly" | "quarterly";
}
/** What only a recommender has. Its rows are interactions: who took what, when, and how much it says (1 where not stated). */
export interface RecommendFields {
  /** Column of the user. */
  readonly user: string;
  /** Column of the item. */
  readonly item: string;
  /** Column of the time of an interaction. */
  readonly time: string;
  /** Items of a slate where a question names no number; what candidates are judged by. Default 10. */
  readonly k?: number;
  /** How long after a slate an interaction is its outcome; default "7d". */
  readonly outcomeWindow?: DurationText;
  readonly features: Readonly<Record<string, never>>;
}
export type TaskFields<T extends Task> = T extends "forecast"
  ? ForecastFields
  : T extends "recommend"
    ? RecommendFields
    : unknown;
export type FeatureMap = Readonly<Record<string, FeatureConfig>>;

export interface ModelDefinition<
  Name extends string,
  T extends Task,
  F extends FeatureMap,
  L extends LabelsByTask[T],
  Id extends string,
  Time extends string,
  LabelColumn extends string,
> {
  /** Lower-case letters, digits, dot, underscore, hyphen. */
  readonly name: Name;
  readonly task: T;
  /** Column of the example id. Without it the id is a hash of the row, so equal rows are one example. */
  readonly id?: Id;
  /** Column of the event time. Without it rows happen when they arrive. */
  readonly time?: Time;
  /** Column of the unit of sticky assignment. */
  readonly unit?: string;
  readonly features: F;
  readonly label: L;
  /** Column of the label in files and labelled rows; default "label". */
  readonly labelColumn?: LabelColumn;
  /** Columns that rows may carry and nobody reads. */
  readonly ignore?: readonly string[];
  /** When a label counts as mature; default "0s". */
  readonly labelDelay?: DurationText;
  /** Binary: the probability from which the decision is true, or what it should maximize on the validation rows (default f1). */
  readonly threshold?: T extends "binary" ? number | { readonly maximize: "f1" | "accuracy" } : never;
  /** Default linear(), for forecasts forecast(), for recommenders matrixFactorization(). */
  readonly trainer?: TrainerConfig<T>;
  readonly data?: DataConfig;
  readonly retrain?: RetrainConfig<MetricOf<T>>;
  readonly monitors?: MonitorsConfig<MetricOf<T>>;
  /** Default: better than the baseline, and no worse than the champion, on log loss (MAE for regression, WAPE for forecasts, NDCG for recommenders). */
  readonly gates?: readonly GateConfig<MetricOf<T>, keyof F & string>[];
  /** Features by whose values performance is reported. */
  readonly slices?: readonly (keyof F & string)[];
  /** Default [stage.full()]. */
  readonly rollout?: readonly StageConfig[];
  /** Which examples people are asked to label. */
  readonly labeling?: LabelingConfig;
  /** Which answers a person decides before they are used. */
  readonly review?: T extends "binary" | "multiclass" ? ReviewConfig : never;
  readonly limits?: { readonly trainTimeout?: DurationText; readonly trainMemoryMiB?: number };
  /** Integer in [0, 2^32); default 1. */
  readonly seed?: number;
}

export interface DataConfig {
  /** Event-time window such as "180d", or the newest rows; default all. */
  readonly window?: DurationText | { readonly rows: number };
  /** Newest mature labelled rows kept from training; default share 0.25, at least 200 and at most 10,000 rows. */
  readonly holdout?: { readonly share?: number; readonly minRows?: number; readonly maxRows?: number };
  /** Share of the rest for early stopping and the threshold; default 0.2. */
  readonly validation?: { readonly share?: number };
  /** How much rows weigh in training: half at the age `halfLife`, or by a number feature; default all alike. */
  readonly weights?: { readonly halfLife?: DurationText; readonly feature?: string };
  /** Fewer labelled rows stop a run; default 300. */
  readonly minRows?: number;
  /** Refits the gated recipe on all rows; default false. */
  readonly refit?: boolean;
}

export interface RetrainConfig<M extends MetricName = MetricName> {
  readonly when?: TriggerConfig<M>;
  readonly how?: StrategyConfig;
  /** Versions in a row that may start from the one before (warm start, incremental); then a run is full. Default 10. */
  readonly maxChain?: number;
  /** Shortest time between two runs; default "6h". */
  readonly cooldown?: DurationText;
  /** Default 4. */
  readonly maxPerDay?: number;
  /** Rejections in a row after which the breaker opens; default 3. */
  readonly stopAfterRejections?: number;
  /** In which no run starts by itself; what fired then starts its run when they end. */
  readonly quietHours?: QuietHoursConfig;
  /** How long a run lasts on a virtual clock; default "0s". */
  readonly runDuration?: DurationText;
}

type ClockText = `${number}:${number}`;
export interface QuietHoursConfig {
  /** Local time, "08:00". */
  readonly from: ClockText;
  /** Before `from`: on the next day. */
  readonly to: ClockText;
  /** Default "UTC". */
  readonly timeZone?: string;
  /** Days on which they begin; default all. */
  readonly days?: readonly ("mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun")[];
}

/** A described model; `RowOf`, `LabelOf` and `AnswerOf` read its types. */
export interface Model<
  Name extends string = string,
  T extends Task = Task,
  F extends FeatureMap = FeatureMap,
  L = LabelsByTask[Task],
  Id extends string = string,
  Time extends string = string,
  LabelColumn extends string = string,
> {
  readonly name: Name;
  readonly task: T;
  readonly features: F;
  readonly label: L;
  readonly id?: Id;
  readonly time?: Time;
  readonly labelColumn?: LabelColumn;
  readonly series?: string;
  readonly user?: string;
  readonly item?: string;
}

/**
 * Describes a model. `name`, `task`, `features` and `label` are enough; every other field has a default.
 * Checked in full by `resolveConfig`, which names the nearest valid word for a wrong one.
 */
export function defineModel<
  const Name extends string,
  const T extends Task,
  const F extends FeatureMap,
  const L extends LabelsByTask[T],
  const Id extends string = never,
  const Time extends string = never,
  const LabelColumn extends string = "label",
>(
  definition: ModelDefinition<Name, T, F, L, Id, Time, LabelColumn> & TaskFields<T>,
): Model<Name, T, F, L, Id, Time, LabelColumn> {
  return definition;
}

export interface ConfigDefinition<Models extends readonly Model[]> {
  readonly models: Models;
  readonly sources?: readonly SourceConfig<Models[number]["name"]>[];
  /** Default [alert.log()]. */
  readonly alerts?: readonly AlertConfig[];
  readonly server?: {
    /** Default "127.0.0.1"; any other address needs tokens. */
    readonly host?: string;
    /** Default 4400. */
    readonly port?: number;
    /** How long an answer waits for its log commit; default "50ms". */
    readonly logWait?: DurationText;
    /** Default "1m". */
    readonly tickEvery?: DurationText;
    /** Host names beside loopback that requests may name. */
    readonly allowedHosts?: readonly string[];
  };
  readonly imports?: {
    /** Public keys of servers whose versions may be imported, as `retrain export-key` prints them there. */
    readonly trust?: readonly string[];
  };
  readonly storage?: {
    /** Default ".retrain", relative to the configuration. */
    readonly dir?: string;
    readonly databaseUrl?: string;
    readonly keep?: {
      readonly events?: DurationText;
      readonly predictions?: DurationText;
      readonly versions?: number;
      readonly decisions?: DurationText;
    };
  };
}

export function defineConfig<const Models extends readonly Model[]>(
  definition: ConfigDefinition<Models>,
): ConfigDefinition<Models> {
  return definition;
}

type ValueOf<F> = F extends { readonly kind: "number" }
  ? number
  : F extends { readonly kind: "boolean" }
    ? boolean
    : F extends { readonly kind: "category"; readonly categories: readonly (infer C)[] }
      ? C
      : F extends { readonly kind: "vector" }
        ? readonly number[]
        : string;
/** Features that rows carry: aggregates are computed. */
type Features<M> = M extends { readonly features: infer F }
  ? { readonly [K in keyof F as F[K] extends { readonly kind: "aggregate" } ? never : K]: F[K] }
  : never;
type Column<M, K extends "id" | "time" | "labelColumn"> = M extends { readonly [P in K]?: infer C }
  ? Extract<C, string>
  : never;
type RowColumn<M> = (keyof Features<M> & string) | Column<M, "id" | "time">;

/** A row to predict: every feature by name, `null` where missing. A feature left out is nearly always a mistake, so it is one. */
export type RowOf<M> = {
  readonly [K in RowColumn<M>]: K extends keyof Features<M> ? ValueOf<Features<M>[K]> | null : string | number;
};

/** The true answer of the model: boolean, one of its categories, or a number. */
export type LabelOf<M> = M extends { readonly label: infer L } ? ValueOf<L> & LabelValue : never;

/** A row with its label, as collected for training. */
export type LabelledRowOf<M> = RowOf<M> & { readonly [K in Column<M, "labelColumn">]: LabelOf<M> | null };

/** What a prediction says about one row. */
export type AnswerOf<M> = {
  readonly predictionId?: string;
  readonly exampleId: string;
  readonly logged: boolean;
  /** Of a recommender: the best item, "" where there is none. */
  readonly decision: M extends { readonly task: "recommend" } ? string : LabelOf<M>;
} & (M extends { readonly task: "regression" | "forecast" }
  ? { readonly score: number }
  : M extends { readonly task: "recommend" }
    ? { readonly recommend: RecommendDetails }
    : M extends { readonly task: "binary" }
      ? { readonly score: number; readonly probabilities: Readonly<Record<"false" | "true", number>> }
      : { readonly probabilities: Readonly<Record<LabelOf<M> & string, number>> });
