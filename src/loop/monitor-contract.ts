/** What the loop says of triggers and monitors. */
import type { Instant, RunState } from "../core/index.ts";
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

export interface MonitorSurface {
  /** Realised performance by slice. @throws MODEL_UNKNOWN, VERSION_UNKNOWN, BODY_INVALID for a metric not kept by slice */
  slices(query: SliceQuery): Promise<SlicePerformance>;
  /** @throws MODEL_UNKNOWN */
  explainTriggers(model: string): Promise<TriggerExplanation>;
}
