/**
 * What stands between a trigger that fired and a run: one run at a time, cool-down, daily budget, breaker, and the check that
 * there is evidence newer than the last run's snapshot. Without the last one a policy can fire on the same rows for ever.
 */
import { DAY_MS, formatDuration, type Instant, type NewDecision, type RunState } from "../core/index.ts";
import type { TriggerEvaluation } from "./state.ts";

/** How long the breaker stays open before it lets one run try again. */
export const BREAKER_HALF_OPEN_MS = 7 * DAY_MS;

export interface GuardState {
  readonly now: Instant;
  readonly cooldownMs: number;
  readonly maxPerDay: number;
  readonly stopAfterRejections: number;
  readonly activeRun: string | null;
  readonly lastRunAt: Instant | null;
  /** What started it; after `first` there is no cool-down: it is between retrainings. */
  readonly lastRunTrigger?: string;
  readonly runsLastDay: number;
  /** States of ended runs, newest first, with the time they ended. */
  readonly recent: readonly { readonly state: RunState; readonly endedAt: Instant }[];
  /** Received after the last run's snapshot. */
  readonly rowsSince: number;
  readonly labelsSince: number;
}

type Decision = Omit<NewDecision, "model" | "at">;
export interface GuardResult {
  readonly start: boolean;
  readonly decisions: readonly Decision[];
}

/** Triggers that are somebody's wish, not a reading of the data: they need no new rows. */
const WISHES: ReadonlySet<string> = new Set(["manual", "event"]);

export function applyGuards(evaluation: TriggerEvaluation, state: GuardState): GuardResult {
  if (evaluation.outcome !== "yes") return { start: false, decisions: [] };
  const refusal =
    oneAtATime(state) ?? newEvidence(evaluation, state) ?? coolDown(state) ?? budget(state) ?? breaker(state);
  if (refusal === undefined) return { start: true, decisions: [] };
  return { start: false, decisions: [{ kind: "guard", outcome: "no", ...refusal }] };
}

type Refusal = Pick<Decision, "subject" | "rule" | "reason" | "inputs"> & { readonly threshold?: number };

function oneAtATime(state: GuardState): Refusal | undefined {
  if (state.activeRun === null) return undefined;
  return {
    subject: "one run at a time",
    rule: "A model has at most one open run; a newer trigger joins it.",
    reason: `Run ${state.activeRun} is under way; the trigger is counted to it.`,
    inputs: { activeRun: state.activeRun },
  };
}

function newEvidence(evaluation: TriggerEvaluation, state: GuardState): Refusal | undefined {
  if (state.lastRunAt === null || WISHES.has(evaluation.trigger)) return undefined;
  if (state.rowsSince + state.labelsSince > 0) return undefined;
  return {
    subject: "new evidence",
    rule: "A trigger fires again only on rows or labels newer than the last run's snapshot.",
    reason: "Nothing has arrived since the last run's snapshot: the policy would trigger itself.",
    inputs: { rowsSince: 0, labelsSince: 0 },
  };
}

function coolDown(state: GuardState): Refusal | undefined {
  if (state.lastRunAt === null || state.lastRunTrigger === "first") return undefined;
  const until = state.lastRunAt + state.cooldownMs;
  if (state.now >= until) return undefined;
  return {
    subject: "cool-down",
    rule: `At least ${formatDuration(state.cooldownMs)} between runs.`,
    reason: `The cool-down lasts until ${new Date(until).toISOString()}.`,
    inputs: { until },
    threshold: state.cooldownMs,
  };
}

function budget(state: GuardState): Refusal | undefined {
  if (state.runsLastDay < state.maxPerDay) return undefined;
  return {
    subject: "daily budget",
    rule: `At most ${state.maxPerDay} runs in 24 hours.`,
    reason: `${state.runsLastDay} runs were started in the last 24 hours; the budget is ${state.maxPerDay}.`,
    inputs: { runs: state.runsLastDay },
    threshold: state.maxPerDay,
  };
}

function breaker(state: GuardState): Refusal | undefined {
  const { stopAfterRejections: limit } = state;
  // A hold is not a rejection: it says that rows are missing, not that the recipe is bad.
  const judged = state.recent.filter(
    (run) => run.state === "rejected" || run.state === "promoted" || run.state === "failed",
  );
  const streak = judged.findIndex((run) => run.state === "promoted");
  const refused = streak === -1 ? judged.length : streak;
  const last = judged[0];
  if (limit < 1 || refused < limit || last === undefined) return undefined;
  const until = last.endedAt + BREAKER_HALF_OPEN_MS;
  if (state.now >= until) return undefined;
  return {
    subject: "breaker",
    rule: `Stop after ${limit} refused or failed runs in a row; one may try again after 7 days.`,
    reason: `The last ${refused} runs were refused or failed; the next may start at ${new Date(until).toISOString()}.`,
    inputs: { refused, until },
    threshold: limit,
  };
}
