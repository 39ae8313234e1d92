/** Which labelled examples the log speaks of, and what is known of one when its label matures. */
import type {
  Features,
  Instant,
  LabelEvent,
  LabelValue,
  LogCursor,
  LoggedEvent,
  PredictionEvent,
} from "../../core/index.ts";
import { effectiveLabel } from "../../data/effective-label.ts";
import { isKnown } from "../../feedback/label-join.ts";
import type { LoopContext } from "../context.ts";
import type { OnlineFold, WaitingExample } from "../../train/index.ts";

interface Heard {
  readonly seq: bigint;
  readonly maturesFrom: Instant;
  /** Event time, where the event itself says it. */
  readonly at?: Instant;
}

/**
 * Lets the fold wait for the examples that page of the log labels for the first time. Corrections of learned examples are left to
 * full trainings: what was learned cannot be taken back. So are labels that came before their row.
 * @returns how many wait now that did not before
 */
export async function noticeLabels(
  context: LoopContext,
  model: string,
  fold: OnlineFold,
  page: { readonly events: readonly LoggedEvent[]; readonly from: LogCursor; readonly labelDelayMs: number },
): Promise<number> {
  const heard = await heardIn(context, model, fold, page.events);
  if (heard.size === 0) return 0;
  let noticed = 0;
  const ids = [...heard.keys()];
  const { predictions, labels } = await factsOf(context, model, ids);
  const missing = ids.filter((id) => heard.get(id)?.at === undefined && !predictions.has(id));
  const observations =
    missing.length === 0 ? [] : await context.store.log.findObservations(model, { exampleIds: missing });
  const observedAt = new Map(observations.map((one) => [one.exampleId, one.at]));
  const { trainTo } = fold.basis.artifact.manifest.dataset;
  for (const [exampleId, { seq, maturesFrom, at: own }] of heard) {
    if (labels.get(exampleId)?.some((label) => isKnown(label, page.from))) continue;
    const at = own ?? predictions.get(exampleId)?.[0]?.at ?? observedAt.get(exampleId);
    if (at === undefined) {
      fold.skip();
      continue;
    }
    if (trainTo !== null && at <= trainTo) continue;
    const maturesAt = Math.max(at + page.labelDelayMs, maturesFrom);
    fold.wait({ exampleId, at, maturesAt, seq: seq.toString() });
    noticed++;
  }
  return noticed;
}

/** Examples the page labels, by the first event that does. */
async function heardIn(
  context: LoopContext,
  model: string,
  fold: OnlineFold,
  events: readonly LoggedEvent[],
): Promise<Map<string, Heard>> {
  const byPrediction = events.flatMap((event) =>
    event.kind === "label" && event.exampleId === undefined ? [event.predictionId as string] : [],
  );
  const named =
    byPrediction.length === 0 ? [] : await context.store.log.findPredictions(model, { predictionIds: byPrediction });
  const exampleOf = new Map(named.map((one) => [one.predictionId, one.exampleId]));
  const heard = new Map<string, Heard>();
  for (const event of events) {
    fold.watermark = Math.max(fold.watermark, event.receivedAt);
    if (event.kind === "observation" && event.label !== undefined) {
      if (!heard.has(event.exampleId))
        heard.set(event.exampleId, { seq: event.seq, maturesFrom: fold.watermark, at: event.at });
    } else if (event.kind === "label") {
      const id = event.exampleId ?? exampleOf.get(event.predictionId as string);
      if (id !== undefined && !heard.has(id)) heard.set(id, { seq: event.seq, maturesFrom: fold.watermark });
    }
  }
  return heard;
}

interface Facts {
  readonly predictions: ReadonlyMap<string, readonly LoggedEvent<PredictionEvent>[]>;
  readonly labels: ReadonlyMap<string, readonly LoggedEvent<LabelEvent>[]>;
}

async function factsOf(context: LoopContext, model: string, exampleIds: readonly string[]): Promise<Facts> {
  const { log } = context.store;
  const found = await log.findPredictions(model, { exampleIds });
  const exampleOf = new Map(found.map((one) => [one.predictionId, one.exampleId]));
  const said = await log.findLabels(model, { exampleIds, predictionIds: [...exampleOf.keys()] });
  return {
    predictions: grouped(found, (one) => one.exampleId),
    labels: grouped(said, (one) => one.exampleId ?? exampleOf.get(one.predictionId as string) ?? ""),
  };
}

function grouped<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}

export interface LabelledExample {
  readonly exampleId: string;
  readonly at: Instant;
  readonly features: Features;
  readonly label: LabelValue;
}

/**
 * What is known of the examples at the instant each matures, in their order: the features of the last answer before the first label,
 * else of the newest row; the effective label. Undefined for one without either, or whose label was taken back or is selective.
 */
export async function examplesAtMaturity(
  context: LoopContext,
  model: string,
  waiting: readonly WaitingExample[],
): Promise<(LabelledExample | undefined)[]> {
  const ids = waiting.map(({ exampleId }) => exampleId);
  const { predictions, labels } = await factsOf(context, model, ids);
  const newest = await context.store.log.findObservations(model, { exampleIds: ids });
  const observed = new Map(newest.map((one) => [one.exampleId, one]));
  return await Promise.all(
    waiting.map(async ({ exampleId, at, maturesAt }) => {
      const known = (labels.get(exampleId) ?? []).filter(({ receivedAt }) => receivedAt <= maturesAt);
      const label = effectiveLabel(known);
      if (label === undefined || label.selective === true) return undefined;
      const firstAt = Math.min(...known.map(({ receivedAt }) => receivedAt));
      const answered = (predictions.get(exampleId) ?? []).filter(
        ({ origin, receivedAt }) => origin !== "shadow" && origin !== "system" && receivedAt <= firstAt,
      );
      const last = answered.reduce<LoggedEvent<PredictionEvent> | undefined>(
        (latest, one) => (latest === undefined || one.seq > latest.seq ? one : latest),
        undefined,
      );
      let row = observed.get(exampleId);
      if (last === undefined && row !== undefined && row.receivedAt > maturesAt)
        [row] = await context.store.log.findObservations(model, { exampleIds: [exampleId], asOf: maturesAt });
      const features = last?.features ?? row?.features;
      return features === undefined ? undefined : { exampleId, at, features, label: label.value };
    }),
  );
}
