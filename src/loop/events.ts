/** Named events from outside that a policy may retrain on: kept until a run has followed them. */
import type { Instant, Json, JsonObject } from "../core/index.ts";
import { leafSpecs, type TriggerSpec } from "../trigger/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import { eventsKey } from "./tick-state.ts";

/** Events kept per model: a burst of a thousand is one reason to retrain. */
const KEPT = 20;

/** @returns the models whose policy listens to the event (all of them, or the one named). */
export async function raiseEvent(
  context: LoopContext,
  name: string,
  model: string | undefined,
  details: JsonObject,
): Promise<readonly string[]> {
  const specs = model === undefined ? context.spec.models : [modelSpec(context, model)];
  const listening = specs.filter((spec) => listensTo(spec.retrain.when, name)).map((spec) => spec.name);
  const at: Instant = context.worldClock.now();
  for (const one of listening) {
    const stored = await context.store.settings.get(eventsKey(one));
    const events = Array.isArray(stored) ? (stored as Json[]) : [];
    await context.store.settings.set(eventsKey(one), [...events, { name, at, details }].slice(-KEPT));
  }
  return listening;
}

function listensTo(spec: TriggerSpec, name: string): boolean {
  return leafSpecs(spec).some((leaf) => leaf.kind === "event" && leaf.name === name);
}
