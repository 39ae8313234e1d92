import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSystem, type System } from "../../src/cli/compose.ts";
import { defineConfig, defineModel, f, gate, linear, resolveConfig, when } from "../../src/config/index.ts";
import { createRandom, liveWorldClock, RetrainError, silentLogger, systemClock } from "../../src/core/index.ts";

const model = defineModel({
  name: "m",
  task: "binary",
  id: "id",
  features: { x: f.number() },
  label: f.boolean(),
  trainer: linear({ epochs: 3 }),
  data: { minRows: 300 },
  retrain: { when: when.manual(), cooldown: "0s" },
  gates: [gate.betterThanBaseline("logLoss")],
});

/** A file system of its own, or why there is none here. */
function mountSmall(megabytes: number): { path: string } | { skipReason: string } {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return { skipReason: "mounting a small file system needs root on Linux" };
  const path = mkdtempSync(join(tmpdir(), "retrain-small-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path], { stdio: "pipe" });
    return { path };
  } catch (error) {
    rmSync(path, { recursive: true, force: true });
    return { skipReason: `mount refused: ${String(error).slice(0, 100)}` };
  }
}

const mounted = mountSmall(400);

describe.skipIf("skipReason" in mounted)(
  `a full disk under a server${"skipReason" in mounted ? ` (skipped: ${mounted.skipReason})` : ""}`,
  () => {
    const home = "path" in mounted ? mounted.path : "";
    const filler = join(home, "filler");
    let system: System;
    let sent = 0;

    const rows = (count: number) => {
      const random = createRandom(sent + 1);
      return Array.from({ length: count }, (_, i) => {
        const x = random.nextFloat() * 4 - 2;
        return {
          rowNumber: i + 1,
          row: { id: `r${sent + i}`, x, label: random.nextFloat() < 1 / (1 + Math.exp(-2 * x)) },
        };
      });
    };
    const ingest = async (count: number) => {
      await system.loop.ingest({ model: "m", form: "observation", origin: "test", rows: rows(count) });
      sent += count;
    };
    let url = "";

    beforeAll(async () => {
      const directory = join(home, "data");
      const spec = resolveConfig(defineConfig({ models: [model], storage: { dir: directory }, server: { port: 0 } }), {
        folder: home,
        environment: {},
        flags: {},
      });
      system = await openSystem({ spec, worldClock: liveWorldClock, logger: silentLogger, jobs: 1 });
      url = (await system.server.listen({ host: "127.0.0.1", port: 0 })).url;
      await ingest(600);
      const { run } = await system.loop.requestRun("m", { reason: "first", actor: "test" });
      while ((await system.store.runs.get(run.id))?.endedAt === undefined) await systemClock.sleep(50);
      expect((await system.store.registry.champion("m"))?.name).toBe("v1");
    });
    afterAll(async () => {
      await rm(filler, { force: true });
      await system?.close();
      execFileSync("umount", [home]);
      rmSync(home, { recursive: true, force: true });
    });

    /** Takes every byte that is left. */
    async function fill(): Promise<void> {
      const file = await open(filler, "a");
      const block = Buffer.alloc(65_536, 1);
      try {
        for (;;) await file.write(block);
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
      } finally {
        await file.close();
      }
    }

    it("refuses writes clearly, keeps predicting, recovers by itself and has lost nothing", async () => {
      await fill();
      let refusal: unknown;
      // What was preallocated may still take a few batches.
      for (let i = 0; i < 2_000 && refusal === undefined; i++) {
        await ingest(200).catch((error: unknown) => {
          refusal = error;
        });
      }
      expect(refusal).toBeInstanceOf(RetrainError);
      expect(["STORE_FULL", "STORE_UNAVAILABLE"]).toContain((refusal as RetrainError).code);
      expect((refusal as RetrainError).message).toMatch(/full|space|unavailable|cannot/i);

      for (let i = 0; i < 30; i++) {
        const answer = await fetch(`${url}/api/v1/models/m/predict`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ x: 1 }),
        });
        expect(answer.status).toBe(200);
        const body = (await answer.json()) as {
          version?: string;
          logged?: boolean;
          predictions?: { logged: boolean }[];
        };
        expect(body.version).toBe("v1");
        expect(body.logged ?? body.predictions?.[0]?.logged).toBe(false);
      }
      expect((await fetch(`${url}/livez`)).status).toBe(200);
      expect((await fetch(`${url}/readyz`)).status).toBe(503);

      await rm(filler);
      const deadline = systemClock.monotonicMs() + 60_000;
      for (;;) {
        const isBack = await ingest(1).then(
          () => true,
          () => false,
        );
        if (isBack) break;
        expect(systemClock.monotonicMs()).toBeLessThan(deadline);
        await systemClock.sleep(250);
      }
      const counts = await system.store.log.counts("m", {});
      // A refused delivery may have written its first chunk; what was acknowledged is there.
      expect(counts.events.observation).toBeGreaterThanOrEqual(sent);
      const alerts = await system.store.alerts.list({ limit: 20 });
      expect(alerts.filter((alert) => alert.type === "store.unwell" && alert.state === "open")).toEqual([]);
      expect((await fetch(`${url}/readyz`)).status).toBe(200);
    });
  },
);
