/** Judging trigger expressions. Every leaf becomes a decision, also when it does not fire or the answer is clear already. */
import type { Instant, Outcome } from "../core/index.ts";
import { triggerKind } from "./registry.ts";
import { nextOccurrence } from "./schedule.ts";
import type { TriggerSpec } from "./spec.ts";
import type { PerformanceTrigger, TriggerEvaluation, TriggerState } from "./state.ts";
import { type LeafJudgement, showCount } from "./trigger.ts";

interface Judged extends LeafJudgement {
  readonly trigger: string;
  readonly subject: string;
  readonly rule: string;
}

/** Share of new labels on top of what a refused first run had, before the first version is tried again. */
const FIRST_RETRY_SHARE = 0.2;

/** @returns yes when the expression fires, with the leaf that decided; cost O(leaves). */
export function evaluateTrigger(spec: TriggerSpec, state: TriggerState): TriggerEvaluation {
  const leaves: Judged[] = [];
  const outcome = judge(spec, state, leaves);
  // A model whose only trigger is `manual` waits for a person, also with its first version.
  const first = state.hasChampion || spec.kind === "manual" ? undefined : judgeFirst(state);
  if (first !== undefined) leaves.push(first);
  // A run with too few rows would be stopped at its first step, and count against the budget.
  const enough = state.hasChampion || state.labelled >= state.minRows;
  const fires = (outcome === "yes" && enough) || first?.outcome === "yes";
  if (!fires) {
    const reason = outcome === "yes" && first !== undefined ? first.reason : "No trigger fired.";
    return { outcome: outcome === "yes" ? "no" : outcome, trigger: "none", reason, decisions: recorded(leaves) };
  }
  // The first version's own rule comes first: it says why there was a run at all.
  const fired = leaves.filter((leaf) => leaf.outcome === "yes");
  const deciding = first?.outcome !== "yes" ? fired : outcome === "yes" ? [first, ...fired.slice(0, -1)] : [first];
  return {
    outcome: "yes",
    trigger: (deciding[0] as Judged).trigger,
    reason: deciding.map((leaf) => leaf.reason).join(" "),
    decisions: recorded(leaves),
  };
}

function recorded(leaves: readonly Judged[]): TriggerEvaluation["decisions"] {
  return leaves.map(({ trigger: _, ...leaf }) => ({ kind: "trigger" as const, ...leaf }));
}

function judge(spec: TriggerSpec, state: TriggerState, leaves: Judged[]): Outcome {
  if (spec.kind === "any" || spec.kind === "all") {
    const outcomes = spec.of.map((one) => judge(one, state, leaves));
    // "Cannot tell" beside a decisive answer changes nothing; beside others it must not pass for the opposite.
    const decisive: Outcome = spec.kind === "any" ? "yes" : "no";
    if (outcomes.includes(decisive)) return decisive;
    if (outcomes.includes("cannot-tell")) return "cannot-tell";
    return spec.kind === "any" ? "no" : "yes";
  }
  const kind = triggerKind(spec.kind);
  const leaf = {
    trigger: spec.kind,
    subject: kind.subject(spec),
    rule: kind.rule(spec),
    ...kind.judge(spec, state),
  };
  leaves.push(leaf);
  return leaf.outcome;
}

/** The first version is trained as soon as there is enough to train on, whatever the policy waits for. */
function judgeFirst(state: TriggerState): Judged {
  const needed = state.lastRunAt === null ? state.minRows : Math.max(1, Math.ceil(state.minRows * FIRST_RETRY_SHARE));
  const have = state.lastRunAt === null ? state.labelled : state.labelsSince;
  const outcome: Outcome = have >= needed && state.labelled >= state.minRows ? "yes" : "no";
  const retry = state.lastRunAt === null ? "" : " new since the last try";
  return {
    trigger: "first",
    outcome,
    subject: "first version",
    rule: `Without a live version, train at ${showCount(needed)} labelled rows${retry}.`,
    reason:
      outcome === "yes"
        ? `There is no live version and ${showCount(have)} labelled rows have arrived${retry}.`
        : `Fewer than ${showCount(needed)} labelled rows have arrived${retry}.`,
    inputs: { labelled: state.labelled, labelsSince: state.labelsSince },
    threshold: needed,
  };
}

/** The performance windows an expression asks for. */
export function performanceNeeds(spec: TriggerSpec): readonly PerformanceTrigger[] {
  if (spec.kind === "any" || spec.kind === "all") return spec.of.flatMap(performanceNeeds);
  return spec.kind === "performanceDrop" ? [spec] : [];
}

/**
 * The earliest time after `now` at which a schedule or interval can fire by time alone, or undefined when there is none. A tick
 * before it without a new event changes nothing.
 * @param lastRunAt when the last run was queued; intervals count from it
 */
export function nextScheduledAt(
  spec: TriggerSpec,
  now: Instant,
  lastRunAt: Instant | null = null,
): Instant | undefined {
  switch (spec.kind) {
    case "any":
    case "all": {
      const times = spec.of.map((one) => nextScheduledAt(one, now, lastRunAt)).filter((time) => time !== undefined);
      return times.length === 0 ? undefined : Math.min(...times);
    }
    case "schedule":
      return nextOccurrence(spec, now);
    case "interval":
      return lastRunAt === null ? undefined : Math.max(now, lastRunAt + spec.everyMs);
    default:
      return undefined;
  }
}
