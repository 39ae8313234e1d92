import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/index.ts";
import { openDatabase } from "../../src/storage/pool.ts";
import { findTestServer, openPostgresTestDatabase, type TestDatabase } from "../../src/testing/database.ts";

const server = await findTestServer();
const skipReason = "skipReason" in server ? ` (skipped: ${server.skipReason})` : "";

describe.skipIf(skipReason)(`a server that ends our connections${skipReason}`, () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openPostgresTestDatabase({ isMigrated: false });
  });
  afterAll(() => test?.dispose());

  /** Ends every connection of this database but the one that asks, as a restart of the server does. */
  const endOthers = () =>
    test.database.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );

  it("fails the transaction under way as retryable, tells it, and answers again", async () => {
    const states: string[] = [];
    test.database.onHealth(({ state }) => states.push(state));
    await test.database.query("create table item (id int primary key)");
    let ended: () => void = () => {};
    const hasEnded = new Promise<void>((resolve) => {
      ended = resolve;
    });
    let begun: () => void = () => {};
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const work = test.database.transaction(async (tx) => {
      await tx.query("insert into item values (1)");
      begun();
      await hasEnded;
      await tx.query("select 1");
    });
    await hasBegun;
    await endOthers();
    ended();
    await expect(work).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", retryable: true });
    expect((await test.database.query("select id from item")).rows).toEqual([]);
    expect(states).toEqual(["down", "up"]);
  });

  it("is listened to again after a lost connection", async () => {
    const news: string[] = [];
    await test.database.listen("news", (payload) => news.push(payload));
    await endOthers();
    await expect
      .poll(
        async () => {
          await test.database.query("select pg_notify('news', 'again')");
          return news;
        },
        { timeout: 10_000, interval: 50 },
      )
      .toContain("again");
  });
});

describe("an address without a server", () => {
  it("is STORE_UNAVAILABLE, with the driver's error as cause", async () => {
    const opening = openDatabase({ url: "postgres://postgres@127.0.0.1:9/postgres", systemClock });
    await expect(opening).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      retryable: true,
      cause: { code: "ECONNREFUSED" },
    });
  });
});
