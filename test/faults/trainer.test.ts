import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command, defineConfig, defineModel, f, gate, linear, when } from "../../src/config/index.ts";
import { createRandom, HOUR_MS } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);
const model = defineModel({
  name: "m",
  task: "binary",
  id: "id",
  features: { x: f.number() },
  label: f.boolean(),
  trainer: linear({ epochs: 3 }),
  data: { minRows: 300 },
  retrain: { when: when.manual(), cooldown: "0s", maxPerDay: 100, stopAfterRejections: 100 },
  gates: [gate.betterThanBaseline("logLoss")],
  limits: { trainTimeout: "10s", trainMemoryMiB: 600 },
});

/** A program of somebody else that says what it is at, and then never ends or never has enough. */
const program = (name: string, behavior: string) =>
  defineModel({
    name,
    task: "binary",
    id: "id",
    features: { x: f.number() },
    label: f.boolean(),
    trainer: command({
      run: ["node", "-e", `console.log("reading the table"); console.error("epoch 7"); ${behavior}`],
    }),
    data: { minRows: 300 },
    retrain: { when: when.manual(), cooldown: "0s" },
    limits: { trainTimeout: "10s", trainMemoryMiB: 600 },
  });
const hanging = program("hanging", "setInterval(() => {}, 1000);");
const hungry = program("hungry", "const kept = []; setInterval(() => kept.push(Buffer.alloc(50_000_000, 1)), 10);");

describe("a trainer that misbehaves", () => {
  let home: string;
  let test: TestLoop;
  const behave = (how: string) => writeFile(join(home, "misbehavior"), how);

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "retrain-bad-trainer-"));
    process.env.RETRAIN_TEST_MISBEHAVIOR = join(home, "misbehavior");
    await behave("");
    const jobEntry = new URL("./support/bad-trainer.mjs", import.meta.url);
    test = await openTestLoop(defineConfig({ models: [model, hanging, hungry] }), START, {
      jobEntry,
      environment: ["RETRAIN_TEST_MISBEHAVIOR"],
    });
    const random = createRandom(1);
    const rows = Array.from({ length: 600 }, (_, i) => {
      const x = random.nextFloat() * 4 - 2;
      return { rowNumber: i + 1, row: { id: `r${i}`, x, label: random.nextFloat() < 1 / (1 + Math.exp(-2 * x)) } };
    });
    for (const name of ["m", "hanging", "hungry"])
      await test.loop.ingest({ model: name, form: "observation", origin: "test", rows });
    const { run } = await test.loop.requestRun("m", { reason: "first", actor: "test" });
    await test.engine.wait(run.id);
    expect((await test.store.registry.champion("m"))?.name).toBe("v1");
  });
  afterAll(async () => {
    await test.dispose();
    delete process.env.RETRAIN_TEST_MISBEHAVIOR;
    await rm(home, { recursive: true, force: true });
  });

  it.each([
    ["crash", "TRAINER_CRASHED", /SIGSEGV[\s\S]*imagined kernel/],
    ["exit", "TRAINER_CRASHED", /3[\s\S]*no license/],
    ["hang", "TRAINER_TIMEOUT", /killed after 10000|10 s/],
    ["memory", "TRAINER_OUT_OF_MEMORY", /MiB|MB/],
    ["garbage", "TRAINER_FAILED", /garbage was printed/],
    ["nan", "TRAINER_DIVERGED", /NaN at epoch 3/],
  ] as const)("by %s fails its run with the reason, and the champion goes on", async (how, code, text) => {
    await behave(how);
    const { run } = await test.loop.requestRun("m", { reason: how, actor: "test" });
    // The server is alive while the trainer is not.
    const during = await test.loop.predict({ model: "m", rows: [{ x: 1 }], log: false });
    expect(during.version).toBe("v1");
    await test.engine.wait(run.id);
    const ended = await test.store.runs.get(run.id);
    expect(ended).toMatchObject({ state: "failed", error: { code } });
    expect(ended?.error?.message).toMatch(text);
    expect(ended?.steps.find((step) => step.step === "train")?.state).toBe("failed");
    expect((await test.store.registry.list("m")).length).toBe(1);
    const alerts = await test.store.alerts.list({ model: "m", state: "open", limit: 10 });
    expect(alerts.map((alert) => alert.type)).toContain("run.failed");
    expect(alerts[0]?.message).toMatch(/The champion keeps serving/);
  });

  it.each([
    ["hanging", "TRAINER_TIMEOUT"],
    ["hungry", "TRAINER_OUT_OF_MEMORY"],
  ] as const)(
    "and is a program (%s) is reported with its last lines when it is killed at a limit",
    async (name, code) => {
      const { run } = await test.loop.requestRun(name, { reason: "limit", actor: "test" });
      await test.engine.wait(run.id);
      const { error } = (await test.store.runs.get(run.id)) ?? {};
      expect(error?.code).toBe(code);
      expect(error?.message).toContain("Its last lines:\n");
      expect(error?.message).toContain("reading the table");
      expect(error?.message).toContain("epoch 7");
      const [alert] = await test.store.alerts.list({ model: name, state: "open", limit: 1 });
      expect(alert?.message).toMatch(
        /(epoch 7|reading the table)\nRaise the trainer's .*\. The champion keeps serving\.$/,
      );
    },
  );

  it("is forgiven: the next good run goes live and resolves the alert", async () => {
    await behave("");
    test.clock.advanceTo(test.clock.now() + HOUR_MS);
    const { run } = await test.loop.requestRun("m", { reason: "again", actor: "test" });
    await test.engine.wait(run.id);
    expect((await test.store.runs.get(run.id))?.state).toBe("promoted");
    expect(await test.store.alerts.list({ model: "m", state: "open", limit: 10 })).toEqual([]);
  });
});
