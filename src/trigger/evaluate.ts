/** Judging trigger expressions. Every leaf becomes a decision, also when it does not fire or the answer is clear already. */
import { formatDuration, type Instant, type Outcome, plural } from "../core/index.ts";
import { triggerKind } from "./registry.ts";
import { nextOccurrence } from "./schedule.ts";
import type { CombinedSpec, TriggerSpec } from "./spec.ts";
import type { PerformanceNeed, TriggerEvaluation, TriggerJudgement, TriggerState } from "./state.ts";
import { isCombined } from "./trigger.ts";

/** Share of new labels on top of what a refused first run had, before the first version is tried again. */
const FIRST_RETRY_SHARE = 0.2;

/** @returns yes when the expression fires, with the leaves that decided; cost O(leaves). */
export function evaluateTrigger(spec: TriggerSpec, state: TriggerState): TriggerEvaluation {
  const since: Record<string, Instant> = {};
  const judgement = judge(spec, state, { path: "", since });
  const { outcome } = judgement;
  // A model whose only trigger is `manual` waits for a person, also with its first version.
  const first = state.hasChampion || spec.kind === "manual" ? undefined : judgeFirst(state);
  const leaves = [...leavesOf(judgement), ...(first === undefined ? [] : [first])];
  // A run with too few rows would be stopped at its first step, and count against the budget.
  const enough = state.hasChampion || state.labelled >= state.minRows;
  const fires = (outcome === "yes" && enough) || first?.outcome === "yes";
  const rest = { decisions: leaves.map(recorded), judgement, since, ...(first === undefined ? {} : { first }) };
  if (!fires) {
    const reason = outcome === "yes" && first !== undefined ? first.reason : "No trigger fired.";
    return { outcome: outcome === "yes" ? "no" : outcome, trigger: "none", reason, ...rest };
  }
  // The first version's own rule comes first: it says why there was a run at all.
  const fired = outcome === "yes" ? decidingLeaves(judgement) : [];
  const deciding = first?.outcome === "yes" ? [first, ...fired] : fired;
  return {
    outcome: "yes",
    trigger: first?.outcome === "yes" ? "first" : (deciding[0] as TriggerJudgement).kind,
    reason: deciding.map((leaf) => leaf.reason).join(" "),
    ...rest,
  };
}

function recorded(leaf: TriggerJudgement): TriggerEvaluation["decisions"][number] {
  const { subject, rule, outcome, reason, inputs, threshold } = leaf;
  return { kind: "trigger", subject, rule, outcome, reason, inputs, ...(threshold === undefined ? {} : { threshold }) };
}

function leavesOf(node: TriggerJudgement): readonly TriggerJudgement[] {
  return node.of.length === 0 ? [node] : node.of.flatMap(leavesOf);
}

/** The leaves because of which a node says yes. Below a `not` those are the leaves that do not fire. */
function decidingLeaves(node: TriggerJudgement): readonly TriggerJudgement[] {
  if (node.of.length === 0) return [node];
  const wanted: Outcome = node.kind === "not" ? "no" : "yes";
  if (node.kind === "not") return node.of.flatMap(leavesOf);
  return node.of.filter((one) => one.outcome === wanted).flatMap(decidingLeaves);
}

interface Place {
  /** Where the node stands in the expression: `0.2.1`. */
  readonly path: string;
  readonly since: Record<string, Instant>;
}

function judge(spec: TriggerSpec, state: TriggerState, place: Place): TriggerJudgement {
  if (isCombined(spec)) return combine(spec, state, place);
  const kind = triggerKind(spec.kind);
  return { kind: spec.kind, subject: kind.subject(spec), rule: kind.rule(spec), ...kind.judge(spec, state), of: [] };
}

function combine(spec: CombinedSpec, state: TriggerState, place: Place): TriggerJudgement {
  const of = spec.of.map((one, i) => judge(one, state, { ...place, path: `${place.path}${i}.` }));
  const count = (outcome: Outcome) => of.filter((one) => one.outcome === outcome).length;
  const base = {
    kind: spec.kind,
    inputs: { yes: count("yes"), no: count("no"), cannotTell: count("cannot-tell") },
    of,
  };
  const parts = `${count("yes")} of ${of.length} fire`;
  switch (spec.kind) {
    case "any":
      return { ...base, subject: "any", rule: "One of these fires.", outcome: atLeast(1, of), reason: `${parts}.` };
    case "all":
      return {
        ...base,
        subject: "all",
        rule: "All of these fire at the same tick.",
        outcome: atLeast(of.length, of),
        reason: `${parts}.`,
      };
    case "atLeast":
      return {
        ...base,
        subject: `atLeast(${spec.count})`,
        rule: `At least ${spec.count} of these fire at the same tick.`,
        outcome: atLeast(spec.count, of),
        reason: `${parts}.`,
        threshold: spec.count,
      };
    case "not": {
      const inner = (of[0] as TriggerJudgement).outcome;
      const outcome = inner === "cannot-tell" ? inner : inner === "yes" ? "no" : "yes";
      const reason = inner === "no" ? "It does not fire." : inner === "yes" ? "It fires." : "It cannot tell.";
      return { ...base, subject: "not", rule: "This does not fire.", outcome, reason };
    }
    case "debounce":
      return { ...base, ...debounce(spec.forMs, of[0] as TriggerJudgement, state, place) };
  }
}

/** "Cannot tell" beside enough decisive answers changes nothing; else it must not pass for the opposite. */
function atLeast(needed: number, of: readonly TriggerJudgement[]): Outcome {
  const yes = of.filter((one) => one.outcome === "yes").length;
  const no = of.filter((one) => one.outcome === "no").length;
  if (yes >= needed) return "yes";
  return of.length - no < needed ? "no" : "cannot-tell";
}

function debounce(forMs: number, inner: TriggerJudgement, state: TriggerState, place: Place) {
  const forText = formatDuration(forMs);
  const rule = `This has fired at every tick for ${forText}.`;
  const judged = { subject: `debounce(${forText})`, rule, threshold: forMs };
  if (inner.outcome !== "yes")
    return { ...judged, outcome: inner.outcome, reason: "It does not fire now.", inputs: { since: null } };
  const since = state.since[place.path] ?? state.now;
  place.since[place.path] = since;
  return state.now - since >= forMs
    ? { ...judged, outcome: "yes" as const, reason: `It has fired for ${forText}.`, inputs: { since } }
    : { ...judged, outcome: "no" as const, reason: `It has fired for less than ${forText}.`, inputs: { since } };
}

/** The first version is trained as soon as there is enough to train on, whatever the policy waits for. */
function judgeFirst(state: TriggerState): TriggerJudgement {
  const needed = state.lastRunAt === null ? state.minRows : Math.max(1, Math.ceil(state.minRows * FIRST_RETRY_SHARE));
  const have = state.lastRunAt === null ? state.labelled : state.labelsSince;
  const outcome: Outcome = have >= needed && state.labelled >= state.minRows ? "yes" : "no";
  const retry = state.lastRunAt === null ? "" : " new since the last try";
  return {
    kind: "newLabels",
    outcome,
    subject: "first version",
    rule: `Without a live version, train at ${plural(needed, "labelled row")}${retry}.`,
    reason:
      outcome === "yes"
        ? `There is no live version and ${plural(have, "labelled row has", "labelled rows have")} arrived${retry}.`
        : `Fewer than ${plural(needed, "labelled row has", "labelled rows have")} arrived${retry}.`,
    inputs: { labelled: state.labelled, labelsSince: state.labelsSince },
    threshold: needed,
    of: [],
  };
}

/** Every leaf of an expression. */
export function leafSpecs(spec: TriggerSpec): readonly Exclude<TriggerSpec, CombinedSpec>[] {
  return isCombined(spec) ? spec.of.flatMap(leafSpecs) : [spec];
}

/** The performance windows an expression asks for. */
export function performanceNeeds(spec: TriggerSpec): readonly PerformanceNeed[] {
  return leafSpecs(spec).flatMap((leaf): PerformanceNeed[] => {
    if (leaf.kind !== "performanceDrop" && leaf.kind !== "worthIt") return [];
    const estimated = leaf.kind === "performanceDrop" && leaf.estimated === true;
    return [{ metric: leaf.metric, windowMs: leaf.windowMs, ...(estimated ? { estimated } : {}) }];
  });
}

/** What the passing of time alone can change. */
export interface TimedState {
  /** When the last run was queued; intervals count from it. */
  readonly lastRunAt?: Instant | null;
  readonly champion?: TriggerState["champion"];
  readonly since?: TriggerState["since"];
}

/**
 * The earliest time after `now` at which the expression can change by time alone, or undefined when there is none. A tick
 * before it without a new event changes nothing.
 */
export function nextScheduledAt(spec: TriggerSpec, now: Instant, state: TimedState = {}): Instant | undefined {
  return earliest(spec, now, state, "");
}

function earliest(spec: TriggerSpec, now: Instant, state: TimedState, path: string): Instant | undefined {
  if (isCombined(spec)) {
    const times = spec.of.map((one, i) => earliest(one, now, state, `${path}${i}.`));
    const since = state.since?.[path];
    if (spec.kind === "debounce" && since !== undefined && since + spec.forMs > now) times.push(since + spec.forMs);
    const known = times.filter((time) => time !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }
  switch (spec.kind) {
    case "schedule":
      return nextOccurrence(spec, now);
    case "interval":
      return state.lastRunAt == null ? undefined : Math.max(now, state.lastRunAt + spec.everyMs);
    case "staleness": {
      const due = state.champion == null ? undefined : state.champion.trainedThrough + spec.maxAgeMs;
      return due === undefined || due <= now ? undefined : due;
    }
    default:
      return undefined;
  }
}
