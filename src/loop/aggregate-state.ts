/** Entity state of aggregates: every entity's recent events out of the log, asked before a row is collected or answered. */
import type { ModelSpec } from "../config/spec.ts";
import { fail, type Features, type Instant, type Json } from "../core/index.ts";
import {
  addEvent,
  aggregate,
  type AggregateSpec,
  emptyHistory,
  type EntityEvent,
  type EntityHistory,
  limitsOf,
  parseInstant,
} from "../data/index.ts";
import type { LoopContext } from "./context.ts";
import { modelSpec } from "./context.ts";
import type { PredictRequest } from "./contract.ts";

export interface AggregateState {
  /** By the column that names the entity, then by its value. */
  readonly entities: Map<string, Map<string, EntityHistory>>;
  /** Examples of a delivery under way: remembered, but not in the log yet, and perhaps never. They are not written down. */
  readonly ahead: Set<string>;
}

export interface StatedRow {
  readonly features: Features;
  readonly at: Instant;
  readonly exampleId: string;
}

/** What names an entity or an example; undefined where nothing does. */
function textOf(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : undefined;
}

/** The state as of everything committed by now; undefined for a model without aggregates. */
export async function aggregateState(context: LoopContext, spec: ModelSpec): Promise<AggregateState | undefined> {
  const { aggregates } = spec.schema;
  if (aggregates === undefined) return undefined;
  return context.states.current<AggregateState>(spec.name, JSON.stringify(aggregates), () => ({
    create: () => ({ entities: new Map(), ahead: new Set() }),
    apply(state, event) {
      if (event.kind === "observation" || event.kind === "prediction") state.ahead.delete(event.exampleId);
      if (event.kind === "observation" || (event.kind === "prediction" && event.origin !== "shadow"))
        rememberRow(state, aggregates, event);
    },
    store: storeAggregates,
    restore: restoreAggregates,
  }));
}

type StoredHistory = readonly [entity: string, sequence: number, events: readonly EntityEvent[]];

function storeAggregates({ entities, ahead }: AggregateState): Json {
  const inLog = (events: readonly EntityEvent[]) => events.filter(({ exampleId }) => !ahead.has(exampleId));
  const stored = [...entities].map(([by, histories]): [string, StoredHistory[]] => [
    by,
    [...histories].map(([entity, { events, sequence }]): StoredHistory => {
      const kept = inLog(events);
      return [entity, sequence - (events.length - kept.length), kept];
    }),
  ]);
  return stored as unknown as Json;
}

function restoreAggregates(stored: Json): AggregateState {
  const all = stored as unknown as readonly (readonly [string, readonly StoredHistory[]])[];
  const historyOf = ([entity, sequence, events]: StoredHistory): [string, EntityHistory] => [
    entity,
    { sequence, events: [...events], known: new Set(events.map(({ exampleId }) => exampleId)) },
  ];
  return { entities: new Map(all.map(([by, histories]) => [by, new Map(histories.map(historyOf))])), ahead: new Set() };
}

export function rememberRow(state: AggregateState, aggregates: readonly AggregateSpec[], row: StatedRow): void {
  const limits = limitsOf(aggregates);
  // What nothing is computed of need not be remembered: a text or an image would outweigh all the rest.
  const used = new Set(aggregates.flatMap((one) => one.of ?? []));
  const features = Object.fromEntries(Object.entries(row.features).filter(([name]) => used.has(name)));
  for (const by of new Set(aggregates.map((one) => one.by))) {
    const key = textOf(row.features[by]);
    if (key === undefined) continue;
    const entities = state.entities.get(by) ?? new Map<string, EntityHistory>();
    state.entities.set(by, entities);
    const history = entities.get(key) ?? emptyHistory();
    entities.set(key, history);
    addEvent(history, { at: row.at, exampleId: row.exampleId, features }, limits);
  }
}

/** The aggregates of a row, and the sequence of the state they were read at: events its entities had told by then. */
export function aggregatesOf(
  state: AggregateState,
  aggregates: readonly AggregateSpec[],
  row: { readonly features: Readonly<Record<string, unknown>>; readonly at: Instant; readonly exampleId?: string },
): { readonly values: Record<string, number | null>; readonly sequence: number } {
  const values: Record<string, number | null> = {};
  let sequence = 0;
  for (const one of aggregates) {
    const key = textOf(row.features[one.by]);
    const history = key === undefined ? undefined : state.entities.get(one.by)?.get(key);
    values[one.name] = aggregate(one, history, row);
    sequence = Math.max(sequence, history?.sequence ?? 0);
  }
  return { values, sequence };
}

/**
 * The request with its aggregates filled in, as a collected row gets them.
 * @throws ROW_INVALID for a row that states an aggregate itself
 */
export async function withAggregates(
  context: LoopContext,
  request: PredictRequest,
): Promise<{ readonly request: PredictRequest; readonly sequences?: readonly number[] }> {
  const spec = modelSpec(context, request.model);
  const { aggregates, time, id } = spec.schema;
  const state = await aggregateState(context, spec);
  if (state === undefined || aggregates === undefined) return { request };
  const now = context.worldClock.now();
  const sequences: number[] = [];
  const rows = request.rows.map((row, i) => {
    const stated = aggregates.find(({ name }) => row[name] !== undefined && row[name] !== null);
    if (stated !== undefined) {
      throw fail("ROW_INVALID", {
        message: `Row ${i + 1} states "${stated.name}", which is computed from earlier rows of its "${stated.by}".`,
        remedy: "Leave it out.",
        details: { row: i },
      });
    }
    const at = time === undefined ? now : (parseInstant(row[time]) ?? now);
    const own = id === undefined ? undefined : textOf(row[id]);
    const found = aggregatesOf(state, aggregates, {
      features: row,
      at,
      ...(own === undefined ? {} : { exampleId: own }),
    });
    sequences.push(found.sequence);
    return { ...row, ...found.values };
  });
  return { request: { ...request, rows }, sequences };
}
