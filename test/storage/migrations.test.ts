import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Kysely, type Migration, sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { migrations } from "../../src/storage/migrations/index.ts";
import { migrate } from "../../src/storage/migrations.ts";
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
});
