import pg from "pg";
import { afterAll, describe, expect, it, vi } from "vitest";
import { defineConfig, defineModel, f, gate, linear, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, HOUR_MS } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 2, 27);

const model = defineModel({
  name: "m",
  task: "binary",
  id: "id",
  time: "at",
  features: { x: f.number() },
  label: f.boolean(),
  labelDelay: "12h",
  trainer: linear({ epochs: 3 }),
  data: { minRows: 300, window: { rows: 600 } },
  retrain: {
    when: when.any(
      when.schedule("30 2 * * *", { timeZone: "Europe/Berlin" }),
      when.performanceDrop("logLoss", { relative: 0.15, window: "2d", minRows: 50 }),
    ),
    cooldown: "6h",
    maxPerDay: 3,
  },
  gates: [gate.noWorseThanChampion("logLoss")],
});

interface Story {
  readonly runs: readonly unknown[];
  readonly fired: readonly unknown[];
  readonly ticks: number;
}

/** The same six days, hour by hour or jumping over quiet hours. */
async function replay(loops: TestLoop[], everyTick: boolean): Promise<Story> {
  const test = await openTestLoop(defineConfig({ models: [model], server: { tickEvery: "1h" } }), START);
  loops.push(test);
  const random = createRandom(9);
  const row = (id: string, at: number, flip: boolean) => {
    const x = random.nextFloat() * 4 - 2;
    return { id, at, x, label: random.nextFloat() < 1 / (1 + Math.exp(flip ? 2 * x : -2 * x)) };
  };
  const send = (rows: readonly Record<string, unknown>[], form: "observation" | "label") =>
    test.loop.ingest({
      model: "m",
      form,
      origin: "http",
      rows: rows.map((one, i) => ({ rowNumber: i + 1, row: one })),
    });
  let ticks = 0;
  const advance = async (to: number) => {
    if (!everyTick) {
      ticks += (await test.loop.advance(to)).ticks;
      return;
    }
    for (let at = Math.ceil((test.clock.now() + 1) / HOUR_MS) * HOUR_MS; at <= to; at += HOUR_MS) {
      // An empty delivery says "something happened", so that no hour is jumped over.
      await send([], "observation");
      ticks += (await test.loop.advance(at)).ticks;
    }
    if (to > test.clock.now()) await test.loop.advance(to);
  };
  await send(
    Array.from({ length: 500 }, (_, i) => row(`h${i}`, START - 5 * DAY_MS + i * 600_000, false)),
    "observation",
  );
  await advance(START + HOUR_MS);
  for (let day = 0; day < 6; day++) {
    const today = Array.from({ length: 120 }, (_, i) =>
      row(`d${day}-${i}`, START + day * DAY_MS + 2 * HOUR_MS + i, day >= 2),
    );
    await test.loop.predict({ model: "m", rows: today.map(({ label: _, ...rest }) => rest) });
    await advance(START + day * DAY_MS + 14 * HOUR_MS);
    await send(
      today.map((one) => ({ id: one.id, label: one.label })),
      "label",
    );
    await advance(START + (day + 1) * DAY_MS);
  }
  const runs = await test.store.runs.list({ model: "m", limit: 100 });
  const decisions = await test.store.decisions.list({ model: "m", limit: 1_000 });
  return {
    runs: runs.map(({ asOf, cause, state, version, seed }) => ({ asOf, cause: cause.reason, state, version, seed })),
    fired: decisions
      .filter((one) => one.outcome === "yes")
      .map(({ kind, subject, reason, firstAt }) => ({ kind, subject, reason, firstAt })),
    ticks,
  };
}

describe("ticks", () => {
  const loops: TestLoop[] = [];
  afterAll(async () => {
    for (const test of loops) await test.dispose();
  });

  it("that are skipped because nothing can have changed change nothing, over a daylight-saving switch too", async () => {
    const jumping = await replay(loops, false);
    const every = await replay(loops, true);
    expect(every.runs.length).toBeGreaterThan(4);
    expect(jumping.runs).toEqual(every.runs);
    expect(jumping.fired).toEqual(every.fired);
    expect(jumping.ticks).toBeLessThan(every.ticks / 2);
  }, 300_000);

  it("stamp what they do with the world's time, never the machine's", async () => {
    const test = loops[0] as TestLoop;
    const end = START + 7 * DAY_MS;
    const versions = await test.store.registry.list("m");
    const champion = await test.store.registry.champion("m");
    expect(versions.every((version) => version.createdAt >= START && version.createdAt < end)).toBe(true);
    expect(champion?.promotedAt as number).toBeLessThan(end);
    const recent = await test.store.log.recent("m", { kind: "prediction", limit: 10 });
    expect(recent.every((event) => event.receivedAt >= START && event.receivedAt < end)).toBe(true);
    const batches = await test.store.quarantine.batches({ model: "m", limit: 10 });
    expect(batches.every((batch) => batch.receivedAt >= START && batch.receivedAt < end)).toBe(true);
    const runs = await test.store.runs.list({ model: "m", limit: 10 });
    // Durations are the machine's: a run takes no world time in a replay, but it was measured.
    expect(runs.every((run) => run.startedAt === run.endedAt && (run.durationMs as number) > 0)).toBe(true);
  });

  it("ask the store to keep what they counted, joined and decided, and for nothing else", async () => {
    const calm = defineModel({ ...model, retrain: { when: when.staleness("90d") }, labelDelay: "0h" });
    const test = await openTestLoop(defineConfig({ models: [calm], server: { tickEvery: "1h" } }), START);
    loops.push(test);
    const send = (rows: readonly Record<string, unknown>[], form: "observation" | "label") =>
      test.loop.ingest({ model: "m", form, origin: "http", rows: rows.map((row, i) => ({ rowNumber: i + 1, row })) });
    const history = Array.from({ length: 400 }, (_, i) => ({
      id: `h${i}`,
      at: START - DAY_MS + i,
      x: (i % 40) / 10 - 2,
      label: i % 40 > 20,
    }));
    await send(history, "observation");
    const { run } = await test.loop.requestRun("m", { reason: "test", actor: "test" });
    await test.engine.wait(run.id);
    const seen: string[] = [];
    const unspied = (
      pg.Client.prototype as unknown as { readonly query: (this: pg.Client, ...args: unknown[]) => never }
    ).query;
    const unfound = test.store.log.findPredictions.bind(test.store.log);
    const query = vi.spyOn(pg.Client.prototype, "query").mockImplementation(function (this: pg.Client, ...args) {
      const { text } = args[0] as unknown as { text: string };
      seen.push(/update (profile_grid)|insert into (fold|decision) /.exec(text)?.slice(1).find(Boolean) ?? text);
      return unspied.apply(this, args);
    });
    const find = vi.spyOn(test.store.log, "findPredictions").mockImplementation((...args) => {
      seen.push("joins");
      return unfound(...args);
    });
    try {
      for (let hour = 0; hour < 8; hour++) {
        test.clock.advanceTo(START + (hour + 1) * HOUR_MS - 1);
        const rows = history.slice(0, 20).map(({ x }, i) => ({ id: `r${hour}-${i}`, at: test.clock.now(), x }));
        await test.loop.predict({ model: "m", rows });
        await send(
          rows.map(({ id, x }) => ({ id, label: x > 0 })),
          "label",
        );
        test.clock.advanceTo(START + (hour + 1) * HOUR_MS);
        seen.length = 0;
        await test.loop.tick("m", test.clock.now());
      }
    } finally {
      query.mockRestore();
      find.mockRestore();
    }
    expect(seen).toEqual(["profile_grid", "joins", "fold", "decision"]);
  });
});
