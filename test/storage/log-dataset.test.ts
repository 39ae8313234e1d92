/** The dataset of a run, compared with a slow, plain computation over the list of everything that was appended. */
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createVirtualClock,
  type DatasetRequest,
  type ExampleEvent,
  LABEL_PRECEDENCE,
  type LabelEvent,
  type LogSchema,
  type Store,
  systemClock,
} from "../../src/core/index.ts";
import { openStore } from "../../src/storage/store.ts";
import { openTestDatabase, type TestDatabase } from "../../src/testing/database.ts";
import { label, logSchema, observation, prediction, START } from "./support/events.ts";

type Known = ExampleEvent & { readonly receivedAt: number; readonly order: number };
interface Row {
  readonly example_id: string;
  readonly at: number;
  readonly received_at: number;
  readonly label_at: number;
  readonly label_received_at: number;
  readonly label_source: LabelEvent["labelSource"];
  readonly selective: boolean;
  readonly label: boolean;
  readonly f_age: number | null;
  readonly f_job: string | null;
  readonly f_member: boolean | null;
}

const later = (left: { receivedAt: number; order: number }, right: { receivedAt: number; order: number }) =>
  left.receivedAt - right.receivedAt || left.order - right.order;

/** Written from the words of the contract: precedence, then newest, retraction, features before the label, as of an instant. */
function expectedRows(all: readonly Known[], request: Omit<DatasetRequest, "path" | "schema">): Row[] {
  const known = all.filter((event) => event.receivedAt <= request.asOf);
  const exampleOf = new Map(
    known.flatMap((event) => (event.kind === "prediction" ? [[event.predictionId, event.exampleId]] : [])),
  );
  const statements: (Omit<LabelEvent, "kind"> & { example: string | undefined; receivedAt: number; order: number })[] =
    [];
  for (const event of known) {
    if (event.kind === "label") {
      statements.push({ ...event, example: event.exampleId ?? exampleOf.get(event.predictionId ?? "") });
    } else if (event.kind === "observation" && event.label !== undefined) {
      statements.push({ ...event, example: event.exampleId, value: event.label, labelSource: "system" });
    }
  }
  const rows: Row[] = [];
  for (const example of new Set(statements.map((statement) => statement.example))) {
    if (example === undefined) continue;
    const newest = LABEL_PRECEDENCE.map((source) =>
      statements
        .filter((item) => item.example === example && item.labelSource === source)
        .sort(later)
        .at(-1),
    );
    const effective = newest.find((statement) => statement && statement.value !== null);
    if (!effective) continue;
    const before = known
      .filter((event) => event.kind === "prediction" && event.exampleId === example && event.origin !== "shadow")
      .filter((event) => later(event, effective) < 0)
      .sort(later)
      .at(-1);
    const observed = known
      .filter((event) => event.kind === "observation" && event.exampleId === example)
      .sort(later)
      .at(-1);
    const described = before ?? observed;
    if (!described || !("features" in described)) continue;
    const { at, receivedAt, features } = described;
    if (at < (request.from ?? -Infinity) || at >= (request.to ?? Infinity)) continue;
    rows.push({
      example_id: example,
      at,
      received_at: receivedAt,
      label_at: effective.at,
      label_received_at: effective.receivedAt,
      label_source: effective.labelSource,
      selective: effective.selective === true,
      label: effective.value as boolean,
      f_age: (features["age"] ?? null) as number | null,
      f_job: (features["job"] ?? null) as string | null,
      f_member: (features["member"] ?? null) as boolean | null,
    });
  }
  const inOrder = (left: Row, right: Row) => left.at - right.at || (left.example_id < right.example_id ? -1 : 1);
  rows.sort(inOrder);
  return request.maxRows === undefined ? rows : rows.slice(Math.max(0, rows.length - request.maxRows));
}

const example = fc.constantFrom("a", "b", "c", "d");
const predictionId = fc.integer({ min: 0, max: 9 }).map((i) => `p${i}`);
const time = fc.integer({ min: 0, max: 20 }).map((i) => START + i);
const age = fc.record({ age: fc.option(fc.integer({ min: 18, max: 90 })) });
const source = fc.constantFrom("system", "expert", "user", "rule") as fc.Arbitrary<LabelEvent["labelSource"]>;
const someEvent: fc.Arbitrary<ExampleEvent> = fc.oneof(
  fc
    .tuple(example, age, time, fc.option(fc.boolean(), { nil: undefined }))
    .map(([id, features, at, value]) =>
      observation(id, features, { at, ...(value === undefined ? {} : { label: value }) }),
    ),
  fc
    .tuple(predictionId, example, age, time, fc.constantFrom("live", "system", "shadow") as fc.Arbitrary<"live">)
    .map(([id, of, features, at, origin]) => prediction(id, `${of}`, features, { at, origin })),
  fc
    .tuple(example, fc.option(fc.boolean()), time, source, fc.boolean())
    .map(([id, value, at, labelSource, selective]) =>
      label(id, value, { at, labelSource, ...(selective ? { selective: true } : {}) }),
    ),
  fc
    .tuple(predictionId, fc.option(fc.boolean()), time, source)
    .map(([id, value, at, labelSource]) => label(undefined, value, { predictionId: id, at, labelSource })),
);
/** A prediction id names one example for good. */
function withOneExamplePerPrediction(events: readonly ExampleEvent[]): ExampleEvent[] {
  return events.map((event) =>
    event.kind === "prediction"
      ? { ...event, exampleId: "abcd"[Number(event.predictionId.slice(1)) % 4] as string }
      : event,
  );
}

describe("a dataset", () => {
  let test: TestDatabase;
  let store: Store;
  let schema: (model: string) => LogSchema | undefined = logSchema;
  const clock = createVirtualClock(START);
  const rowsOf = async (path: string): Promise<Row[]> => {
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    const reader = await connection.runAndReadAll(
      `select * replace ("at"::double as "at", received_at::double as received_at, label_at::double as label_at,
        label_received_at::double as label_received_at) from read_parquet('${path}')`,
    );
    connection.closeSync();
    return reader.getRowObjectsJson() as unknown as Row[];
  };
  const write = async (model: string, request: Omit<DatasetRequest, "path" | "schema">, columns = logSchema(model)) => {
    const path = join(test.directory, "datasets", `${model}.parquet`);
    const file = await store.log.writeDataset({ ...request, schema: columns as LogSchema, path });
    const rows = await rowsOf(path);
    expect(file).toEqual({ rows: rows.length, minAt: rows[0]?.at ?? null, maxAt: rows.at(-1)?.at ?? null });
    return rows;
  };
  const append = async (model: string, events: readonly ExampleEvent[]): Promise<Known[]> => {
    clock.advanceTo(clock.now() + 1);
    const { receivedAt } = await store.log.append({ model, events });
    return events.map((event) => ({ ...event, receivedAt, order: 0 }));
  };

  beforeAll(async () => {
    test = await openTestDatabase();
    store = await openStore({
      database: test.database,
      directory: test.directory,
      worldClock: clock,
      systemClock,
      schemaOf: (model) => schema(model),
    });
  });
  afterAll(async () => {
    await store.close();
    await test.dispose();
  });

  it("is what the plain computation gives, for any history, split over tail and segments, as of any instant", async () => {
    let round = 0;
    const batches = fc.array(fc.tuple(fc.array(someEvent, { minLength: 1, maxLength: 12 }), fc.constantFrom(0, 0, 1)), {
      minLength: 1,
      maxLength: 6,
    });
    const window = fc.record({ from: time, to: time, maxRows: fc.integer({ min: 1, max: 4 }) }, { requiredKeys: [] });
    await fc.assert(
      fc.asyncProperty(
        batches,
        window,
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (deliveries, range, share) => {
          round += 1;
          const model = `oracle-${round}`;
          const all: Known[] = [];
          const first = clock.now() + 1;
          for (const [events, isCompacted] of deliveries) {
            all.push(...(await append(model, withOneExamplePerPrediction(events))));
            if (isCompacted) await store.log.compact();
          }
          const history = all.map((event, order) => ({ ...event, order }));
          const asOf = Math.round(first + share * (clock.now() - first));
          for (const request of [{ asOf, ...range }, { asOf: clock.now() }]) {
            expect(await write(model, request)).toEqual(expectedRows(history, request));
          }
        },
      ),
      { numRuns: 40, seed: 11 },
    );
  }, 120_000);

  it("does not see what was received after `asOf`: a late label, a correction, a later prediction", async () => {
    const model = "as-of";
    await append(model, [prediction("p1", "x", { age: 1 }), label("x", false), prediction("p2", "y")]);
    const asOf = clock.now();
    const frozen = await write(model, { asOf });
    await append(model, [label("x", true), label("y", true), prediction("p3", "x", { age: 2 }), label("x", true)]);
    expect(await write(model, { asOf })).toEqual(frozen);
    expect(frozen.map((row) => [row.example_id, row.label, row.f_age])).toEqual([["x", false, 1]]);
    const now = await write(model, { asOf: clock.now() });
    expect(now.map((row) => [row.example_id, row.label, row.f_age])).toEqual([
      ["x", true, 2],
      ["y", true, 30],
    ]);
  });

  it("imports count by when they were known", async () => {
    const model = "known-at";
    clock.advanceTo(clock.now() + 100);
    const past = clock.now() - 50;
    await store.log.append({ model, events: [observation("h", {}, { label: true })], knownAt: [past] });
    expect(await write(model, { asOf: past - 1 })).toEqual([]);
    expect(await write(model, { asOf: past })).toHaveLength(1);
  });

  it("reads segments of an older schema and of none with the columns of the newest", async () => {
    const model = "evolving";
    const columns = (logSchema(model) as LogSchema).columns;
    const row = (id: string) => observation(id, { age: 41.5, job: "chef", extra: "x" }, { label: true });
    schema = () => undefined;
    await append(model, [row("without")]);
    await store.log.compact();
    schema = () => ({ model, task: "regression", columns: columns.slice(0, 1) });
    await append(model, [row("narrow")]);
    await store.log.compact();
    schema = logSchema;
    await append(model, [row("full"), observation("typo", { age: "41" }, { label: true })]);
    await store.log.compact();
    await append(model, [row("tail")]);
    const rows = await write(model, { asOf: clock.now() });
    const whole = { f_age: 41.5, f_job: "chef", f_member: true, label: true };
    expect(
      rows.map(({ example_id, f_age, f_job, f_member, label: value }) => [
        example_id,
        { f_age, f_job, f_member, label: value },
      ]),
    ).toEqual([
      ["full", whole],
      ["narrow", whole],
      ["tail", whole],
      ["typo", { f_age: null, f_job: "clerk", f_member: true, label: true }],
      ["without", whole],
    ]);
  });

  it("has typed empty columns where nothing is labelled", async () => {
    const model = "nothing";
    await append(model, [prediction("n1", "x")]);
    expect(await write(model, { asOf: clock.now() })).toEqual([]);
  });
});
