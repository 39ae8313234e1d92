/** Compaction, merging and reading at once: no row is lost, doubled or out of order, whatever comes between. */
import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { utimes } from "node:fs/promises";
import { join, relative } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createVirtualClock,
  DAY_MS,
  type ExampleEvent,
  HOUR_MS,
  LOG_START,
  type LogCursor,
  type LoggedEvent,
  type Store,
  type SystemClock,
  systemClock,
} from "../../src/core/index.ts";
import { coarsenVolume } from "../../src/storage/log/maintain.ts";
import { openStore } from "../../src/storage/store.ts";
import { openTestDatabase, type TestDatabase } from "../../src/testing/database.ts";
import { label, logSchema, observation, prediction, START } from "./support/events.ts";
import { TELLS_NAMES, watchSyncs } from "./support/syncs.ts";

describe("the log under compaction", () => {
  let test: TestDatabase;
  let store: Store;
  let beforeSwap: () => Promise<void> = async () => {};
  let systemOffset = 0;
  const clock = createVirtualClock(START);
  const shiftedClock: SystemClock = { ...systemClock, now: () => systemClock.now() + systemOffset };

  beforeAll(async () => {
    test = await openTestDatabase();
    store = await openStore({
      database: test.database,
      directory: test.directory,
      worldClock: clock,
      systemClock: shiftedClock,
      schemaOf: logSchema,
      beforeSwap: () => beforeSwap(),
    });
  });
  afterAll(async () => {
    await store.close();
    await test.dispose();
  });

  const readAll = async (model: string, limit: number): Promise<LoggedEvent[]> => {
    const events: LoggedEvent[] = [];
    let cursor: LogCursor = LOG_START;
    for (;;) {
      const page = await store.log.readAfter(model, cursor, { limit });
      events.push(...page.events);
      cursor = page.cursor;
      if (!page.more) return events;
    }
  };
  const idsOf = (events: readonly LoggedEvent[]) => events.map((event) => event.exampleId);
  const some = (id: string): ExampleEvent[] => [observation(id), prediction(`p-${id}`, id), label(id, true)];

  it("reads the same events in the same order however appends are split and whenever compaction runs", async () => {
    let round = 0;
    const step = fc.oneof(
      fc.record({ append: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ append: fc.integer({ min: 1, max: 5 }) }),
      fc.constantFrom("compact" as const, "maintain" as const),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 9 }),
        async (steps, limit) => {
          round += 1;
          const model = `split-${round}`;
          const expected: string[] = [];
          for (const action of steps) {
            if (action === "compact") await store.log.compact();
            else if (action === "maintain") await store.log.maintain();
            else {
              const ids = Array.from({ length: action.append }, (_, i) => `${expected.length + i}`);
              expected.push(...ids);
              await store.log.append({ model, events: ids.map((id) => some(id)[Number(id) % 3] as ExampleEvent) });
            }
          }
          expect(idsOf(await readAll(model, limit))).toEqual(expected);
          const counts = await store.log.counts(model, {});
          expect(counts.events.observation + counts.events.prediction + counts.events.label).toBe(expected.length);
        },
      ),
      { numRuns: 25, seed: 5 },
    );
  }, 120_000);

  it("shows every reader a whole prefix while rows are appended, compacted and merged", async () => {
    const model = "readers";
    let appended = 0;
    let isDone = false;
    const writer = async () => {
      while (appended < 120 && !isDone) {
        await store.log.append({ model, events: [observation(`${appended}`)] });
        appended += 1;
      }
      isDone = true;
    };
    const compacter = async () => {
      for (let i = 0; !isDone; i++) {
        await store.log.compact();
        if (i % 4 === 3) await store.log.maintain();
      }
    };
    let reads = 0;
    const reader = async () => {
      while (!isDone) {
        const atLeast = appended;
        const ids = idsOf(await readAll(model, 50));
        expect(ids).toEqual(ids.map((_, i) => `${i}`));
        expect(ids.length).toBeGreaterThanOrEqual(atLeast);
        const exampleIds = atLeast === 0 ? [] : [...new Set(["0", `${atLeast - 1}`])];
        expect(await store.log.findObservations(model, { exampleIds })).toHaveLength(exampleIds.length);
        reads += 1;
        // A read of a quiet log does no work at all, so this loop would otherwise let nobody else run.
        await systemClock.sleep(1);
      }
    };
    const workers = [writer(), compacter(), reader(), reader()];
    for (const worker of workers)
      worker.catch(() => {
        isDone = true;
      });
    await Promise.all(workers);
    expect(reads).toBeGreaterThan(3);
    expect((await store.log.segments(model)).length).toBeGreaterThan(0);
  }, 120_000);

  it("loses nothing when a commit comes between copy and swap: the count check gives the copy up", async () => {
    const model = "late";
    await store.log.compact();
    await store.log.append({ model, events: some("early") });
    let swaps = 0;
    beforeSwap = async () => {
      swaps += 1;
      // A writer that had read the old active part: its row lands in the partition that is about to be truncated.
      if (swaps === 1) {
        await test.database.query(
          `insert into ingest (part, last_seq, rows, received_at, model, kinds, ats, example_ids, prediction_ids, bodies)
           select 1 - active_part, nextval('ingest_commit') * 1048576, 1, $2, $1, '0', '0', 'late', '', $3 from log_state`,
          [model, clock.now(), '{"at":0,"exampleId":"late","features":{},"kind":"observation"}'],
        );
      }
    };
    const { rows } = await store.log.compact();
    beforeSwap = async () => {};
    expect(swaps).toBe(2);
    expect(rows).toBe(4);
    const tail = await test.database.query<{ n: number }>("select count(*) as n from ingest");
    expect(tail.rows[0]?.n).toBe(0);
    expect(idsOf(await readAll(model, 10))).toEqual(["early", "early", "early", "late"]);
    expect(await store.log.segments(model)).toHaveLength(3);
  });

  it.skipIf(!TELLS_NAMES)("syncs each file before it has its name, and the folder after", async () => {
    await store.log.compact();
    await store.log.append({ model: "synced", events: [observation("one")] });
    const folder = join(test.directory, "segments");
    const nameOf = (path: string) => relative(folder, path).replace(/^[0-9a-f-]{36}/, "ID");
    const synced: string[] = [];
    await watchSyncs(
      () => store.log.compact(),
      (path) => synced.push(nameOf(path), path === folder ? "" : String(existsSync(path.replace(/\.tmp$/, "")))),
    );
    expect(synced).toEqual(["ID.idx.tmp", "false", "", "", "ID.parquet.tmp", "false", "", ""]);
  });

  it("reads as many blocks at a time as hold a thousand rows, large ones and small ones", async () => {
    const model = "paged";
    await store.log.compact();
    let pages = 0;
    const counting = new Proxy(test.database, {
      get(database, name) {
        const value: unknown = Reflect.get(database, name, database);
        if (typeof value !== "function") return value;
        return (...given: unknown[]): unknown => {
          if (name === "query" && /from ingest_[01] as ingest/.test(String(given[0]))) pages += 1;
          return value.apply(database, given);
        };
      },
    });
    const other = await openStore({
      database: counting,
      directory: test.directory,
      worldClock: clock,
      systemClock,
      schemaOf: logSchema,
    });
    const append = (from: number, rows: number) =>
      other.log.append({ model, events: Array.from({ length: rows }, (_, i) => observation(`h${from + i}`)) });
    await append(0, 6_000);
    await other.log.compact();
    expect(pages).toBe(7);
    pages = 0;
    for (let i = 0; i < 120; i++) await append(6_000 + 10 * i, 10);
    await other.log.compact();
    expect(pages).toBe(2);
    pages = 0;
    const large = (id: string) => observation(id, { job: "x".repeat(300_000) });
    await other.log.append({ model: "large", events: Array.from({ length: 20 }, (_, i) => large(`l${i}`)) });
    await other.log.compact();
    expect(pages).toBe(4);
    const read = await readAll(model, 20_000);
    expect(idsOf(read)).toEqual(Array.from({ length: 7_200 }, (_, i) => `h${i}`));
    await other.close();
  });

  it("gives a copy up when another process swapped the partition meanwhile, though as many rows stand there again", async () => {
    const model = "rivals";
    await store.log.compact();
    await store.log.append({ model, events: [observation("one"), observation("two")] });
    const rival = await openStore({
      database: test.database,
      directory: test.directory,
      worldClock: clock,
      systemClock,
      schemaOf: logSchema,
    });
    let swaps = 0;
    beforeSwap = async () => {
      swaps += 1;
      if (swaps > 1) return;
      await rival.log.compact();
      // One flip more, so that the new rows stand in the partition which was copied.
      await test.database.query("update log_state set active_part = 1 - active_part");
      await rival.log.append({ model, events: [observation("three"), observation("four")] });
    };
    await store.log.compact();
    beforeSwap = async () => {};
    await rival.close();
    expect(idsOf((await store.log.readAfter(model, LOG_START, { limit: 9 })).events)).toEqual([
      "one",
      "two",
      "three",
      "four",
    ]);
  });

  it("continues after a process died between flip and swap", async () => {
    const model = "died";
    await store.log.compact();
    await store.log.append({ model, events: some("first") });
    beforeSwap = () => Promise.reject(new Error("killed here"));
    await expect(store.log.compact()).rejects.toThrow("killed here");
    beforeSwap = async () => {};
    await store.log.append({ model, events: some("second") });
    expect(idsOf(await readAll(model, 10))).toEqual(["first", "first", "first", "second", "second", "second"]);
    await store.log.compact();
    expect(idsOf(await readAll(model, 10))).toEqual(["first", "first", "first", "second", "second", "second"]);
    const tail = await test.database.query<{ n: number }>("select count(*) as n from ingest");
    expect(tail.rows[0]?.n).toBe(0);
  });

  it("merges small segments, and removes merged, orphaned and half-written files once nobody can read them", async () => {
    const model = "merge";
    for (let i = 0; i < 4; i++) {
      await store.log.append({ model, events: some(`${i}`) });
      await store.log.compact();
    }
    const before = await store.log.segments(model);
    const all = await readAll(model, 5);
    const folder = join(test.directory, "segments");
    const orphan = join(folder, "00000000-0000-7000-8000-000000000000.parquet");
    const young = join(folder, "00000000-0000-7000-8000-000000000001.parquet.tmp");
    writeFileSync(orphan, "x");
    writeFileSync(young, "x");
    const old = systemClock.now() / 1000 - 3600;
    await utimes(orphan, old, old);
    await store.log.maintain();
    const merged = await store.log.segments(model);
    expect(merged.map(({ kind, rows }) => `${kind} ${rows}`).toSorted((a, b) => a.localeCompare(b))).toEqual([
      "label 4",
      "observation 4",
      "prediction 4",
    ]);
    expect(await readAll(model, 5)).toEqual(all);
    expect(
      (await store.log.findPredictions(model, { predictionIds: ["p-2"] })).map((event) => event.exampleId),
    ).toEqual(["2"]);
    expect([existsSync(orphan), existsSync(young)]).toEqual([false, true]);
    expect(before.every(({ path }) => existsSync(path))).toBe(true);
    systemOffset = HOUR_MS;
    await store.log.maintain();
    systemOffset = 0;
    expect(before.some(({ path }) => existsSync(path))).toBe(false);
    expect(existsSync(young)).toBe(false);
    expect(merged.every(({ path }) => existsSync(path) && existsSync(path.replace(".parquet", ".idx")))).toBe(true);
  });

  it("finds events also where an index file is missing or damaged", async () => {
    const model = "damaged";
    await store.log.append({ model, events: some("x") });
    await store.log.compact();
    for (const { path } of await store.log.segments(model))
      writeFileSync(path.replace(".parquet", ".idx"), "RIX1 nonsense");
    expect(await store.log.findPredictions(model, { exampleIds: ["x"] })).toHaveLength(1);
    expect(await store.log.findLabels(model, { exampleIds: ["x"] })).toHaveLength(1);
  });

  it("says which segment is corrupt or gone instead of reading around it", async () => {
    const model = "corrupt";
    await store.log.append({ model, events: [observation("x")] });
    await store.log.compact();
    const [{ path } = { path: "" }] = await store.log.segments(model);
    writeFileSync(path, "PAR1 no more");
    const corrupt = { code: "STORE_CORRUPT", message: expect.stringContaining(path) as string };
    await expect(store.log.readAfter(model, LOG_START, { limit: 5 })).rejects.toMatchObject(corrupt);
    await expect(store.log.findObservations(model, { exampleIds: ["x"] })).rejects.toMatchObject(corrupt);
    unlinkSync(path);
    await expect(store.log.readAfter(model, LOG_START, { limit: 5 })).rejects.toMatchObject(corrupt);
    await store.log.deleteBefore(model, ["observation"], clock.now() + DAY_MS);
    expect(await readAll(model, 5)).toEqual([]);
  });

  it("tells a segment that changed or vanished, and merges neither", async () => {
    const model = "hashed";
    for (const id of ["a", "b", "c"]) {
      await store.log.append({ model, events: [observation(id)] });
      await store.log.compact();
    }
    const segments = await store.log.segments(model);
    expect(segments).toHaveLength(3);
    expect(await store.log.damagedSegments(model)).toEqual([]);
    const [first, second] = segments.map(({ path }) => path) as [string, string];
    const bytes = readFileSync(first);
    const changed = Buffer.from(bytes);
    changed[20] = (changed[20] as number) ^ 1;
    writeFileSync(first, changed);
    unlinkSync(second);
    expect(await store.log.damagedSegments(model)).toEqual([
      { path: first, problem: "changed" },
      { path: second, problem: "missing" },
    ]);
    await store.log.maintain();
    expect(await store.log.segments(model)).toHaveLength(3);
    writeFileSync(first, bytes);
    expect(await store.log.damagedSegments(model)).toEqual([{ path: second, problem: "missing" }]);
    await store.log.deleteBefore(model, ["observation"], clock.now() + DAY_MS);
  });

  it("deletes whole segments whose newest event is older, and nothing else", async () => {
    const model = "retention";
    clock.advanceTo(clock.now() + DAY_MS);
    await store.log.append({ model, events: some("old").map((event) => ({ ...event, at: clock.now() })) });
    await store.log.compact();
    clock.advanceTo(clock.now() + DAY_MS);
    await store.log.append({ model, events: some("new").map((event) => ({ ...event, at: clock.now() })) });
    await store.log.compact();
    expect(await store.log.deleteBefore(model, ["observation", "label"], clock.now())).toBe(2);
    expect(idsOf(await readAll(model, 10))).toEqual(["old", "new", "new", "new"]);
    expect(await store.log.deleteBefore(model, [], clock.now() + 1)).toBe(0);
    const names = readdirSync(join(test.directory, "segments"));
    expect(names.length).toBeGreaterThan(0);
  });

  it("counts exactly between any two instants, from seconds, minutes, hours, tail and segments alike", async () => {
    const model = "counts";
    const received: { at: number; kind: string; isLabelled: boolean }[] = [];
    const start = clock.now();
    for (let i = 0; i < 60; i++) {
      clock.advanceTo(clock.now() + [1, 300, 900, 20_000, 4 * 60_000, HOUR_MS][i % 6]!);
      const events: ExampleEvent[] = [
        observation("o", {}, i % 2 ? { label: true } : {}),
        label("o", i % 3 ? true : null),
      ];
      const { receivedAt } = await store.log.append({ model, events });
      received.push({ at: receivedAt, kind: "observation", isLabelled: i % 2 === 1 });
      received.push({ at: receivedAt, kind: "label", isLabelled: i % 3 !== 0 });
      if (i % 20 === 9) await store.log.compact();
      if (i === 40) await coarsenVolume(test.database, clock.now());
      if (i === 50) await coarsenVolume(test.database, clock.now() + 2 * DAY_MS);
    }
    const instant = fc.oneof(
      fc.integer({ min: start - 5, max: clock.now() + 5 }),
      fc.integer({ min: 0, max: received.length - 1 }).map((i) => received[i]?.at as number),
    );
    await fc.assert(
      fc.asyncProperty(instant, instant, async (since, until) => {
        const inside = received.filter(({ at }) => at > since && at <= until);
        const counts = await store.log.counts(model, { since, until });
        expect(counts).toEqual({
          events: {
            observation: inside.filter(({ kind }) => kind === "observation").length,
            label: inside.filter(({ kind }) => kind === "label").length,
            prediction: 0,
            outcome: 0,
          },
          labelled: inside.filter(({ isLabelled }) => isLabelled).length,
          lastReceivedAt: inside.length === 0 ? null : Math.max(...inside.map(({ at }) => at)),
        });
      }),
      { numRuns: 120, seed: 9 },
    );
  }, 60_000);
});
