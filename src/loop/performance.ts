/**
 * Realised performance over time, per version, from the folded counters; and the same recomputed from the log, which answers
 * as-of questions that a fold straddles and is what the tests compare the counters with.
 */
import { primaryMetricOf, watchedMetricOf } from "../config/index.ts";
import type { ModelSpec } from "../config/spec.ts";
import {
  type CounterDelta,
  DAY_MS,
  HOUR_MS,
  type Instant,
  type LabelEvent,
  LOG_START,
  type LogCursor,
  type LoggedEvent,
  type Marker,
  type PredictionEvent,
  type VersionRecord,
} from "../core/index.ts";
import { joinExample } from "../feedback/label-join.ts";
import { gateMetrics } from "../evaluate/index.ts";
import { addInPlace, metricFromCounters, performanceOf } from "../monitor/performance.ts";
import { isMetricName, METRICS } from "../stats/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import { readEvaluation } from "./evaluation.ts";
import type { PerformancePoint, PerformanceSeries } from "./contract.ts";
import { estimateSummary, uncertaintyOf, withEstimates } from "./estimates.ts";

/** Points of a chart: more cannot be seen, and the browser never gets raw rows. */
const MAX_POINTS = 400;

export interface PerformanceQuery {
  readonly model: string;
  readonly metric?: string;
  readonly from?: Instant;
  readonly to?: Instant;
  readonly bucketMs?: number;
  readonly version?: string;
  /** Only what was known at this instant. */
  readonly asOf?: Instant;
}

export async function performanceSeries(context: LoopContext, query: PerformanceQuery): Promise<PerformanceSeries> {
  const spec = modelSpec(context, query.model);
  const metric = query.metric ?? primaryMetric(spec);
  const now = query.asOf ?? context.worldClock.now();
  const [performance, predictions, estimates] = await Promise.all([
    readCounters(context, query, "performance"),
    readCounters(context, query, "predictions"),
    readCounters(context, query, "estimates"),
  ]);
  const bucketMs = query.bucketMs ?? chooseBucket([...performance, ...predictions]);
  const matureUntil = now - spec.labelDelayMs;
  const realised = seriesPoints({ metric, bucketMs, matureUntil, performance, predictions });
  const uncertainty = await uncertaintyOf(context, query.model, estimates);
  const points = withEstimates(metric, { bucketMs, points: realised, rows: estimates, uncertainty });
  return {
    model: query.model,
    metric,
    higherIsBetter: isMetricName(metric) ? METRICS[metric].higherIsBetter : true,
    points,
    estimate: estimateSummary(spec, metric, points),
    reference: await referenceBand(context, query.model, metric),
    markers: await markers(context, query),
  };
}

/** The metric a model is judged by where nobody names one: that of its first gate. */
export function primaryMetric(spec: ModelSpec): string {
  // Metrics per user need a user's whole future; live slates are judged by single interactions.
  if (spec.schema.recommend !== undefined) return watchedMetricOf(spec.schema.task);
  const gated = spec.gates.find((gate) => gate.kind === "noWorseThanChampion");
  return gated?.metric ?? gateMetrics(spec.gates)[0] ?? primaryMetricOf(spec.schema.task);
}

async function readCounters(
  context: LoopContext,
  query: PerformanceQuery,
  counter: string,
): Promise<readonly CounterDelta[]> {
  const { model, version, from, to, asOf } = query;
  const found = await context.store.folds.counters({
    model,
    counter,
    ...(version === undefined ? {} : { version }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(asOf === undefined ? {} : { asOf }),
  });
  if (found.exact || asOf === undefined) return found.rows;
  const rows = await recomputeCounters(context, model, asOf);
  return rows.filter(
    (row) =>
      row.counter === counter &&
      (version === undefined || row.version === version) &&
      (from === undefined || row.bucket >= from) &&
      (to === undefined || row.bucket < to),
  );
}

function chooseBucket(rows: readonly CounterDelta[]): number {
  const times = rows.map((row) => row.bucket);
  if (times.length === 0) return DAY_MS;
  const span = times.reduce((a, b) => Math.max(a, b)) - times.reduce((a, b) => Math.min(a, b)) + HOUR_MS;
  for (const size of [HOUR_MS, 6 * HOUR_MS, DAY_MS, 7 * DAY_MS, 28 * DAY_MS])
    if (span / size <= MAX_POINTS / 4) return size;
  return Math.ceil(span / MAX_POINTS / DAY_MS) * DAY_MS;
}

function seriesPoints(input: {
  readonly metric: string;
  readonly bucketMs: number;
  readonly matureUntil: Instant;
  readonly performance: readonly CounterDelta[];
  readonly predictions: readonly CounterDelta[];
}): PerformancePoint[] {
  const { bucketMs } = input;
  const cells = new Map<string, { from: Instant; version: string; predictions: number; values: Map<string, bigint> }>();
  const cell = (row: CounterDelta) => {
    const from = Math.floor(row.bucket / bucketMs) * bucketMs;
    const key = `${from} ${row.version}`;
    const found = cells.get(key) ?? { from, version: row.version, predictions: 0, values: new Map<string, bigint>() };
    cells.set(key, found);
    return found;
  };
  for (const row of input.performance) addInPlace(cell(row).values, row.values);
  for (const row of input.predictions) cell(row).predictions += Number(row.values.n ?? 0n);
  return [...cells.values()]
    .map(({ from, version, predictions, values }) => {
      const estimate = metricFromCounters(input.metric, Object.fromEntries(values));
      const to = from + bucketMs;
      return {
        from,
        to,
        version,
        predictions,
        labelled: estimate.rows,
        value: estimate.value,
        ...(estimate.interval === undefined ? {} : { interval: estimate.interval }),
        mature: to <= input.matureUntil,
      };
    })
    .sort((a, b) => a.from - b.from || (a.version < b.version ? -1 : 1));
}

/** Summed counters of one version over [from, to), for triggers. */
export async function windowCounters(
  context: LoopContext,
  query: { model: string; version: string; from: Instant; to: Instant },
) {
  const found = await context.store.folds.counters({ ...query, counter: "performance" });
  const sum = new Map<string, bigint>();
  for (const row of found.rows) addInPlace(sum, row.values);
  return Object.fromEntries(sum);
}

async function referenceBand(
  context: LoopContext,
  model: string,
  metric: string,
): Promise<PerformanceSeries["reference"]> {
  const champion = await context.store.registry.champion(model);
  const value = champion?.metrics[metric];
  if (champion === undefined || value === undefined || value === null) return null;
  const [low, high] = await referenceInterval(context, champion, metric, value);
  return { value, low, high, version: champion.name };
}

async function referenceInterval(
  context: LoopContext,
  champion: VersionRecord,
  metric: string,
  value: number,
): Promise<readonly [number, number]> {
  const report = await readEvaluation(context, champion.runId);
  return report?.candidateIntervals[metric] ?? [value, value];
}

async function markers(context: LoopContext, query: PerformanceQuery): Promise<Marker[]> {
  const inRange = (at: Instant) =>
    (query.from === undefined || at >= query.from) && (query.to === undefined || at < query.to);
  const decisions = await context.store.decisions.list({ model: query.model, kind: "promotion", limit: 200 });
  const found: Marker[] = decisions.map((decision) => ({
    at: decision.firstAt,
    kind: decision.subject === "rollback" ? "rollback" : "promotion",
    label: decision.reason,
    ...(decision.version === undefined ? {} : { version: decision.version }),
    ...(decision.runId === undefined ? {} : { runId: decision.runId }),
  }));
  const runs = await context.store.runs.list({ model: query.model, states: ["held", "rejected"], limit: 200 });
  for (const run of runs) {
    const kind = run.state === "held" ? "held" : "rejected";
    found.push({ at: run.endedAt ?? run.queuedAt, kind, label: run.gate?.reason ?? run.state, runId: run.id });
  }
  return found.filter((marker) => inRange(marker.at)).sort((a, b) => a.at - b.at);
}

/** Everything the counters hold, recomputed from the log as of an instant. Cost: one read of the whole log of the model. */
export async function recomputeCounters(context: LoopContext, model: string, asOf: Instant): Promise<CounterDelta[]> {
  const { schema } = modelSpec(context, model);
  const predictions = new Map<string, LoggedEvent<PredictionEvent>[]>();
  const labels = new Map<string, LoggedEvent<LabelEvent>[]>();
  const exampleOf = new Map<string, string>();
  const byPrediction: LoggedEvent<LabelEvent>[] = [];
  for await (const event of readAll(context, model)) {
    if (event.receivedAt > asOf) continue;
    if (event.kind === "prediction" && event.origin !== "shadow") {
      push(predictions, event.exampleId, event);
      exampleOf.set(event.predictionId, event.exampleId);
    } else if (event.kind === "label") {
      if (event.exampleId === undefined) byPrediction.push(event);
      else push(labels, event.exampleId, event);
    } else if (event.kind === "observation" && event.label !== undefined) {
      const { transactionId, seq, receivedAt, at, exampleId, label } = event;
      push(labels, exampleId, {
        kind: "label",
        labelSource: "system",
        value: label,
        exampleId,
        at,
        transactionId,
        seq,
        receivedAt,
      });
    }
  }
  for (const label of byPrediction) {
    const exampleId = exampleOf.get(label.predictionId as string);
    if (exampleId !== undefined) push(labels, exampleId, label);
  }
  const sums = new Map<string, { counter: string; version: string; bucket: Instant; values: Map<string, bigint> }>();
  const add = (counter: string, version: string, at: Instant, values: Readonly<Record<string, bigint>>) => {
    const bucket = Math.floor(at / HOUR_MS) * HOUR_MS;
    const key = `${counter} ${version} ${bucket}`;
    const sum = sums.get(key) ?? { counter, version, bucket, values: new Map<string, bigint>() };
    sums.set(key, sum);
    addInPlace(sum.values, values);
  };
  for (const [exampleId, own] of predictions) {
    for (const prediction of own) add("predictions", prediction.version, prediction.at, { n: 1n });
    for (const { prediction, label } of joinExample({
      predictions: own,
      labels: labels.get(exampleId) ?? [],
    }).values()) {
      const classes = schema.task === "binary" ? [false, true] : (prediction.classes ?? []);
      add(
        "performance",
        prediction.version,
        prediction.at,
        performanceOf({ task: schema.task, classes, scores: prediction.scores, decision: prediction.decision, label }),
      );
    }
  }
  return [...sums.values()].map((sum) => ({ ...sum, values: Object.fromEntries(sum.values) }));
}

async function* readAll(context: LoopContext, model: string): AsyncGenerator<LoggedEvent> {
  let cursor: LogCursor = LOG_START;
  for (;;) {
    const page = await context.store.log.readAfter(model, cursor, { limit: 5_000 });
    yield* page.events;
    if (!page.more) return;
    cursor = page.cursor;
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
