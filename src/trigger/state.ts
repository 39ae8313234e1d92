/** What a trigger may look at. Gathered once a tick by the loop; evaluation itself is pure. */
import type { Instant, NewDecision, Outcome } from "../core/index.ts";
import type { TriggerSpec } from "./spec.ts";

/** A metric of the champion over its window of mature examples, beside its reference (its value on its holdout). */
export interface PerformanceEvidence {
  readonly version: string | null;
  readonly value: number | null;
  readonly rows: number;
  /** 90 % two-sided: each end is a one-sided 95 % bound. */
  readonly interval?: readonly [number, number];
  readonly reference: number | null;
  readonly higherIsBetter: boolean;
}

export interface TriggerState {
  readonly now: Instant;
  /** The tick before; null at the first. */
  readonly lastEvaluatedAt: Instant | null;
  /** When the last run was queued. */
  readonly lastRunAt: Instant | null;
  /** Received after the last run's snapshot. */
  readonly rowsSince: number;
  readonly labelsSince: number;
  readonly hasChampion: boolean;
  /** Labelled rows there are in all, and how many the last run had. */
  readonly labelled: number;
  readonly minRows: number;
  /** Named events received since the last run was queued. */
  readonly events: readonly { readonly name: string; readonly at: Instant }[];
  /** By `performanceKey`. */
  readonly performance: ReadonlyMap<string, PerformanceEvidence>;
}

export type PerformanceTrigger = Extract<TriggerSpec, { kind: "performanceDrop" }>;

export function performanceKey(metric: string, windowMs: number): string {
  return `${metric}/${windowMs}`;
}

export interface TriggerEvaluation {
  readonly outcome: Outcome;
  /** Kind of the leaf that fired, for the run's cause. */
  readonly trigger: string;
  readonly reason: string;
  /** One per leaf, fired or not; the loop adds model and time. */
  readonly decisions: readonly Omit<NewDecision, "model" | "at">[];
}
