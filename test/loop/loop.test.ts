import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, linear, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, HOUR_MS, type RunRecord, silentLogger } from "../../src/core/index.ts";
import type { LoopContext } from "../../src/loop/context.ts";
import { recomputeCounters } from "../../src/loop/performance.ts";
import { removeEndedFolders } from "../../src/loop/run-folder.ts";
import { metricFromCounters } from "../../src/monitor/performance.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);

const purchases = defineModel({
  name: "purchases",
  task: "binary",
  id: "customer",
  time: "at",
  features: { age: f.number(), balance: f.number(), job: f.category() },
  label: f.boolean(),
  labelDelay: "1d",
  trainer: linear({ epochs: 8 }),
  data: { minRows: 400, window: { rows: 1_800 } },
  retrain: {
    when: when.any(
      when.newLabels(400),
      when.performanceDrop("logLoss", { relative: 0.2, window: "10d", minRows: 100 }),
    ),
    cooldown: "1h",
    maxPerDay: 10,
  },
  gates: [gate.betterThanBaseline("logLoss"), gate.noWorseThanChampion("logLoss")],
});

function rows(count: number, from: number, seed: number, options: { flip?: boolean; spacingMs?: number } = {}) {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const age = 20 + random.nextInt(60);
    const balance = Math.round((random.nextFloat() - 0.3) * 5000);
    const job = ["clerk", "farmer", "nurse"][random.nextInt(3)] as string;
    const raw = ((age - 50) / 10) * (options.flip === true ? -1 : 1) + (job === "nurse" ? 1 : 0);
    const label = random.nextFloat() < 1 / (1 + Math.exp(-raw));
    return {
      customer: `${seed}-${i}`,
      at: from + i * (options.spacingMs ?? 1),
      age,
      balance: random.nextFloat() < 0.05 ? null : balance,
      job,
      label,
    };
  });
}
const readings = (list: readonly Record<string, unknown>[]) => list.map((row, i) => ({ rowNumber: i + 1, row }));

describe("the loop on an embedded store", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [purchases] }), START);
  }, 60_000);
  afterAll(async () => test.dispose());

  it("answers MODEL_NOT_READY before the first version", async () => {
    await expect(test.loop.predict({ model: "purchases", rows: [{ age: 30 }] })).rejects.toMatchObject({
      code: "MODEL_NOT_READY",
    });
  });

  it("trains, gates and puts the first version live from labelled rows", async () => {
    const result = await test.loop.ingest({
      model: "purchases",
      form: "observation",
      origin: "http",
      rows: readings(rows(1_200, START - 20 * DAY_MS, 1, { spacingMs: 20 * 60_000 })),
    });
    expect(result).toMatchObject({ received: 1_200, accepted: 1_200, quarantined: 0, labelled: 1_200 });
    const advanced = await test.loop.advance(START + 2 * HOUR_MS);
    expect(advanced.runs).toHaveLength(1);
    const run = await test.store.runs.get(advanced.runs[0] as string);
    const assessed = await test.store.decisions.list({
      runId: advanced.runs[0] as string,
      kind: "assessment",
      limit: 20,
    });
    expect(assessed.map((one) => one.subject).reverse()).toEqual([
      "data",
      "validity",
      "duplicates",
      "novelty",
      "leakage",
      "champion loss",
      "expected gain",
    ]);
    expect(run?.error).toBeUndefined();
    expect(run?.steps.map((step) => [step.step, step.state])).toEqual(
      ["snapshot", "assess", "prepare", "train", "evaluate", "gate", "register", "rollout"].map((step) => [
        step,
        "done",
      ]),
    );
    expect(run).toMatchObject({ state: "promoted", version: "v1" });
    expect((await test.store.runs.trace(run?.id as string)).length).toBeGreaterThan(1);
    expect((await test.engine.steps(run?.id as string)).length).toBeGreaterThanOrEqual(8);
  }, 60_000);

  it("predicts, joins late labels and measures the live model", async () => {
    const live = rows(300, START + 3 * HOUR_MS, 2);
    const answer = await test.loop.predict({ model: "purchases", rows: live.map(({ label: _, ...row }) => row) });
    expect(answer.version).toBe("v1");
    expect(answer.predictions.every((one) => one.logged && one.predictionId !== undefined)).toBe(true);
    await test.loop.advance(START + 2 * DAY_MS);
    const labels = live.map((row) => ({ id: row.customer, label: row.label }));
    await test.loop.ingest({ model: "purchases", form: "label", origin: "http", rows: readings(labels) });
    await test.loop.advance(START + 3 * DAY_MS);
    const series = await test.loop.performance({ model: "purchases", metric: "logLoss" });
    const point = series.points.find((one) => one.version === "v1" && one.predictions > 0);
    expect(point).toMatchObject({ predictions: 300, labelled: 300, mature: true });
    expect(point?.value as number).toBeLessThan(0.69);
  }, 60_000);

  it("keeps counters that equal a recomputation from the log bit for bit", async () => {
    const recomputed = await recomputeCounters(testContext(test), "purchases", test.clock.now());
    const folded = (await test.store.folds.counters({ model: "purchases", counter: "performance" })).rows;
    const key = (row: { version: string; bucket: number }) => `${row.version} ${row.bucket}`;
    const expected = Object.fromEntries(
      recomputed.filter((row) => row.counter === "performance").map((row) => [key(row), row.values]),
    );
    expect(Object.fromEntries(folded.map((row) => [key(row), row.values]))).toEqual(expected);
  });

  it("retrains after the world changed, and promotes the better model", async () => {
    const changed = rows(1_800, START + 4 * DAY_MS, 3, { flip: true, spacingMs: 180_000 });
    await test.loop.predict({ model: "purchases", rows: changed.map(({ label: _, ...row }) => row) });
    await test.loop.advance(START + 9 * DAY_MS);
    await test.loop.ingest({
      model: "purchases",
      form: "label",
      origin: "http",
      rows: readings(changed.map((row) => ({ id: row.customer, label: row.label }))),
    });
    const advanced = await test.loop.advance(START + 11 * DAY_MS);
    expect(advanced.runs.length).toBeGreaterThanOrEqual(1);
    const champion = await test.store.registry.champion("purchases");
    expect(champion?.name).not.toBe("v1");
    const decisions = await test.store.decisions.list({ model: "purchases", kind: "trigger", limit: 50 });
    expect(decisions.some((one) => one.outcome === "yes")).toBe(true);
    expect(decisions.some((one) => one.outcome === "no")).toBe(true);
  }, 60_000);

  it("rolls back in one call, and forward again", async () => {
    const champion = await test.store.registry.champion("purchases");
    const routing = await test.loop.rollback("purchases", "tester", "too many complaints");
    expect(routing.champion).toBe("v1");
    const answer = await test.loop.predict({
      model: "purchases",
      rows: [{ age: 30, balance: 1, job: "nurse" }],
      log: false,
    });
    expect(answer.version).toBe("v1");
    const left = (await test.store.registry.list("purchases")).filter(({ state }) => state === "rolled-back");
    expect(left.map(({ name }) => name)).toEqual([champion?.name]);
    await test.loop.promote("purchases", champion?.name as string, "tester", "it was fine");
    expect((await test.store.registry.champion("purchases"))?.name).toBe(champion?.name);
  });

  it("answers as of any instant what was known then, also inside a fold", async () => {
    const now = test.clock.now();
    const labels = await test.store.log.recent("purchases", { kind: "label", limit: 5_000 });
    const instants = [
      START + HOUR_MS,
      START + 2 * DAY_MS,
      ...new Set(labels.map((label) => label.receivedAt)),
      now - 1,
      now,
    ];
    for (const asOf of instants) {
      const series = await test.loop.performance({ model: "purchases", metric: "logLoss", asOf, bucketMs: HOUR_MS });
      const expected = (await recomputeCounters(testContext(test), "purchases", asOf)).filter(
        (row) => row.counter === "performance",
      );
      const labelled = series.points.filter((point) => point.labelled > 0);
      expect(labelled.map((point) => [point.version, point.from, point.labelled, point.value])).toEqual(
        expected
          .sort((a, b) => a.bucket - b.bucket || (a.version < b.version ? -1 : 1))
          .map((row) => [
            row.version,
            row.bucket,
            Number(row.values.n),
            metricFromCounters("logLoss", row.values).value,
          ]),
      );
    }
    expect(
      (await test.loop.performance({ model: "purchases", asOf: START + HOUR_MS })).points.every(
        (point) => point.labelled === 0,
      ),
    ).toBe(true);
  });

  it("takes a corrected label as a correction, once", async () => {
    const before = await test.loop.performance({ model: "purchases", metric: "accuracy" });
    const prediction = (await test.store.log.recent("purchases", { kind: "prediction", limit: 1 }))[0];
    if (prediction?.kind !== "prediction") throw new Error("no prediction");
    const labels = await test.store.log.findLabels("purchases", { exampleIds: [prediction.exampleId] });
    const flipped = labels[0]?.value !== true;
    await test.loop.ingest({
      model: "purchases",
      form: "label",
      origin: "http",
      rows: readings([{ predictionId: prediction.predictionId, label: flipped }]),
    });
    await test.loop.advance(test.clock.now() + 2 * HOUR_MS);
    const after = await test.loop.performance({ model: "purchases", metric: "accuracy" });
    const count = (series: typeof before) => series.points.reduce((sum, point) => sum + point.labelled, 0);
    const right = (series: typeof before) =>
      series.points.reduce((sum, point) => sum + Math.round((point.value ?? 0) * point.labelled), 0);
    expect(count(after)).toBe(count(before));
    expect(Math.abs(right(after) - right(before))).toBe(1);
  });

  it("explains a prediction with numbers", async () => {
    const answer = await test.loop.predict({
      model: "purchases",
      rows: [{ age: 40, balance: null, job: "pilot" }],
      trace: true,
      log: false,
    });
    const trace = answer.predictions[0]?.trace;
    expect(trace?.prepared.find((column) => column.from === "balance")?.raw).toBeNull();
    expect(answer.predictions[0]).toMatchObject({ logged: false });
    expect(answer.predictions[0]?.predictionId).toBeUndefined();
  });

  it("puts rows that break the schema into quarantine with their reasons, and replays them after a fix", async () => {
    const bad = [
      { customer: "b1", at: START, age: "old", balance: 1, job: "clerk" },
      { customer: "b2", at: START, agee: 3 },
    ];
    const result = await test.loop.ingest({
      model: "purchases",
      form: "observation",
      origin: "http",
      rows: readings(bad),
    });
    expect(result).toMatchObject({ accepted: 0, quarantined: 2 });
    expect(JSON.stringify(result.problems)).toMatch(/agee/);
    expect(await test.store.quarantine.count("purchases")).toBe(2);
    expect(await test.loop.replayQuarantine("purchases")).toMatchObject({ replayed: 0, stillWaiting: 2 });
  });

  it.each(["warm-start", "incremental"] as const)(
    "continues from the champion by %s, judged like any other",
    async (strategy) => {
      const { run } = await test.loop.requestRun("purchases", { reason: "try it", actor: "tester", strategy });
      await test.engine.wait(run.id);
      const ended = await test.store.runs.get(run.id);
      expect(ended?.error).toBeUndefined();
      expect(ended?.gate?.checks.length).toBe(2);
      const version = await test.store.registry.get("purchases", ended?.version as string);
      expect(version).toMatchObject({ strategy, runId: run.id });
      expect(await test.loop.reproduce("purchases", version?.name as string)).toMatchObject({ equal: true });
    },
    60_000,
  );

  it("coalesces a second request into the open run, and cancels it", async () => {
    const first = await test.loop.requestRun("purchases", { reason: "one", actor: "tester" });
    const second = await test.loop.requestRun("purchases", { reason: "two", actor: "tester" });
    expect([first.coalesced, second.coalesced, second.run.id]).toEqual([false, true, first.run.id]);
    const before = await test.store.registry.champion("purchases");
    const canceled = await test.loop.cancelRun(first.run.id, "tester");
    expect(canceled.state).toBe("canceled");
    expect((await test.store.registry.champion("purchases"))?.name).toBe(before?.name);
    await expect(test.loop.cancelRun(first.run.id, "tester")).rejects.toMatchObject({ code: "RUN_FINISHED" });
    expect(await test.store.runs.active("purchases")).toBeUndefined();
  }, 60_000);

  it("leaves no step under way in a run that was canceled in the middle of it", async () => {
    const { run } = await test.loop.requestRun("purchases", { reason: "in the middle", actor: "tester" });
    const attempt = await test.store.runs.beginAttempt(run.id, START);
    await test.store.runs.recordStep(run.id, attempt, { step: "train", state: "running", attempt, startedAt: START });
    const canceled = await test.loop.cancelRun(run.id, "tester");
    expect(canceled.steps.filter(({ state }) => state === "running")).toEqual([]);
    expect(canceled.steps.find(({ step }) => step === "train")).toMatchObject({ state: "stopped", output: "canceled" });
    const { rows, sentence } = await test.loop.status("purchases");
    expect(sentence).toMatch(/was canceled\.$/);
    expect(rows.find(({ step }) => step === "train")).toMatchObject({ state: "stopped", next: "ends: canceled" });
  }, 60_000);

  it("deletes what ended runs left in their folders, and no other folder", async () => {
    const ended = (await test.store.runs.list({ states: ["canceled"], limit: 1 }))[0] as RunRecord;
    const folders = [ended.id, "import-under-way"].map((name) => join(test.directory, "jobs", name));
    for (const folder of folders) await mkdir(join(folder, "checkpoint"), { recursive: true });
    await removeEndedFolders({ directory: test.directory, store: test.store, logger: silentLogger } as LoopContext);
    expect(folders.map(existsSync)).toEqual([false, true]);
  });

  it("reproduces a version from its manifest", async () => {
    expect(await test.loop.reproduce("purchases", "v1")).toMatchObject({ equal: true });
  }, 60_000);

  it("says in a table what the latest cycle did", async () => {
    const table = await test.loop.status("purchases");
    expect(table.rows.map((row) => row.step)).toContain("gate");
    expect(table.sentence).toMatch(/purchases/);
    expect(table.tracker.map((one) => one.what)).toEqual(["model", "data", "performance"]);
  });
});

/** `recomputeCounters` reads the log and the model's schema only. */
function testContext(test: TestLoop) {
  return { spec: test.loop.spec, store: test.store } as never;
}
