// Requests that do not arrive in the planned shares: whatever the labels say, no surface shows a difference and nothing moves on it.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type RetrainClient } from "../../src/client/index.ts";
import { defineConfig, stage } from "../../src/config/index.ts";
import { DAY_MS, silentLogger, systemClock } from "../../src/core/index.ts";
import { bucketOf, variantOf } from "../../src/deploy/assignment.ts";
import type { RolloutRecord } from "../../src/server/contract.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { runCommand } from "../cli/support.ts";
import { shopModel, teachShop, visits } from "./rollout-story.ts";

const ADMIN = "an-admin-secret-of-more-than-32-characters";
const START = Date.UTC(2026, 0, 1);
const STAGES = [
  stage.ab({ max: "14d", minSamples: 200, guards: [{ outcome: "complaint", worseWhen: "higher" }] }),
  stage.full({ watch: "0s" }),
];

let test: TestLoop;
let server: Server;
let url: string;
let admin: RetrainClient;
let rollout: RolloutRecord;
beforeAll(async () => {
  test = await openTestLoop(defineConfig({ models: [shopModel("shop", STAGES)], alerts: [] }), START);
  const secured = { requireTokens: true, adminSecret: ADMIN };
  server = await createServer({ loop: test.loop, systemClock, logger: silentLogger, replay: true, ...secured });
  ({ url } = await server.listen({ host: "127.0.0.1", port: 0 }));
  admin = createClient({ url, token: ADMIN });
  // The champion is plainly wrong: read naively, the challenger is better beyond any doubt.
  await teachShop(admin, "shop", 1, -1);
  await teachShop(admin, "shop", 2, 1);
  rollout = (await admin.rollouts("shop", { limit: 1 })).items[0] as RolloutRecord;
}, 60_000);
afterAll(async () => {
  await server?.close();
  await test?.dispose();
});

/** Every unit asks once; those of the challenger ask `times` times, as if one arm were retried. */
async function visit(seed: number, times: number): Promise<void> {
  const { now } = await admin.server();
  const once = visits(900, now, seed, 1);
  const rows = once.flatMap((row) => {
    const isChallenger = variantOf(bucketOf(rollout.salt, row.customer), 0.5) === "challenger";
    return Array.from({ length: isChallenger ? times : 1 }, (_, i) => ({ ...row, visit: `${row.visit}-${i}` }));
  });
  await admin.predictMany(
    "shop",
    rows.map(({ label: _, ...row }) => row),
  );
  await admin.label(
    "shop",
    rows.map(({ visit: exampleId, label }) => ({ exampleId, label })),
  );
  await admin.advance(now + DAY_MS / 4);
}

describe("a split that is broken", () => {
  it("holds everything that compares the arms back, and says so", async () => {
    await visit(21, 3);
    const { rollout: open, evidence, looks } = await admin.experiment(rollout.id);
    const [seen] = evidence;
    expect(seen?.sampleRatio).toMatchObject({ mismatch: true, expectedShare: 0.5 });
    expect(open.state).toBe("open");
    expect(open.verdict).toMatch(/^The split of requests is broken/);
    expect(seen?.comparison).toMatchObject({
      verdict: "cannot-tell",
      correctedVerdict: "cannot-tell",
      difference: null,
      interval: null,
      p: null,
      championMean: null,
      challengerMean: null,
    });
    expect(seen?.comparison?.challengerRows).toBeGreaterThan(1_000);
    for (const name of ["quality (logLoss)", "outcome complaint"]) {
      const found = seen?.guardrails.find(({ guardrail }) => guardrail === name);
      expect(found).toMatchObject({ harm: "cannot-tell", value: null, reason: expect.stringContaining("split") });
    }
    expect(seen?.guardrails.find(({ guardrail }) => guardrail === "failures")).toMatchObject({ value: 0 });
    expect(looks).toEqual([]);
    const { stdout } = await runCommand("rollout", "status", "shop", "--url", url, "--token", ADMIN);
    expect(stdout).toMatch(/ab +50 % .* – +– +– +broken +under way/);
  }, 60_000);

  it("ends without evidence at the maximum, and the champion stays", async () => {
    const { now } = await admin.server();
    await admin.advance(now + 15 * DAY_MS);
    const { rollout: ended } = await admin.experiment(rollout.id);
    expect(ended).toMatchObject({ state: "inconclusive", verdict: expect.stringContaining("split of requests") });
    expect((await admin.model("shop")).routing.champion).toBe("v1");
  }, 60_000);
});
