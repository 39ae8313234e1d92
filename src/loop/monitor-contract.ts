/** What the loop says of triggers and monitors. */
import type { Features, Instant, LabelValue, RunState } from "../core/index.ts";
import type { FeatureMove } from "../monitor/diagnosis.ts";
import type { GuardStanding, TriggerJudgement } from "../trigger/index.ts";

export interface TriggerExplanation {
  readonly model: string;
  readonly at: Instant;
  /** One sentence: what the next tick would do and why. */
  readonly answer: string;
  readonly wouldStart: boolean;
  /** The whole expression with the values it was judged on. */
  readonly triggers: TriggerJudgement;
  /** The rule of the first version, where there is no champion. */
  readonly first: TriggerJudgement | null;
  readonly guards: readonly GuardStanding[];
  readonly lastRun: {
    readonly id: string;
    readonly state: RunState;
    readonly queuedAt: Instant;
    readonly trigger: string;
    readonly reason: string;
  } | null;
  /** When something changes by the passing of time alone. */
  readonly nextAt: Instant | null;
}

export interface SliceQuery {
  readonly model: string;
  /** Default: the model's main metric, or its main loss where that is not kept by slice. */
  readonly metric?: string;
  /** Default: the champion. */
  readonly version?: string;
  readonly from?: Instant;
  readonly to?: Instant;
}
export interface SliceRow {
  readonly feature: string;
  /** `job=nurse`, `20 < age ≤ 35`. */
  readonly slice: string;
  /** Predictions made, and how many of them have a label by now: their ratio is the label coverage. */
  readonly predictions: number;
  readonly labelled: number;
  readonly value: number | null;
  /** 90 % two-sided, where the counters hold enough. */
  readonly interval: readonly [number, number] | null;
  /** The version's mean loss in this slice of its holdout, where the metric is that loss. */
  readonly holdout: number | null;
  /** Share of the holdout's rows. */
  readonly holdoutShare: number;
}
/** Mature examples only. */
export interface SlicePerformance {
  readonly model: string;
  readonly metric: string;
  readonly higherIsBetter: boolean;
  readonly version: string | null;
  readonly rows: readonly SliceRow[];
}

export interface DiagnosisSlice {
  readonly slice: string;
  readonly predictions: number;
  readonly labelled: number;
  readonly value: number;
  readonly holdout: number;
  readonly excess: number;
  /** The excess at the lower end of the interval. */
  readonly sure: number;
}
export interface DiagnosisRow {
  readonly exampleId: string;
  readonly at: Instant;
  readonly features: Features;
  readonly decision: LabelValue;
  readonly label: LabelValue;
  readonly loss: number;
}
/** What moved, what it costs, where it hurts, since when. */
export interface Diagnosis {
  readonly model: string;
  readonly at: Instant;
  readonly version: string | null;
  /** The loss everything is told in. */
  readonly metric: string;
  /** In words, most important first. */
  readonly sentences: readonly string[];
  readonly since: { readonly at: Instant; readonly by: string } | null;
  /** Mean losses since then, at most 30 days: realised − holdout = explained (by where the rows are) + unexplained. */
  readonly loss: {
    readonly holdout: number | null;
    readonly realised: number | null;
    readonly labelled: number;
    readonly estimated: number | null;
    readonly explained: number;
    readonly unexplained: number | null;
  };
  /** Every feature, those that moved and cost most first. */
  readonly features: readonly FeatureMove[];
  /** Slices that lost most, surest first. */
  readonly slices: readonly DiagnosisSlice[];
  /** Labelled predictions with the largest losses among the newest. */
  readonly rows: readonly DiagnosisRow[];
  /** Newest predictions the features were compared on. */
  readonly sampledRows: number;
}

export interface MonitorSurface {
  /** @throws MODEL_UNKNOWN */
  diagnose(model: string): Promise<Diagnosis>;
  /** Realised performance by slice. @throws MODEL_UNKNOWN, VERSION_UNKNOWN, BODY_INVALID for a metric not kept by slice */
  slices(query: SliceQuery): Promise<SlicePerformance>;
  /** @throws MODEL_UNKNOWN */
  explainTriggers(model: string): Promise<TriggerExplanation>;
}
