/**
 * The fold of labels: reads events after its cursor, joins labels with the predictions they judge, and moves the counters of
 * realised performance by "join after" minus "join before", in one transaction with the cursor. Corrections, late labels and
 * labels that came before their prediction are the same case. A labelled observation that was never predicted is scored by the
 * champion here, before any run can train on it, so a team that only appends labelled rows has performance too.
 */
import type { ModelSpec } from "../config/spec.ts";
import type {
  CounterDelta,
  ExampleEvent,
  Instant,
  Json,
  LabelEvent,
  LogCursor,
  LoggedEvent,
  ObservationEvent,
  OutcomeEvent,
  PendingLabel,
  PredictionEvent,
} from "../core/index.ts";
import { HOUR_MS, uuidV7 } from "../core/index.ts";
import { type ExampleFacts, isKnown, type JoinedPrediction, joinExample } from "../feedback/label-join.ts";
import { addInPlace, performanceOf } from "../monitor/performance.ts";
import { FixedTotals } from "../stats/index.ts";
import { watchConcept } from "./concept-drift.ts";
import { askModel } from "../model/index.ts";
import { systemForecasts } from "./forecast.ts";
import { judgedInteractions } from "./recommend.ts";
import { experimentState, withExperiments } from "./rollouts/fold-state.ts";
import { ExperimentFold } from "./rollouts/fold.ts";
import { breathe, inTurn, LABEL_FOLD, type LoopContext, modelSpec } from "./context.ts";
import { type LabelFoldState, readFoldState } from "./fold-state.ts";
import { namedNotes, SliceSums, type VersionNotes } from "./version-notes.ts";

/** Events a fold takes at once: bounds its memory and the length of its transaction. */
const FOLD_BATCH = 5_000;
/** The same on a live clock, where requests wait while a batch is folded: some ten milliseconds of the event loop. */
const LIVE_FOLD_BATCH = 1_000;
/** Predictions counted in one turn of the event loop: some two milliseconds. */
const BREATH = 200;

/** Folds everything committed so far. @returns how many events were read. */
export async function absorb(context: LoopContext, model: string): Promise<number> {
  let total = 0;
  for (;;) {
    const { folded, more } = await inTurn(context, () => absorbBatch(context, model));
    total += folded;
    if (!more) return total;
  }
}

async function absorbBatch(context: LoopContext, model: string): Promise<{ folded: number; more: boolean }> {
  const limit = context.worldClock.kind === "virtual" ? FOLD_BATCH : LIVE_FOLD_BATCH;
  const before = await context.store.folds.read(model, LABEL_FOLD);
  const batch = await context.store.log.readAfter(model, before.cursor, { limit });
  if (batch.events.length === 0) return { folded: 0, more: false };
  const experiments = await ExperimentFold.open(context, model, experimentState(before.state));
  const change = await foldEvents(context, model, {
    events: batch.events,
    from: before.cursor,
    to: batch.cursor,
    state: before.state,
    experiments,
  });
  const knownThrough = batch.events.reduce((latest, event) => Math.max(latest, event.receivedAt), before.knownThrough);
  const first = await context.store.folds.commit(model, LABEL_FOLD, {
    expectedFoldSeq: before.foldSeq,
    cursor: batch.cursor,
    knownThrough,
    state: withExperiments(change.state as unknown as Json, experiments.state()),
    counters: change.counters,
    addPending: change.addPending,
    removePending: change.removePending,
  });
  // Another folder was first: read again from where it stopped.
  if (!first) return { folded: 0, more: true };
  return { folded: batch.events.length, more: batch.more || change.systemPredictions > 0 };
}

interface FoldInput {
  readonly events: readonly LoggedEvent[];
  readonly from: LogCursor;
  readonly to: LogCursor;
  /** What the fold before left: the detectors of concept drift. */
  readonly state: Json;
  readonly experiments: ExperimentFold;
}
interface FoldChange {
  readonly counters: CounterDelta[];
  readonly addPending: PendingLabel[];
  readonly removePending: string[];
  readonly systemPredictions: number;
  readonly state: LabelFoldState;
}

type Logged<E extends ExampleEvent> = LoggedEvent<E>;

async function foldEvents(context: LoopContext, model: string, input: FoldInput): Promise<FoldChange> {
  const sums = new CounterSums();
  const { schema } = modelSpec(context, model);
  const notes = rememberNotes(context, model);
  const predictions = input.events.filter((event): event is Logged<PredictionEvent> => event.kind === "prediction");
  const asked = predictions.filter(({ origin }) => origin !== "shadow");
  const answering = new Map<string, VersionNotes | undefined>();
  for (const { version } of asked) if (!answering.has(version)) answering.set(version, await notes(version));
  for (const [i, prediction] of asked.entries()) {
    if (i % BREATH === BREATH - 1) await breathe(context);
    sums.totals("predictions", prediction.version, prediction.at).count("n");
    const own = answering.get(prediction.version);
    if (own !== undefined) countExpectations(own, prediction, { schema, sums });
  }
  input.experiments.exposures(predictions, sums);
  await input.experiments.outcomes(
    input.events.filter((event): event is Logged<OutcomeEvent> => event.kind === "outcome"),
    sums,
  );
  const touched = await touchedExamples(context, model, input, predictions);
  const facts = await factsOf(context, model, [...touched.exampleIds], input);
  for (const known of facts.values()) {
    await countExample(known, { schema, sums, notes });
    await input.experiments.example(known, sums);
  }
  const unpredicted = [...facts].filter(([, known]) => known.all.predictions.length === 0);
  const systemPredictions = await scoreUnpredicted(context, model, unpredicted, input);
  const partnerless = unpredicted.flatMap(([exampleId, known]) =>
    known.all.labels.filter((label) => label.exampleId === exampleId && isNew(label, input)),
  );
  const state = await watchConcept(context, model, {
    before: readFoldState(input.state),
    facts: [...facts.values()].map((known) => known.all),
    from: input.from,
    to: input.to,
  });
  return {
    state,
    counters: sums.deltas(),
    addPending: [
      ...touched.orphans.map((label) => ({ key: `prediction:${label.predictionId}`, label })),
      ...partnerless
        .filter((label) => !touched.fromObservation.has(label.exampleId ?? ""))
        .map((label) => ({ key: `example:${label.exampleId}`, label })),
    ],
    removePending: [...touched.resolvedKeys],
    systemPredictions,
  };
}

const isNew = (label: LoggedEvent, input: FoldInput) => !isKnown(label, input.from) && isKnown(label, input.to);

interface Touched {
  readonly exampleIds: Set<string>;
  /** Labels by prediction id whose prediction has not arrived. */
  readonly orphans: Logged<LabelEvent>[];
  readonly resolvedKeys: Set<string>;
  /** Examples whose label came with the observation: they train, they do not wait for a prediction. */
  readonly fromObservation: Set<string>;
}

/** Which examples the new events say something about. */
async function touchedExamples(
  context: LoopContext,
  model: string,
  input: FoldInput,
  predictions: readonly Logged<PredictionEvent>[],
): Promise<Touched> {
  const touched: Touched = { exampleIds: new Set(), orphans: [], resolvedKeys: new Set(), fromObservation: new Set() };
  const byPrediction: Logged<LabelEvent>[] = [];
  // Before the first live version nothing was ever predicted: a history of labelled rows passes without a look-up a row.
  const isServed = (await context.store.registry.champion(model)) !== undefined;
  for (const event of input.events) {
    if (event.kind === "observation" && event.label !== undefined && isServed) {
      touched.exampleIds.add(event.exampleId);
      touched.fromObservation.add(event.exampleId);
    }
    if (event.kind !== "label") continue;
    if (event.exampleId !== undefined) touched.exampleIds.add(event.exampleId);
    else byPrediction.push(event);
  }
  if (byPrediction.length > 0) {
    const ids = byPrediction.map((label) => label.predictionId as string);
    const found = await context.store.log.findPredictions(model, { predictionIds: ids });
    const exampleOf = new Map(
      found.filter((one) => isKnown(one, input.to)).map((one) => [one.predictionId, one.exampleId]),
    );
    for (const label of byPrediction) {
      const exampleId = exampleOf.get(label.predictionId as string);
      if (exampleId === undefined) touched.orphans.push(label);
      else touched.exampleIds.add(exampleId);
    }
  }
  await touchPending(context, model, { ...input, predictions }, touched);
  return touched;
}

/** New predictions wake the labels that waited for them. */
async function touchPending(
  context: LoopContext,
  model: string,
  { predictions, experiments }: Pick<FoldInput, "experiments"> & { predictions: readonly Logged<PredictionEvent>[] },
  touched: Touched,
): Promise<void> {
  // A system prediction answers a labelled observation, whose label never waited in the pending table.
  for (const prediction of predictions)
    if (prediction.origin === "system" || experiments.isReplayed(prediction))
      touched.exampleIds.add(prediction.exampleId);
  if (predictions.length === 0 || !(await context.store.folds.hasPending(model))) return;
  const exampleOfKey = new Map<string, string>();
  for (const prediction of predictions) {
    exampleOfKey.set(`example:${prediction.exampleId}`, prediction.exampleId);
    exampleOfKey.set(`prediction:${prediction.predictionId}`, prediction.exampleId);
  }
  for (const pending of await context.store.folds.pendingLabels(model, [...exampleOfKey.keys()])) {
    touched.exampleIds.add(exampleOfKey.get(pending.key) as string);
    touched.resolvedKeys.add(pending.key);
  }
}

interface KnownFacts {
  /** Everything in the log, also beyond this fold. */
  readonly all: ExampleFacts;
  readonly before: ExampleFacts;
  readonly after: ExampleFacts;
}

async function factsOf(
  context: LoopContext,
  model: string,
  exampleIds: readonly string[],
  input: FoldInput,
): Promise<Map<string, KnownFacts>> {
  if (exampleIds.length === 0) return new Map();
  const { log } = context.store;
  const predictions = await log.findPredictions(model, { exampleIds });
  const predictionIds = predictions.map((prediction) => prediction.predictionId);
  const labels = await log.findLabels(model, { exampleIds, predictionIds });
  const exampleOf = new Map(predictions.map((prediction) => [prediction.predictionId, prediction.exampleId]));
  const grouped = new Map(
    exampleIds.map((id) => [id, { predictions: [] as Logged<PredictionEvent>[], labels: [] as Logged<LabelEvent>[] }]),
  );
  for (const prediction of predictions) grouped.get(prediction.exampleId)?.predictions.push(prediction);
  for (const label of labels)
    grouped.get(label.exampleId ?? exampleOf.get(label.predictionId as string) ?? "")?.labels.push(label);
  const until = (facts: ExampleFacts, cursor: LogCursor): ExampleFacts => ({
    predictions: facts.predictions.filter((one) => isKnown(one, cursor)),
    labels: facts.labels.filter((one) => isKnown(one, cursor)),
  });
  return new Map(
    [...grouped].map(([id, all]) => [id, { all, before: until(all, input.from), after: until(all, input.to) }]),
  );
}

type NotesOf = (version: string) => Promise<VersionNotes | undefined>;

/** One look-up a version and fold. */
function rememberNotes(context: LoopContext, model: string): NotesOf {
  const found = new Map<string, Promise<VersionNotes | undefined>>();
  return (version) => {
    const known = found.get(version) ?? namedNotes(context, model, version);
    found.set(version, known);
    return known;
  };
}

const classesOf = (schema: ModelSpec["schema"], prediction: PredictionEvent) =>
  schema.task === "binary" ? [false, true] : (prediction.classes ?? []);

/** What a prediction adds before its label: the performance to expect, and its place in the slices. */
function countExpectations(
  notes: VersionNotes,
  prediction: PredictionEvent,
  to: { readonly schema: ModelSpec["schema"]; readonly sums: CounterSums },
): void {
  const { version, at, features, scores, decision } = prediction;
  const classes = classesOf(to.schema, prediction);
  notes.addEstimate?.(to.sums.totals("estimates", version, at), { features, scores, decision, classes });
  if (notes.slices.length > 0)
    to.sums.slices(version, at).add(notes, features, { values: { predicted: 1n }, sign: 1n });
}

async function countExample(
  known: KnownFacts,
  to: { readonly schema: ModelSpec["schema"]; readonly sums: CounterSums; readonly notes: NotesOf },
): Promise<void> {
  const { task } = to.schema;
  const before = joinExample(known.before);
  const after = joinExample(known.after);
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const old = before.get(key);
    const now = after.get(key);
    if (old !== undefined && now !== undefined && old.prediction.seq === now.prediction.seq && old.label === now.label)
      continue;
    const { version } = ((now ?? old) as JoinedPrediction).prediction;
    const notes = await to.notes(version);
    for (const [joined, sign] of [
      [old, -1n],
      [now, 1n],
    ] as const) {
      if (joined === undefined) continue;
      const { prediction, label } = joined;
      const { scores, decision, at } = prediction;
      const values = performanceOf({ task, classes: classesOf(to.schema, prediction), scores, decision, label });
      to.sums.add("performance", version, at, values, sign);
      if (notes !== undefined && notes.slices.length > 0)
        to.sums.slices(version, at).add(notes, prediction.features, { values, sign });
    }
  }
}

/** The champion answers labelled examples nobody asked about. @returns how many predictions were appended. */
async function scoreUnpredicted(
  context: LoopContext,
  model: string,
  unpredicted: readonly (readonly [string, KnownFacts])[],
  input: FoldInput,
): Promise<number> {
  const champion = context.live.champion(model);
  const labelled = unpredicted.filter(([, known]) => known.after.labels.length > 0).map(([exampleId]) => exampleId);
  if (champion === undefined || labelled.length === 0) return 0;
  const inBatch = new Map(
    input.events
      .filter((event): event is Logged<ObservationEvent> => event.kind === "observation")
      .map((event) => [event.exampleId, event]),
  );
  const missing = labelled.filter((id) => !inBatch.has(id));
  const older = missing.length === 0 ? [] : await context.store.log.findObservations(model, { exampleIds: missing });
  for (const observation of older) inBatch.set(observation.exampleId, observation);
  const { forecaster, recommender } = champion.model;
  if (forecaster !== undefined || recommender !== undefined) {
    const fresh = labelled.flatMap((exampleId) => {
      const observation = inBatch.get(exampleId);
      return observation === undefined || observation.receivedAt < champion.trainedThrough ? [] : [observation];
    });
    const answer = recommender === undefined ? systemForecasts : judgedInteractions;
    const answers = await answer(context, modelSpec(context, model), champion, fresh);
    if (answers.length > 0) await context.store.log.append({ model, events: answers });
    return answers.length;
  }
  const events: PredictionEvent[] = [];
  const asked = labelled.flatMap((exampleId) => {
    const observation = inBatch.get(exampleId);
    // What was known before the champion existed trained it; scoring it now would flatter the champion.
    return observation === undefined || observation.receivedAt < champion.trainedThrough ? [] : [observation];
  });
  const answers = await askModel(
    champion.model,
    asked.map(({ features }) => features),
  );
  for (const [i, observation] of asked.entries()) {
    const answer = answers[i] as (typeof answers)[number];
    events.push({
      kind: "prediction",
      predictionId: uuidV7(context.worldClock.now()),
      exampleId: observation.exampleId,
      at: observation.at,
      ...(observation.unit === undefined ? {} : { unit: observation.unit }),
      version: champion.version,
      features: observation.features,
      scores: answer.scores,
      ...(champion.model.classes.length > 2 ? { classes: champion.model.classes } : {}),
      decision: answer.decision,
      origin: "system",
    });
  }
  if (events.length > 0) await context.store.log.append({ model, events });
  return events.length;
}

interface CounterSum {
  readonly counter: string;
  readonly version: string;
  readonly bucket: Instant;
  readonly values: Map<string, bigint>;
  /** What is only ever added. */
  readonly totals: FixedTotals;
}

/** Sums of one fold, by (counter, version, hour). */
class CounterSums {
  readonly #sums = new Map<string, CounterSum>();
  /** The sum each counter was last added to: rows of a fold are mostly of one version and hour. */
  readonly #last = new Map<string, CounterSum>();
  readonly #slices = new Map<string, { counter: string; version: string; bucket: Instant; sums: SliceSums }>();

  add(counter: string, version: string, at: Instant, values: Readonly<Record<string, bigint>>, sign: 1n | -1n): void {
    addInPlace(this.#sumOf(counter, version, at).values, values, sign);
  }

  /** Of the hour: for sums that every row adds to. */
  totals(counter: string, version: string, at: Instant): FixedTotals {
    return this.#sumOf(counter, version, at).totals;
  }

  #sumOf(counter: string, version: string, at: Instant): CounterSum {
    const bucket = Math.floor(at / HOUR_MS) * HOUR_MS;
    const last = this.#last.get(counter);
    if (last !== undefined && last.version === version && last.bucket === bucket) return last;
    const key = `${counter}\u001f${version}\u001f${bucket}`;
    const sum = this.#sums.get(key) ?? { counter, version, bucket, values: new Map(), totals: new FixedTotals() };
    this.#sums.set(key, sum);
    this.#last.set(counter, sum);
    return sum;
  }

  slices(version: string, at: Instant): SliceSums {
    const bucket = Math.floor(at / HOUR_MS) * HOUR_MS;
    const key = `${version}\u001f${bucket}`;
    let found = this.#slices.get(key);
    if (found === undefined) {
      found = { counter: "slices", version, bucket, sums: new SliceSums() };
      this.#slices.set(key, found);
    }
    return found.sums;
  }

  deltas(): CounterDelta[] {
    const sliced = [...this.#slices.values()].map(({ sums, ...rest }) => ({ ...rest, values: sums.counters() }));
    const whole = [...this.#sums.values()].map(({ values, totals, ...rest }) => {
      addInPlace(values, totals.values());
      return { ...rest, values: Object.fromEntries(values) };
    });
    return [...whole, ...sliced].filter(({ values }) => Object.keys(values).length > 0);
  }
}
