/**
 * What a tick looks at, and when the next one can matter. A tick is quiet when nothing arrived since the last and no timer is
 * due: schedules, intervals, guards that expire, and hours of predictions that enter or leave a window as they mature.
 */
import type { ModelSpec } from "../config/spec.ts";
import {
  type CounterDelta,
  type CounterValues,
  DAY_MS,
  DRIFT_MONITORS,
  type DriftSignal,
  HOUR_MS,
  type Instant,
  type Json,
  latestDriftSignal,
  type RunRecord,
  type VersionRecord,
} from "../core/index.ts";
import { type CalibrationUncertainty, estimateFromCounters, lastAlarm, metricFromCounters } from "../monitor/index.ts";
import { isMetricName, METRICS } from "../stats/index.ts";
import {
  type GuardState,
  leafSpecs,
  nextScheduledAt,
  type PerformanceEvidence,
  performanceKey,
  performanceNeeds,
  type TriggerState,
} from "../trigger/index.ts";
import { type ConceptWatch, conceptWatchOf } from "./concept-drift.ts";
import { LABEL_FOLD, type LoopContext } from "./context.ts";
import { nextSilenceAt } from "./silence.ts";
import { versionNotes } from "./version-notes.ts";
import { windowSum } from "./window-sum.ts";

export interface GatheredState extends TriggerState {
  readonly lastRun: RunRecord | undefined;
  /** When evidence changes by the passing of time alone. */
  readonly nextEvidenceAt: Instant;
  /** The champion's detector of concept drift. */
  readonly conceptWatch: ConceptWatch;
}

export async function isQuiet(context: LoopContext, spec: ModelSpec, at: Instant): Promise<boolean> {
  const { memory, dirty } = context.ticks;
  const last = memory.get(spec.name);
  if (last === undefined || dirty.has(spec.name) || at >= last.nextDueAt) return false;
  // Another process may have written; on a virtual clock there is no other.
  if (context.worldClock.kind === "virtual") return true;
  const { cursor } = await context.store.folds.read(spec.name, LABEL_FOLD);
  return !(await context.store.log.hasAfter(spec.name, cursor));
}

export interface TickOutcome {
  /** When a guard lets go of the trigger that fired, or a held candidate can be judged again; infinity when neither waits. */
  readonly nextDueAt: Instant;
  readonly since: TriggerState["since"];
}

/** Until then nothing can change but by what arrives. */
export function rememberTick(context: LoopContext, spec: ModelSpec, state: GatheredState, outcome: TickOutcome): void {
  const { now, lastRunAt, champion } = state;
  const { since } = outcome;
  const due = Math.min(
    nextScheduledAt(spec.retrain.when, now, { lastRunAt, champion, since }) ?? Number.POSITIVE_INFINITY,
    state.nextEvidenceAt,
    outcome.nextDueAt,
  );
  context.ticks.memory.set(spec.name, { at: now, nextDueAt: due > now ? due : now + 1 });
  context.ticks.dirty.delete(spec.name);
}

/**
 * What is written with a tick's decisions, for the next one.
 * @param isHeld a guard of the clock holds back what fired
 */
export function tickSettings(
  spec: ModelSpec,
  { now, lastEvaluatedAt }: GatheredState,
  { isHeld, since }: { readonly isHeld: boolean; readonly since: TriggerState["since"] },
): Readonly<Record<string, Json>> {
  // A schedule that a guard held back stays due: it is judged again from where it was.
  const evaluatedAt = isHeld ? (lastEvaluatedAt ?? now) : now;
  const stored: StoredTick = { evaluatedAt, since };
  return { [lastTickKey(spec.name)]: stored as unknown as Json };
}

/** What a tick leaves for the next one, over restarts. */
interface StoredTick {
  readonly evaluatedAt: Instant;
  readonly since: TriggerState["since"];
}

function readTick(stored: Json | undefined): StoredTick | undefined {
  if (typeof stored !== "object" || stored === null || Array.isArray(stored)) return undefined;
  return stored as unknown as StoredTick;
}

const lastTickKey = (model: string) => `tick:${model}`;
export const eventsKey = (model: string) => `events:${model}`;

export async function gatherTriggerState(context: LoopContext, spec: ModelSpec, now: Instant): Promise<GatheredState> {
  const { store } = context;
  const { name } = spec;
  const [lastRun, champion, lastTick, events] = await Promise.all([
    store.runs.last(name, { training: true }),
    store.registry.champion(name),
    store.settings.get(lastTickKey(name)),
    store.settings.get(eventsKey(name)),
  ]);
  const since = await store.log.counts(name, lastRun === undefined ? {} : { since: lastRun.asOf });
  const total = lastRun === undefined ? since : champion === undefined ? await store.log.counts(name, {}) : since;
  const conceptWatch = await conceptWatchOf(context, name, champion?.name);
  const tick = readTick(lastTick);
  const evidence = await gatherPerformance(context, spec, { now, champion });
  return {
    now,
    lastEvaluatedAt: tick?.evaluatedAt ?? null,
    since: tick?.since ?? {},
    lastRunAt: lastRun?.queuedAt ?? null,
    // A served model's rows arrive as predictions; one that is only fed rows has observations, each scored once by the system.
    rowsSince: since.events.observation > 0 ? since.events.observation : since.events.prediction,
    labelsSince: since.labelled,
    hasChampion: champion !== undefined,
    champion:
      champion === undefined
        ? null
        : {
            version: champion.name,
            promotedAt: champion.promotedAt ?? champion.createdAt,
            trainedThrough: champion.trainedThrough,
          },
    labelled: total.labelled,
    minRows: spec.data.minRows,
    events: waitingEvents(events, lastRun?.queuedAt ?? null),
    performance: evidence.performance,
    drift: await gatherDrift(context, spec),
    concept: summarizeConcept(conceptWatch),
    lastRun,
    conceptWatch,
    nextEvidenceAt: Math.min(evidence.nextChangeAt, await nextSilenceAt(context, spec)),
  };
}

/** The newest finding of each drift monitor, where some trigger asks for one. */
async function gatherDrift(context: LoopContext, spec: ModelSpec): Promise<ReadonlyMap<string, DriftSignal>> {
  const isAsked = leafSpecs(spec.retrain.when).some(
    (leaf) => leaf.kind === "dataDrift" || leaf.kind === "predictionDrift",
  );
  if (!isAsked) return new Map();
  const records = await context.store.settings.signals({ model: spec.name, limit: 100 });
  const found = new Map<string, DriftSignal>();
  for (const monitor of DRIFT_MONITORS) {
    const signal = latestDriftSignal(records, monitor);
    if (signal !== undefined) found.set(monitor, signal);
  }
  return found;
}

function summarizeConcept({ version, watch }: ConceptWatch): TriggerState["concept"] {
  if (version === null || watch === undefined) return null;
  const { metric, detector, threshold, origin } = watch.settings;
  return {
    version,
    metric,
    detector,
    threshold,
    thresholdFrom: origin,
    seen: watch.seen,
    alarm: lastAlarm(watch) ?? null,
  };
}

function waitingEvents(stored: Json | undefined, lastRunAt: Instant | null): { name: string; at: Instant }[] {
  if (!Array.isArray(stored)) return [];
  return (stored as unknown as { name: string; at: Instant }[]).filter(
    (event) => lastRunAt === null || event.at > lastRunAt,
  );
}

interface GatheredPerformance {
  readonly performance: ReadonlyMap<string, PerformanceEvidence>;
  readonly nextChangeAt: Instant;
}

async function gatherPerformance(
  context: LoopContext,
  spec: ModelSpec,
  at: { readonly now: Instant; readonly champion: VersionRecord | undefined },
): Promise<GatheredPerformance> {
  const { now, champion } = at;
  const performance = new Map<string, PerformanceEvidence>();
  const needs = performanceNeeds(spec.retrain.when);
  if (needs.length === 0) return { performance, nextChangeAt: Number.POSITIVE_INFINITY };
  let nextChangeAt = Number.POSITIVE_INFINITY;
  for (const need of needs) {
    const { estimated = false } = need;
    // An estimate waits for no label; whole hours, so that it changes at their ends alone.
    const delayMs = estimated ? 0 : spec.labelDelayMs;
    const to = Math.floor((now - delayMs) / HOUR_MS) * HOUR_MS;
    const from = to - Math.ceil(need.windowMs / HOUR_MS) * HOUR_MS;
    const version = champion?.name;
    const counter = estimated ? "estimates" : "performance";
    const range = { from, to };
    const { rows, sum } = await windowOf(context, spec, { version, counter, ...range });
    const notes = estimated && champion !== undefined ? await versionNotes(context, champion) : undefined;
    const uncertainty = notes?.uncertainty;
    const made = await windowOf(context, spec, { version, counter: "predictions", ...range });
    nextChangeAt = Math.min(nextChangeAt, nextWindowChange(rows, { now, to, windowMs: to - from, delayMs }));
    const estimate = estimated ? estimatedMetric(need.metric, sum, uncertainty) : metricFromCounters(need.metric, sum);
    performance.set(performanceKey(need.metric, need.windowMs, estimated), {
      version: version ?? null,
      value: estimate.value,
      rows: estimate.rows,
      ...(estimate.interval === undefined ? {} : { interval: estimate.interval }),
      reference: champion?.metrics[need.metric] ?? null,
      predictions: Number(made.sum.n ?? 0n),
      higherIsBetter: isMetricName(need.metric) ? METRICS[need.metric].higherIsBetter : true,
    });
  }
  return { performance, nextChangeAt };
}

/** Counters of a version over [from, to): what there is from there on, and the sum. */
async function windowOf(
  context: LoopContext,
  { name }: ModelSpec,
  query: {
    readonly version: string | undefined;
    readonly counter: string;
    readonly from: Instant;
    readonly to: Instant;
  },
): Promise<{ readonly rows: readonly CounterDelta[]; readonly sum: CounterValues }> {
  const { version, counter, from, to } = query;
  if (version === undefined) return { rows: [], sum: {} };
  const { rows } = await context.store.folds.counters({ model: name, counter, version, from });
  return { rows, sum: windowSum(context, `${name} ${counter} ${to - from}`, version).move(rows, from, to) };
}

/** One-sided 95 % normal quantile: the same certainty that is asked of realised values. */
const Z = 1.6448536269514722;

function estimatedMetric(metric: string, values: CounterValues, uncertainty: CalibrationUncertainty | undefined) {
  const { value, rows, deviation } = estimateFromCounters(metric, values, uncertainty);
  if (value === null || deviation === null) return { value, rows };
  return { value, rows, interval: [value - Z * deviation, value + Z * deviation] as const };
}

/** When the next hour of predictions matures into the window or falls out of it. */
function nextWindowChange(
  rows: readonly CounterDelta[],
  window: { readonly now: Instant; readonly to: Instant; readonly windowMs: number; readonly delayMs: number },
): Instant {
  let next = Number.POSITIVE_INFINITY;
  for (const { bucket } of rows) {
    const enters = bucket + HOUR_MS + window.delayMs;
    const leaves = enters + window.windowMs;
    if (enters > window.now) next = Math.min(next, enters);
    else if (leaves > window.now) next = Math.min(next, leaves);
  }
  return next;
}

export async function gatherGuardState(
  context: LoopContext,
  spec: ModelSpec,
  state: GatheredState,
): Promise<GuardState> {
  const { runs } = context.store;
  const { now } = state;
  const [active, runsLastDay, recent] = await Promise.all([
    runs.active(spec.name),
    runs.countSince(spec.name, now - DAY_MS),
    runs.list({ model: spec.name, limit: 20 }),
  ]);
  const { cooldownMs, maxPerDay, stopAfterRejections } = spec.retrain;
  return {
    now,
    cooldownMs,
    maxPerDay,
    stopAfterRejections,
    activeRun: active?.id ?? null,
    lastRunAt: state.lastRunAt,
    ...(state.lastRun === undefined ? {} : { lastRunTrigger: state.lastRun.cause.trigger }),
    runsLastDay,
    recent: recent
      .filter((run) => run.endedAt !== undefined)
      .map((run) => ({
        state: run.state,
        endedAt: run.endedAt as Instant,
        queuedAt: run.queuedAt,
        trigger: run.cause.trigger,
      })),
    ...(spec.retrain.quietHours === undefined ? {} : { quietHours: spec.retrain.quietHours }),
    rowsSince: state.rowsSince,
    labelsSince: state.labelsSince,
  };
}
