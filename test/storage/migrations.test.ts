import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Kysely, type Migration, sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createVirtualClock, LOG_START, systemClock } from "../../src/core/index.ts";
import { migrations } from "../../src/storage/migrations/index.ts";
import { migrate } from "../../src/storage/migrations.ts";
import { openStore } from "../../src/storage/store.ts";
import { openTestDatabase, type TestDatabase } from "../../src/testing/database.ts";

const first: Migration = {
  up: async (kysely: Kysely<unknown>) => void (await sql`create table first (id int primary key)`.execute(kysely)),
};
const failing: Migration = {
  up: async (kysely: Kysely<unknown>) => {
    await sql`create table second (id int primary key)`.execute(kysely);
    await sql`select * from nowhere`.execute(kysely);
  },
};

describe("migrations", () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openTestDatabase({ isMigrated: false });
  });
  afterAll(() => test?.dispose());

  const tables = async () => {
    const { rows } = await test.database.query<{ name: string }>(
      "select tablename as name from pg_tables where tablename in ('first', 'second') order by 1",
    );
    return rows.map(({ name }) => name);
  };

  it("run once, in order, and report what ran", async () => {
    expect(await migrate(test.database, { "0001-first": first })).toEqual(["0001-first"]);
    expect(await migrate(test.database, { "0001-first": first })).toEqual([]);
  });

  it("change nothing when one fails, and name it", async () => {
    const work = migrate(test.database, { "0001-first": first, "0002-second": failing });
    await expect(work).rejects.toMatchObject({ code: "MIGRATION_FAILED" });
    await expect(work).rejects.toThrow(/migration 0002-second failed.*nowhere/);
    expect(await tables()).toEqual(["first"]);
  });

  it("refuse a database that a newer version has migrated", async () => {
    const work = migrate(test.database, {});
    await expect(work).rejects.toMatchObject({ code: "MIGRATION_FAILED" });
    await expect(work).rejects.toThrow(/0001-first/);
  });

  it("that are registered bring a new database up to date, one file each", async () => {
    const other = await openTestDatabase({ isMigrated: false });
    try {
      expect(await migrate(other.database)).toEqual(Object.keys(migrations));
      expect(await migrate(other.database)).toEqual([]);
    } finally {
      await other.dispose();
    }
    const folder = fileURLToPath(new URL("../../src/storage/migrations/", import.meta.url));
    const files = readdirSync(folder).filter((name) => /^\d{4}-.*\.ts$/.test(name));
    expect(Object.keys(migrations)).toEqual(files.map((name) => name.replace(/\.ts$/, "")).sort());
  });

  it("put the rows of an older tail into blocks, and number what comes after above them", async () => {
    const older = await openTestDatabase({ isMigrated: false });
    const { "0015-blocks": blocks, ...before } = migrations;
    const body = (id: string) => `{"at":5,"exampleId":"${id}","features":{},"kind":"observation"}`;
    try {
      await migrate(older.database, before);
      await older.database.query(
        `insert into ingest (part, received_at, imported_at, at, model, kind, labelled, example_id, prediction_id, body) values
         (0, 7, null, 5, 'm', 0, false, 'a', null, $1), (0, 3, 8, 5, 'm', 0, true, 'b', null, $2),
         (1, 9, null, 6, 'm', 2, true, null, 'p', $3)`,
        [body("a"), body("b"), '{"at":6,"kind":"label","labelSource":"user","predictionId":"p","value":true}'],
      );
      expect(await migrate(older.database, { ...before, "0015-blocks": blocks as Migration })).toEqual(["0015-blocks"]);
      const { directory, database } = older;
      const worldClock = createVirtualClock(20);
      const store = await openStore({ database, directory, worldClock, systemClock, schemaOf: () => undefined });
      const event = { kind: "observation", exampleId: "c", at: 10, features: {} } as const;
      await store.log.append({ model: "m", events: [event] });
      const { events } = await store.log.readAfter("m", LOG_START, { limit: 9 });
      expect(events.map(({ receivedAt, importedAt, at }) => [receivedAt, importedAt, at])).toEqual([
        [7, undefined, 5],
        [3, 8, 5],
        [9, undefined, 6],
        [20, undefined, 10],
      ]);
      expect(events[3]?.seq).toBeGreaterThan(events[2]?.seq ?? 0n);
      expect(await store.log.findLabels("m", { predictionIds: ["p"] })).toMatchObject([{ value: true }]);
      expect((await store.log.compact()).rows).toBe(4);
      expect((await store.log.readAfter("m", LOG_START, { limit: 9 })).events).toEqual(events);
      await store.close();
    } finally {
      await older.dispose();
    }
  });
});
