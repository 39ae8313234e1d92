import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Worker } from "node:worker_threads";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type SystemClock, systemClock } from "../../src/core/index.ts";
import { migrate } from "../../src/storage/migrations.ts";
import { readyTemplate } from "../../src/storage/pglite/template.ts";
import { type Database, openDatabase } from "../../src/storage/pool.ts";
import { openTestDatabase } from "../../src/testing/database.ts";

/** A cluster that was made once; each test copies it. */
let prepared: string;
let home: string;
let open: Database[];

async function openHere(
  options: { name?: string; fault?: string; template?: string; clock?: SystemClock } = {},
): Promise<Database> {
  const directory = join(home, options.name ?? "data");
  if (options.fault) process.env["RETRAIN_FAULT"] = options.fault;
  try {
    const database = await openDatabase({
      directory,
      systemClock: options.clock ?? systemClock,
      ...(options.template ? { template: options.template } : {}),
    });
    open.push(database);
    return database;
  } finally {
    delete process.env["RETRAIN_FAULT"];
  }
}

beforeAll(async () => {
  prepared = mkdtempSync(join(tmpdir(), "retrain-cluster-"));
  const database = await openDatabase({ directory: prepared, systemClock });
  await database.close();
  return () => rmSync(prepared, { recursive: true, force: true });
}, 60_000);
beforeEach(() => {
  open = [];
  home = mkdtempSync(join(tmpdir(), "retrain-pglite-"));
  cpSync(prepared, join(home, "data"), { recursive: true });
});
afterEach(async () => {
  for (const database of open) await database.close();
  rmSync(home, { recursive: true, force: true });
});

describe("the embedded database", () => {
  it("refuses to run when a commit reaches no disk", async () => {
    await expect(openHere({ fault: "no-fsync" })).rejects.toMatchObject({ code: "STORE_NOT_DURABLE" });
    // The refusal gave back the lock.
    expect((await openHere()).health()).toEqual({ state: "up" });
  });

  it("keeps what was committed over a close and a new start", async () => {
    const first = await openHere();
    await first.query("create table item (id int primary key)");
    await first.query("insert into item values (1), (2)");
    await first.close();
    const second = await openHere();
    expect((await second.query("select id from item order by 1")).rows).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it("takes its replies in while the event loop is busy, where it is asked to look", async () => {
    const database = await openHere();
    await database.query("select 1");
    let isAnswered = false;
    const answer = database.query("select 2").then(() => (isAnswered = true));
    // Callbacks of one turn: the loop comes to no message between them.
    const callbacks = async (each: () => void) => {
      for (let i = 0; i < 50 && !isAnswered; i++) {
        each();
        await new Promise<void>((resolve) => process.nextTick(resolve));
      }
    };
    const busy = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    await callbacks(busy);
    expect(isAnswered).toBe(false);
    await callbacks(() => database.look());
    expect(isAnswered).toBe(true);
    await answer;
  });

  it("leaves the event loop free while it works", async () => {
    const database = await openHere();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await database.query("select count(*) from generate_series(1, 2000000) as n where n % 7 = 3");
    delay.disable();
    // In the main thread this query would hold the loop for its whole time, about half a second.
    expect(delay.count).toBeGreaterThan(20);
    expect(delay.percentile(90) / 1e6).toBeLessThan(60);
  });

  describe("when it dies", () => {
    it("fails open and waiting requests as retryable, says down, then opens again by itself", async () => {
      const threads: Worker[] = [];
      const note = (thread: Worker) => threads.push(thread);
      process.on("worker", note);
      const database = await openHere({ fault: "fsync-eio:60" });
      const states: string[] = [];
      database.onHealth(({ state }) => states.push(state));
      const reasons: string[] = [];
      database.onUnavailable((reason) => reasons.push(reason));
      await database.query("create table item (id int primary key)");
      const acked = new Set<number>();
      const refused: unknown[] = [];
      const write = async (id: number) => {
        try {
          await database.query("insert into item values ($1)", [id]);
          acked.add(id);
        } catch (error) {
          refused.push(error);
        }
      };
      for (let id = 0; states.length === 0 && id < 1_000; id += 10) {
        await Promise.all(Array.from({ length: 10 }, (_, i) => write(id + i)));
      }
      await expect.poll(() => states, { timeout: 20_000 }).toEqual(["down", "up"]);
      expect(refused.length).toBeGreaterThan(0);
      for (const error of refused) expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", retryable: true });
      expect(reasons[0]).toMatch(/^PANIC: could not fsync/);
      process.off("worker", note);
      // The dead one has ended: two databases on one directory would destroy each other's rows.
      expect(threads.map(({ threadId }) => (threadId === -1 ? "ended" : "runs"))).toEqual(["ended", "runs"]);
      const { rows } = await database.query<{ id: number }>("select id from item");
      const found = new Set(rows.map(({ id }) => id));
      expect([...acked].filter((id) => !found.has(id))).toEqual([]);
      expect(acked.size).toBeGreaterThan(10);
    });

    it("fails the transaction under way and listens again afterwards", async () => {
      const database = await openHere({ fault: "fsync-eio:60" });
      const states: string[] = [];
      database.onHealth(({ state }) => states.push(state));
      const news: string[] = [];
      await database.listen("news", (payload) => news.push(payload));
      await database.query("create table item (id int primary key)");
      let outcome: unknown;
      for (let id = 0; outcome === undefined && id < 1_000; id++) {
        await database
          .transaction(async (tx) => void (await tx.query("insert into item values ($1)", [id])))
          .catch((error: unknown) => {
            outcome = error;
          });
      }
      expect(outcome).toMatchObject({ code: "STORE_UNAVAILABLE", retryable: true });
      await expect.poll(() => states, { timeout: 20_000 }).toEqual(["down", "up"]);
      await expect
        .poll(
          async () => {
            await database.query("select pg_notify('news', 'again')");
            return news;
          },
          { timeout: 10_000, interval: 100 },
        )
        .toContain("again");
    });

    /** The database and its thread. */
    async function openWithThread(clock?: SystemClock) {
      const threads: Worker[] = [];
      const note = (thread: Worker) => threads.push(thread);
      process.on("worker", note);
      const database = await openHere(clock === undefined ? {} : { clock });
      process.off("worker", note);
      return { database, thread: threads[0] as Worker };
    }

    it("opens again when its thread ends, whatever the reason", async () => {
      const { database, thread } = await openWithThread();
      await database.query("create table item (id int)");
      const down = new Promise<string>((resolve) => database.onUnavailable(resolve));
      const query = database.query("select count(*) from generate_series(1, 20000000) as n where n % 7 = 3");
      await Promise.all([thread.terminate(), expect(query).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })]);
      expect(await down).toContain("its thread ended");
      await expect.poll(() => database.health(), { timeout: 20_000 }).toEqual({ state: "up" });
      expect((await database.query("select * from item")).rows).toEqual([]);
    });

    it("tries again after growing pauses for as long as it cannot be opened", async () => {
      const pauses: number[] = [];
      const { database, thread } = await openWithThread({
        ...systemClock,
        sleep: (ms, signal) => {
          // Others wait for longer.
          if (ms < 500) pauses.push(ms);
          return systemClock.sleep(ms, signal);
        },
      });
      const control = join(home, "data", "database", "global", "pg_control");
      // Without this file there is no cluster to open.
      renameSync(control, `${control}.taken`);
      pauses.length = 0;
      await thread.terminate();
      await expect.poll(() => pauses, { timeout: 15_000 }).toContain(200);
      expect(pauses.slice(0, 3)).toEqual([50, 100, 200]);
      await expect(database.query("select 1")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", retryable: true });
      renameSync(`${control}.taken`, control);
      await expect.poll(() => database.health(), { timeout: 15_000 }).toEqual({ state: "up" });
      expect((await database.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    });

    it("can be closed while it is down", async () => {
      const database = await openHere({ fault: "fsync-eio:30" });
      const down = new Promise<string>((resolve) => database.onUnavailable(resolve));
      await database.query("create table item (id int)");
      for (let id = 0; database.health().state === "up" && id < 1_000; id++) {
        await database.query("insert into item values (1)").catch(() => {});
      }
      await down;
      await database.close();
      expect((await openHere()).health()).toEqual({ state: "up" });
    });
  });
});

describe("the cluster template", () => {
  const built = new URL("../../dist/template/", import.meta.url).pathname;
  const hasTemplate = existsSync(join(built, "cluster.tar.gz"));

  it.skipIf(!hasTemplate)("starts a new directory without making a cluster (needs the build)", async () => {
    mkdirSync(join(home, "new"));
    mkdirSync(join(home, "new", "database.new-1"));
    writeFileSync(join(home, "new", "database.new-1", "half"), "of a process that was killed");
    const database = await openHere({ name: "new", template: built });
    expect((await database.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    expect(readdirSync(join(home, "new")).filter((name) => name.includes(".new-"))).toEqual([]);
  });

  it.skipIf(readyTemplate() === undefined)(
    "for servers holds every table and nobody's rows, so a first start migrates nothing (needs the build)",
    async () => {
      const database = await openHere({ name: "ready", template: readyTemplate() as string });
      expect(await migrate(database)).toEqual([]);
      const { rows } = await database.query<{ name: string }>(
        `select schemaname || '.' || quote_ident(tablename) as name from pg_tables
         where schemaname in ('dbos', 'retrain_engine') and tablename <> 'dbos_migrations'`,
      );
      expect(rows.map(({ name }) => name)).toEqual(
        expect.arrayContaining(["dbos.workflow_status", "retrain_engine.worker"]),
      );
      for (const { name } of rows) {
        expect([name, (await database.query(`select 1 from ${name} limit 1`)).rows]).toEqual([name, []]);
      }
    },
  );

  it("is not needed, and one of another version is left aside", async () => {
    const template = join(home, "template");
    mkdirSync(template);
    writeFileSync(join(template, "version.txt"), "0.0.1\n");
    writeFileSync(join(template, "cluster.tar.gz"), "not a cluster");
    const database = await openHere({ name: "new", template });
    expect((await database.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  }, 60_000);
});

describe("databases for tests", () => {
  it("come migrated, each in a directory of its own", async () => {
    const [left, right] = [await openTestDatabase(), await openTestDatabase()];
    try {
      expect(left.directory).not.toBe(right.directory);
      const { rows } = await left.database.query<{ n: number }>("select count(*) as n from kysely_migration");
      expect(rows[0]?.n).toBeGreaterThan(0);
    } finally {
      await Promise.all([left.dispose(), right.dispose()]);
    }
    expect([existsSync(left.directory), existsSync(right.directory)]).toEqual([false, false]);
  });
});
