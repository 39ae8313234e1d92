/**
 * Silence as an answer: with `label: f.boolean({ ifMissingAfter: { "30d": false } })` an example that nobody labelled in thirty
 * days gets that value, as a label of the weakest source, so that a real answer that comes still later takes its place.
 *
 * Examples are taken in the order the log received them, behind a cursor of its own that stops at the first one that is not old
 * enough. A batch of labels is appended under a key made of the cursor before it, so a crash between the two repeats nothing.
 */
import type { ModelSpec } from "../config/spec.ts";
import type { Instant, Json, LabelEvent, LogCursor, LoggedEvent } from "../core/index.ts";
import { LOG_START } from "../core/index.ts";
import type { LoopContext } from "./context.ts";

/** Examples looked up at a time. */
const BATCH = 2_000;

interface SilenceState {
  readonly cursor: LogCursor;
  /** When the next example is old enough; null while the log holds none. */
  readonly dueAt: Instant | null;
}

const keyOf = (model: string) => `silence:${model}`;

/** When silence may next become a label; never for a model without the rule. */
export async function nextSilenceAt(context: LoopContext, spec: ModelSpec): Promise<Instant> {
  if (spec.schema.label.ifMissingAfter === undefined) return Number.POSITIVE_INFINITY;
  return (await readState(context, spec.name)).dueAt ?? Number.POSITIVE_INFINITY;
}

/** Labels every example that has been silent long enough as of `at`. @returns how many labels were written. */
export async function labelSilence(context: LoopContext, spec: ModelSpec, at: Instant): Promise<number> {
  const rule = spec.schema.label.ifMissingAfter;
  if (rule === undefined) return 0;
  const { log, settings } = context.store;
  const model = spec.name;
  const state = await readState(context, model);
  if (state.dueAt !== null && at < state.dueAt) return 0;
  let { cursor } = state;
  let written = 0;
  for (;;) {
    const batch = await log.readAfter(model, cursor, { limit: BATCH, kinds: ["prediction", "observation"] });
    const young = batch.events.findIndex((event) => knownSince(event) + rule.afterMs > at);
    const old = young === -1 ? batch.events : batch.events.slice(0, young);
    const events = await silentOf(context, model, { old, at, value: rule.value });
    if (events.length > 0) {
      const key = `silence:${model}:${cursor.transactionId}:${cursor.seq}`;
      const response: Json = { labelled: events.length };
      await log.append({ model, events, idempotency: { key, hash: key, response } });
      written += events.length;
    }
    const last = old.at(-1);
    const next = young === -1 ? undefined : batch.events[young];
    cursor = last === undefined ? cursor : { transactionId: last.transactionId, seq: last.seq };
    if (young === -1 && !batch.more) cursor = batch.cursor;
    const dueAt = next === undefined ? null : knownSince(next) + rule.afterMs;
    await settings.set(keyOf(model), encodeState({ cursor, dueAt }));
    if (next !== undefined || !batch.more) return written;
  }
}

/** An imported example was asked about when the history says so, not when the file was read. */
const knownSince = (event: LoggedEvent): Instant => Math.max(event.at, event.receivedAt);

async function silentOf(
  context: LoopContext,
  model: string,
  { old, at, value }: { old: readonly LoggedEvent[]; at: Instant; value: LabelEvent["value"] },
): Promise<LabelEvent[]> {
  const asked = new Map<string, Instant>();
  const byPrediction = new Map<string, string>();
  for (const event of old) {
    const { exampleId } = event;
    if (exampleId === undefined) continue;
    if (event.kind === "observation" && event.label !== undefined) continue;
    if (event.kind === "prediction") {
      // What the champion scored by itself came with its label; what a shadow answered, nobody was told.
      if (event.origin !== "live") continue;
      byPrediction.set(event.predictionId, exampleId);
    }
    asked.set(exampleId, event.at);
  }
  if (asked.size === 0) return [];
  const keys = { exampleIds: [...asked.keys()], predictionIds: [...byPrediction.keys()] };
  for (const label of await context.store.log.findLabels(model, keys)) {
    const exampleId = label.exampleId ?? byPrediction.get(label.predictionId ?? "");
    if (exampleId !== undefined) asked.delete(exampleId);
  }
  return [...asked.keys()].map((exampleId) => ({
    kind: "label",
    exampleId,
    at,
    value,
    labelSource: "rule",
    comment: "no answer came in time",
  }));
}

async function readState(context: LoopContext, model: string): Promise<SilenceState> {
  const stored = await context.store.settings.get(keyOf(model));
  if (stored === undefined) return { cursor: LOG_START, dueAt: 0 };
  const { transactionId, seq, dueAt } = stored as { transactionId: string; seq: string; dueAt: Instant | null };
  return { cursor: { transactionId: BigInt(transactionId), seq: BigInt(seq) }, dueAt };
}

function encodeState({ cursor, dueAt }: SilenceState): Json {
  return { transactionId: String(cursor.transactionId), seq: String(cursor.seq), dueAt };
}
