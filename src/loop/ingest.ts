/**
 * Ingest only appends: rows are checked against the schema, the good ones become events, the others go to quarantine with their
 * reasons in the same commit. Long deliveries are written in chunks, each with an idempotency key of its own, so a retried
 * delivery never counts a row twice and no delivery has to fit in memory.
 */
import { batchAnomalies, type BatchStatistics, createBatchProfile, mergeStatistics } from "../collect/index.ts";
import type { ModelSpec } from "../config/spec.ts";
import {
  type Anomaly,
  type BatchRecord,
  canonicalJson,
  type ExampleEvent,
  type Instant,
  type Json,
  type ObservationEvent,
  type QuarantinedRow,
  type RefusedRow,
  refusedRowsOf,
  sha256Hex,
  uuidV7,
} from "../core/index.ts";
import { type AggregateState, aggregateState } from "./aggregate-state.ts";
import type { LoopContext } from "./context.ts";
import { modelSpec } from "./context.ts";
import type { IngestRequest, IngestResult, RowReading } from "./contract.ts";
import {
  type Interpreted,
  type Interpreter,
  labelInterpreter,
  observationInterpreter,
  type Reasons,
} from "./ingest-rows.ts";

/** Rows per commit: large enough for the group commit's best rate, small enough to keep a chunk below a few MB. */
const CHUNK_ROWS = 2_000;
/** Ids remembered to find repeated examples of one delivery: bounds its memory at some tens of MB. */
const REMEMBERED_IDS = 200_000;
/** Reasons shown in the answer; all of them are in the quarantine. */
const SHOWN_PROBLEMS = 10;

export async function ingest(context: LoopContext, request: IngestRequest): Promise<IngestResult> {
  const spec = modelSpec(context, request.model);
  const delivery = new Delivery(context, request, spec);
  await delivery.begin();
  // While one chunk is being committed the next is read and checked; never more than one, so memory stays bounded.
  let underway: Promise<unknown> = Promise.resolve();
  for await (const reading of request.rows) {
    delivery.add(reading);
    if (delivery.size < CHUNK_ROWS) continue;
    await underway;
    underway = delivery.flush(false);
    // Its failure is thrown where it is awaited; until then it must not count as unhandled.
    underway.catch(() => {});
  }
  await underway;
  const result = await delivery.flush(true);
  await delivery.remember(result);
  context.emit("ingest", request.model, {
    batchId: result.batchId,
    accepted: result.accepted,
    quarantined: result.quarantined,
    labelled: result.labelled,
  });
  return result;
}

/** What is written at once. */
interface Chunk {
  readonly number: number;
  readonly events: readonly ExampleEvent[];
  readonly knownAt: readonly Instant[];
  readonly readings: readonly RowReading[];
  readonly quarantined: readonly QuarantinedRow[];
  readonly last: boolean;
}

const only = (chunk: Chunk, stays: (item: unknown, index: number) => boolean): Chunk => ({
  ...chunk,
  events: chunk.events.filter(stays),
  knownAt: chunk.knownAt.filter(stays),
  readings: chunk.readings.filter(stays),
});

const isLabelled = (event: ExampleEvent): boolean =>
  event.kind === "label" ? event.value !== null : event.kind === "observation" && event.label !== undefined;

/** One delivery on its way into the log. */
class Delivery {
  readonly #context: LoopContext;
  readonly #request: IngestRequest;
  readonly #interpret: Interpreter;
  readonly #spec: ModelSpec;
  /** Entity state of aggregates, read when the delivery begins. */
  #state: AggregateState | undefined;
  readonly #profile: ReturnType<typeof createBatchProfile>;
  #earlier: BatchStatistics | undefined;
  readonly #batchId: string;
  readonly #now: Instant;
  readonly #seen = new Set<string>();
  readonly #problems: { rowNumber: number; reasons: Reasons }[] = [];
  #chunk = 0;
  #events: ExampleEvent[] = [];
  #knownAt: Instant[] = [];
  /** Of the events: where each comes from, in case the log refuses it. */
  #readings: RowReading[] = [];
  #refused: QuarantinedRow[] = [];
  #received = 0;
  #accepted = 0;
  #quarantined = 0;
  #labelled = 0;
  #duplicates = 0;

  constructor(context: LoopContext, request: IngestRequest, spec: ModelSpec) {
    this.#context = context;
    this.#request = request;
    this.#interpret =
      request.form === "label"
        ? labelInterpreter(spec, request)
        : observationInterpreter(spec, request, () => this.#state);
    this.#spec = spec;
    this.#profile = createBatchProfile(spec.schema);
    this.#now = context.worldClock.now();
    this.#batchId = uuidV7(this.#now);
  }

  /** Reads what earlier deliveries looked like. */
  async begin(): Promise<void> {
    this.#state = await aggregateState(this.#context, this.#spec);
    const stored = await this.#context.store.settings.get(statisticsKey(this.#request.model));
    this.#earlier = (stored ?? undefined) as unknown as BatchStatistics | undefined;
  }

  get size(): number {
    return this.#events.length + this.#refused.length;
  }

  add(reading: RowReading): void {
    this.#received++;
    const outcome: Interpreted =
      "problem" in reading ? { reasons: [reading.problem] } : this.#interpret(reading, this.#now);
    if ("reasons" in outcome) {
      this.#profile.add("row" in reading ? reading.row : undefined, { accepted: false, duplicate: false });
      this.#refuse(reading, outcome.reasons);
      return;
    }
    const { event } = outcome;
    this.#accepted++;
    if (outcome.labelled) this.#labelled++;
    if (event.kind === "observation")
      this.#profile.add(event.features, { accepted: true, duplicate: this.#isRepeated(event.exampleId) });
    this.#events.push(event);
    this.#readings.push(reading);
    if (this.#request.knownAt !== undefined) this.#knownAt.push(outcome.knownAt as Instant);
  }

  #isRepeated(exampleId: string): boolean {
    if (this.#seen.has(exampleId)) {
      this.#duplicates++;
      return true;
    }
    if (this.#seen.size < REMEMBERED_IDS) this.#seen.add(exampleId);
    return false;
  }

  #refuse(reading: RowReading, reasons: Reasons): void {
    this.#refused.push(this.#quarantinedRow(reading, reasons));
  }

  /** Counts the row as quarantined and says what is kept of it. */
  #quarantinedRow(reading: RowReading, reasons: Reasons): QuarantinedRow {
    this.#quarantined++;
    if (this.#problems.length < SHOWN_PROBLEMS) this.#problems.push({ rowNumber: reading.rowNumber, reasons });
    return {
      id: uuidV7(this.#now),
      model: this.#request.model,
      batchId: this.#batchId,
      rowNumber: reading.rowNumber,
      receivedAt: this.#now,
      ...rawOf(reading, this.#request.missing ?? []),
      form: this.#request.form,
      reasons,
      state: "waiting",
    };
  }

  /** Writes what has gathered; the batch record and the source position go with the last chunk. */
  async flush(last: boolean): Promise<IngestResult> {
    const gathered: Chunk = {
      number: this.#chunk++,
      events: this.#events,
      knownAt: this.#knownAt,
      readings: this.#readings,
      quarantined: this.#refused,
      last,
    };
    this.#events = [];
    this.#knownAt = [];
    this.#readings = [];
    this.#refused = [];
    const chunk = this.#request.mayBeKnown === true ? await this.#withoutKnown(gathered) : gathered;
    try {
      return await this.#write(chunk);
    } catch (error) {
      const refused = refusedRowsOf(error);
      if (refused === undefined) throw error;
      return await this.#write(this.#withoutRefused(chunk, refused));
    }
  }

  /** Rows the log cannot hold go to quarantine like rows that do not fit the schema; the others are written. */
  #withoutRefused(chunk: Chunk, refused: readonly RefusedRow[]): Chunk {
    const indexes = new Set(refused.map(({ index }) => index));
    const stays = (_: unknown, index: number) => !indexes.has(index);
    const rows = refused.map(({ index, code, message }) => {
      this.#takeBack(chunk.events[index] as ExampleEvent);
      return this.#quarantinedRow(chunk.readings[index] as RowReading, [{ code, message }]);
    });
    return { ...only(chunk, stays), quarantined: [...chunk.quarantined, ...rows] };
  }

  /** Without the observations that are the newest of their example already. A time that nobody stated is none of a row's content. */
  async #withoutKnown(chunk: Chunk): Promise<Chunk> {
    const exampleIds = chunk.events.flatMap(({ exampleId = [] }) => exampleId);
    const found = await this.#context.store.log.findObservations(this.#request.model, { exampleIds });
    const contents = new Map(found.map((event) => [event.exampleId, this.#contentOf(event)]));
    const stays = (event: ExampleEvent) => {
      if (event.kind !== "observation" || contents.get(event.exampleId) !== this.#contentOf(event)) return true;
      this.#takeBack(event);
      this.#duplicates++;
      return false;
    };
    const isNew = chunk.events.map(stays);
    return only(chunk, (_, index) => isNew[index] === true);
  }

  #contentOf({ at, features, label, unit }: ObservationEvent): string {
    const { time, aggregates = [] } = this.#spec.schema;
    // Computed from whatever came before, so another value at every reading.
    const computed = new Set(aggregates.map(({ name }) => name));
    const own = Object.entries(features).filter(([name]) => !computed.has(name));
    return canonicalJson([time === undefined ? null : at, Object.fromEntries(own), label ?? null, unit ?? null]);
  }

  #takeBack(event: ExampleEvent): void {
    this.#accepted--;
    if (isLabelled(event)) this.#labelled--;
  }

  async #write({ number, events, knownAt, quarantined, last }: Chunk): Promise<IngestResult> {
    const { store } = this.#context;
    const { model, origin, source, idempotencyKey, payloadHash } = this.#request;
    const anomalies = last ? this.#anomalies() : [];
    const result: IngestResult = {
      batchId: this.#batchId,
      received: this.#received,
      accepted: this.#accepted,
      quarantined: this.#quarantined,
      labelled: this.#labelled,
      problems: this.#problems,
      anomalies,
    };
    const written = await store.log.append({
      model,
      events,
      ...(this.#request.knownAt === undefined ? {} : { knownAt }),
      ...(quarantined.length === 0 ? {} : { quarantined }),
      ...(last ? { batch: this.#batchRecord(anomalies, origin) } : {}),
      ...(last && source !== undefined ? { source: { ...source, updatedAt: this.#now } } : {}),
      ...(idempotencyKey === undefined
        ? {}
        : {
            idempotency: {
              key: last ? idempotencyKey : `${idempotencyKey}#${number}`,
              hash: payloadHash ?? sha256Hex(canonicalJson(events)),
              response: last ? (result as unknown as Json) : null,
            },
          }),
    });
    return last && written.replayed !== undefined ? (written.replayed as unknown as IngestResult) : result;
  }

  #batchRecord(anomalies: readonly Anomaly[], origin: string): BatchRecord {
    return {
      id: this.#batchId,
      model: this.#request.model,
      receivedAt: this.#now,
      origin,
      rowCount: this.#received,
      acceptedCount: this.#accepted,
      quarantinedCount: this.#quarantined,
      duplicateCount: this.#duplicates,
      anomalies,
    };
  }

  #anomalies(): readonly Anomaly[] {
    const own = this.#request.anomalies ?? [];
    if (this.#request.form === "label") return own;
    return [...own, ...batchAnomalies(this.#profile.statistics(), this.#earlier)];
  }

  /** What the next delivery is compared with: sums over accepted deliveries without a blocking anomaly. */
  async remember(result: IngestResult): Promise<void> {
    if (this.#request.form === "label" || result.accepted === 0 || result.anomalies.some((anomaly) => anomaly.blocking))
      return;
    const own = this.#profile.statistics();
    const sum = this.#earlier === undefined ? own : mergeStatistics(this.#earlier, own);
    await this.#context.store.settings.set(statisticsKey(this.#request.model), sum as unknown as Json);
  }
}

const statisticsKey = (model: string) => `batch-statistics:${model}`;

/** What is kept of a refused row: enough to read it again as it was. A line of a CSV file alone would lack its header. */
function rawOf(reading: RowReading, missing: readonly string[]): Pick<QuarantinedRow, "raw" | "csv"> {
  if (!("row" in reading)) return { raw: reading.raw };
  if (reading.text === true) return { raw: JSON.stringify(reading.row), csv: { missing } };
  return { raw: reading.raw ?? exactJson(reading.row) };
}

/**
 * JSON that does not change what was refused: `JSON.stringify` writes Infinity as null, and the row would be taken as one with a
 * missing value at its replay. NaN has no form in JSON, so a row with it cannot be read again.
 */
function exactJson(row: unknown): string {
  // Not by recursion: a row may be nested deeper than the stack is.
  const waiting: ({ readonly text: string } | { readonly value: unknown })[] = [{ value: row }];
  let text = "";
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    if ("text" in one) {
      text += one.text;
      continue;
    }
    const { value } = one;
    if (typeof value !== "object" || value === null || "toJSON" in value) {
      text += exactScalar(value);
      continue;
    }
    const isList = Array.isArray(value);
    const parts = isList ? [...value.entries()] : Object.entries(value).filter(([, part]) => part !== undefined);
    text += isList ? "[" : "{";
    waiting.push({ text: isList ? "]" : "}" });
    // What is pushed last is taken first.
    for (let i = parts.length - 1; i >= 0; i--) {
      const [name, part] = parts[i] as readonly [string | number, unknown];
      waiting.push({ value: part }, { text: `${i > 0 ? "," : ""}${isList ? "" : `${JSON.stringify(name)}:`}` });
    }
  }
  return text;
}

function exactScalar(value: unknown): string {
  if (typeof value === "number" && !Number.isFinite(value))
    return Number.isNaN(value) ? "NaN" : `${value < 0 ? "-" : ""}1e999`;
  return typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? "null");
}
