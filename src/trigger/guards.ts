/**
 * What stands between a trigger that fired and a run: one run at a time, evidence newer than the last run's snapshot, cool-down,
 * daily budget, quiet hours, breaker, and the check that the policy does not trigger itself. Guards of the clock hold a trigger
 * back, so a schedule that falls into them starts its run when they end; the others let it go.
 */
import { DAY_MS, formatDuration, type Instant, type NewDecision, plural, type RunState } from "../core/index.ts";
import { describeQuietHours, type QuietHours, quietUntil } from "./quiet-hours.ts";
import type { TriggerEvaluation } from "./state.ts";
import { showInstant } from "./trigger.ts";

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
  readonly recent: readonly {
    readonly state: RunState;
    readonly endedAt: Instant;
    readonly queuedAt: Instant;
    readonly trigger: string;
  }[];
  readonly quietHours?: QuietHours;
  /** Received after the last run's snapshot. */
  readonly rowsSince: number;
  readonly labelsSince: number;
}

type Decision = Omit<NewDecision, "model" | "at">;
export interface GuardResult {
  readonly start: boolean;
  readonly decisions: readonly Decision[];
  /** The trigger waits behind a guard of the clock: what fired must not count as dealt with. Else null. */
  readonly heldUntil: Instant | null;
}

/** Triggers that are somebody's wish, not a reading of the data: they need no new rows. */
const WISHES: ReadonlySet<string> = new Set(["manual", "event"]);

/** The first guard that refuses decides. */
export function applyGuards(
  evaluation: Pick<TriggerEvaluation, "outcome" | "trigger">,
  state: GuardState,
): GuardResult {
  if (evaluation.outcome !== "yes") return { start: false, decisions: [], heldUntil: null };
  const refusal = GUARDS.map((guard) => guard.judge(state, evaluation.trigger)).find((one) => one !== undefined);
  if (refusal === undefined) return { start: true, decisions: [], heldUntil: null };
  const { until, ...decision } = refusal;
  return { start: false, decisions: [{ kind: "guard", outcome: "no", ...decision }], heldUntil: until ?? null };
}

interface Refusal {
  readonly subject: string;
  readonly rule: string;
  readonly reason: string;
  readonly inputs: Decision["inputs"];
  readonly threshold?: number;
  /** When it ends by itself: a guard of the clock. */
  readonly until?: Instant;
}

/** One guard as it stands, for people who ask why nothing happens. */
export interface GuardStanding {
  readonly guard: string;
  readonly refuses: boolean;
  readonly reason: string;
  readonly until: Instant | null;
}

/** Every guard as it stands now, for a trigger of the given kind. */
export function guardStandings(state: GuardState, trigger: string): readonly GuardStanding[] {
  return GUARDS.map(({ guard, passes, judge }) => {
    const refusal = judge(state, trigger);
    return {
      guard,
      refuses: refusal !== undefined,
      reason: refusal?.reason ?? passes(state),
      until: refusal?.until ?? null,
    };
  });
}

interface Guard {
  readonly guard: string;
  /** In words, while it lets a run through. */
  readonly passes: (state: GuardState) => string;
  readonly judge: (state: GuardState, trigger: string) => Refusal | undefined;
}

const GUARDS: readonly Guard[] = [
  { guard: "one run at a time", passes: () => "No run is under way.", judge: oneAtATime },
  {
    guard: "new evidence",
    passes: (state) =>
      `${plural(state.rowsSince, "row")} and ${plural(state.labelsSince, "label")} are newer than the last run's snapshot.`,
    judge: newEvidence,
  },
  {
    guard: "cool-down",
    passes: (state) => `No run was queued in the last ${formatDuration(state.cooldownMs)}.`,
    judge: coolDown,
  },
  {
    guard: "daily budget",
    passes: (state) => `${state.runsLastDay} of ${plural(state.maxPerDay, "run")} in 24 hours.`,
    judge: budget,
  },
  {
    guard: "quiet hours",
    passes: (state) =>
      state.quietHours === undefined ? "None are set." : `Not now (${describeQuietHours(state.quietHours)}).`,
    judge: quiet,
  },
  { guard: "breaker", passes: () => "Closed.", judge: breaker },
  { guard: "self-trigger", passes: () => "The policy does not trigger itself.", judge: selfTrigger },
];

function oneAtATime(state: GuardState): Refusal | undefined {
  if (state.activeRun === null) return undefined;
  return {
    subject: "one run at a time",
    rule: "A model has at most one open run; a newer trigger joins it.",
    reason: `Run ${state.activeRun} is under way; the trigger is counted to it.`,
    inputs: { activeRun: state.activeRun },
  };
}

function newEvidence(state: GuardState, trigger: string): Refusal | undefined {
  if (state.lastRunAt === null || WISHES.has(trigger)) return undefined;
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
    until,
  };
}

/** The daily budget frees with the oldest run of the day; an hour later is near enough to look again. */
const BUDGET_LOOK_MS = 3_600_000;

function budget(state: GuardState): Refusal | undefined {
  if (state.runsLastDay < state.maxPerDay) return undefined;
  return {
    subject: "daily budget",
    rule: `At most ${plural(state.maxPerDay, "run")} in 24 hours.`,
    reason: `${plural(state.runsLastDay, "run was", "runs were")} started in the last 24 hours; the budget is ${state.maxPerDay}.`,
    inputs: { runs: state.runsLastDay },
    threshold: state.maxPerDay,
    until: state.now + BUDGET_LOOK_MS,
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
    reason: `The last ${refused === 1 ? "run was" : `${plural(refused, "run")} were`} refused or failed; the next may start at ${new Date(until).toISOString()}.`,
    inputs: { refused, until },
    threshold: limit,
    until,
  };
}

function quiet(state: GuardState): Refusal | undefined {
  const until = state.quietHours === undefined ? undefined : quietUntil(state.quietHours, state.now);
  if (until === undefined || state.quietHours === undefined) return undefined;
  return {
    subject: "quiet hours",
    rule: `No run starts by itself from ${describeQuietHours(state.quietHours)}.`,
    reason: `The quiet hours last until ${showInstant(until)}.`,
    inputs: { until },
    until,
  };
}

/** Triggers that read a monitor: a retraining is meant to quiet them. */
const MONITORED: ReadonlySet<string> = new Set([
  "dataDrift",
  "predictionDrift",
  "conceptDrift",
  "performanceDrop",
  "worthIt",
  "staleness",
]);
/** So many runs by one monitor, each as soon as the guards allowed, have not quieted it: a fourth will not either. */
const SELF_TRIGGER_RUNS = 3;

function selfTrigger(state: GuardState, trigger: string): Refusal | undefined {
  if (!MONITORED.has(trigger)) return undefined;
  const spacing = Math.max(2 * state.cooldownMs, DAY_MS);
  let after = state.now;
  let streak = 0;
  for (const run of state.recent) {
    if (run.trigger !== trigger || after - run.queuedAt > spacing) break;
    streak += 1;
    after = run.queuedAt;
  }
  const last = state.recent[0];
  if (streak < SELF_TRIGGER_RUNS || last === undefined) return undefined;
  const until = last.queuedAt + BREAKER_HALF_OPEN_MS;
  return {
    subject: "self-trigger",
    rule: `Stop after ${SELF_TRIGGER_RUNS} runs in a row by the same monitor, each as soon as the guards allowed; one may try again after 7 days.`,
    reason: `The last ${SELF_TRIGGER_RUNS} runs were all started by ${trigger}, which fires again at once: retraining does not quiet it.`,
    inputs: { trigger, runs: streak, until },
    threshold: SELF_TRIGGER_RUNS,
    until,
  };
}
