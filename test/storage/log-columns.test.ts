/** Events in typed columns: whatever an event holds, what comes back from Parquet is the identical event. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  canonicalJson,
  createVirtualClock,
  type ExampleEvent,
  LOG_START,
  type LoggedEvent,
  type Store,
  systemClock,
} from "../../src/core/index.ts";
import { decodeText, encodeText, eventBody } from "../../src/storage/log/encode.ts";
import { openStore } from "../../src/storage/store.ts";
import { openTestDatabase, type TestDatabase } from "../../src/testing/database.ts";
import { anyEvent, anyText } from "./support/arbitrary-events.ts";
import { label, logSchema, observation, prediction, START } from "./support/events.ts";

function withoutPosition(event: LoggedEvent): string {
  const { transactionId: _xid, seq: _seq, receivedAt: _received, importedAt: _imported, ...rest } = event;
  return canonicalJson(rest);
}

describe("events as text", () => {
  it("have the canonical form that core gives, for any event", () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        expect(eventBody(event)).toBe(canonicalJson(event));
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  it("keep ids in a form that columns and line-separated inserts can hold", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const encoded = encodeText(text);
        expect(decodeText(encoded)).toBe(text);
        expect(encoded).not.toMatch(/[\u0000\n]|\p{Surrogate}/u);
      }),
      { numRuns: 2000, seed: 2 },
    );
  });
});

describe("events in segments", () => {
  let test: TestDatabase;
  let store: Store;
  beforeAll(async () => {
    test = await openTestDatabase();
    store = await openStore({
      database: test.database,
      directory: test.directory,
      worldClock: createVirtualClock(START),
      systemClock,
      schemaOf: logSchema,
    });
  });
  afterAll(async () => {
    await store.close();
    await test.dispose();
  });

  const readBack = async (model: string, events: readonly ExampleEvent[]) => {
    await store.log.append({ model, events });
    const before = await store.log.readAfter(model, LOG_START, { limit: events.length });
    await store.log.compact();
    expect((await store.log.segments(model)).reduce((sum, { rows }) => sum + rows, 0)).toBe(events.length);
    const after = await store.log.readAfter(model, LOG_START, { limit: events.length });
    expect(after.events).toEqual(before.events);
    return after.events.map(withoutPosition);
  };

  // Counts on when the test is tried again: each round has models of its own.
  let round = 0;
  it("come back identical, whatever they hold, with a schema and without", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyEvent, { minLength: 1, maxLength: 120 }), async (events) => {
        round += 1;
        const expected = events.map((event) => canonicalJson(event));
        expect(await readBack(`typed-${round}`, events)).toEqual(expected);
        expect(await readBack(`unknown-${round}`, events)).toEqual(expected);
      }),
      { numRuns: 25, seed: 3 },
    );
  });

  it("are kept as they came when they have not the shape of an event, and stop nobody", async () => {
    const model = "misshapen";
    const events = [observation("before"), { kind: "outcome", at: 1 }, label("after", true)] as ExampleEvent[];
    await store.log.append({ model, events });
    await test.database.query(
      `update ingest set kinds = replace(kinds, '3', '1'), bodies = regexp_replace(bodies, '\\n[^\\n]*\\n', E'\\n{}\\n') where model = $1`,
      [model],
    );
    await store.log.compact();
    const { events: read } = await store.log.readAfter(model, LOG_START, { limit: 9 });
    expect(read.map(withoutPosition)).toEqual([canonicalJson(events[0]), "{}", canonicalJson(events[2])]);
  });

  it("lie in typed columns where the schema fits, and only what does not fit is kept as text", async () => {
    const events = [
      observation("fits", {}, { label: true }),
      observation("strange", { age: "old" }),
      label("fits", null),
    ];
    await readBack("columns", [...events, prediction("p", "fits")]);
    const files = await store.log.segments("columns");
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    const rowsOf = async (kind: string) => {
      const path = files.find((file) => file.kind === kind)?.path;
      const reader = await connection.runAndReadAll(`select * from read_parquet('${path}') order by seq`);
      return reader.getRowObjectsJson();
    };
    expect(await rowsOf("observation")).toMatchObject([
      { example_id: "fits", f_age: 30, f_job: "clerk", f_member: true, label: true, labelled: true, rest: null },
      {
        example_id: "strange",
        f_age: null,
        f_job: "clerk",
        labelled: false,
        rest: eventBody(events[1] as ExampleEvent),
      },
    ]);
    expect(await rowsOf("label")).toMatchObject([{ label: null, retraction: true, label_source: "user", rest: null }]);
    expect(await rowsOf("prediction")).toMatchObject([
      { prediction_id: "p", version: "v1", scores: [0.25, 0.75], decision: true, origin: "live", rest: null },
    ]);
    connection.closeSync();
  });
});
