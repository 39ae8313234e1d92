/** What every database behind the pool must do; run over the embedded one here and over a server in test/services. */
import { AsyncLocalStorage } from "node:async_hooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Database } from "../../src/storage/pool.ts";
import type { TestDatabase, TestDatabaseOptions } from "../../src/testing/database.ts";

/** Short limits, so that a forgotten transaction is cut within a test's patience. */
const LIMITS = { idleMs: 400, openMs: 1_500 };

/** A promise and the function that settles it. */
function signal(): { readonly done: Promise<void>; readonly settle: () => void } {
  let settle = () => {};
  const done = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { done, settle };
}

export function describeDatabase(kind: string, open: (options: TestDatabaseOptions) => Promise<TestDatabase>): void {
  describe(`a database of kind ${kind}`, () => {
    let test: TestDatabase;
    let database: Database;

    beforeAll(async () => {
      test = await open({ isMigrated: false, transactionLimits: LIMITS });
      database = test.database;
      await database.query(
        `create table item (id bigint primary key, body text not null default '', n bigint not null default 0)`,
      );
    });
    afterAll(() => test?.dispose());

    describe("types", () => {
      const cases: readonly [string, string, unknown, unknown][] = [
        ["a safe int8 as number", "int8", "9007199254740991", 9007199254740991],
        ["a negative safe int8 as number", "int8", -42, -42],
        ["an int8 beyond 2^53 as bigint", "int8", 9007199254740993n, 9007199254740993n],
        ["float8 without loss", "float8", 0.1, 0.1],
        ["negative zero", "float8", "-0", -0],
        ["text with every plane of Unicode", "text", "ä\u2028\u{1f600}\ufffd\t\"'\\", "ä\u2028\u{1f600}\ufffd\t\"'\\"],
        ["a long text", "text", "x".repeat(3_000_000), "x".repeat(3_000_000)],
        ["boolean", "boolean", true, true],
        ["null", "text", null, null],
        ["bytes", "bytea", Buffer.from([0, 1, 255, 92, 0]), Buffer.from([0, 1, 255, 92, 0])],
        ["jsonb", "jsonb", JSON.stringify({ a: [1, null, "\u00e9"] }), { a: [1, null, "é"] }],
        ["timestamptz as Date", "timestamptz", "2008-05-01T12:00:00.123Z", new Date("2008-05-01T12:00:00.123Z")],
        ["date as text", "date", "2008-05-01", "2008-05-01"],
        ["timestamp without zone as text", "timestamp", "2008-05-01 12:00:00", "2008-05-01 12:00:00"],
        ["numeric as text", "numeric", "0.10", "0.10"],
        ["an array of text", "text[]", ["a", 'b"c', "{}", "null"], ["a", 'b"c', "{}", "null"]],
        ["an array of int8", "int8[]", [1, 2], [1, 2]],
      ];
      it.each(cases)("gives back %s", async (_title, type, sent, expected) => {
        const { rows } = await database.query<{ value: unknown }>(`select $1::${type} as value`, [sent]);
        const value = rows[0]?.value;
        expect(type === "int8[]" ? (value as unknown[]).map(Number) : value).toEqual(expected);
      });

      it("refuses text with a zero byte and stays usable", async () => {
        await expect(database.query("select $1::text", ["a\u0000b"])).rejects.toMatchObject({ code: "22021" });
        expect((await database.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
      });

      it("keeps the driver's own parsers for libraries on the same pool", async () => {
        const { rows } = await database.pool.query("select 1::int8 as n");
        expect(rows).toEqual([{ n: "1" }]);
      });
    });

    describe("errors", () => {
      it("tells a violated unique index by its SQLSTATE and name", async () => {
        await database.query("insert into item (id) values (1)");
        await expect(database.query("insert into item (id) values (1)")).rejects.toMatchObject({
          code: "23505",
          constraint: "item_pkey",
        });
      });
      it("answers several statements of one request, one transaction, by the last one's rows", async () => {
        const answer = await database.query(
          "select set_config('application_name', 'once', true); select current_setting('application_name') as name, 7::int8 as n",
        );
        expect(answer.rows).toEqual([{ name: "once", n: 7 }]);
        expect((await database.query("select current_setting('application_name') as name")).rows).not.toEqual([
          { name: "once" },
        ]);
      });
      it("tells a missing table by its SQLSTATE", async () => {
        await expect(database.query("select * from nowhere")).rejects.toMatchObject({ code: "42P01" });
      });
      it("tells the number of rows it changed", async () => {
        expect((await database.query("insert into item (id) values (2), (3)")).rowCount).toBe(2);
        expect((await database.query("delete from item where id = 99")).rowCount).toBe(0);
      });
      it.each([
        ["set search_path to nowhere"],
        ["SELECT pg_advisory_lock(1)"],
        ["create temp table scratch (a int)"],
        ["listen news"],
        ["begin"],
        ["prepare p as select 1"],
      ])("refuses %s, which belongs to one session", async (statement) => {
        await expect(database.query(statement)).rejects.toMatchObject({ code: "STATEMENT_REFUSED" });
        await expect(database.transaction((tx) => tx.query(statement))).rejects.toMatchObject({
          code: "STATEMENT_REFUSED",
        });
      });
      it("allows SET LOCAL and transaction-wide advisory locks", async () => {
        await database.transaction(async (tx) => {
          await tx.query("set local statement_timeout = '5s'");
          await tx.query("select pg_advisory_xact_lock(7)");
        });
      });
    });

    describe("transactions", () => {
      it("commits what the function did and returns its value", async () => {
        const value = await database.transaction(async (tx) => {
          await tx.query("insert into item (id) values (10)");
          return 7;
        });
        expect(value).toBe(7);
        expect((await database.query("select id from item where id = 10")).rows).toEqual([{ id: 10 }]);
      });
      it("rolls back when the function throws, and passes the error on", async () => {
        const mistake = new Error("mine");
        const work = database.transaction(async (tx) => {
          await tx.query("insert into item (id) values (11)");
          throw mistake;
        });
        await expect(work).rejects.toBe(mistake);
        expect((await database.query("select id from item where id = 11")).rows).toEqual([]);
      });
      it("reports the statement's error when the function swallowed it, instead of rolling back silently", async () => {
        const work = database.transaction(async (tx) => {
          await tx.query("insert into item (id) values (12)");
          await tx.query("select * from nowhere").catch(() => {});
        });
        await expect(work).rejects.toMatchObject({ code: "42P01" });
        expect((await database.query("select id from item where id = 12")).rows).toEqual([]);
      });
      it("keeps ten connections' transactions apart", async () => {
        await database.query("delete from item");
        await database.query("insert into item (id) values (0)");
        const connection = async (worker: number) => {
          for (let i = 0; i < 30; i++) {
            const id = 1_000 * (worker + 1) + i;
            const work = database.transaction(async (tx) => {
              await tx.query("insert into item (id, body) values ($1, $2)", [id, `of ${worker}`]);
              await tx.query("update item set n = n + 1 where id = 0");
              const { rows } = await tx.query<{ body: string }>("select body from item where id = $1", [id]);
              expect(rows).toEqual([{ body: `of ${worker}` }]);
              if (i % 3 === 0) throw new Error("rolled back on purpose");
            });
            if (i % 3 === 0) await expect(work).rejects.toThrow("on purpose");
            else await work;
          }
        };
        await Promise.all(Array.from({ length: 10 }, (_, worker) => connection(worker)));
        const { rows } = await database.query("select count(*) - 1 as items, max(n) as updates from item");
        expect(rows).toEqual([{ items: 200, updates: 200 }]);
      });
      it("rolls back when the connection dies inside", async () => {
        const work = database.transaction(async (tx) => {
          await tx.query("insert into item (id) values (13)");
          (tx.client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
          await tx.query("select 1");
        });
        await expect(work).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", retryable: true });
        expect((await database.query("select id from item where id = 13")).rows).toEqual([]);
      });
      it("does not show others what is not committed", async () => {
        const inserted = signal();
        const looked = signal();
        const writer = database.transaction(async (tx) => {
          await tx.query("insert into item (id) values (14)");
          inserted.settle();
          if (database.kind === "server") await looked.done;
        });
        await inserted.done;
        const reader = database.query("select id from item where id = 14").then((result) => {
          looked.settle();
          return result.rows;
        });
        await writer;
        const seen = await reader;
        // A server answers at once: nothing. The embedded database answers after the commit: the row. Never in between.
        expect(seen).toEqual(database.kind === "server" ? [] : [{ id: 14 }]);
      });
    });

    describe("safeguards", () => {
      const uses: readonly [string, () => Promise<unknown>][] = [
        ["query", () => database.query("select 1")],
        ["kysely", () => database.kysely.selectNoFrom((eb) => eb.lit(1).as("one")).execute()],
        ["transaction", () => database.transaction(async () => {})],
        ["pool.query", () => database.pool.query("select 1")],
        ["pool.connect", () => database.pool.connect()],
      ];
      it.each(uses)("refuses %s inside a transaction at once, naming the outer one", async (_name, use) => {
        const work = database.transaction(async () => void (await use()), { label: "outer one" });
        await expect(work).rejects.toMatchObject({ code: "TRANSACTION_NESTED" });
        await expect(work).rejects.toThrow(/"outer one" opened at .*database-contract/);
      });
      it("allows the pool again to work that outlives the transaction it was started in", async () => {
        const ended = signal();
        let later: Promise<unknown> = Promise.resolve();
        await database.transaction(async () => {
          later = ended.done.then(() => database.query("select 1"));
        });
        ended.settle();
        await expect(later).resolves.toMatchObject({ rowCount: 1 });
      });
      it("does not disturb the asynchronous context of the caller", async () => {
        const context = new AsyncLocalStorage<string>();
        const seen = await context.run("mine", () => database.transaction(async () => context.getStore()));
        expect(seen).toBe("mine");
      });
      it("rolls back a transaction without statements and names its call site", async () => {
        const forever = new Promise(() => {});
        const work = database.transaction(
          async (tx) => {
            await tx.query("insert into item (id) values (15)");
            await forever;
          },
          { label: "forgotten" },
        );
        await expect(work).rejects.toMatchObject({ code: "TRANSACTION_TOO_LONG" });
        await expect(work).rejects.toThrow(/"forgotten" opened at .*database-contract.* without a statement/);
        expect((await database.query("select id from item where id = 15")).rows).toEqual([]);
      });
      it("rolls back a transaction that stays open, however busy", async () => {
        let refusal: unknown;
        const work = database.transaction(async (tx) => {
          for (;;) {
            await tx.query("select pg_sleep(0.02)").catch((error: unknown) => {
              refusal = error;
              throw error;
            });
          }
        });
        await expect(work).rejects.toThrow(/was open for/);
        await expect.poll(() => refusal).toMatchObject({ code: "TRANSACTION_TOO_LONG" });
      });
      it("refuses a statement after the transaction has ended", async () => {
        const tx = await database.transaction(async (open) => open);
        await expect(tx.query("select 1")).rejects.toMatchObject({ code: "TRANSACTION_TOO_LONG" });
      });
      it("refuses Kysely's own transactions, which nothing would watch", async () => {
        await expect(database.kysely.transaction().execute(async () => {})).rejects.toMatchObject({
          code: "STATEMENT_REFUSED",
        });
      });
    });

    describe("notifications", () => {
      it("delivers what was committed to every listener, and nothing of a rollback", async () => {
        const first: string[] = [];
        const second: string[] = [];
        await database.listen("news", (payload) => first.push(payload));
        const stop = await database.listen("news", (payload) => second.push(payload));
        await database.transaction(async (tx) => void (await tx.query("select pg_notify('news', 'one')")));
        await database
          .transaction(async (tx) => {
            await tx.query("select pg_notify('news', 'never')");
            throw new Error("rolled back");
          })
          .catch(() => {});
        await database.query("select pg_notify('other', 'elsewhere')");
        await database.query("select pg_notify('news', 'two')");
        await expect.poll(() => first).toEqual(["one", "two"]);
        expect(second).toEqual(["one", "two"]);
        await stop();
        await database.query("select pg_notify('news', 'three')");
        await expect.poll(() => first).toEqual(["one", "two", "three"]);
        expect(second).toEqual(["one", "two"]);
      });
      it("delivers to a client that listens by itself", async () => {
        const client = await database.pool.connect();
        try {
          const seen: unknown[] = [];
          client.on("notification", ({ payload }) => seen.push(payload));
          await client.query("LISTEN direct");
          await database.query("select pg_notify('direct', 'hello')");
          await expect.poll(() => seen).toEqual(["hello"]);
        } finally {
          client.release(true);
        }
      });
    });

    describe("prepared statements", () => {
      it("keeps equal names of two connections apart", async () => {
        const [left, right] = await Promise.all([database.pool.connect(), database.pool.connect()]);
        try {
          for (let round = 0; round < 2; round++) {
            const one = await left.query({ name: "same", text: "select $1::int + 1 as n", values: [round] });
            const two = await right.query({ name: "same", text: "select $1::text || '!' as n", values: ["x"] });
            expect([one.rows[0], two.rows[0]]).toEqual([{ n: round + 1 }, { n: "x!" }]);
          }
        } finally {
          left.release(true);
          right.release(true);
        }
      });
    });

    describe("health and closing", () => {
      it("is up, and refuses queries after closing", async () => {
        const other = await open({ isMigrated: false });
        expect(other.database.health()).toEqual({ state: "up" });
        await other.dispose();
        await expect(other.database.query("select 1")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      });
    });
  });
}
