/** On a live clock many answers are folded as they come; the tick is an hour away here. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSystem, type System } from "../../src/cli/compose.ts";
import { defineConfig, defineModel, f, gate, linear, resolveConfig, when } from "../../src/config/index.ts";
import { createRandom, liveWorldClock, silentLogger, systemClock } from "../../src/core/index.ts";
import { LABEL_FOLD } from "../../src/loop/context.ts";

const model = defineModel({
  name: "m",
  task: "binary",
  features: { x: f.number() },
  label: f.boolean(),
  trainer: linear({ epochs: 3 }),
  data: { minRows: 300 },
  retrain: { when: when.manual(), cooldown: "0s" },
  gates: [gate.betterThanBaseline("logLoss")],
});

describe("answers between two ticks", () => {
  let home: string;
  let system: System;
  const random = createRandom(1);
  const x = () => random.nextFloat() * 4 - 2;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "retrain-fold-ahead-"));
    const config = defineConfig({ models: [model], storage: { dir: home }, server: { port: 0, tickEvery: "1h" } });
    const spec = resolveConfig(config, { folder: home });
    system = await openSystem({ spec, worldClock: liveWorldClock, logger: silentLogger });
    const ticked = new Promise<void>((resolve) => {
      system.loop.subscribe((event) => void (event.type === "tick" && resolve()));
    });
    await system.server.listen({ host: "127.0.0.1", port: 0 });
    const rows = Array.from({ length: 500 }, (_, i) => {
      const value = x();
      return { rowNumber: i + 1, row: { x: value, label: value > 0 } };
    });
    await system.loop.ingest({ model: "m", form: "observation", origin: "test", rows });
    const { run } = await system.loop.requestRun("m", { reason: "test", actor: "test" });
    const isOver = async () => !["queued", "running"].includes((await system.store.runs.get(run.id))?.state ?? "");
    while (!(await isOver())) await systemClock.sleep(50);
    // The tick of the hour that has begun comes with the start, if it did not come before anybody listened.
    await Promise.race([ticked, systemClock.sleep(8_000)]);
  }, 60_000);
  afterAll(async () => {
    await system.close();
    await rm(home, { recursive: true, force: true });
  });

  /** Live answers that the fold has counted. */
  async function counted(): Promise<bigint> {
    const { rows } = await system.store.folds.counters({ model: "m", counter: "predictions" });
    return rows.reduce((sum, { values }) => sum + (values["n"] ?? 0n), 0n);
  }
  const ask = (count: number) =>
    system.loop.predict({ model: "m", rows: Array.from({ length: count }, () => ({ x: x() })) });

  it("wait for the tick while they are few, and are counted within seconds when they are many", async () => {
    await ask(900);
    const before = (await system.store.folds.read("m", LABEL_FOLD)).cursor;
    await systemClock.sleep(2_500);
    expect((await system.store.folds.read("m", LABEL_FOLD)).cursor).toEqual(before);
    await ask(300);
    for (let tries = 0; (await counted()) < 1_200n && tries < 200; tries++) await systemClock.sleep(50);
    expect(await counted()).toBe(1_200n);
  }, 60_000);
});
