/**
 * Replay-shadow: the challenger answers logged requests of the last days at once, invisibly. Their labels may be known already;
 * the fold leaves out those that may have trained the challenger. One that fails on them is as faulty as one that fails live.
 */
import {
  formatDuration,
  type Instant,
  plural,
  type PredictionEvent,
  type RolloutPhase,
  type RolloutRecord,
  stopPoint,
  uuidV7,
} from "../../core/index.ts";
import { askChallenger } from "../../deploy/answer.ts";
import { Breaker } from "../../deploy/breaker.ts";
import { failureGuardrail } from "../../deploy/guardrails.ts";
import type { LoopContext } from "../context.ts";
import { requireVersion } from "../promote.ts";
import { saveChange } from "./apply.ts";
import { shadowEvent } from "./routed.ts";

/** Enough for any interval to be as tight as it gets in practice; 20,000 rows are a second of work. */
const REPLAY_ROWS = 20_000;
const PAGE = 1_000;
/** Of how long ago requests are looked at where the stage does not say. */
const REPLAY_MS = 7 * 86_400_000;
/** Rows a turn of the event loop: requests go on in between. */
const TURN = 64;

export interface ReplayResult {
  /** Why the challenger must not go on: it failed on logged requests. */
  readonly harm?: string;
}

/**
 * A stage that asks for a replay gets it as soon as it is entered; one that was cut off is taken up again.
 * @returns undefined where nothing was due
 */
export async function replayDue(context: LoopContext, rollout: RolloutRecord): Promise<ReplayResult | undefined> {
  const phase = rollout.phases.at(-1);
  if (phase === undefined || rollout.state !== "open" || phase.replayed !== undefined) return undefined;
  if (phase.replaySince !== undefined) return finishReplay(context, rollout);
  const stage = rollout.stages[phase.stage];
  if (stage?.kind !== "shadow" || stage.replayMs === 0) return undefined;
  const reason = `Logged requests of the last ${formatDuration(stage.replayMs)} are answered at once.`;
  return beginReplay(context, rollout, reason);
}

/** Says that it begins before it does: answers found after a crash then still belong to a replay. */
export async function beginReplay(context: LoopContext, rollout: RolloutRecord, reason: string): Promise<ReplayResult> {
  const phase = rollout.phases.at(-1);
  const stage = phase && rollout.stages[phase.stage];
  if (phase === undefined || stage === undefined) return {};
  const length = stage.kind === "shadow" && stage.replayMs > 0 ? stage.replayMs : REPLAY_MS;
  const begun = {
    ...rollout,
    phases: [...rollout.phases.slice(0, -1), { ...phase, replaySince: context.worldClock.now() - length }],
    verdict: reason,
    revision: rollout.revision + 1,
  };
  return (await context.store.rollouts.progress(begun)) ? finishReplay(context, begun) : {};
}

async function finishReplay(context: LoopContext, rollout: RolloutRecord): Promise<ReplayResult> {
  stopPoint("rollout.replaying");
  const { answered: replayed, harm } = await replayShadow(context, rollout);
  stopPoint("rollout.replayed");
  if (harm !== undefined) return { harm };
  const phase = { ...(rollout.phases.at(-1) as RolloutPhase), replayed, replayedAt: context.worldClock.now() };
  await saveChange(context, {
    rollout: { ...rollout, phases: [...rollout.phases.slice(0, -1), phase], revision: rollout.revision + 1 },
    actor: "retrain",
    action: "replay",
    reason: `${rollout.verdict} ${plural(replayed, "request was", "requests were")} answered by ${rollout.challenger}.`,
    at: context.worldClock.now(),
    details: { rollout: rollout.id, replayed },
  });
  return {};
}

/** Requests the challenger answered already in this phase are left out. It ends where the challenger is shown to be faulty. */
async function replayShadow(
  context: LoopContext,
  rollout: RolloutRecord,
): Promise<{ readonly answered: number; readonly harm?: string }> {
  const { model, challenger } = rollout;
  const phase = rollout.phases.at(-1) as RolloutPhase;
  const since = phase.replaySince as Instant;
  const live = await context.live.load(await requireVersion(context, model, challenger));
  const breaker = new Breaker(rollout.id, rollout.phases.length - 1);
  const done = new Set<string>();
  let failed = 0;
  let before: string | undefined;
  for (;;) {
    const page = await context.store.log.recent(model, {
      kind: "prediction",
      limit: PAGE,
      ...(before === undefined ? {} : { before }),
    });
    // Newest first: an answer is always met before its request.
    const requests = page.filter((one): one is typeof one & PredictionEvent => {
      if (one.kind !== "prediction") return false;
      if (one.origin === "shadow" && one.version === challenger && one.receivedAt >= phase.enteredAt)
        done.add(one.exampleId);
      return one.origin === "live" && one.receivedAt >= since && !done.has(one.exampleId);
    });
    const events: PredictionEvent[] = [];
    for (const [i, request] of requests.entries()) {
      if (breaker.tripped !== undefined) break;
      if (i % TURN === TURN - 1) await new Promise((resolve) => setImmediate(resolve));
      if (done.has(request.exampleId)) continue;
      done.add(request.exampleId);
      const { row, bad, micros } = await askChallenger(live.model, request.features, context.systemClock);
      breaker.record(bad, micros);
      if (row === undefined) {
        failed++;
        continue;
      }
      const predictionId = uuidV7(context.worldClock.now());
      events.push(shadowEvent(request, { version: challenger, row, classes: live.model.classes, predictionId }));
    }
    if (events.length > 0) await context.store.log.append({ model, events });
    if (breaker.tripped !== undefined) break;
    const last = page.at(-1);
    if (page.length < PAGE || last === undefined || last.receivedAt < since || done.size >= REPLAY_ROWS) break;
    before = `${last.transactionId}-${last.seq}`;
  }
  const failures = failureGuardrail(failed, done.size);
  const harm = breaker.tripped ?? (failures.harm === "yes" ? failures.reason : undefined);
  return { answered: done.size - failed, ...(harm === undefined ? {} : { harm }) };
}
