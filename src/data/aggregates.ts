/**
 * Aggregates over what a model saw of one entity before: amounts of a card in 24 hours, the last three readings of a sensor. One
 * pure function computes them for collected rows and for requests, over events that happened before the row's own time and were
 * known when it came; what it computed is logged with the row, and training uses the logged value.
 */
import type { Features, FeatureValue, Instant } from "../core/index.ts";

export const AGGREGATE_FUNCTIONS = ["count", "sum", "mean", "min", "max", "last", "distinct"] as const;
export type AggregateFunction = (typeof AGGREGATE_FUNCTIONS)[number];

export interface AggregateSpec {
  readonly name: string;
  /** The feature that names the entity. */
  readonly by: string;
  readonly compute: AggregateFunction;
  /** The feature that is aggregated; absent for a count. */
  readonly of?: string;
  /** Events of this long before the row; absent: `rows`. */
  readonly windowMs?: number;
  /** The newest so many events before the row. `last` takes the oldest of them: rows 2 is the value before the last. */
  readonly rows?: number;
}

export interface EntityEvent {
  readonly at: Instant;
  readonly exampleId: string;
  readonly features: Features;
}

/** Events of one entity, by event time, and how many were ever added. */
export interface EntityHistory {
  readonly events: EntityEvent[];
  readonly known: Set<string>;
  sequence: number;
}

export function emptyHistory(): EntityHistory {
  return { events: [], known: new Set(), sequence: 0 };
}

/** What a history must keep for these aggregates. */
export interface HistoryLimits {
  readonly windowMs: number;
  readonly rows: number;
}

export function limitsOf(aggregates: readonly AggregateSpec[]): HistoryLimits {
  return {
    windowMs: Math.max(0, ...aggregates.map((one) => one.windowMs ?? 0)),
    rows: Math.max(0, ...aggregates.map((one) => one.rows ?? 0)),
  };
}

/** Events beyond the window and the newest rows are dropped in blocks of this many, not one by one. */
const SLACK = 64;

/** Adds an event in its place; one example counts once, however often it is told of. */
export function addEvent(history: EntityHistory, event: EntityEvent, limits: HistoryLimits): void {
  if (history.known.has(event.exampleId)) return;
  history.known.add(event.exampleId);
  history.sequence++;
  const { events } = history;
  let place = events.length;
  while (place > 0 && (events[place - 1] as EntityEvent).at > event.at) place--;
  events.splice(place, 0, event);
  const newest = (events.at(-1) as EntityEvent).at;
  let old = 0;
  while (old < events.length - limits.rows - 1 && (events[old] as EntityEvent).at < newest - 2 * limits.windowMs) old++;
  if (old < SLACK) return;
  for (const { exampleId } of events.splice(0, old)) history.known.delete(exampleId);
}

/**
 * The aggregate for a row of `at`: events strictly before it, never the row itself. A count, a sum and a number of distinct values
 * of nothing is 0, everything else of nothing is missing. Missing values are passed over. Cost: one walk over the window.
 */
export function aggregate(
  spec: AggregateSpec,
  history: EntityHistory | undefined,
  row: { readonly at: Instant; readonly exampleId?: string },
): number | null {
  const values: FeatureValue[] = [];
  const { events } = history ?? { events: [] };
  const from = spec.windowMs === undefined ? -Infinity : row.at - spec.windowMs;
  for (let i = events.length - 1; i >= 0; i--) {
    const event = events[i] as EntityEvent;
    if (event.at >= row.at || event.exampleId === row.exampleId) continue;
    if (event.at < from || (spec.rows !== undefined && values.length >= spec.rows)) break;
    values.push(spec.of === undefined ? 1 : (event.features[spec.of] ?? null));
  }
  return reduce(spec, values);
}

/** @param values newest first */
function reduce(spec: AggregateSpec, values: readonly FeatureValue[]): number | null {
  if (spec.compute === "count") return values.length;
  if (spec.compute === "distinct") return new Set(values.filter((value) => value !== null)).size;
  if (spec.compute === "last") {
    const wanted = values[(spec.rows ?? 1) - 1];
    return wanted === undefined ? null : numberOf(wanted);
  }
  const numbers = values.map(numberOf).filter((value) => value !== null);
  if (spec.compute === "sum") return numbers.reduce((sum, value) => sum + value, 0);
  if (numbers.length === 0) return null;
  if (spec.compute === "mean") return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  return spec.compute === "min" ? Math.min(...numbers) : Math.max(...numbers);
}

function numberOf(value: FeatureValue): number | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "number" ? value : null;
}
