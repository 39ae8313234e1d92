/** What a trigger may look at. Gathered once a tick by the loop; evaluation itself is pure. */
import type { DriftSignal, Instant, JsonObject, NewDecision, Outcome } from "../core/index.ts";
import type { TriggerSpec } from "./spec.ts";

/** A metric of the champion over its window, beside its reference (its value on its holdout). */
export interface PerformanceEvidence {
  readonly version: string | null;
  readonly value: number | null;
  /** Mature labelled rows; where it is estimated, predictions. */
  readonly rows: number;
  /** 90 % two-sided: each end is a one-sided 95 % bound. */
  readonly interval?: readonly [number, number];
  readonly reference: number | null;
  readonly higherIsBetter: boolean;
  /** Predictions made in the window, labelled or not. */
  readonly predictions?: number;
}

/** What the champion's detector of concept drift has seen. */
export interface ConceptEvidence {
  readonly version: string;
  readonly metric: string;
  readonly detector: string;
  /** The detector's setting, and whether it was calibrated to the budget of false alarms, configured, or published. */
  readonly threshold?: number;
  readonly thresholdFrom?: string;
  /** Labels it was fed since the promotion. */
  readonly seen: number;
  /** The newest alarm: losses grew. */
  readonly alarm: { readonly at: Instant; readonly meanBefore: number; readonly meanNow: number } | null;
}

export interface TriggerState {
  readonly now: Instant;
  /** Up to when schedules were dealt with; null at the first tick. A schedule that a guard held back is not dealt with. */
  readonly lastEvaluatedAt: Instant | null;
  /** When the last run was queued. */
  readonly lastRunAt: Instant | null;
  /** Received after the last run's snapshot. */
  readonly rowsSince: number;
  readonly labelsSince: number;
  readonly hasChampion: boolean;
  readonly champion: {
    readonly version: string;
    readonly promotedAt: Instant;
    readonly trainedThrough: Instant;
  } | null;
  /** Labelled rows there are in all, and how many the last run had. */
  readonly labelled: number;
  readonly minRows: number;
  /** Named events received since the last run was queued. */
  readonly events: readonly { readonly name: string; readonly at: Instant }[];
  /** By `performanceKey`. */
  readonly performance: ReadonlyMap<string, PerformanceEvidence>;
  /** The newest signal of each drift monitor, by its name. */
  readonly drift: ReadonlyMap<string, DriftSignal>;
  readonly concept: ConceptEvidence | null;
  /** Since when the trigger below each debounce has said yes without a break, by its place in the expression. */
  readonly since: Readonly<Record<string, Instant>>;
}

/** A window of performance some trigger asks for. */
export interface PerformanceNeed {
  readonly metric: string;
  readonly windowMs: number;
  readonly estimated?: true;
}

export function performanceKey(metric: string, windowMs: number, estimated = false): string {
  return `${metric}/${windowMs}${estimated ? "/estimated" : ""}`;
}

/** One node of an expression, judged: what `retrain triggers explain` shows. */
export interface TriggerJudgement {
  readonly kind: TriggerSpec["kind"];
  readonly outcome: Outcome;
  readonly subject: string;
  readonly rule: string;
  readonly reason: string;
  readonly inputs: JsonObject;
  readonly threshold?: number;
  /** What it combines; empty for a leaf. */
  readonly of: readonly TriggerJudgement[];
}

export interface TriggerEvaluation {
  readonly outcome: Outcome;
  /** Kind of the leaf that fired, for the run's cause. */
  readonly trigger: string;
  readonly reason: string;
  /** One per leaf, fired or not; the loop adds model and time. */
  readonly decisions: readonly Omit<NewDecision, "model" | "at">[];
  /** The whole expression; the rule of the first version stands beside it where there is no champion. */
  readonly judgement: TriggerJudgement;
  readonly first?: TriggerJudgement;
  /** To be kept until the next tick, for debounces. */
  readonly since: Readonly<Record<string, Instant>>;
}
