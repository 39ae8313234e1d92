/**
 * Replay-shadow: the challenger answers logged requests of the last days at once, invisibly. Their labels may be known already;
 * the fold leaves out those that may have trained the challenger.
 */
import { type PredictionEvent, type RolloutRecord, type StageSpec, uuidV7 } from "../../core/index.ts";
import { askChallenger } from "../../deploy/answer.ts";
import type { LoopContext } from "../context.ts";
import { requireVersion } from "../promote.ts";
import { shadowEvent } from "./routed.ts";

/** Enough for any interval to be as tight as it gets in practice; 20,000 rows are a second of work. */
const REPLAY_ROWS = 20_000;
const PAGE = 1_000;
/** Of how long ago requests are looked at where the stage does not say. */
const REPLAY_MS = 7 * 86_400_000;
/** Rows a turn of the event loop: requests go on in between. */
const TURN = 64;

/** @returns how many logged requests were answered */
export async function replayShadow(context: LoopContext, rollout: RolloutRecord): Promise<number> {
  const { model, challenger } = rollout;
  const phase = rollout.phases.at(-1);
  const stage = rollout.stages[phase?.stage ?? 0] as StageSpec;
  const since = context.worldClock.now() - (stage.kind === "shadow" && stage.replayMs > 0 ? stage.replayMs : REPLAY_MS);
  const live = await context.live.load(await requireVersion(context, model, challenger));
  const done = new Set<string>();
  let before: string | undefined;
  for (;;) {
    const page = await context.store.log.recent(model, {
      kind: "prediction",
      limit: PAGE,
      ...(before === undefined ? {} : { before }),
    });
    const requests = page.filter(
      (one): one is typeof one & PredictionEvent =>
        one.kind === "prediction" && one.origin === "live" && one.receivedAt >= since && !done.has(one.exampleId),
    );
    const events: PredictionEvent[] = [];
    for (const [i, request] of requests.entries()) {
      if (i % TURN === TURN - 1) await new Promise((resolve) => setImmediate(resolve));
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
