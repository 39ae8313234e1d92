/** What moved, how much it matters, where it hurts most, since when, with rows to look at: for an alarm, or for a person who asks. */
import {
  DAY_MS,
  type DriftSignal,
  HOUR_MS,
  type Instant,
  type LabelEvent,
  type LoggedEvent,
  metricWord,
  plural,
  type PredictionEvent,
  readDriftSignal,
  type SignalRecord,
  type Task,
  type VersionRecord,
} from "../core/index.ts";
import { isNumeric } from "../data/index.ts";
import type { ModelSpec } from "../config/spec.ts";
import { joinExample } from "../feedback/label-join.ts";
import {
  BLIND_SPOTS,
  type DetectorWatch,
  estimateFromCounters,
  featureMoves,
  lastAlarm,
  lossOf,
  metricFromCounters,
} from "../monitor/index.ts";
import { LABEL_FOLD, type LoopContext, modelSpec } from "./context.ts";
import { sumBuckets } from "./estimates.ts";
import { readFoldState } from "./fold-state.ts";
import type { Diagnosis, DiagnosisRow, DiagnosisSlice } from "./monitor-contract.ts";
import { slicePerformance } from "./slices.ts";
import { versionNotes } from "./version-notes.ts";

/** Newest predictions looked at: shares are then right within two percent. */
const SAMPLE = 2_000;
const WINDOW_MS = 30 * DAY_MS;
/** Fewer labels in a slice say nothing. */
const MIN_SLICE_LABELS = 30;
const SHOWN_ROWS = 5;
const SHOWN_SLICES = 5;

export async function diagnose(context: LoopContext, model: string): Promise<Diagnosis> {
  const spec = modelSpec(context, model);
  const now = context.worldClock.now();
  const champion = await context.store.registry.champion(model);
  const notes = champion === undefined ? undefined : await versionNotes(context, champion);
  const { featureMetric, features: remembered } = notes?.calibration ?? {};
  const metric =
    featureMetric === undefined || featureMetric === "hitShare"
      ? isNumeric(spec.schema.task)
        ? "mae"
        : "logLoss"
      : featureMetric;
  const base = { model, at: now, version: champion?.name ?? null, metric: featureMetric ?? metric };
  if (champion === undefined || remembered === undefined || spec.schema.recommend !== undefined) {
    return {
      ...base,
      sentences: [whyNothing(spec, champion)],
      since: null,
      loss: NOTHING,
      features: [],
      slices: [],
      rows: [],
      sampledRows: 0,
    };
  }
  const predictions = await newestPredictions(context, model, champion.name);
  const features = featureMoves(
    remembered,
    predictions.map((one) => one.features),
  );
  const since = await sinceWhen(context, model, champion);
  const enough = await newestLabels(context, model, champion.name);
  const from = Math.max(Math.min(since?.at ?? enough, enough), champion.promotedAt ?? 0, now - WINDOW_MS);
  const loss = await losses(context, {
    model,
    version: champion.name,
    metric,
    from,
    remembered: remembered[0]?.cells ?? [],
  });
  const slices = await worstSlices(context, { model, metric, from });
  const rows = await sampleRows(context, { model, task: spec.schema.task, metric, predictions });
  const found = { ...base, since, loss, features, slices, rows, sampledRows: predictions.length };
  return { ...found, sentences: inWords(found) };
}

function whyNothing(spec: ModelSpec, champion: VersionRecord | undefined): string {
  if (champion === undefined) return "There is no live version to diagnose.";
  return spec.schema.recommend === undefined
    ? `${champion.name} was made before versions kept what a diagnosis needs; the next one will have it.`
    : "A recommender has no columns to diagnose by; performance shows the share of interactions that its slates foresaw.";
}

const NOTHING = { holdout: null, realised: null, labelled: 0, estimated: null, explained: 0, unexplained: null };

async function newestPredictions(context: LoopContext, model: string, version: string) {
  const found: LoggedEvent<PredictionEvent>[] = [];
  let before: string | undefined;
  // A page may hold another version's predictions; after four pages of them this version has hardly been asked.
  for (let page = 0; page < 4 && found.length < SAMPLE; page++) {
    const events = await context.store.log.recent(model, {
      kind: "prediction",
      limit: SAMPLE,
      ...(before === undefined ? {} : { before }),
    });
    for (const event of events) {
      if (event.kind === "prediction" && event.version === version && event.origin !== "shadow") found.push(event);
    }
    const last = events.at(-1);
    if (events.length < SAMPLE || last === undefined) break;
    before = `${last.transactionId}-${last.seq}`;
  }
  return found.slice(0, SAMPLE);
}

/** Labels the present is told from: the standard error of a mean loss is then about a tenth of its deviation. */
const ENOUGH_LABELS = 100;

/** The hour from which the newest labelled predictions are enough; an alarm rings before its own labels are. */
async function newestLabels(context: LoopContext, model: string, version: string): Promise<Instant> {
  const { rows } = await context.store.folds.counters({ model, version, counter: "performance" });
  let labels = 0;
  for (const row of [...rows].sort((left, right) => right.bucket - left.bucket)) {
    labels += Number(row.values.n ?? 0n);
    if (labels >= ENOUGH_LABELS) return row.bucket;
  }
  return 0;
}

/** The first sign: the detector's alarm, or the monitor of data drift. */
async function sinceWhen(context: LoopContext, model: string, champion: VersionRecord): Promise<Diagnosis["since"]> {
  const { state } = await context.store.folds.read(model, LABEL_FOLD);
  const watch: DetectorWatch | undefined = readFoldState(state).concept[champion.name];
  const alarm = watch === undefined ? undefined : lastAlarm(watch);
  const drift = firstOfDrift(await context.store.settings.signals({ model, limit: 100 }), champion.name);
  const known: { readonly at: Instant; readonly by: string }[] = [];
  if (watch !== undefined && alarm !== undefined)
    known.push({ at: alarm.at, by: `concept drift P(y|x), ${watch.settings.detector} on ${watch.settings.metric}` });
  if (drift !== undefined) known.push({ at: drift.from, by: "data drift P(x)" });
  return known.sort((left, right) => left.at - right.at)[0] ?? null;
}

/** The first window of the drift that lasts, among records that come newest first; windows that cannot tell neither begin nor end one. */
function firstOfDrift(records: readonly SignalRecord[], version: string): DriftSignal | undefined {
  let first: DriftSignal | undefined;
  for (const record of records) {
    const signal = record.monitor === "data-drift" ? readDriftSignal(record) : undefined;
    if (signal === undefined) continue;
    if (signal.version !== version || signal.verdict === "no-drift") break;
    if (signal.verdict === "drift") first = signal;
  }
  return first;
}

async function losses(
  context: LoopContext,
  query: {
    readonly model: string;
    readonly version: string;
    readonly metric: string;
    readonly from: Instant;
    readonly remembered: readonly { readonly share: number; readonly meanLoss: number | null }[];
  },
): Promise<Diagnosis["loss"]> {
  const { model, version, metric, remembered } = query;
  const from = Math.floor(query.from / HOUR_MS) * HOUR_MS;
  const read = async (counter: string) =>
    sumBuckets(
      (await context.store.folds.counters({ model, version, counter, from })).rows,
      from,
      Number.MAX_SAFE_INTEGER,
    );
  const realised = metricFromCounters(metric, await read("performance"));
  const estimated = estimateFromCounters(metric, await read("estimates"));
  const holdout = remembered.reduce((sum, cell) => sum + cell.share * (cell.meanLoss ?? 0), 0);
  // What the version expects of the rows there are now, beyond its holdout: the part that lies in where the rows are.
  const explained = estimated.value === null ? 0 : estimated.value - holdout;
  return {
    holdout,
    realised: realised.value,
    labelled: realised.rows,
    estimated: estimated.value,
    explained,
    unexplained: realised.value === null ? null : realised.value - holdout - explained,
  };
}

async function worstSlices(
  context: LoopContext,
  query: { readonly model: string; readonly metric: string; readonly from: Instant },
): Promise<readonly DiagnosisSlice[]> {
  const { rows } = await slicePerformance(context, query);
  return rows
    .flatMap((row): DiagnosisSlice[] => {
      if (row.value === null || row.holdout === null || row.labelled < MIN_SLICE_LABELS) return [];
      const { slice, labelled, predictions, value, holdout, interval } = row;
      return [
        {
          slice,
          labelled,
          predictions,
          value,
          holdout,
          excess: value - holdout,
          sure: (interval?.[0] ?? value) - holdout,
        },
      ];
    })
    .sort((left, right) => right.sure - left.sure)
    .slice(0, SHOWN_SLICES);
}

async function sampleRows(
  context: LoopContext,
  query: {
    readonly model: string;
    readonly task: Task;
    readonly metric: "accuracy" | "logLoss" | "brier" | "mae" | "rmse";
    readonly predictions: readonly LoggedEvent<PredictionEvent>[];
  },
): Promise<readonly DiagnosisRow[]> {
  const { model, task, metric, predictions } = query;
  if (predictions.length === 0) return [];
  const labels = await context.store.log.findLabels(model, {
    exampleIds: predictions.map((one) => one.exampleId),
    predictionIds: predictions.map((one) => one.predictionId),
  });
  const byKey = new Map<string, LoggedEvent<LabelEvent>[]>();
  for (const label of labels) {
    const key = label.exampleId === undefined ? `p ${label.predictionId}` : `e ${label.exampleId}`;
    byKey.set(key, [...(byKey.get(key) ?? []), label]);
  }
  return predictions
    .flatMap((prediction): DiagnosisRow[] => {
      const own = [
        ...(byKey.get(`e ${prediction.exampleId}`) ?? []),
        ...(byKey.get(`p ${prediction.predictionId}`) ?? []),
      ];
      const joined =
        own.length === 0 ? undefined : joinExample({ predictions: [prediction], labels: own }).get(prediction.version);
      if (joined === undefined) return [];
      const { scores, decision, exampleId, at, features } = prediction;
      const classes = task === "binary" ? [false, true] : (prediction.classes ?? []);
      const { label } = joined;
      return [
        { exampleId, at, features, decision, label, loss: lossOf(metric, { task, classes, scores, decision, label }) },
      ];
    })
    .sort((left, right) => right.loss - left.loss || (left.exampleId < right.exampleId ? -1 : 1))
    .slice(0, SHOWN_ROWS);
}

const short = (value: number) => Number(value.toPrecision(3)).toString();
const signed = (value: number) => `${value >= 0 ? "+" : "−"}${short(Math.abs(value))}`;
const percent = (share: number) => `${Math.round(share * 100)} %`;

function inWords(found: Omit<Diagnosis, "sentences">): readonly string[] {
  const { version, metric, since, loss, features, slices } = found;
  const moved = features.filter((one) => one.moved);
  const sentences: string[] = [];
  if (loss.realised !== null && loss.holdout !== null && loss.unexplained !== null) {
    const growth = loss.realised - loss.holdout;
    sentences.push(
      `The loss (${metricWord(metric)}) of ${version} is ${short(loss.realised)} over ${plural(loss.labelled, "label")}; on its holdout it was ${short(loss.holdout)} (${signed(growth)}).`,
    );
    if (growth > 0.05 * loss.holdout)
      sentences.push(
        loss.unexplained > growth / 2
          ? `Where the rows are now explains ${signed(loss.explained)} of it; the rest, ${signed(loss.unexplained)}, is how they are answered: concept drift P(y|x).`
          : `Where the rows are now explains ${signed(loss.explained)} of it: data drift P(x) rather than concept drift.`,
      );
  } else {
    sentences.push(`No label of ${version}'s predictions has arrived since; only what moved can be told.`);
  }
  if (since !== null) sentences.push(`First sign: ${since.by}, ${new Date(since.at).toISOString()}.`);
  if (found.sampledRows === 0) sentences.push(`${version} has not been asked yet: there are no rows to compare.`);
  else if (moved.length === 0)
    sentences.push(
      `None of the ${plural(features.length, "feature")} moved beyond noise over ${plural(found.sampledRows, "prediction")}.`,
    );
  for (const one of moved.slice(0, 3)) {
    const [cell] = one.cells;
    const example =
      cell === undefined ? "" : `: ${cell.cell} went from ${percent(cell.before)} to ${percent(cell.now)} of the rows`;
    const unseen = cell !== undefined && cell.loss === null ? ", where the version was never measured" : "";
    sentences.push(
      `${one.feature} moved (distance ${short(one.distance)}, ${percent(one.importance)} of the model rests on it)${example}${unseen}; by itself that changes the loss by ${signed(one.effect)}.`,
    );
  }
  const [worst] = slices;
  if (worst !== undefined && worst.sure > 0)
    sentences.push(
      `Hit hardest: ${worst.slice}, ${short(worst.value)} over ${plural(worst.labelled, "label")} against ${short(worst.holdout)} on the holdout.`,
    );
  if (loss.realised === null) sentences.push(BLIND_SPOTS[0]);
  return sentences;
}
