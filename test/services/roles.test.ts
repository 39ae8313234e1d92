/** Several processes on one PostgreSQL and one data directory: one answers, two train; one of these is killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type RetrainClient } from "../../src/client/index.ts";
import { DAY_MS, liveWorldClock } from "../../src/core/index.ts";
import { findTestServer, openPostgresTestDatabase, type TestDatabase } from "../../src/testing/database.ts";
import { labelledRows } from "../server/support.ts";

const server = await findTestServer();
const skipReason = "skipReason" in server ? ` (skipped: ${server.skipReason})` : "";
const MAIN = new URL("../../dist/src/cli/main.js", import.meta.url).pathname;
const CONFIG = `import { defineConfig, defineModel, f, gate, linear, when } from "retrain";
export default defineConfig({ models: [defineModel({
  name: "purchases", task: "binary", id: "customer", time: "at",
  features: { age: f.number(), balance: f.number(), job: f.category("clerk", "farmer", "nurse") },
  label: f.boolean(), labelDelay: "1d", trainer: linear({ epochs: 4 }), data: { minRows: 400 },
  retrain: { when: when.event("now"), cooldown: "1s", maxPerDay: 50 },
  gates: [gate.betterThanBaseline("logLoss")],
})], server: { tickEvery: "1s" } });
`;

describe.skipIf(skipReason)(`processes of several roles${skipReason}`, () => {
  let test: (TestDatabase & { readonly url: string }) | undefined;
  let folder: string;
  const processes: ChildProcess[] = [];

  /** Starts one and waits for the address it prints. */
  function start(role: string, instance: string): Promise<{ child: ChildProcess; client: RetrainClient }> {
    const words = [
      MAIN,
      "start",
      "--port",
      "0",
      "--role",
      role,
      "--instance",
      instance,
      "--database-url",
      test?.url ?? "",
    ];
    const child = spawn(process.execPath, words, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    processes.push(child);
    return new Promise((resolve, reject) => {
      let text = "";
      child.stderr?.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        const url = /at (http:\/\/\S+)/.exec(text)?.[1];
        if (url !== undefined) resolve({ child, client: createClient({ url }) });
      });
      child.once("close", () => reject(new Error(`${instance} ended: ${text}`)));
    });
  }
  const champion = async (client: RetrainClient) => (await client.models()).items[0]?.champion ?? null;
  const runs = async (client: RetrainClient) => (await client.runs("purchases")).items;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "retrain-roles-"));
    writeFileSync(join(folder, "retrain.config.ts"), CONFIG);
    test = await openPostgresTestDatabase({ isMigrated: false });
  }, 60_000);
  afterAll(async () => {
    const ended = processes.map(async (child) =>
      child.exitCode === null && child.signalCode === null
        ? await new Promise((resolve) => child.once("close", resolve))
        : undefined,
    );
    for (const child of processes) child.kill("SIGTERM");
    await Promise.all(ended);
    await test?.dispose();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  it("answer, train and tick each in its own, and go on when the leader is killed", async () => {
    const first = await start("worker", "worker-1");
    const [second, api] = await Promise.all([start("worker", "worker-2"), start("api", "api-1")]);
    const rows = labelledRows(1200, liveWorldClock.now() - 20 * DAY_MS, 1, 20 * 60_000);
    const lines = rows.map((row) => ({ ...row, at: new Date(row.at).toISOString() }));
    expect(await api.client.ingest("purchases", lines)).toMatchObject({ accepted: 1200 });

    // The API process neither ticks nor trains; a version it serves was made elsewhere.
    await expect.poll(() => champion(api.client), { timeout: 60_000, interval: 200 }).toBe("v1");
    const { customer: _id, label: _label, ...row } = lines[0] as (typeof lines)[number];
    await expect
      .poll(async () => (await api.client.predict("purchases", row).catch(() => undefined))?.version, {
        timeout: 10_000,
        interval: 100,
      })
      .toBe("v1");

    first.child.kill("SIGKILL");
    await api.client.raiseEvent({ name: "now", model: "purchases" });
    await expect
      .poll(async () => (await runs(second.client)).filter(({ endedAt }) => endedAt !== undefined).length, {
        timeout: 90_000,
        interval: 500,
      })
      .toBe(2);
    const list = await runs(api.client);
    expect(list.map(({ state }) => state)).not.toContain("failed");
    expect(list.map(({ cause }) => cause.trigger)).toEqual(["event", "first"]);
  }, 180_000);
});

it("a role that shares a database refuses the embedded one", async () => {
  const alone = mkdtempSync(join(tmpdir(), "retrain-role-"));
  writeFileSync(join(alone, "retrain.config.ts"), CONFIG);
  const child = spawn(process.execPath, [MAIN, "start", "--role", "api", "--port", "0"], { cwd: alone });
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const code = await new Promise((resolve) => child.once("close", resolve));
  rmSync(alone, { recursive: true, force: true });
  expect(code).toBe(2);
  expect(text).toContain("--database-url");
});
