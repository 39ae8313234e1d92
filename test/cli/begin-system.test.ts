/** A system whose loop is still starting: its log takes rows, and whoever waits for the loop hears how that went. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { beginDatabase } from "../../src/cli/begin-database.ts";
import { beginSystem, openSystem } from "../../src/cli/compose.ts";
import { httpTarget } from "../../src/cli/http-target.ts";
import { defineConfig, defineModel, f, gate, linear, resolveConfig, when } from "../../src/config/index.ts";
import { createVirtualClock, liveWorldClock, RUN_STEPS, silentLogger } from "../../src/core/index.ts";
import { GENERATED_START, generatedModel, generateHistory } from "../../src/replay/index.ts";

describe("a system that begins", () => {
  it("takes rows before its loop runs, from a story that began before its server", async () => {
    const directory = await mkdtemp(join(tmpdir(), "retrain-begin-"));
    const model = generatedModel();
    const spec = resolveConfig(defineConfig({ models: [model], storage: { dir: directory } }), {
      folder: directory,
      origin: "test",
    });
    const worldClock = createVirtualClock(GENERATED_START + 30 * 86_400_000);
    const beginning = beginSystem({ spec, worldClock, logger: silentLogger, replay: true, jobs: 1 });
    try {
      const connected = beginning.then(async ({ server }) => {
        const { url } = await server.listen({ host: "127.0.0.1", port: 0 });
        return createClient({ url });
      });
      const target = httpTarget(connected, model.name);
      const rows = generateHistory({ days: 1, rowsPerDay: 20 }).map(({ id, at, features }) => ({
        visit: id,
        visitedAt: at,
        ...features,
      }));
      await target.observe(rows);
      const { started, loop, store } = await beginning;
      expect((await store.log.counts(model.name, {})).events.observation).toBe(20);
      await started;
      expect(loop.ready().ready).toBe(true);
    } finally {
      await (await beginning).close();
      await rm(directory, { recursive: true, force: true });
    }
  });
});

describe("a run of a whole system", () => {
  it("leaves each of its steps in the engine's table, in the database", async () => {
    const directory = await mkdtemp(join(tmpdir(), "retrain-steps-"));
    const model = defineModel({
      name: "m",
      task: "binary",
      features: { x: f.number() },
      label: f.boolean(),
      trainer: linear({ epochs: 3 }),
      data: { minRows: 300 },
      retrain: { when: when.manual() },
      gates: [gate.betterThanBaseline("logLoss")],
    });
    const config = defineConfig({ models: [model], storage: { dir: directory }, server: { tickEvery: "1h" } });
    const spec = resolveConfig(config, { folder: directory, origin: "test" });
    const begun = await beginDatabase({ spec, logger: silentLogger, role: "all" });
    const system = await openSystem({ spec, worldClock: liveWorldClock, logger: silentLogger, jobs: 1, begun });
    try {
      const rows = Array.from({ length: 500 }, (_, i) => {
        const x = ((i * 37) % 101) / 50 - 1;
        return { rowNumber: i + 1, row: { x, label: x > 0 } };
      });
      await system.loop.ingest({ model: "m", form: "observation", origin: "test", rows });
      const { run } = await system.loop.requestRun("m", { reason: "test", actor: "test" });
      const database = await begun.database;
      const recorded = async () => {
        const { rows: steps } = await database.query<{ name: string }>(
          "select function_name as name from dbos.operation_outputs where workflow_uuid = $1 order by function_id",
          [run.id],
        );
        return steps.map(({ name }) => name);
      };
      await expect.poll(recorded, { timeout: 20_000, interval: 50 }).toContain("finish");
      expect(await system.store.runs.get(run.id)).toMatchObject({ state: "promoted", version: "v1" });
      expect((await recorded()).length).toBeGreaterThanOrEqual(8);
      expect(await recorded()).toEqual([...RUN_STEPS, "finish"]);
    } finally {
      await system.close();
      await rm(directory, { recursive: true, force: true });
    }
  });
});
