/**
 * From answers to labels: each settled answer is a label event of the source `expert`. It is written beside the annotation first
 * and leaves for the log right after; one that a crash caught in between leaves with the next tick, once, by its key.
 */
import { type LabelingEffect, sha256Hex, canonicalJson, stopPoint } from "../../core/index.ts";
import { effectiveLabel } from "../../data/effective-label.ts";
import type { LoopContext } from "../context.ts";

const EFFECTS_AT_ONCE = 200;
/** Open tasks whose labels are looked up at once. */
const SWEEP = 1_000;

/** @returns how many labels reached the log */
export async function flushEffects(context: LoopContext): Promise<number> {
  const { labeling } = context.store;
  let written = 0;
  for (;;) {
    const effects = await labeling.effects(EFFECTS_AT_ONCE);
    if (effects.length === 0) return written;
    stopPoint("labeling.answered");
    for (const wave of wavesOf(effects)) await Promise.all(wave.map((effect) => appendEffect(context, effect)));
    stopPoint("labeling.appended");
    await labeling.finishEffects(effects.map(({ id }) => id));
    for (const { model } of effects) context.ticks.dirty.add(model);
    written += effects.length;
    if (effects.length < EFFECTS_AT_ONCE) return written;
  }
}

/** Side by side, but in order per example: a label and its retraction must not change places. */
function wavesOf(effects: readonly LabelingEffect[]): readonly LabelingEffect[][] {
  const waves: LabelingEffect[][] = [];
  const next = new Map<string, number>();
  for (const effect of effects) {
    const { model, event } = effect;
    const key = `${model} ${event.labelSource} ${event.exampleId ?? event.predictionId}`;
    const wave = next.get(key) ?? 0;
    next.set(key, wave + 1);
    const own = waves[wave];
    if (own === undefined) waves.push([effect]);
    else own.push(effect);
  }
  return waves;
}

async function appendEffect(context: LoopContext, { id, model, event }: LabelingEffect): Promise<void> {
  const idempotency = { key: `labeling:${id}`, hash: sha256Hex(canonicalJson(event)), response: null };
  await context.store.log.append({ model, events: [event], idempotency });
}

/** Closes tasks whose truth arrived from elsewhere: nobody's time is worth a label that is there. */
export async function closeAnsweredElsewhere(context: LoopContext, model: string): Promise<number> {
  const { store } = context;
  const origins = ["strategy", "random", "audit"] as const;
  const lists = [];
  for (const state of ["open", "adjudicate"] as const) {
    lists.push(await store.labeling.tasks({ model, state, origins, limit: SWEEP }));
  }
  const waiting = lists.flat();
  if (waiting.length === 0) return 0;
  const key = `labeling-swept:${model}`;
  const now = context.worldClock.now();
  const last = await store.settings.get(key);
  // A virtual clock stands still between two answers: what arrived at the very instant of the last look counts too.
  const since = typeof last === "number" ? last - 1 : undefined;
  if ((await store.log.counts(model, since === undefined ? {} : { since })).labelled === 0) return 0;
  const labels = await store.log.findLabels(model, {
    exampleIds: waiting.map((task) => task.exampleId),
    predictionIds: waiting.flatMap((task) => task.predictionId ?? []),
  });
  const settled = waiting.filter((task) => {
    const own = labels.filter(
      (one) => one.exampleId === task.exampleId || (one.predictionId ?? "-") === task.predictionId,
    );
    const label = effectiveLabel(own);
    return label?.labelSource === "system" || label?.labelSource === "expert";
  });
  if (settled.length > 0) {
    await store.labeling.close(
      settled.map(({ id }) => id),
      { state: "discarded", closedBy: "elsewhere", at: now },
    );
  }
  await store.settings.set(key, now);
  return settled.length;
}
