/** A system whose loop is still starting: its log takes rows, and whoever waits for the loop hears how that went. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { beginSystem } from "../../src/cli/compose.ts";
import { httpTarget } from "../../src/cli/http-target.ts";
import { defineConfig, resolveConfig } from "../../src/config/index.ts";
import { createVirtualClock, silentLogger } from "../../src/core/index.ts";
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
