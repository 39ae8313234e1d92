// `retrain rollout` against a running server: what it prints, what it changes, and how it ends when it cannot.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type RetrainClient } from "../../src/client/index.ts";
import { defineConfig, stage } from "../../src/config/index.ts";
import { type RolloutRecord, silentLogger, systemClock } from "../../src/core/index.ts";
import type { Page, RolloutDetail } from "../../src/server/contract.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { shopModel, teachShop, visitShop } from "../server/rollout-story.ts";
import { runCommand } from "./support.ts";

const ADMIN = "an-admin-secret-of-more-than-32-characters";
const START = Date.UTC(2026, 0, 1);
const STAGES = [stage.ab({ max: "14d", minSamples: 4_000 }), stage.full({ watch: "0s" })];

let test: TestLoop;
let server: Server;
let url: string;
let admin: RetrainClient;
beforeAll(async () => {
  test = await openTestLoop(defineConfig({ models: [shopModel("shop", STAGES)], alerts: [] }), START);
  const secured = { requireTokens: true, adminSecret: ADMIN };
  server = await createServer({ loop: test.loop, systemClock, logger: silentLogger, replay: true, ...secured });
  ({ url } = await server.listen({ host: "127.0.0.1", port: 0 }));
  admin = createClient({ url, token: ADMIN });
  await teachShop(admin, "shop", 1, 1);
}, 60_000);
afterAll(async () => {
  await server?.close();
  await test?.dispose();
});

const rollout = (...words: readonly string[]) => runCommand("rollout", ...words, "--url", url, "--token", ADMIN);
async function data<T>(...words: readonly string[]): Promise<T> {
  const { code, stdout } = await rollout(...words, "--json");
  expect([words.join(" "), code]).toEqual([words.join(" "), 0]);
  const envelope = JSON.parse(stdout) as { ok: boolean; data: T };
  expect(Object.keys(envelope)).toEqual(["ok", "data"]);
  return envelope.data;
}
const WHY = ["--reason", "a test"];

describe("without a rollout", () => {
  it("says that there was none, and refuses to move one", async () => {
    expect(await data("status", "shop")).toBeNull();
    expect((await rollout("shop")).stdout).toMatch(/^shop has had no rollout/);
    expect((await rollout("list", "shop")).stdout).toMatch(/^shop has had no rollout/);
    const paused = await rollout("pause", "shop", ...WHY);
    expect(paused).toMatchObject({ code: 5, stdout: "" });
    expect(paused.stderr).toMatch(/no open rollout/);
    expect(await rollout("show", "01234567-0000-7000-8000-000000000000")).toMatchObject({ code: 5 });
    expect(await rollout("start", "shop", "v9")).toMatchObject({ code: 5 });
    expect(await rollout("start", "shop", "v1")).toMatchObject({ code: 7 });
    expect(await rollout("status", "shops")).toMatchObject({ code: 5 });
  });
});

describe("before one", () => {
  it("says what it would take: stages, rows and days, or why it cannot say", async () => {
    const { stdout } = await rollout("plan", "shop");
    expect(stdout).toContain("The next version of shop is compared with v1:");
    expect(stdout).toMatch(/ab +50 % +at most 14 d/);
    expect(stdout).toMatch(/too few to plan by; 30 are needed/);
    await visitShop(admin, "shop", { seed: 9, side: 1, steps: 1, perStep: 60 });
    expect((await rollout("plan", "shop")).stdout).toMatch(
      /To find a difference of 0\.02\d* the A\/B needs about [\d,]+ labelled rows, \d+ days at the present rate\./,
    );
  });
});

describe("with one", () => {
  beforeAll(async () => {
    await teachShop(admin, "shop", 2, 1);
    await visitShop(admin, "shop", { seed: 3, side: 1, steps: 1, perStep: 200 });
  }, 60_000);

  it("shows where it stands: stages, comparison, guardrails", async () => {
    const { stdout } = await rollout("shop");
    expect(stdout).toMatch(/^shop: v2 against v1, open\. /);
    for (const word of ["stage", "ab", "50 %", "under way", "guardrail", "failures", "cannot tell"]) {
      expect(stdout).toContain(word);
    }
    const listed = await data<Page<RolloutRecord>>("list", "shop", "--limit", "5");
    expect(listed).toMatchObject({ items: [{ challenger: "v2", state: "open" }], nextCursor: null });
    const id = listed.items[0]?.id as string;
    expect((await rollout("list", "shop")).stdout).toContain(id);
    const detail = await data<RolloutDetail>("show", id);
    expect(detail.evidence[0]?.sampleRatio).toMatchObject({ mismatch: false });
    expect(detail).toEqual(await data("status", "shop"));
    expect((await rollout("show", id)).stdout).toBe(stdout);
  });

  it("insists on a reason, and on a limit that is a number", async () => {
    for (const action of ["pause", "resume", "abort", "promote", "rollback"]) {
      expect([action, (await rollout(action, "shop")).code]).toEqual([action, 2]);
    }
    expect((await rollout("list", "shop", "--limit", "many")).code).toBe(2);
    expect((await data<RolloutDetail>("status", "shop")).rollout.state).toBe("open");
  });

  it("ends with 6 for a token that may only look", async () => {
    const { secret } = await admin.createToken({ name: "viewer", role: "viewer" });
    const asViewer = (...words: readonly string[]) =>
      runCommand("rollout", ...words, "--url", url, "--token", secret, "--json");
    expect((await asViewer("status", "shop")).code).toBe(0);
    const refused = await asViewer("promote", "shop", ...WHY);
    expect([refused.code, JSON.parse(refused.stdout).error.code]).toEqual([6, "FORBIDDEN"]);
  });

  it("pauses, resumes, aborts, starts again, goes back, and promotes", async () => {
    expect(await data("pause", "shop", ...WHY)).toMatchObject({ state: "paused" });
    const twice = await rollout("pause", "shop", ...WHY);
    expect([twice.code, twice.stderr]).toEqual([7, expect.stringContaining("is paused")]);
    expect((await rollout("resume", "shop", ...WHY)).stdout).toMatch(/^v2: open\. Resumed by .*: a test/);
    expect(await data("abort", "shop", ...WHY)).toMatchObject({ state: "aborted" });
    expect((await rollout("start", "shop", "v2")).stdout).toMatch(/^v2 is in its first stage \(routing \d+\)/);
    expect(await data("rollback", "shop", ...WHY)).toMatchObject({ state: "rolled-back" });
    expect(await data("start", "shop", "v2")).toMatchObject({ challenger: "v2", stage: "ab" });
    expect(await data("promote", "shop", ...WHY)).toMatchObject({ state: "promoted" });
    expect((await admin.model("shop")).routing.champion).toBe("v2");
    const { items } = await data<Page<RolloutRecord>>("list", "shop");
    expect(items.map(({ state }) => state)).toEqual(["promoted", "rolled-back", "aborted"]);
  });
});
