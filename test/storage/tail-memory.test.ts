/** The only writer's memory of the tail: its answers are those of a reader that remembers nothing, and what it wrote is not read back. */
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  createVirtualClock,
  DAY_MS,
  type EventKind,
  type ExampleEvent,
  fail,
  LOG_START,
  type LogCursor,
  type SystemClock,
  silentLogger,
  systemClock,
} from "../../src/core/index.ts";
import { type Analytics, openAnalytics } from "../../src/storage/analytics.ts";
import { APPEND_LIMITS } from "../../src/storage/log/append.ts";
import { openEventLog, type OpenEventLog } from "../../src/storage/log/event-log.ts";
import type { SqlDatabase } from "../../src/storage/sql.ts";
import { StoreHealthMonitor } from "../../src/storage/store-health.ts";
import { openTestDatabase, type TestDatabase } from "../../src/testing/database.ts";
import { label, logSchema, observation, prediction, START } from "./support/events.ts";

describe("the remembered tail", () => {
  let test: TestDatabase;
  let analytics: Analytics;
  let remembering: OpenEventLog;
  let plain: OpenEventLog;
  let queries = 0;
  /** Before the asker learns of the answer. */
  let afterQuery = async (): Promise<void> => {};
  let health: StoreHealthMonitor;
  const clock = createVirtualClock(START);
  let systemOffset = 0;
  const shiftedClock: SystemClock = { ...systemClock, now: () => systemClock.now() + systemOffset };

  beforeAll(async () => {
    test = await openTestDatabase();
    const raw: SqlDatabase = test.database;
    const counted: SqlDatabase = {
      async query(text, values) {
        queries += 1;
        const result = await raw.query(text, values);
        await afterQuery();
        return result;
      },
      transaction(work) {
        queries += 1;
        return raw.transaction(work);
      },
    };
    health = new StoreHealthMonitor({
      database: raw,
      directory: test.directory,
      clock: systemClock,
      logger: silentLogger,
    });
    analytics = await openAnalytics(test.directory);
    const common = {
      analytics,
      background: analytics,
      folder: join(test.directory, "segments"),
      worldClock: clock,
      systemClock: shiftedClock,
      health,
      schemaOf: logSchema,
      logger: silentLogger,
      limits: APPEND_LIMITS,
    };
    remembering = await openEventLog({ ...common, database: counted, isOnlyWriter: true });
    plain = await openEventLog({ ...common, database: raw, isOnlyWriter: false });
  });
  beforeEach(() => {
    queries = 0;
  });
  afterAll(async () => {
    await remembering.close();
    await plain.close();
    analytics.close();
    await health.close();
    await test.dispose();
  });

  const some = (id: string): ExampleEvent[] => [
    observation(id),
    prediction(`p-${id}`, id),
    label(id, true),
    { kind: "label", predictionId: `p-${id}`, at: START, value: false, labelSource: "user" },
  ];

  it("answers as a reader without memory does, whatever was appended, compacted, merged or deleted between", async () => {
    let round = 0;
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 4 }) }) },
      {
        weight: 4,
        arbitrary: fc.record({ ask: fc.integer({ min: 0, max: 30 }), limit: fc.integer({ min: 1, max: 9 }) }),
      },
      fc.constantFrom("compact" as const, "maintain" as const, "forget" as const),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
        const model = `m${round++}`;
        const ids: string[] = [];
        const cursors: LogCursor[] = [LOG_START];
        const compare = async (place: number, limit: number, kinds?: readonly EventKind[]) => {
          const cursor = cursors[place % cursors.length] as LogCursor;
          const options = { limit, ...(kinds === undefined ? {} : { kinds }) };
          const expected = await plain.readAfter(model, cursor, options);
          expect(await remembering.readAfter(model, cursor, options)).toEqual(expected);
          cursors.push(expected.cursor);
        };
        for (const one of [...steps, { ask: 1, limit: 50 }]) {
          if (one === "compact") await remembering.compact();
          else if (one === "maintain") await remembering.maintain();
          else if (one === "forget") await remembering.deleteBefore(model, ["prediction", "label"], START + DAY_MS);
          else if ("append" in one) {
            for (let i = 0; i < one.append; i++) {
              const id = `${model}-${ids.length}`;
              ids.push(id);
              clock.advanceTo(clock.now() + 1);
              const shadow = prediction(`s-${id}`, id, {}, { origin: "shadow" });
              const knownAt = i === 2 ? { knownAt: [START - 9, START - 8, START - 7, START - 6] } : {};
              await remembering.append({ model, events: some(id), ...knownAt });
              await remembering.append({ model, events: [shadow] });
            }
          } else {
            await compare(one.ask, one.limit);
            await compare(one.ask + 1, one.limit, ["observation", "prediction"]);
            const wanted = ids.filter((_, i) => i % 3 !== one.ask % 3);
            const keys = { exampleIds: wanted, predictionIds: ids.slice(0, one.limit).map((id) => `p-${id}`) };
            expect(await remembering.findLabels(model, keys)).toEqual(await plain.findLabels(model, keys));
            expect(await remembering.findPredictions(model, keys)).toEqual(await plain.findPredictions(model, keys));
            for (const since of [undefined, START - 5, clock.now() - 3]) {
              const range = since === undefined ? {} : { since };
              expect(await remembering.counts(model, range)).toEqual(await plain.counts(model, range));
            }
            const early = { exampleIds: ids, asOf: START - 1 };
            expect(await remembering.findObservations(model, { exampleIds: wanted })).toEqual(
              await plain.findObservations(model, { exampleIds: wanted }),
            );
            expect(await remembering.findLabels(model, early)).toEqual(await plain.findLabels(model, early));
          }
        }
      }),
      { numRuns: 12, seed: 11 },
    );
  });

  it("asks for the tail once, and for no row that was written since", async () => {
    await remembering.append({ model: "asked", events: some("a") });
    await remembering.readAfter("asked", LOG_START, { limit: 10 });
    await remembering.append({ model: "asked", events: some("b") });
    queries = 0;
    const { events } = await remembering.readAfter("asked", LOG_START, { limit: 10 });
    expect(events).toHaveLength(8);
    const predictions = await remembering.readAfter("asked", LOG_START, { limit: 10, kinds: ["prediction"] });
    expect(predictions.events).toHaveLength(2);
    expect(await remembering.findPredictions("asked", { exampleIds: ["a", "b"] })).toHaveLength(2);
    expect(await remembering.findLabels("asked", { exampleIds: ["a"], predictionIds: ["p-b"] })).toHaveLength(2);
    expect(queries).toBe(0);
  });

  it("asks anew after a commit of which nobody knows what became", async () => {
    await remembering.append({ model: "lost", events: some("a") });
    await remembering.findLabels("lost", { exampleIds: ["a"] });
    await plain.append({ model: "lost", events: some("b") });
    afterQuery = async () => {
      afterQuery = async () => {};
      throw fail("STORE_UNAVAILABLE", { message: "The reply was lost.", remedy: "Retry.", retryable: true });
    };
    await expect(remembering.append({ model: "lost", events: some("c") })).rejects.toThrow("The reply was lost.");
    const keys = { exampleIds: ["a", "b", "c"] };
    expect(await remembering.findLabels("lost", keys)).toEqual(await plain.findLabels("lost", keys));
    expect(await plain.findLabels("lost", keys)).toHaveLength(3);
  });

  it("holds a commit once that a reader saw before the writer heard of it", async () => {
    await remembering.append({ model: "seen", events: some("a") });
    const keys = { exampleIds: ["a", "b"] };
    afterQuery = async () => {
      afterQuery = async () => {};
      await remembering.findLabels("seen", keys);
    };
    await remembering.append({ model: "seen", events: some("b") });
    expect(await remembering.findLabels("seen", keys)).toEqual(await plain.findLabels("seen", keys));
  });

  it("answers a fold that follows the writing without a question, also when the tail is too long to keep or was moved", async () => {
    const many = Array.from({ length: 6_000 }, (_, i) => observation(`y${i}`));
    await remembering.append({ model: "fast", events: many });
    await remembering.append({ model: "fast", events: many });
    const behind = await plain.readAfter("fast", LOG_START, { limit: 11_990 });
    const follow = async () => {
      queries = 0;
      const read = await remembering.readAfter("fast", behind.cursor, { limit: 20 });
      return { read, asked: queries };
    };
    const expected = await plain.readAfter("fast", behind.cursor, { limit: 20 });
    expect(expected.events).toHaveLength(10);
    expect(await follow()).toEqual({ read: expected, asked: 0 });
    await remembering.compact();
    expect(await follow()).toEqual({ read: expected, asked: 0 });
    await remembering.deleteBefore("fast", ["label"], START);
    expect((await follow()).read).toEqual(await plain.readAfter("fast", behind.cursor, { limit: 20 }));
  });

  it("leaves a tail of more than ten thousand rows to the database until it is compacted", async () => {
    const many = Array.from({ length: 6_000 }, (_, i) => label(`x${i}`, true));
    await remembering.append({ model: "long", events: many });
    await remembering.readAfter("long", LOG_START, { limit: 1 });
    await remembering.append({ model: "long", events: many });
    const answers = async () => (await remembering.findLabels("long", { exampleIds: ["x7"] })).length;
    queries = 0;
    expect([await answers(), await answers()]).toEqual([2, 2]);
    expect(queries).toBe(2);
    await remembering.compact();
    await answers();
    queries = 0;
    expect(await answers()).toBe(2);
    expect(queries).toBe(0);
  });

  it("does not answer from before a change of the segments that came while it was read", async () => {
    await remembering.append({ model: "race", events: some("r") });
    const [asked] = await Promise.all([remembering.findLabels("race", { exampleIds: ["r"] }), remembering.compact()]);
    expect(asked).toHaveLength(1);
    expect(await remembering.findLabels("race", { exampleIds: ["r"] })).toHaveLength(1);
    systemOffset += DAY_MS;
    await remembering.maintain();
    expect(await remembering.findLabels("race", { exampleIds: ["r"] })).toEqual(
      await plain.findLabels("race", { exampleIds: ["r"] }),
    );
  });
});
