/** From rows to events: what a row of observations or labels means for one model, or why it goes to quarantine. */
import type { ModelSpec } from "../config/spec.ts";
import {
  type ExampleEvent,
  type Features,
  type Instant,
  LABEL_PRECEDENCE,
  type LabelSource,
  type QuarantinedRow,
  sha256Hex,
  uuidV7,
} from "../core/index.ts";
import { forecastExampleId, periodOf, periodStart } from "../data/calendar.ts";
import type { AggregateSpec } from "../data/aggregates.ts";
import type { RecommendSchema } from "../data/schema.ts";
import { compileTextConverter } from "../data/convert-text.ts";
import { parseInstant } from "../data/instant.ts";
import {
  compileLabelValidator,
  compileRowValidator,
  readId,
  type RowReason,
  type RowValidator,
} from "../data/validate.ts";
import { type AggregateState, aggregatesOf, rememberRow } from "./aggregate-state.ts";
import type { IngestRequest, RowReading } from "./contract.ts";

export type Reasons = QuarantinedRow["reasons"];
export type Interpreted =
  | { readonly event: ExampleEvent; readonly knownAt?: Instant; readonly labelled: boolean }
  | { readonly reasons: Reasons };
export type Interpreter = (reading: Extract<RowReading, { row: unknown }>, now: Instant) => Interpreted;

/** Observations: features, with or without the label. */
export function observationInterpreter(
  spec: ModelSpec,
  request: IngestRequest,
  aggregateState?: () => AggregateState | undefined,
): Interpreter {
  const { aggregates } = spec.schema;
  const validate: RowValidator = compileRowValidator(spec.schema);
  const convert = compileTextConverter(spec.schema, request.missing ?? []);
  const { knownAt } = request;
  const knownColumn = typeof knownAt === "object" ? knownAt.column : undefined;
  return (reading, now) => {
    let row = reading.row;
    let known: Instant | undefined;
    if (knownColumn !== undefined) {
      const { [knownColumn]: stated, ...rest } = row;
      known = parseInstant(stated);
      row = rest;
    }
    const checked = validate(reading.text === true ? convert(row as Record<string, string>) : row);
    if (!checked.ok) return { reasons: checked.reasons };
    const named = nameExample(spec, checked.features, checked.at ?? now);
    if ("reason" in named) return { reasons: [named.reason] };
    const { at } = named;
    if (knownAt === "at+labelDelay") known = at + spec.labelDelayMs;
    if (knownAt !== undefined && (known === undefined || known > now)) return { reasons: [knownAtReason(known)] };
    const exampleId = named.id ?? checked.id ?? generatedId(request, reading.rowNumber, now);
    const state = aggregateState?.();
    let { features } = checked;
    if (state !== undefined && aggregates !== undefined) {
      const stated = aggregates.find(({ name }) => features[name] !== null);
      if (stated !== undefined) return { reasons: [computedReason(stated)] };
      features = { ...features, ...aggregatesOf(state, aggregates, { features, at, exampleId }).values };
      // At once, not when the log is read again: later rows of this delivery see it.
      rememberRow(state, aggregates, { features, at, exampleId });
      state.ahead.add(exampleId);
    }
    // An interaction that says nothing of its strength has the strength of one.
    const label = checked.label ?? (spec.schema.recommend === undefined ? undefined : 1);
    const event: ExampleEvent = {
      kind: "observation",
      exampleId,
      at,
      ...(checked.unit === undefined ? {} : { unit: checked.unit }),
      features,
      ...(label === undefined ? {} : { label }),
    };
    return { event, labelled: label !== undefined, ...(known === undefined ? {} : { knownAt: known }) };
  };
}

function computedReason({ name, by }: AggregateSpec): Reasons[number] {
  return {
    code: "COLUMN_UNKNOWN",
    column: name,
    message: `"${name}" is computed from earlier rows of its "${by}"; leave it out.`,
  };
}

/** An example of a forecast is a series and a period: whatever is said about it later is about the same example. */
function nameExample(
  { schema }: ModelSpec,
  features: Features,
  at: Instant,
): { readonly at: Instant; readonly id?: string } | { readonly reason: Reasons[number] } {
  if (schema.recommend !== undefined) return namedInteraction(schema.recommend, features) ?? { at };
  if (schema.forecast === undefined) return { at };
  const { series, frequency } = schema.forecast;
  const name = features[series];
  if (typeof name !== "string" || name === "")
    return { reason: { code: "COLUMN_MISSING", column: series, message: `The row has no "${series}", its series.` } };
  const period = periodOf(at, frequency);
  return { at: periodStart(period, frequency), id: forecastExampleId(name, period, frequency) };
}

/** Why a row is no interaction. */
function namedInteraction(
  { user, item }: RecommendSchema,
  features: Features,
): { readonly reason: Reasons[number] } | undefined {
  const absent = [user, item].find((column) => typeof features[column] !== "string" || features[column] === "");
  if (absent === undefined) return undefined;
  const message = `The row has no "${absent}"; an interaction names its user and its item.`;
  return { reason: { code: "COLUMN_MISSING", column: absent, message } };
}

/** A row without an id column: its place in its file or keyed delivery names it, so a retried row is the same example. */
function generatedId(request: IngestRequest, rowNumber: number, now: Instant): string {
  const { source, part } = request;
  if (source !== undefined) return `${source.source}:${part === undefined ? "" : `${part}:`}${rowNumber}`;
  if (request.idempotencyKey !== undefined)
    return sha256Hex(`${request.model}\u001f${request.idempotencyKey}\u001f${rowNumber}`).slice(0, 32);
  return uuidV7(now);
}

function knownAtReason(known: Instant | undefined): Reasons[number] {
  const what = known === undefined ? "cannot be read" : `lies in the future (${new Date(known).toISOString()})`;
  return {
    code: "KNOWN_AT_INVALID",
    message: `The time at which the row was known ${what}; it must be an instant in the past.`,
  };
}

/** Labels: `{ id | predictionId, label, at?, source?, comment? }`; `label: null` takes the source's earlier answers back. */
export function labelInterpreter(spec: ModelSpec, request: IngestRequest): Interpreter {
  const check = compileLabelValidator(spec.schema);
  const convert = compileTextConverter(spec.schema);
  const { schema } = spec;
  const idColumns = ["id", "exampleId", ...(schema.id === undefined ? [] : [schema.id])];
  const allowed = new Set([
    ...idColumns,
    "predictionId",
    "prediction_id",
    "label",
    schema.labelColumn,
    "at",
    "source",
    "comment",
    "knownAt",
    ...(schema.forecast === undefined ? [] : [schema.forecast.series, schema.time as string]),
  ]);
  return (reading, now) => {
    const row =
      reading.text === true
        ? convertLabelText(reading.row as Record<string, string>, convert, schema.labelColumn)
        : reading.row;
    const reasons: RowReason[] = [];
    for (const key of Object.keys(row)) {
      if (!allowed.has(key))
        reasons.push({
          code: "COLUMN_UNKNOWN",
          column: key,
          message: `A label row has no field "${key}". Fields: ${[...allowed].join(", ")}.`,
        });
    }
    const exampleId = first(row, idColumns) ?? forecastExample(spec, row);
    const predictionId = first(row, ["predictionId", "prediction_id"]);
    if ((exampleId === undefined) === (predictionId === undefined)) {
      reasons.push({ code: "ID_INVALID", message: "A label names its example by exactly one of id and predictionId." });
    }
    if (schema.recommend !== undefined && predictionId !== undefined) {
      reasons.push({
        code: "ID_INVALID",
        message: "A slate is not labelled: the interactions that follow judge it. Send them as examples.",
      });
    }
    const id = readId("id", exampleId ?? predictionId ?? "");
    if ("reason" in id && reasons.length === 0) reasons.push(id.reason);
    const value = Object.hasOwn(row, "label") ? row.label : row[schema.labelColumn];
    if (value === undefined)
      reasons.push({
        code: "COLUMN_MISSING",
        column: "label",
        message: 'The row has no "label"; null takes earlier answers back.',
      });
    const problem = value === undefined || value === null ? undefined : check(value);
    if (problem !== undefined) reasons.push(problem);
    const at = row.at === undefined || row.at === null || row.at === "" ? now : parseInstant(row.at);
    if (at === undefined)
      reasons.push({
        code: "TIME_INVALID",
        column: "at",
        message: `"at" is ${JSON.stringify(row.at)}; write an ISO 8601 time.`,
      });
    const source = row.source === undefined || row.source === "" ? (request.labelSource ?? "system") : row.source;
    if (!LABEL_PRECEDENCE.includes(source as LabelSource)) {
      reasons.push({
        code: "LABEL_INVALID",
        column: "source",
        message: `"source" is ${JSON.stringify(source)}, not one of ${LABEL_PRECEDENCE.join(", ")}.`,
      });
    }
    const known = labelKnownAt(request, row, at ?? now, spec.labelDelayMs);
    if (request.knownAt !== undefined && (known === undefined || known > now))
      reasons.push(knownAtReason(known) as RowReason);
    if (reasons.length > 0 || "reason" in id) return { reasons };
    return {
      event: {
        kind: "label",
        ...(exampleId === undefined ? { predictionId: id.id } : { exampleId: id.id }),
        at: at as Instant,
        value: value as never,
        labelSource: source as LabelSource,
        ...(typeof row.comment === "string" && row.comment !== "" ? { comment: row.comment.slice(0, 4096) } : {}),
      },
      labelled: value !== null,
      ...(known === undefined ? {} : { knownAt: known }),
    };
  };
}

/** The example a label of a forecast names by its series and period. */
function forecastExample({ schema }: ModelSpec, row: Readonly<Record<string, unknown>>): string | undefined {
  if (schema.forecast === undefined) return undefined;
  const { series, frequency } = schema.forecast;
  const at = parseInstant(row[schema.time as string]);
  const name = row[series];
  return typeof name !== "string" || at === undefined
    ? undefined
    : forecastExampleId(name, periodOf(at, frequency), frequency);
}

function first(row: Readonly<Record<string, unknown>>, names: readonly string[]): unknown {
  for (const name of names) {
    const value = Object.hasOwn(row, name) ? row[name] : undefined;
    if (value !== undefined && value !== null && value !== "") return value;
  }
  return undefined;
}

function labelKnownAt(
  request: IngestRequest,
  row: Readonly<Record<string, unknown>>,
  at: Instant,
  delayMs: number,
): Instant | undefined {
  if (request.knownAt === undefined) return undefined;
  return request.knownAt === "at+labelDelay" ? at + delayMs : parseInstant(row[request.knownAt.column]);
}

function convertLabelText(
  row: Readonly<Record<string, string>>,
  convert: (row: Readonly<Record<string, string>>) => Record<string, unknown>,
  labelColumn: string,
): Readonly<Record<string, unknown>> {
  const text = row.label ?? row[labelColumn];
  const { label: _label, [labelColumn]: _own, ...rest } = row;
  if (text === undefined) return rest;
  const converted = convert({ [labelColumn]: text })[labelColumn];
  return { ...rest, label: converted === undefined ? null : converted };
}
