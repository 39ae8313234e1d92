/** How a version that passed its gate starts to go live: at once, in stages, or after the rollout that is under way. */
import {
  type EvaluationReport,
  fail,
  type NewDecision,
  type PairedDifference,
  RetrainError,
  type RolloutRecord,
  type Routing,
  sha256Hex,
  type StageSpec,
  stopPoint,
  uuidV7,
  metricWord,
} from "../../core/index.ts";
import { end, firstPhase, planOf, promote } from "../../deploy/advance.ts";
import { stageName } from "../../deploy/verdict.ts";
import type { LoopContext } from "../context.ts";
import { modelSpec } from "../context.ts";
import { makeChampion, requireVersion } from "../promote.ts";
import { applyStep, saveChange } from "./apply.ts";

export interface Candidate {
  readonly model: string;
  readonly version: string;
  readonly runId: string;
  readonly attempt: number;
  /** Whom its gate judged it by; undefined where nothing was live. */
  readonly judgedBy: string | undefined;
  /** Candidate against the challenger of an open rollout, on the same held-out rows. */
  readonly againstChallenger?: EvaluationReport;
}
export interface Begun {
  /**
   * live: champion now; staged: its rollout began; waiting: another rollout is open; known: it had begun before a restart;
   * overtaken: nothing began, because another version became champion after the gate.
   */
  readonly how: "live" | "staged" | "waiting" | "known" | "overtaken";
  readonly routing: Routing;
  readonly text: string;
}

/** Idempotent by run: a resumed step finds what it began. */
export async function beginRollout(context: LoopContext, candidate: Candidate): Promise<Begun> {
  try {
    return await begin(context, candidate);
  } catch (error) {
    // Somebody changed the champion, or began a rollout, between the look and the transaction.
    if (!(error instanceof RetrainError) || !CONFLICTS.has(error.code)) throw error;
    return begin(context, candidate);
  }
}
const CONFLICTS: ReadonlySet<string> = new Set(["PROMOTION_CONFLICT", "ROLLOUT_CONFLICT"]);

async function begin(context: LoopContext, candidate: Candidate): Promise<Begun> {
  const { store } = context;
  const { model, version, runId } = candidate;
  const known = (await store.rollouts.list({ model, limit: 20 })).find((one) => one.runId === runId);
  if (known !== undefined) return report(context, model, "known", `${version}: rollout ${known.state}`);
  const champion = await store.registry.champion(model);
  if (champion?.name !== version && champion?.name !== candidate.judgedBy) {
    return overtaken(context, candidate, champion?.name ?? "no version");
  }
  // With nobody to compare with, or nothing changed, there is nothing to stage.
  if (champion === undefined || champion.name === version) return goLive(context, candidate);
  const open = await endWatch(context, model);
  if (open !== undefined) {
    const decided = await contest(context, open, candidate);
    if (decided === "wait")
      return report(context, model, "waiting", `${version} waits for rollout ${open.id.slice(0, 8)}`);
  }
  return startStages(context, {
    model,
    version,
    champion: champion.name,
    runId,
    stages: modelSpec(context, model).rollout,
  });
}

/** A gate says nothing about a champion it did not see: a promotion by hand, or by a rollout, came between. */
async function overtaken(context: LoopContext, candidate: Candidate, champion: string): Promise<Begun> {
  const { model, version, runId, judgedBy } = candidate;
  const text = `${version} was gated against ${judgedBy ?? "no champion"}, but ${champion} is champion now.`;
  await context.store.decisions.record({
    model,
    kind: "rollout",
    subject: "candidate after its gate",
    outcome: "no",
    rule: "A candidate goes live only against the champion its gate judged it by.",
    inputs: { gatedAgainst: judgedBy ?? null, champion },
    reason: text,
    version,
    runId,
    at: context.worldClock.now(),
  });
  return report(context, model, "overtaken", text);
}

async function goLive(context: LoopContext, candidate: Candidate): Promise<Begun> {
  const { model, version, runId, attempt } = candidate;
  const { routing } = await makeChampion(context, {
    model,
    version,
    expectedChampion: null,
    reason: "Its run passed the gate.",
    actor: "retrain",
    action: "promotion",
    runId,
    attempt,
  });
  return { how: "live", routing, text: `${version} live, routing ${routing.number}` };
}

async function report(context: LoopContext, model: string, how: Begun["how"], text: string): Promise<Begun> {
  return { how, routing: await context.store.registry.routing(model), text };
}

/** A watch of the last promotion makes room; an open rollout is returned. */
export async function endWatch(
  context: LoopContext,
  model: string,
  why = "the next candidate is here",
): Promise<RolloutRecord | undefined> {
  const active = await context.store.rollouts.active(model);
  if (active === undefined || active.state !== "watching") return active;
  const reason = `The watch of ${active.challenger} ends early: ${why}.`;
  const at = context.worldClock.now();
  await applyStep(
    context,
    active,
    end(active, { state: "promoted", at, outcome: "cannot-tell", reason, action: "finish" }),
  );
  return undefined;
}

export async function startStages(
  context: LoopContext,
  start: {
    readonly model: string;
    readonly version: string;
    readonly champion: string;
    readonly runId?: string;
    readonly stages: readonly StageSpec[];
    readonly actor?: string;
  },
): Promise<Begun> {
  const { model, version, champion, runId, stages } = start;
  const at = context.worldClock.now();
  const id = uuidV7(at);
  const phase = firstPhase(stages, at);
  const record: RolloutRecord = {
    id,
    model,
    champion,
    challenger: version,
    ...(runId === undefined ? {} : { runId }),
    state: "open",
    // From what the rollout is, not from chance: a replayed history assigns as it did the first time.
    salt: sha256Hex(`${model}/${version}/${champion}/${at}`).slice(0, 16),
    stages,
    phases: phase === null ? [] : [phase],
    verdict: phase === null ? `${version} goes live.` : `${stageName(phase)} begins.`,
    createdAt: at,
    revision: 0,
  };
  // In memory before anything is routed to it.
  await context.live.load(await requireVersion(context, model, version));
  stopPoint("rollout.loaded");
  if (phase === null) {
    const step = promote(record, at, "Its run passed the gate.");
    const routing = await applyStep(context, record, step, start.actor ?? "retrain");
    if (routing === undefined) throw conflict(model);
    return { how: "live", routing, text: `${version} live, routing ${routing.number}` };
  }
  const routing = await saveChange(context, {
    rollout: { ...record, revision: 1 },
    routing: { champion, challenger: version, plan: planOf(record), urgent: false },
    actor: start.actor ?? "retrain",
    action: "start",
    reason: `The rollout of ${version} against ${champion} begins: ${stageName(phase)}.`,
    at,
    details: { rollout: id, stages: stages.map((stage) => stage.kind) },
  });
  if (routing === undefined) throw conflict(model);
  return { how: "staged", routing, text: `${version} in ${phase.kind}, routing ${routing.number}` };
}

const conflict = (model: string) =>
  fail("ROLLOUT_CONFLICT", {
    message: `Another process moved the rollout of model ${model} at the same moment.`,
    remedy: "Look at its state and try again.",
    retryable: true,
  });

/** A new candidate beside an open rollout: it takes the challenger's place only if it is shown to be better; else it waits. */
async function contest(context: LoopContext, open: RolloutRecord, candidate: Candidate): Promise<"replace" | "wait"> {
  const at = context.worldClock.now();
  const metric = (open.stages[0] as StageSpec).metric;
  const difference = candidate.againstChallenger?.differences.find((one) => one.metric === metric);
  const isBetter = difference !== undefined && isImprovement(difference);
  const found = difference === undefined ? "it could not be compared" : showDifference(difference);
  const decision: NewDecision = {
    model: open.model,
    kind: "rollout",
    subject: "candidate during a rollout",
    outcome: isBetter ? "yes" : difference === undefined ? "cannot-tell" : "no",
    rule: "A new candidate replaces the challenger only if it is better on the same held-out rows; otherwise it waits, and a newer one takes its place.",
    inputs: {
      rollout: open.id,
      challenger: open.challenger,
      difference: difference?.difference ?? null,
      interval: difference === undefined ? null : [...difference.interval],
    },
    reason: isBetter
      ? `${candidate.version} is better than challenger ${open.challenger} (${found}) and takes its place.`
      : `${candidate.version} is not shown to be better than challenger ${open.challenger} (${found}): it waits.`,
    version: candidate.version,
    runId: candidate.runId,
    at,
  };
  await context.store.decisions.record(decision);
  if (isBetter) {
    const reason = `${candidate.version} took its place.`;
    await applyStep(context, open, end(open, { state: "superseded", at, outcome: "no", reason, action: "finish" }));
    return "replace";
  }
  const waiting = { version: candidate.version, runId: candidate.runId, at };
  await saveChange(context, {
    rollout: { ...open, waiting, revision: open.revision + 1 },
    actor: "retrain",
    action: "wait",
    reason: `${candidate.version} waits for the rollout of ${open.challenger} to end.`,
    at,
  });
  return "wait";
}

const LOWER_IS_BETTER = new Set(["logLoss", "brier", "mae", "rmse", "ece"]);
const isImprovement = ({ metric, interval }: PairedDifference) =>
  LOWER_IS_BETTER.has(metric) ? interval[1] < 0 : interval[0] > 0;
const showDifference = ({ metric, difference, interval }: PairedDifference) =>
  `${metricWord(metric)} ${difference >= 0 ? "+" : ""}${difference.toPrecision(3)}, interval ${interval[0].toPrecision(3)} to ${interval[1].toPrecision(3)}`;
