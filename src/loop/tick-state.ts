/**
 * What a tick looks at, and when the next one can matter. A tick is quiet when nothing arrived since the last and no timer is
 * due: schedules, intervals, guards that expire, and hours of predictions that enter or leave a window as they mature.
 */
import type { ModelSpec } from "../config/spec.ts";
import {
  type CounterDelta,
  DAY_MS,
  HOUR_MS,
  type Instant,
  type Json,
  type RunRecord,
  type VersionRecord,
} from "../core/index.ts";
import { addInPlace, metricFromCounters } from "../monitor/performance.ts";
import { isMetricName, METRICS } from "../stats/index.ts";
import {
  BREAKER_HALF_OPEN_MS,
  type GuardState,
  nextScheduledAt,
  type PerformanceEvidence,
  performanceKey,
  performanceNeeds,
  type TriggerState,
} from "../trigger/index.ts";
import { type ConceptEvidence, conceptEvidence } from "./concept-drift.ts";
import { LABEL_FOLD, type LoopContext } from "./context.ts";
import { nextSilenceAt } from "./silence.ts";

export interface GatheredState extends TriggerState {
  readonly lastRun: RunRecord | undefined;
  /** When evidence changes by the passing of time alone. */
  readonly nextEvidenceAt: Instant;
  /** The champion's detector of concept drift. */
  readonly conceptWatch: ConceptEvidence;
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

export async function rememberTick(
  context: LoopContext,
  spec: ModelSpec,
  state: GatheredState,
  suppressedUntil: Instant,
): Promise<void> {
  const { now } = state;
  const due = Math.min(
    nextScheduledAt(spec.retrain.when, now, state.lastRunAt) ?? Number.POSITIVE_INFINITY,
    state.nextEvidenceAt,
    suppressedUntil,
  );
  context.ticks.memory.set(spec.name, { at: now, nextDueAt: due > now ? due : now + 1 });
  context.ticks.dirty.delete(spec.name);
  await context.store.settings.set(lastTickKey(spec.name), now);
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
  const conceptWatch = await conceptEvidence(context, name, champion?.name);
  const evidence = await gatherPerformance(context, spec, { now, champion });
  return {
    now,
    lastEvaluatedAt: typeof lastTick === "number" ? lastTick : null,
    lastRunAt: lastRun?.queuedAt ?? null,
    // A served model's rows arrive as predictions; one that is only fed rows has observations, each scored once by the system.
    rowsSince: since.events.observation > 0 ? since.events.observation : since.events.prediction,
    labelsSince: since.labelled,
    hasChampion: champion !== undefined,
    labelled: total.labelled,
    minRows: spec.data.minRows,
    events: waitingEvents(events, lastRun?.queuedAt ?? null),
    performance: evidence.performance,
    lastRun,
    conceptWatch,
    nextEvidenceAt: Math.min(evidence.nextChangeAt, await nextSilenceAt(context, spec)),
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
    const to = Math.floor((now - spec.labelDelayMs) / HOUR_MS) * HOUR_MS;
    const from = to - Math.ceil(need.windowMs / HOUR_MS) * HOUR_MS;
    const version = champion?.name;
    const rows =
      version === undefined
        ? []
        : (await context.store.folds.counters({ model: spec.name, counter: "performance", version, from })).rows;
    const sum = new Map<string, bigint>();
    for (const row of rows) if (row.bucket < to) addInPlace(sum, row.values);
    nextChangeAt = Math.min(
      nextChangeAt,
      nextWindowChange(rows, { now, to, windowMs: to - from, delayMs: spec.labelDelayMs }),
    );
    const estimate = metricFromCounters(need.metric, Object.fromEntries(sum));
    performance.set(performanceKey(need.metric, need.windowMs), {
      version: version ?? null,
      value: estimate.value,
      rows: estimate.rows,
      ...(estimate.interval === undefined ? {} : { interval: estimate.interval }),
      reference: champion?.metrics[need.metric] ?? null,
      higherIsBetter: isMetricName(need.metric) ? METRICS[need.metric].higherIsBetter : true,
    });
  }
  return { performance, nextChangeAt };
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
      .map((run) => ({ state: run.state, endedAt: run.endedAt as Instant })),
    rowsSince: state.rowsSince,
    labelsSince: state.labelsSince,
  };
}

/** When a trigger that fired and was held back should be looked at again. */
export function guardExpiry(spec: ModelSpec, guard: GuardState): Instant {
  const { now } = guard;
  const times = [
    guard.lastRunAt === null ? now : guard.lastRunAt + spec.retrain.cooldownMs,
    ...guard.recent.map((run) => run.endedAt + BREAKER_HALF_OPEN_MS),
    // The daily budget frees with the oldest run of the day; an hour later is near enough to look again.
    now + HOUR_MS,
  ];
  return Math.min(...times.filter((time) => time > now));
}
