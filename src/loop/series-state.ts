/** The history of every series of a forecast, restatements included, out of the log. */
import type { ModelSpec } from "../config/spec.ts";
import type { Features, Json, LabelSource, LabelValue, LoggedEvent } from "../core/index.ts";
import { LABEL_PRECEDENCE } from "../core/index.ts";
import { type ForecastSchema, parseForecastExampleId, periodOf } from "../data/index.ts";
import { HISTORY_PERIODS, type SeriesView } from "../learn/index.ts";
import type { ForecastModel } from "../model/index.ts";
import type { LoopContext } from "./context.ts";
import type { StateReducer } from "./entity-state.ts";

interface KnownValue {
  readonly value: number | null;
  /** Place of its source in the order of precedence; smaller is stronger. */
  readonly rank: number;
}
interface SeriesHistory {
  readonly values: Map<number, KnownValue>;
  readonly features: Map<number, Features>;
  last: number;
}
export interface SeriesState {
  readonly series: Map<string, SeriesHistory>;
  /** Examples of predictions, for labels that name a prediction. */
  readonly exampleOf: Map<string, string>;
}

/** Predictions whose labels may name them: a year of 30 daily series. Older ones are labelled by example. */
const REMEMBERED_PREDICTIONS = 100_000;

export function seriesState(context: LoopContext, spec: ModelSpec): Promise<SeriesState> {
  const forecast = spec.schema.forecast as ForecastSchema;
  return context.states.current(spec.name, JSON.stringify(forecast), () => seriesReducer(forecast));
}

function seriesReducer(forecast: ForecastSchema): StateReducer<SeriesState> {
  const { frequency, series: column } = forecast;
  const keep = HISTORY_PERIODS[frequency] * 2;
  const historyOf = (state: SeriesState, name: string): SeriesHistory => {
    const known = state.series.get(name);
    if (known !== undefined) return known;
    const history: SeriesHistory = { values: new Map(), features: new Map(), last: Number.NEGATIVE_INFINITY };
    state.series.set(name, history);
    return history;
  };
  const say = (
    state: SeriesState,
    said: {
      readonly name: string;
      readonly period: number;
      readonly value: LabelValue | null;
      readonly source: LabelSource;
    },
  ) => {
    const { name, period, value } = said;
    const history = historyOf(state, name);
    const rank = LABEL_PRECEDENCE.indexOf(said.source);
    const known = history.values.get(period);
    if (known !== undefined && known.rank < rank && known.value !== null) return;
    history.values.set(period, { value: typeof value === "number" ? value : null, rank });
    if (typeof value === "number" && period > history.last) history.last = period;
    if (history.values.size > keep) forget(history, history.last - keep / 2);
  };
  return {
    store: storeSeries,
    restore: restoreSeries,
    create: () => ({ series: new Map(), exampleOf: new Map() }),
    apply(state, event: LoggedEvent) {
      if (event.kind === "observation") {
        const name = event.features[column];
        if (typeof name !== "string") return;
        const period = periodOf(event.at, frequency);
        historyOf(state, name).features.set(period, event.features);
        if (event.label !== undefined) say(state, { name, period, value: event.label, source: "system" });
      } else if (event.kind === "prediction") {
        state.exampleOf.set(event.predictionId, event.exampleId);
        if (state.exampleOf.size > REMEMBERED_PREDICTIONS)
          state.exampleOf.delete(state.exampleOf.keys().next().value as string);
      } else if (event.kind === "label") {
        const id = event.exampleId ?? state.exampleOf.get(event.predictionId as string);
        const example = id === undefined ? undefined : parseForecastExampleId(id, frequency);
        if (example !== undefined)
          say(state, {
            name: example.series,
            period: example.period,
            value: event.value,
            source: event.labelSource,
          });
      }
    },
  };
}

interface StoredSeries {
  readonly series: readonly {
    readonly name: string;
    readonly values: readonly (readonly [number, KnownValue])[];
    readonly features: readonly (readonly [number, Features])[];
    /** Null before the first value. */
    readonly last: number | null;
  }[];
  readonly exampleOf: readonly (readonly [string, string])[];
}

function storeSeries({ series, exampleOf }: SeriesState): Json {
  const stored: StoredSeries = {
    series: [...series].map(([name, { values, features, last }]) => ({
      name,
      values: [...values],
      features: [...features],
      last: Number.isFinite(last) ? last : null,
    })),
    exampleOf: [...exampleOf],
  };
  return stored as unknown as Json;
}

function restoreSeries(json: Json): SeriesState {
  const stored = json as unknown as StoredSeries;
  return {
    series: new Map(
      stored.series.map(({ name, values, features, last }) => [
        name,
        { values: new Map(values), features: new Map(features), last: last ?? Number.NEGATIVE_INFINITY },
      ]),
    ),
    exampleOf: new Map(stored.exampleOf),
  };
}

function forget(history: SeriesHistory, before: number): void {
  for (const map of [history.values, history.features])
    for (const period of map.keys()) if (period < before) map.delete(period);
}

/** The newest period of a series with a value, at or before `until`. */
export function newestPeriod(history: SeriesHistory, until: number): number | undefined {
  if (history.last <= until) return Number.isFinite(history.last) ? history.last : undefined;
  let newest: number | undefined;
  for (const [period, { value }] of history.values)
    if (value !== null && period <= until && (newest === undefined || period > newest)) newest = period;
  return newest;
}

/** A series as known up to a period, with its covariates up to `steps` further, as far as they were stated. */
export function viewOf(options: {
  readonly name: string;
  readonly history: SeriesHistory | undefined;
  readonly origin: number;
  readonly steps: number;
  readonly model: ForecastModel;
  /** Covariates that a request states for coming periods. */
  readonly stated?: ReadonlyMap<number, Features>;
}): SeriesView {
  const { name, history, origin, steps, model, stated } = options;
  let first = origin;
  for (const [period, { value }] of history?.values ?? [])
    if (value !== null && period < first && period > origin - HISTORY_PERIODS[model.frequency]) first = period;
  const length = origin - first + 1;
  const values = new Float64Array(length).fill(Number.NaN);
  const covariates = new Float32Array((length + steps) * model.width).fill(Number.NaN);
  for (let i = 0; i < length; i++) {
    const value = history?.values.get(first + i)?.value;
    if (typeof value === "number") values[i] = value;
  }
  if (model.width > 0) {
    for (let i = 0; i < length + steps; i++) {
      const features = stated?.get(first + i) ?? history?.features.get(first + i);
      if (features !== undefined) model.writeCovariates(features, covariates, i * model.width);
    }
  }
  return { name, start: first, values, covariates };
}

export type { SeriesHistory };
