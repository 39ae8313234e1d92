import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig } from "../../src/config/index.ts";
import { DAY_MS, silentLogger, systemClock } from "../../src/core/index.ts";
import type { LoopContext } from "../../src/loop/context.ts";
import { applyRetention } from "../../src/loop/retention.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { labelledRows, purchases, START } from "../server/support.ts";

describe("retention", () => {
  let test: TestLoop;
  let context: LoopContext;
  beforeAll(async () => {
    const storage = { keep: { events: "30d", predictions: "30d", versions: 2, decisions: "10d" } } as const;
    test = await openTestLoop(defineConfig({ models: [purchases], storage, alerts: [] }), START);
    const { store, objects, engine, clock } = test;
    const parts = { store, objects, engine, worldClock: clock, systemClock, logger: silentLogger, emit: () => {} };
    context = { ...parts, spec: test.loop.spec } as unknown as LoopContext;
  }, 60_000);
  afterAll(() => test.dispose());

  const send = (seed: number) =>
    test.loop.ingest({
      model: "purchases",
      form: "observation",
      origin: "http",
      rows: labelledRows(50, test.clock.now() - DAY_MS, seed).map((row, i) => ({ rowNumber: i + 1, row })),
    });

  it("raises an alert when a segment is not as it was written, and resolves it when it is again", async () => {
    await send(1);
    await test.store.log.compact();
    const [{ path } = { path: "" }] = await test.store.log.segments("purchases");
    const bytes = readFileSync(path);
    const changed = Buffer.from(bytes);
    changed[40] = (changed[40] as number) ^ 255;
    writeFileSync(path, changed);
    await applyRetention(context);
    const open = await test.store.alerts.list({ state: "open", limit: 5 });
    expect(open).toMatchObject([{ type: "store.corrupt", severity: "critical", model: "purchases" }]);
    expect(open[0]?.message).toContain(path);
    writeFileSync(path, bytes);
    await applyRetention(context);
    expect(await test.store.alerts.list({ state: "open", limit: 5 })).toEqual([]);
  });

  it("drops events and decisions beyond their time, and keeps younger ones", async () => {
    await test.loop.tick("purchases", test.clock.now());
    const before = await test.store.decisions.list({ model: "purchases", limit: 50 });
    expect(before.length).toBeGreaterThan(0);
    test.clock.advanceTo(START + 40 * DAY_MS);
    await send(2);
    await test.store.log.compact();
    await applyRetention(context);
    expect(await test.store.decisions.list({ model: "purchases", limit: 50 })).toEqual([]);
    const left = await test.store.log.recent("purchases", { kind: "observation", limit: 200 });
    expect(left).toHaveLength(50);
    expect(left.every(({ exampleId }) => exampleId?.startsWith("2-"))).toBe(true);
  });
});
