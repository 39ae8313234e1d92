/** A rollout at a tick: gather the evidence, ask the stage machine, write what it says, keep the look for the chart. */
import {
  type Instant,
  type PhaseEvidence,
  type RolloutPhase,
  type RolloutRecord,
  type ServingCounts,
  type StageSpec,
} from "../../core/index.ts";
import { advanceRollout, IDLE_MS, rollBack } from "../../deploy/advance.ts";
import { raiseAlert } from "../alerts.ts";
import { type LoopContext, modelSpec } from "../context.ts";
import { applyStep } from "./apply.ts";
import { startStages } from "./begin.ts";
import { gatherEvidence } from "./evidence.ts";
import { beginReplay, replayDue, type ReplayResult } from "./replay.ts";

/** When a tick must look again although nothing arrived. */
export interface RolloutTick {
  readonly nextDueAt: Instant;
}
const NOTHING: RolloutTick = { nextDueAt: Number.POSITIVE_INFINITY };

export async function tickRollout(context: LoopContext, model: string, at: Instant): Promise<RolloutTick> {
  const rollout = await context.store.rollouts.active(model);
  if (rollout === undefined || rollout.phases.length === 0) return NOTHING;
  const due = await replayDue(context, rollout);
  if (due !== undefined) return afterReplay(context, rollout, due, at);
  const phase = rollout.phases.length - 1;
  const evidence = await gatherEvidence(context, { rollout, phase, now: at, serving: await measured(context, model) });
  await keepLook(context, rollout, evidence, at);
  await tellCorrections(context, rollout, evidence);
  const step = advanceRollout({ rollout, evidence, now: at, labelDelayMs: modelSpec(context, model).labelDelayMs });
  if (step.kind === "replay") {
    return afterReplay(context, rollout, await beginReplay(context, rollout, step.reason), at);
  }
  if (step.kind === "move") {
    const routing = await applyStep(context, rollout, step);
    if (routing !== undefined && step.rollout.endedAt !== undefined) await admitWaiting(context, step.rollout);
    return { nextDueAt: at + 1 };
  }
  await context.store.decisions.record({
    model,
    kind: "rollout",
    subject: rollout.phases[phase]?.kind ?? "rollout",
    outcome: step.outcome,
    rule: "A stage moves on with matured evidence, ends on harm, and otherwise goes on.",
    inputs: { rollout: rollout.id, phase, ...brief(evidence) },
    reason: step.reason,
    version: rollout.challenger,
    at,
  });
  if (JSON.stringify(step.rollout) !== JSON.stringify(rollout)) {
    await context.store.rollouts.progress({ ...step.rollout, revision: rollout.revision + 1 });
  }
  return { nextDueAt: rollout.state === "paused" ? Number.POSITIVE_INFINITY : nextDue(context, step.rollout, at) };
}

async function afterReplay(
  context: LoopContext,
  { model, id }: RolloutRecord,
  { harm }: ReplayResult,
  at: Instant,
): Promise<RolloutTick> {
  if (harm !== undefined) await rollBackNow(context, model, id, `Stop: it fails on logged requests. ${harm}`);
  return { nextDueAt: at + 1 };
}

/** When time alone can change the answer: a duration is over, nobody came for a day, a maintenance window may open. */
function nextDue(context: LoopContext, rollout: RolloutRecord, at: Instant): Instant {
  const phase = rollout.phases.at(-1) as RolloutPhase;
  const stage = rollout.stages[phase.stage] as StageSpec;
  const { labelDelayMs } = modelSpec(context, rollout.model);
  const since = (phase.firstExposureAt ?? phase.enteredAt) + labelDelayMs;
  const isSeen = phase.firstExposureAt !== undefined;
  if (!isSeen && phase.replayed !== undefined && at >= phase.enteredAt + IDLE_MS) return at + 1;
  const ends =
    phase.kind === "watch"
      ? [stage.kind === "full" ? since + stage.watchMs : at]
      : isSeen
        ? endsOf(stage).map((length) => since + length)
        : [phase.enteredAt + IDLE_MS];
  const future = ends.filter((end) => end > at);
  // Everything is over and it still stands: it waits for its window, or for samples that make the model dirty by themselves.
  const next = future.length > 0 ? Math.min(...future) : Number.POSITIVE_INFINITY;
  return stage.within === undefined ? next : Math.min(next, nextMinute(at));
}

function endsOf(stage: StageSpec): readonly number[] {
  if (stage.kind === "shadow" || stage.kind === "canary") return [stage.durationMs, stage.maxMs];
  if (stage.kind === "ramp") return [stage.eachMs];
  return stage.kind === "ab" ? [stage.minMs ?? 0, stage.maxMs] : [0];
}

/** Windows open and close at minutes; one may be shorter than an hour. */
const MINUTE_MS = 60_000;
const nextMinute = (at: Instant) => (Math.floor(at / MINUTE_MS) + 1) * MINUTE_MS;

/** What replicas measured; on a virtual clock durations mean nothing and decide nothing. */
export async function measured(context: LoopContext, model: string): Promise<readonly ServingCounts[]> {
  const { rollouts } = context.store;
  const replicas = rollouts.isShared ? await rollouts.replicas() : [];
  const own = context.routing.counts()[model];
  const others = replicas.flatMap((replica) => replica.serving[model] ?? []);
  const counts = rollouts.isShared ? others : own === undefined ? [] : [own];
  if (context.worldClock.kind !== "virtual") return counts;
  return counts.map((one) => ({ ...one, timeouts: 0, slow: 0, answers: one.answers }));
}

function brief(evidence: PhaseEvidence) {
  const { comparison, exposures } = evidence;
  return {
    exposures: { ...exposures },
    difference: comparison?.difference ?? null,
    interval: comparison?.interval === null || comparison === null ? null : [...comparison.interval],
    rows: comparison === null ? 0 : comparison.championRows + comparison.challengerRows,
    sampleRatioP: evidence.sampleRatio?.p ?? null,
  };
}

async function keepLook(
  context: LoopContext,
  rollout: RolloutRecord,
  evidence: PhaseEvidence,
  at: Instant,
): Promise<void> {
  const { comparison } = evidence;
  // What a broken split makes unreadable is no look.
  if (comparison === null || comparison.difference === null) return;
  const looks = await context.store.rollouts.looks(rollout.id);
  const rows = comparison.championRows + comparison.challengerRows;
  const last = looks.findLast((look) => look.phase === evidence.phase);
  if (last?.rows === rows) return;
  const p = comparison.p === null ? null : Math.min(comparison.p, last?.p ?? 1);
  const { difference, interval } = comparison;
  await context.store.rollouts.addLook({
    rollout: rollout.id,
    phase: evidence.phase,
    at,
    rows,
    difference,
    interval,
    p,
  });
}

/** The sequence keeps what it saw; where later corrections of labels tell another story, a person should know. */
async function tellCorrections(context: LoopContext, rollout: RolloutRecord, evidence: PhaseEvidence): Promise<void> {
  const { comparison } = evidence;
  if (comparison === null || comparison.verdict === comparison.correctedVerdict) return;
  if (comparison.verdict === "cannot-tell" && comparison.correctedVerdict === "cannot-tell") return;
  await raiseAlert(context, {
    model: rollout.model,
    key: `rollout.corrected:${rollout.id}:${evidence.phase}`,
    type: "rollout.corrected",
    severity: "warning",
    title: `Corrected labels change the comparison of ${rollout.challenger} and ${rollout.champion}`,
    message: `By the labels as first stated it is "${comparison.verdict}", with later corrections "${comparison.correctedVerdict}".`,
    evidence: { rollout: rollout.id, phase: evidence.phase },
  });
}

/** The candidate in the waiting slot, when its turn has come. It passed its gate against a champion that may be another by now. */
export async function admitWaiting(context: LoopContext, ended: RolloutRecord): Promise<void> {
  const { waiting, model } = ended;
  if (waiting === undefined) return;
  const champion = await context.store.registry.champion(model);
  const run = await context.store.runs.get(waiting.runId);
  if (champion === undefined || champion.name === waiting.version) return;
  if (run?.champion !== champion.name) {
    await context.store.decisions.record({
      model,
      kind: "rollout",
      subject: "waiting candidate",
      outcome: "no",
      rule: "A waiting candidate starts only against the champion its gate judged it by.",
      inputs: { gatedAgainst: run?.champion ?? null, champion: champion.name },
      reason: `${waiting.version} was gated against ${run?.champion ?? "nobody"}, but ${champion.name} is champion now: the next run decides.`,
      version: waiting.version,
      at: context.worldClock.now(),
    });
    return;
  }
  const stages = modelSpec(context, model).rollout;
  await startStages(context, {
    model,
    version: waiting.version,
    champion: champion.name,
    runId: waiting.runId,
    stages,
  });
}

/** A replica's hard breaker tripped: no statistics, no waiting. */
export const rollBackTripped = (context: LoopContext, model: string, id: string, why: string) =>
  rollBackNow(context, model, id, `Stop: the breaker tripped. ${why}`);

async function rollBackNow(context: LoopContext, model: string, id: string, reason: string): Promise<void> {
  const rollout = await context.store.rollouts.active(model);
  if (rollout === undefined || rollout.id !== id || rollout.endedAt !== undefined) return;
  const step = rollBack(rollout, context.worldClock.now(), reason);
  const routing = await applyStep(context, rollout, step);
  if (routing !== undefined && step.kind === "move") await admitWaiting(context, step.rollout);
}
