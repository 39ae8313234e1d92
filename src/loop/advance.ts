/**
 * Replay: moves the virtual clock tick by tick. Ticks at which nothing can have changed are jumped over; a run lasts no virtual
 * time, so the clock waits for the runs a tick queued.
 */
import { fail, type Instant, type VirtualWorldClock } from "../core/index.ts";
import type { LoopContext } from "./context.ts";
import { nextDueAt } from "./tick-notes.ts";
import type { TickResult } from "./tick.ts";

export async function advance(
  context: LoopContext,
  to: Instant,
  tickModel: (model: string, at: Instant) => Promise<TickResult>,
): Promise<{ readonly now: Instant; readonly ticks: number; readonly runs: readonly string[] }> {
  const clock = requireVirtual(context);
  const every = context.spec.server.tickEveryMs;
  const runs: string[] = [];
  let ticks = 0;
  for (;;) {
    const models = context.spec.models.map((model) => model.name);
    const due = Math.min(...models.map((model) => nextDueAt(context.ticks, model)));
    const next = alignUp(Math.max(clock.now() + 1, due), every);
    if (next > to) break;
    clock.advanceTo(next);
    for (const model of models) {
      const result = await tickModel(model, next);
      if (!result.skipped) ticks++;
      if (result.runId === undefined) continue;
      runs.push(result.runId);
      await context.engine.wait(result.runId);
    }
  }
  if (to > clock.now()) clock.advanceTo(to);
  context.emit("tick", null, { now: clock.now(), ticks });
  return { now: clock.now(), ticks, runs };
}

const alignUp = (at: Instant, every: number) => Math.ceil(at / every) * every;

function requireVirtual(context: LoopContext): VirtualWorldClock {
  const { worldClock } = context;
  if (worldClock.kind === "virtual") return worldClock as VirtualWorldClock;
  throw fail("REPLAY_ONLY", {
    message: "Only a server in replay mode can be advanced.",
    remedy: "Start it with `retrain demo`.",
  });
}
