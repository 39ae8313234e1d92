/**
 * Replay-shadow: the challenger answers logged requests of the last days at once, invisibly. Their labels may be known already;
 * the fold leaves out those that may have trained the challenger.
 */
import {
  formatDuration,
  type Instant,
  type PredictionEvent,
  type RolloutPhase,
  type RolloutRecord,
  stopPoint,
  uuidV7,
} from "../../core/index.ts";
import { askChallenger } from "../../deploy/answer.ts";
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

/**
 * A stage that asks for a replay gets it as soon as it is entered; one that was cut off is taken up again.
 * @returns whether something was done
 */
export async function replayDue(context: LoopContext, rollout: RolloutRecord): Promise<boolean> {
  const phase = rollout.phases.at(-1);
  if (phase === undefined || rollout.state !== "open" || phase.replayed !== undefined) return false;
  if (phase.replaySince !== undefined) {
    await finishReplay(context, rollout);
    return true;
  }
  const stage = rollout.stages[phase.stage];
  if (stage?.kind !== "shadow" || stage.replayMs === 0) return false;
  await beginReplay(
    context,
    rollout,
    `Logged requests of the last ${formatDuration(stage.replayMs)} are answered at once.`,
  );
  return true;
}

/** Says that it begins before it does: answers found after a crash then still belong to a replay. */
export async function beginReplay(context: LoopContext, rollout: RolloutRecord, reason: string): Promise<void> {
  const phase = rollout.phases.at(-1);
  const stage = phase && rollout.stages[phase.stage];
  if (phase === undefined || stage === undefined) return;
  const length = stage.kind === "shadow" && stage.replayMs > 0 ? stage.replayMs : REPLAY_MS;
  const begun = {
    ...rollout,
    phases: [...rollout.phases.slice(0, -1), { ...phase, replaySince: context.worldClock.now() - length }],
    verdict: reason,
    revision: rollout.revision + 1,
  };
  if (await context.store.rollouts.progress(begun)) await finishReplay(context, begun);
}

async function finishReplay(context: LoopContext, rollout: RolloutRecord): Promise<void> {
  stopPoint("rollout.replaying");
  const replayed = await replayShadow(context, rollout);
  stopPoint("rollout.replayed");
  await saveChange(context, {
    rollout: {
      ...rollout,
      phases: [...rollout.phases.slice(0, -1), { ...(rollout.phases.at(-1) as RolloutPhase), replayed }],
      revision: rollout.revision + 1,
    },
    actor: "retrain",
    action: "replay",
    reason: `${rollout.verdict} ${replayed} requests were answered by ${rollout.challenger}.`,
    at: context.worldClock.now(),
    details: { rollout: rollout.id, replayed },
  });
}

/** Requests the challenger answered already in this phase are left out. @returns how many logged requests were answered */
async function replayShadow(context: LoopContext, rollout: RolloutRecord): Promise<number> {
  const { model, challenger } = rollout;
  const phase = rollout.phases.at(-1) as RolloutPhase;
  const since = phase.replaySince as Instant;
  const live = await context.live.load(await requireVersion(context, model, challenger));
  const done = new Set<string>();
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
      if (i % TURN === TURN - 1) await new Promise((resolve) => setImmediate(resolve));
      if (done.has(request.exampleId)) continue;
      done.add(request.exampleId);
      const { row } = await askChallenger(live.model, request.features, context.systemClock);
      if (row === undefined) continue;
      const predictionId = uuidV7(context.worldClock.now());
      events.push(shadowEvent(request, { version: challenger, row, classes: live.model.classes, predictionId }));
    }
    if (events.length > 0) await context.store.log.append({ model, events });
    const last = page.at(-1);
    if (page.length < PAGE || last === undefined || last.receivedAt < since || done.size >= REPLAY_ROWS) break;
    before = `${last.transactionId}-${last.seq}`;
  }
  return done.size;
}
