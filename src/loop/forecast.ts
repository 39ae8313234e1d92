/**
 * Forecasts: a request names a series and gets its coming periods, each a prediction of its own example, with the origin it was
 * made from. The history comes from the log as of now.
 */
import type { ModelSpec } from "../config/spec.ts";
import {
  fail,
  type Features,
  type LoggedEvent,
  type ObservationEvent,
  plural,
  type PredictionEvent,
  uuidV7,
} from "../core/index.ts";
import {
  forecastExampleId,
  type ForecastSchema,
  leadPeriods,
  parseInstant,
  periodOf,
  periodStart,
} from "../data/index.ts";
import { compileRowValidator } from "../data/validate.ts";
import type { LiveVersion } from "../deploy/live-models.ts";
import { type ForecastPoint, QUANTILES } from "../learn/index.ts";
import type { ForecastModel } from "../model/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import type { PredictedRow, PredictRequest } from "./contract.ts";
import { newestPeriod, seriesState, viewOf } from "./series-state.ts";

interface Question {
  readonly name: string;
  readonly steps: number;
  readonly until: number;
  readonly stated: ReadonlyMap<number, Features>;
}

/** @throws ROW_INVALID, SERIES_UNKNOWN. Cost: what was logged since the last question, then some 100 µs a series. */
export async function forecastRows(
  context: LoopContext,
  request: PredictRequest,
  live: LiveVersion,
): Promise<{ rows: PredictedRow[]; events: PredictionEvent[] }> {
  const spec = modelSpec(context, request.model);
  const schema = spec.schema.forecast as ForecastSchema;
  const model = live.model.forecaster as ForecastModel;
  const now = context.worldClock.now();
  const questions = request.rows.map((row, i) => readQuestion({ spec, schema, model, row, index: i, now }));
  const state = await seriesState(context, spec);
  const rows: PredictedRow[] = [];
  const events: PredictionEvent[] = [];
  for (const { name, steps, until, stated } of questions) {
    const history = state.series.get(name);
    const origin = history === undefined ? undefined : newestPeriod(history, until);
    if (history === undefined || origin === undefined)
      throw unknownSeries(spec, schema, name, [...state.series.keys()]);
    const view = viewOf({ name, history, origin, steps, model, stated });
    for (const point of model.forecast(view, steps)) {
      const target = origin + point.step;
      const covariates = stated.get(target) ?? history.features.get(target) ?? {};
      const features = { ...covariates, [schema.series]: name };
      const event = predictionOf({ schema, name, features, point, origin, version: live.version, now });
      events.push({ ...event, origin: "live" });
      rows.push({
        predictionId: event.predictionId,
        exampleId: event.exampleId,
        logged: true,
        decision: point.value,
        score: point.value,
        forecast: {
          series: name,
          at: event.at,
          step: point.step,
          originAt: event.originAt as number,
          low: point.low,
          high: point.high,
          level: model.level,
          quantiles: Object.fromEntries(QUANTILES.map((share, k) => [String(share), point.quantiles[k] as number])),
        },
      });
    }
  }
  return { rows, events };
}

function predictionOf(parts: {
  readonly schema: ForecastSchema;
  readonly name: string;
  readonly features: Features;
  readonly point: ForecastPoint;
  readonly origin: number;
  readonly version: string;
  readonly now: number;
}): Omit<PredictionEvent, "origin"> {
  const { schema, name, features, point, origin, version, now } = parts;
  const target = origin + point.step;
  return {
    kind: "prediction",
    predictionId: uuidV7(now),
    exampleId: forecastExampleId(name, target, schema.frequency),
    at: periodStart(target, schema.frequency),
    version,
    features,
    scores: [point.value, point.low, point.high, point.scale],
    decision: point.value,
    originAt: periodStart(origin, schema.frequency),
  };
}

function invalid(index: number, message: string, remedy: string) {
  return fail("ROW_INVALID", { message: `Row ${index + 1}: ${message}`, remedy, details: { row: index } });
}

/** `{ <series>, steps?, until?, future? }`. */
function readQuestion(parts: {
  readonly spec: ModelSpec;
  readonly schema: ForecastSchema;
  readonly model: ForecastModel;
  readonly row: Readonly<Record<string, unknown>>;
  readonly index: number;
  readonly now: number;
}): Question {
  const { spec, schema, model, row, index, now } = parts;
  const known = [schema.series, "steps", "until", "future"];
  const unknown = Object.keys(row).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw invalid(index, `a forecast has no field "${unknown}".`, `Fields: ${known.join(", ")}.`);
  const name = row[schema.series];
  if (typeof name !== "string" || name === "")
    throw invalid(index, `"${schema.series}" names no series.`, `Send {"${schema.series}": "…"}.`);
  const { steps = model.horizon, until, future = [] } = row;
  if (typeof steps !== "number" || !Number.isInteger(steps) || steps < 1 || steps > model.horizon)
    throw invalid(index, `"steps" is ${JSON.stringify(steps)}.`, `Ask for 1 to ${plural(model.horizon, "period")}.`);
  const instant = until === undefined ? now : parseInstant(until);
  if (instant === undefined)
    throw invalid(index, `"until" is ${JSON.stringify(until)}.`, "Write an ISO 8601 time: the last period to be used.");
  if (!Array.isArray(future))
    throw invalid(index, '"future" is no list.', `Send [{"${spec.schema.time}": …, covariates}, …].`);
  return { name, steps, until: periodOf(instant, schema.frequency), stated: readFuture(parts, name, future) };
}

function readFuture(
  { spec, schema, index }: Parameters<typeof readQuestion>[0],
  name: string,
  future: readonly unknown[],
): ReadonlyMap<number, Features> {
  const validate = compileRowValidator(spec.schema);
  return new Map(
    future.map((one, i) => {
      const checked = validate(typeof one === "object" && one !== null ? { ...one, [schema.series]: name } : one, {
        forPrediction: true,
      });
      if (!checked.ok)
        throw invalid(
          index,
          `future period ${i + 1}: ${checked.reasons.map((reason) => reason.message).join(" ")}`,
          "Correct the values named above.",
        );
      if (checked.at === undefined)
        throw invalid(index, `future period ${i + 1} has no "${spec.schema.time}".`, "Name the period of each.");
      return [periodOf(checked.at, schema.frequency), checked.features] as const;
    }),
  );
}

function unknownSeries(spec: ModelSpec, schema: ForecastSchema, name: string, names: readonly string[]) {
  return fail("SERIES_UNKNOWN", {
    message: `Model ${spec.name} knows no value of the ${schema.series} ${JSON.stringify(name.slice(0, 60))} up to then. Known: ${names.slice(0, 8).join(", ") || "none"}${names.length > 8 ? ", …" : ""}.`,
    remedy: "Send its past values first, as examples.",
  });
}

/**
 * What the champion would have said of labelled periods nobody asked about: one step ahead of what was known then, so that a
 * team that only appends values has performance too.
 */
export async function systemForecasts(
  context: LoopContext,
  spec: ModelSpec,
  champion: LiveVersion,
  observations: readonly LoggedEvent<ObservationEvent>[],
): Promise<PredictionEvent[]> {
  const schema = spec.schema.forecast as ForecastSchema;
  const model = champion.model.forecaster as ForecastModel;
  const state = await seriesState(context, spec);
  const lead = leadPeriods(spec.labelDelayMs, schema.frequency);
  return observations.flatMap((observation): PredictionEvent[] => {
    const name = observation.features[schema.series];
    const history = typeof name === "string" ? state.series.get(name) : undefined;
    const target = periodOf(observation.at, schema.frequency);
    const origin = history === undefined ? undefined : newestPeriod(history, target - 1 - lead);
    if (typeof name !== "string" || origin === undefined || target - origin > model.horizon) return [];
    const steps = target - origin;
    const point = model.forecast(viewOf({ name, history, origin, steps, model }), steps)[steps - 1] as ForecastPoint;
    const made = predictionOf({
      schema,
      name,
      features: observation.features,
      point,
      origin,
      version: champion.version,
      now: context.worldClock.now(),
    });
    return [{ ...made, origin: "system" }];
  });
}
