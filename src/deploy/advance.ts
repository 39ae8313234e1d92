/**
 * The stage machine of a rollout: a pure function of the record, the evidence and the instant. Going back needs no permission:
 * harm ends a rollout in every state that is not over. Going on needs matured evidence, the maintenance window, and that
 * nobody paused it.
 */
import {
  ASSIGNMENT_BUCKETS,
  type Instant,
  type MaintenanceWindow,
  metricWord,
  type Outcome,
  type PhaseEvidence,
  plural,
  type RolloutPhase,
  type RolloutRecord,
  type RoutePlan,
  type StageSpec,
} from "../core/index.ts";
import { brokenSplit, withholdUnreadable } from "./guardrails.ts";
import { span, stageName, verdictSentence } from "./verdict.ts";

/** A stage that saw no request for so long is replaced by a replay of logged ones, or skipped. */
export const IDLE_MS = 86_400_000;

export interface RoutingTarget {
  readonly champion: string;
  readonly challenger: string | null;
  readonly plan: RoutePlan | null;
  readonly urgent: boolean;
}
export type RolloutStep =
  | { readonly kind: "stay"; readonly rollout: RolloutRecord; readonly outcome: Outcome; readonly reason: string }
  | { readonly kind: "replay"; readonly rollout: RolloutRecord; readonly reason: string }
  | {
      readonly kind: "move";
      readonly rollout: RolloutRecord;
      readonly routing?: RoutingTarget;
      readonly action: "advance" | "promote" | "rollback" | "finish";
      readonly reason: string;
    };

export interface AdvanceInput {
  readonly rollout: RolloutRecord;
  readonly evidence: PhaseEvidence;
  readonly now: Instant;
  readonly labelDelayMs: number;
}

export function advanceRollout(given: AdvanceInput): RolloutStep {
  // With a broken split no comparison of arms can be read; errors still can.
  const input = { ...given, evidence: withholdUnreadable(given.evidence) };
  const { rollout, evidence, now } = input;
  if (rollout.endedAt !== undefined) return stay(input, "no", rollout.verdict);
  const seen = noteExposure(rollout, evidence);
  const at = { ...input, rollout: seen };
  const harm = evidence.guardrails.find((one) => one.harm === "yes");
  if (harm !== undefined) return rollBack(seen, now, `Stop: ${harm.guardrail}. ${harm.reason}`);
  if (rollout.state === "watching") return watch(at);
  if (rollout.state === "paused")
    return stay(at, "cannot-tell", "Paused: nothing moves on until somebody resumes it.", "people");
  const phase = lastPhase(seen);
  if (phase.firstExposureAt === undefined && now - phase.enteredAt >= IDLE_MS) return withoutTraffic(at, phase);
  if (phase.firstExposureAt === undefined) return stay(at, "cannot-tell", "No request has come yet.");
  const broken = brokenSplit(evidence);
  if (broken !== undefined) return unequal(at, phase, broken);
  return judge(at, phase);
}

const lastPhase = (rollout: RolloutRecord) => rollout.phases.at(-1) as RolloutPhase;
const stageOf = (rollout: RolloutRecord, phase: RolloutPhase) => rollout.stages[phase.stage] as StageSpec;

function noteExposure(rollout: RolloutRecord, evidence: PhaseEvidence): RolloutRecord {
  const phase = lastPhase(rollout);
  const fraction = evidence.comparison?.lookFraction;
  const looked = fraction === undefined ? {} : { looks: [...(phase.looks ?? []), fraction] };
  const isFirst = phase.firstExposureAt === undefined && evidence.firstExposureAt !== null;
  const exposed = isFirst ? { firstExposureAt: evidence.firstExposureAt as Instant } : {};
  return fraction === undefined && !isFirst ? rollout : changeLast(rollout, { ...looked, ...exposed });
}

function changeLast(rollout: RolloutRecord, change: Partial<RolloutPhase>): RolloutRecord {
  return { ...rollout, phases: [...rollout.phases.slice(0, -1), { ...lastPhase(rollout), ...change }] };
}

/** @param held what it waits for besides its time, which a person should read whatever the comparison says */
function stay(input: AdvanceInput, outcome: Outcome, reason: string, held?: "samples" | "people"): RolloutStep {
  const verdict = verdictSentence(input, reason, held);
  return { kind: "stay", rollout: { ...input.rollout, verdict }, outcome, reason };
}

function judge(input: AdvanceInput, phase: RolloutPhase): RolloutStep {
  const { rollout, evidence, now, labelDelayMs } = input;
  const stage = stageOf(rollout, phase);
  const matured = now - (phase.firstExposureAt as Instant) - labelDelayMs;
  const verdict = evidence.comparison?.verdict ?? "cannot-tell";
  const rows = (evidence.comparison?.championRows ?? 0) + (evidence.comparison?.challengerRows ?? 0);
  switch (stage.kind) {
    case "shadow":
    case "canary": {
      const samples = stage.kind === "shadow" ? rows / 2 : evidence.exposures.challenger;
      if (matured < stage.durationMs) return stay(input, "cannot-tell", `${stageName(phase)} goes on.`);
      if (matured < stage.maxMs && samples < stage.minSamples) return waitForSamples(input, phase, samples);
      if (verdict === "worse") return rollBack(rollout, now, worseReason(rollout, evidence));
      const outcome = verdict === "cannot-tell" ? "cannot-tell" : "yes";
      return moveOn(input, outcome, passReason(phase, verdict));
    }
    case "ramp":
      if (matured < stage.eachMs) return stay(input, "cannot-tell", `${stageName(phase)} goes on.`);
      if (verdict === "worse") return rollBack(rollout, now, worseReason(rollout, evidence));
      return moveOn(input, verdict === "cannot-tell" ? "cannot-tell" : "yes", passReason(phase, verdict));
    case "ab": {
      const isBetter = verdict === "better" || (verdict === "not-worse" && stage.rule === "non-inferiority");
      if (rows >= stage.minSamples && isBetter && matured < (stage.minMs ?? 0))
        return stay(input, "cannot-tell", `${stageName(phase)} lasts ${span(stage.minMs ?? 0)} at least.`, "people");
      if (rows >= stage.minSamples && isBetter) return moveOn(input, "yes", betterReason(rollout, evidence));
      if (rows >= stage.minSamples && verdict === "worse")
        return rollBack(rollout, now, worseReason(rollout, evidence));
      if (matured < stage.maxMs) return stay(input, "cannot-tell", "The comparison goes on.");
      const reason = `No evidence after the maximum: champion ${rollout.champion} stays.`;
      return end(rollout, { state: "inconclusive", at: now, outcome: "cannot-tell", reason, action: "finish" });
    }
    case "full":
      return moveOn(input, "yes", "All stages passed.");
  }
}

function waitForSamples(input: AdvanceInput, phase: RolloutPhase, samples: number): RolloutStep {
  const stage = stageOf(input.rollout, phase);
  const wanted = stage.kind === "shadow" || stage.kind === "canary" ? stage.minSamples : 0;
  const what = stage.kind === "shadow" ? "labelled pairs" : "answers";
  const reason = `${stageName(phase)} waits for ${wanted} ${what}; ${Math.floor(samples)} have come.`;
  return stay(input, "cannot-tell", reason, "samples");
}

function unequal(input: AdvanceInput, phase: RolloutPhase, reason: string): RolloutStep {
  const stage = stageOf(input.rollout, phase);
  const matured = input.now - (phase.firstExposureAt as Instant) - input.labelDelayMs;
  const limit = stage.kind === "ramp" ? stage.eachMs : stage.kind === "full" ? 0 : stage.maxMs;
  if (matured < limit) return stay(input, "cannot-tell", reason);
  return end(input.rollout, { state: "inconclusive", at: input.now, outcome: "cannot-tell", reason, action: "finish" });
}

function withoutTraffic(input: AdvanceInput, phase: RolloutPhase): RolloutStep {
  if (phase.replayed === undefined) {
    return {
      kind: "replay",
      rollout: input.rollout,
      reason: `No request for 24 hours: ${stageName(phase)} is replaced by a replay of logged requests.`,
    };
  }
  // What the replay answered is counted with the next folds, of which a busy server takes several.
  const isCounted = input.evidence.exposures.mirrored >= phase.replayed && input.now > (phase.replayedAt ?? 0);
  if (!isCounted && input.now - (phase.replayedAt ?? phase.enteredAt) < IDLE_MS)
    return stay(input, "cannot-tell", "The replayed requests are being counted.", "samples");
  const verdict = input.evidence.comparison?.verdict ?? "cannot-tell";
  if (verdict === "worse") return rollBack(input.rollout, input.now, worseReason(input.rollout, input.evidence));
  const how =
    phase.replayed === 0
      ? "no logged request could be replayed"
      : `${plural(phase.replayed, "logged request was", "logged requests were")} replayed, ${qualityWords(verdict)}`;
  const isTold = verdict !== "cannot-tell";
  return moveOn(
    input,
    isTold ? "yes" : "skipped",
    `No request for 24 hours; ${how}. ${stageName(phase)} ${isTold ? "was replaced by them" : "is skipped"}.`,
  );
}

function watch(input: AdvanceInput): RolloutStep {
  const { rollout, now, labelDelayMs } = input;
  const phase = lastPhase(rollout);
  const stage = stageOf(rollout, phase);
  const lasts = stage.kind === "full" ? stage.watchMs : 0;
  if (now - (phase.firstExposureAt ?? phase.enteredAt) - labelDelayMs < lasts) {
    return stay(input, "cannot-tell", `Watching ${rollout.challenger} after its promotion.`);
  }
  const reason = `No harm was shown after the promotion: ${rollout.challenger} stays.`;
  return end(rollout, { state: "promoted", at: now, outcome: "yes", reason, action: "finish" });
}

/** Closes the phase and opens the next, or promotes when the last stage is `full`. */
export function moveOn(input: AdvanceInput, outcome: RolloutPhase["outcome"], reason: string): RolloutStep {
  const { rollout, now } = input;
  const phase = lastPhase(rollout);
  const stage = stageOf(rollout, phase);
  if (stage.within !== undefined && !isWithin(stage.within, now)) {
    return stay(input, "cannot-tell", `${reason} It waits for the maintenance window to move on.`, "people");
  }
  const closed = changeLast(rollout, { exitedAt: now, ...(outcome === undefined ? {} : { outcome }), reason });
  const share = stage.kind === "ramp" ? stage.shares[stage.shares.indexOf(phase.share) + 1] : undefined;
  if (share !== undefined) return enter(closed, { stage: phase.stage, share, at: now, reason });
  const next = rollout.stages[phase.stage + 1];
  if (next === undefined || next.kind === "full") return promote(closed, now, reason);
  return enter(closed, { stage: phase.stage + 1, share: firstShare(next), at: now, reason });
}

const firstShare = (stage: StageSpec) =>
  stage.kind === "ramp"
    ? (stage.shares[0] as number)
    : stage.kind === "canary" || stage.kind === "ab"
      ? stage.share
      : 0;

/** The phase a new rollout begins with; null when its only stage is `full`. */
export function firstPhase(stages: readonly StageSpec[], at: Instant): RolloutPhase | null {
  const [stage] = stages;
  if (stage === undefined || stage.kind === "full") return null;
  return phaseOf(stage, { stage: 0, share: firstShare(stage), at });
}

function phaseOf(stage: StageSpec, at: { stage: number; share: number; at: Instant }): RolloutPhase {
  const mirror = stage.kind === "shadow" ? stage.share : 0;
  return { stage: at.stage, kind: stage.kind, share: at.share, mirror, enteredAt: at.at };
}

/** What replicas route by in a phase. */
export function planOf(rollout: Pick<RolloutRecord, "id" | "salt" | "phases">): RoutePlan {
  const phase = rollout.phases.at(-1) as RolloutPhase;
  if (phase.kind === "watch") throw new TypeError("a watch routes nothing");
  return {
    rollout: rollout.id,
    phase: rollout.phases.length - 1,
    kind: phase.kind,
    share: Math.round(phase.share * ASSIGNMENT_BUCKETS) / ASSIGNMENT_BUCKETS,
    mirror: phase.mirror,
    salt: rollout.salt,
  };
}

function enter(
  rollout: RolloutRecord,
  next: { readonly stage: number; readonly share: number; readonly at: Instant; readonly reason: string },
): RolloutStep {
  const phase = phaseOf(rollout.stages[next.stage] as StageSpec, next);
  const entered = { ...rollout, phases: [...rollout.phases, phase] };
  const reason = `${next.reason} ${stageName(phase)} begins.`;
  const routing = { champion: rollout.champion, challenger: rollout.challenger, plan: planOf(entered), urgent: false };
  return { kind: "move", rollout: { ...entered, verdict: reason }, routing, action: "advance", reason };
}

/** The challenger becomes champion; with a watch the rollout is not over yet. */
export function promote(rollout: RolloutRecord, at: Instant, why: string): RolloutStep {
  const index = rollout.stages.length - 1;
  const full = rollout.stages[index];
  const watches = full?.kind === "full" && full.watchMs > 0;
  const reason = `${why} ${rollout.challenger} is champion${watches ? " and is watched" : ""}.`;
  const phases: readonly RolloutPhase[] = watches
    ? [...rollout.phases, { stage: index, kind: "watch", share: 1, mirror: 0, enteredAt: at }]
    : rollout.phases;
  const state = watches ? ("watching" as const) : ("promoted" as const);
  const ended = watches ? {} : { endedAt: at };
  return {
    kind: "move",
    rollout: { ...rollout, phases, state, verdict: reason, ...ended },
    routing: { champion: rollout.challenger, challenger: null, plan: null, urgent: false },
    action: "promote",
    reason,
  };
}

/** Back to the champion of the start, at once. */
export function rollBack(rollout: RolloutRecord, at: Instant, reason: string): RolloutStep {
  return end(rollout, { state: "rolled-back", at, outcome: "no", reason, action: "rollback" });
}

export function end(
  rollout: RolloutRecord,
  how: {
    readonly state: RolloutRecord["state"];
    readonly at: Instant;
    readonly outcome: Outcome;
    readonly reason: string;
    readonly action: "finish" | "rollback";
  },
): RolloutStep {
  const { state, at, outcome, reason, action } = how;
  const closed = rollout.phases.length === 0 ? rollout : changeLast(rollout, { exitedAt: at, outcome, reason });
  const keeps = state === "promoted";
  return {
    kind: "move",
    rollout: { ...closed, state, endedAt: at, verdict: reason },
    // A watch that ends well changes nothing about who answers.
    ...(keeps ? {} : { routing: { champion: rollout.champion, challenger: null, plan: null, urgent: true } }),
    action,
    reason,
  };
}

const worseReason = (rollout: RolloutRecord, evidence: PhaseEvidence) =>
  `${rollout.challenger} is worse than ${rollout.champion}${numbers(evidence)}.`;
const betterReason = (rollout: RolloutRecord, evidence: PhaseEvidence) =>
  `${rollout.challenger} is ${evidence.comparison?.verdict === "better" ? "better" : "not worse"} than ${rollout.champion}${numbers(evidence)}.`;

function numbers(evidence: PhaseEvidence): string {
  const { comparison } = evidence;
  if (comparison === null || comparison.difference === null || comparison.interval === null) return "";
  const [low, high] = comparison.interval.map((one) => one.toPrecision(3));
  return ` by ${Math.abs(comparison.difference).toPrecision(3)} of ${metricWord(comparison.metric)} (interval of the difference ${low} to ${high})`;
}

const qualityWords = (verdict: string) =>
  verdict === "better" ? "it is better" : verdict === "not-worse" ? "it is not worse" : "quality cannot be told yet";

const passReason = (phase: RolloutPhase, verdict: string) =>
  `${stageName(phase)} ended: the guardrails hold, ${qualityWords(verdict)}.`;

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** True inside the window's days and hours, in its own time zone. */
export function isWithin(window: MaintenanceWindow, at: Instant): boolean {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: window.timeZone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).formatToParts(at);
  const read = (type: string) => parts.find((part) => part.type === type)?.value ?? "";
  const minute = Number(read("hour")) * 60 + Number(read("minute"));
  return (
    window.days.includes(WEEKDAYS.indexOf(read("weekday"))) && minute >= window.fromMinute && minute < window.toMinute
  );
}
