/** A server whose models go live in stages: one in the middle of a comparison, one with a history, one that is new. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureBuilt } from "../../scripts/build.mjs";
import { openSystem, type System } from "../../src/cli/compose.ts";
import { createClient, type RetrainClient } from "../../src/client/index.ts";
import { defineConfig, resolveConfig, stage } from "../../src/config/index.ts";
import { createVirtualClock, DAY_MS, HOUR_MS, silentLogger } from "../../src/core/index.ts";
import { shopModel, teachShop, visitShop } from "../server/rollout-story.ts";
import type { LivedServer } from "./setup.ts";

/** In the middle of its A/B. */
export const COMPARING = "checkout";
/** One version promoted on evidence, the next rolled back on harm. */
export const SETTLED = "search";
/** A canary nobody decides about: what people do to it is tested. */
export const WAITING = "offers";
/** Without a version. */
export const FRESH = "fresh";

const MODELS = [
  shopModel(COMPARING, [
    stage.shadow("12h", { minSamples: 50, replay: "7d" }),
    stage.ramp([0.1, 0.25], { each: "6h" }),
    stage.ab({
      share: 0.5,
      max: "14d",
      minSamples: 20_000,
      guards: [{ outcome: "complaint", worseWhen: "higher", margin: 0.05 }],
    }),
    stage.full({ watch: "1d" }),
  ]),
  shopModel(SETTLED, [stage.canary(0.2, "12h", { minSamples: 20 }), stage.ab({ max: "14d", minSamples: 400 })]),
  shopModel(WAITING, [stage.canary(0.3, "30d"), stage.full({ watch: "0s" })]),
  shopModel(FRESH, [stage.full({ watch: "0s" })]),
];

export async function startRolloutServer(secret?: string): Promise<LivedServer> {
  ensureBuilt(["server", "console", "template of the embedded store"]);
  const directory = await mkdtemp(join(tmpdir(), "retrain-browser-"));
  let system: System | undefined;
  const close = async () => {
    await system?.close();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const config = defineConfig({ models: MODELS, storage: { dir: directory }, server: { tickEvery: "6h" } });
    system = await openSystem({
      spec: resolveConfig(config, { folder: directory, origin: "test" }),
      worldClock: createVirtualClock(Date.UTC(2026, 0, 5)),
      logger: silentLogger,
      replay: true,
      jobs: 1,
      ...(secret === undefined ? {} : { adminSecret: secret, requireTokens: true }),
    });
    const { url } = await system.server.listen({ host: "127.0.0.1", port: 0 });
    const client = createClient({ url, timeoutMs: 120_000, ...(secret === undefined ? {} : { token: secret }) });
    await tell(client);
    return { url, client, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function tell(client: RetrainClient): Promise<void> {
  await teachShop(client, SETTLED, 1, -1);
  await teachShop(client, SETTLED, 2, 1);
  await visitShop(client, SETTLED, { seed: 3, side: 1, steps: 3, perStep: 200 });
  await visitShop(client, SETTLED, { seed: 4, side: 1, steps: 6, perStep: 150 });
  await client.advance((await client.server()).now + 2 * DAY_MS);
  await teachShop(client, SETTLED, 5, -1);
  await visitShop(client, SETTLED, { seed: 6, side: 1, steps: 6, perStep: 300 });

  await teachShop(client, COMPARING, 11, 1);
  await visitShop(client, COMPARING, { seed: 12, side: 1, steps: 4, perStep: 60 });
  await teachShop(client, COMPARING, 13, 1);
  await visitShop(client, COMPARING, { seed: 14, side: 1, steps: 5, perStep: 120 });
  await visitShop(client, COMPARING, { seed: 15, side: 1, steps: 20, perStep: 160, everyMs: 4 * HOUR_MS });

  await teachShop(client, WAITING, 21, 1);
  await teachShop(client, WAITING, 22, 1);
}
