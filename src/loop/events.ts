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
  for (const one of listening) await keep(context, one, { name, at, details });
  return listening;
}

/** The newest write of each list: another event must be added to what it left, not to what was there before. */
const writing = new WeakMap<LoopContext, Map<string, Promise<void>>>();

async function keep(context: LoopContext, model: string, event: JsonObject): Promise<void> {
  const key = eventsKey(model);
  const lines = writing.get(context) ?? new Map<string, Promise<void>>();
  writing.set(context, lines);
  const before = lines.get(key) ?? Promise.resolve();
  const own = before
    // Who wrote before was told of a failure itself.
    .catch(() => undefined)
    .then(async () => {
      const stored = await context.store.settings.get(key);
      const events = Array.isArray(stored) ? (stored as Json[]) : [];
      await context.store.settings.set(key, [...events, event].slice(-KEPT));
    });
  lines.set(key, own);
  await own;
}

function listensTo(spec: TriggerSpec, name: string): boolean {
  return leafSpecs(spec).some((leaf) => leaf.kind === "event" && leaf.name === name);
}
