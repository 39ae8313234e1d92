import { afterEach, describe, expect, it } from "vitest";
import { silentLogger, type SystemClock } from "../../src/core/index.ts";
import { startMaintenance } from "../../src/storage/pglite/maintenance.ts";
import { openTestDatabase, type TestDatabase } from "../../src/testing/database.ts";

const HOUR_MS = 3_600_000;

/** A system clock that stands still until it is moved. */
function handClock(start: number) {
  let now = start;
  let sleepers: { at: number; wake: () => void }[] = [];
  const clock: SystemClock = {
    now: () => now,
    monotonicMs: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        sleepers.push({ at: now + ms, wake: resolve });
        signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      }),
  };
  const move = (ms: number) => {
    now += ms;
    const due = sleepers.filter(({ at }) => at <= now);
    sleepers = sleepers.filter(({ at }) => at > now);
    for (const { wake } of due) wake();
  };
  return { clock, move, waiting: () => sleepers.length };
}

describe("the chores of the embedded database", () => {
  const stop = new AbortController();
  let test: TestDatabase | undefined;
  afterEach(async () => {
    stop.abort(new Error("done"));
    await test?.dispose();
  });

  it("are a checkpoint a minute while there is work, and a vacuum with statistics at 03:00 UTC", async () => {
    test = await openTestDatabase();
    const { database } = test;
    await database.query("create table item (id int)");
    await database.query("insert into item select generate_series(1, 1000)");
    await database.query("delete from item where id > 10");
    const ran: string[] = [];
    let requests = 1;
    const hand = handClock(Date.UTC(2026, 0, 5, 2, 30));
    startMaintenance({
      clock: hand.clock,
      logger: silentLogger,
      signal: stop.signal,
      requests: () => requests,
      query: async (sql) => {
        const result = await database.query(sql);
        ran.push(sql);
        return result;
      },
    });
    const before = await redoPoint();
    await expect.poll(hand.waiting).toBe(2);
    hand.move(60_000);
    await expect.poll(() => ran).toEqual(["CHECKPOINT"]);
    expect(await redoPoint()).not.toBe(before);

    // Nothing was asked since: the next minute writes nothing.
    await expect.poll(hand.waiting).toBe(2);
    hand.move(60_000);
    await expect.poll(hand.waiting).toBe(2);
    expect(ran).toEqual(["CHECKPOINT"]);
    requests += 1;
    hand.move(60_000);
    await expect.poll(() => ran).toEqual(["CHECKPOINT", "CHECKPOINT"]);

    await expect.poll(hand.waiting).toBe(2);
    hand.move(HOUR_MS / 2);
    await expect.poll(() => ran, { timeout: 10_000 }).toContain("VACUUM (ANALYZE) public.item");
    await expect.poll(hand.waiting, { timeout: 10_000 }).toBe(2);
    const { rows } = await database.query("select reltuples::int as n from pg_class where relname = 'item'");
    expect(rows).toEqual([{ n: 10 }]);

    async function redoPoint(): Promise<unknown> {
      return (await database.query("select redo_lsn::text from pg_control_checkpoint()")).rows[0];
    }
  });
});
