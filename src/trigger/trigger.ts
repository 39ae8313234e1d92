/**
 * The contract of a kind of trigger: what a user writes, how it is said in words, and a pure judgement of what the loop
 * gathered, so the same policy gives the same answers live, in a replay and in a test. Kinds combine by `any` and `all`.
 *
 * Reasons of "no" and "cannot tell" hold no changing numbers (those are in `inputs`), so that a rule that says the same thing
 * tick after tick stays one record. Reasons of "yes" name the values.
 */
import type { FieldTable, JsonObject, Outcome, TableValue, Task } from "../core/index.ts";
import type { CombinedSpec, TriggerSpec } from "./spec.ts";
import type { TriggerState } from "./state.ts";

export type LeafSpec = Exclude<TriggerSpec, CombinedSpec>;

/** Words that combine triggers. */
export const COMBINERS = [
  "any",
  "all",
  "atLeast",
  "not",
  "debounce",
] as const satisfies readonly CombinedSpec["kind"][];

export function isCombined(spec: TriggerSpec): spec is CombinedSpec {
  return (COMBINERS as readonly string[]).includes(spec.kind);
}

export interface LeafJudgement {
  readonly outcome: Outcome;
  readonly reason: string;
  readonly inputs: JsonObject;
  readonly threshold?: number;
}

export interface TriggerKind<S extends LeafSpec = LeafSpec, T extends FieldTable = FieldTable> {
  readonly kind: S["kind"];
  readonly description: string;
  /** Keys a user writes beside `kind`, for a model of the task. */
  readonly fields: (task: Task) => T;
  /** @throws CONFIG_INVALID where keys contradict each other */
  readonly resolve: (values: TableValue<T>, path: string) => S;
  /** Names it in records: `newLabels(2000)`. */
  readonly subject: (spec: S) => string;
  /** The rule in words, with its threshold. */
  readonly rule: (spec: S) => string;
  readonly judge: (spec: S, state: TriggerState) => LeafJudgement;
  /** A state in which it fires and one in which it rests; the contract suite runs every kind over them. */
  readonly samples: readonly { readonly spec: S; readonly fires: TriggerState; readonly rests: TriggerState }[];
}

/** A model with a champion, to which nothing happened. */
export const QUIET_STATE: TriggerState = {
  now: Date.UTC(2026, 0, 1),
  lastEvaluatedAt: Date.UTC(2025, 11, 31, 23, 59),
  lastRunAt: Date.UTC(2025, 11, 1),
  rowsSince: 0,
  labelsSince: 0,
  hasChampion: true,
  champion: { version: "v1", promotedAt: Date.UTC(2025, 11, 1), trainedThrough: Date.UTC(2025, 11, 1) },
  labelled: 1000,
  minRows: 300,
  events: [],
  performance: new Map(),
  drift: new Map(),
  concept: null,
  since: {},
};

export function showInstant(instant: number): string {
  return new Date(instant).toISOString().replace(".000Z", "Z");
}
export function showCount(count: number): string {
  return count.toLocaleString("en-US");
}
