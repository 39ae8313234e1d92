import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, linear, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, HOUR_MS } from "../../src/core/index.ts";
import { readFoldState } from "../../src/loop/fold-state.ts";
import { LABEL_FOLD } from "../../src/loop/context.ts";
import { openTestDatabase } from "../../src/testing/database.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 2, 2);

const model = defineModel({
  name: "m",
  task: "binary",
  id: "id",
  time: "at",
  features: { x: f.number() },
  label: f.boolean(),
  trainer: linear({ epochs: 3 }),
  data: { minRows: 300 },
  monitors: { falseAlarms: 2, conceptDrift: { detector: "adwin", metric: "accuracy" } },
  retrain: { when: when.manual() },
});
const config = defineConfig({ models: [model], server: { tickEvery: "1h" } });

const send = (test: TestLoop, form: "observation" | "label", rows: readonly Record<string, unknown>[]) =>
  test.loop.ingest({ model: "m", form, origin: "http", rows: rows.map((row, i) => ({ rowNumber: i + 1, row })) });

/** Rows whose label follows x, or, flipped, its opposite. */
function history(seed: number) {
  const random = createRandom(seed);
  return (id: string, at: number, flip = false) => {
    const x = random.nextFloat() * 4 - 2;
    return { id, at, x, label: random.nextFloat() < 1 / (1 + Math.exp(flip ? 3 * x : -3 * x)) };
  };
}

async function begin(test: TestLoop) {
  const row = history(1);
  await send(
    test,
    "observation",
    Array.from({ length: 600 }, (_, i) => row(`h${i}`, START - 30 * DAY_MS + i * HOUR_MS)),
  );
  const { run } = await test.loop.requestRun("m", { reason: "first", actor: "test" });
  await test.engine.wait(run.id);
}

/** One day: 100 predictions, then their labels in small deliveries of the given size. */
async function day(test: TestLoop, number: number, options: { flip: boolean; delivery: number }) {
  const row = history(100 + number);
  const at = START + number * DAY_MS;
  const rows = Array.from({ length: 100 }, (_, i) => row(`d${number}-${i}`, at + i, options.flip));
  await test.loop.advance(at + HOUR_MS);
  await test.loop.predict({ model: "m", rows: rows.map(({ label: _, ...rest }) => rest) });
  for (let i = 0; i < rows.length; i += options.delivery) {
    await send(
      test,
      "label",
      rows.slice(i, i + options.delivery).map(({ id, label }) => ({ id, label })),
    );
    await test.loop.advance(test.clock.now() + HOUR_MS);
  }
}

const watchOf = async (test: TestLoop) =>
  readFoldState((await test.store.folds.read("m", LABEL_FOLD)).state).concept.v1;

describe("the detector of concept drift", () => {
  const loops: TestLoop[] = [];
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(config, START);
    loops.push(test);
    await begin(test);
    for (let number = 0; number < 3; number++) await day(test, number, { flip: false, delivery: 50 });
  }, 120_000);
  afterAll(async () => {
    for (const one of loops) await one.dispose();
  });

  it("runs with the setting calibrated on the version's own held-out losses, shown beside what it costs", async () => {
    const watch = await watchOf(test);
    expect(watch?.seen).toBe(300);
    expect(watch?.settings).toMatchObject({ detector: "adwin", metric: "accuracy", origin: "calibrated", budget: 1 });
    expect(watch?.settings.falseAlarms).toBeLessThanOrEqual(1);
    const all = await test.store.decisions.list({ model: "m", kind: "monitor", limit: 20 });
    const said = all.find(({ subject }) => subject.startsWith("conceptDrift"));
    expect(said).toMatchObject({ subject: "conceptDrift(accuracy)", outcome: "no", version: "v1" });
    expect(said?.rule).toMatch(
      /adwin on accuracy of v1, delta .* \(calibrated; at most 1 false alarm in 90 days, its part of the model's budget\)/,
    );
  });

  it("counts a corrected label once, at its first value", async () => {
    const before = await watchOf(test);
    await send(test, "label", [
      { id: "d0-0", label: true },
      { id: "d0-0", label: false },
      { id: "d0-1", label: null },
    ]);
    await test.loop.tick("m", test.clock.now());
    expect((await watchOf(test))?.seen).toBe(before?.seen);
  });

  it("is restored exactly after a restart, wherever the log was cut", async () => {
    const database = await openTestDatabase();
    const open = () => openTestLoop(config, START, { database });
    let other = await open();
    await begin(other);
    await day(other, 0, { flip: false, delivery: 50 });
    const stopped = other.clock.now();
    await other.dispose();
    other = await openTestLoop(config, stopped, { database });
    await day(other, 1, { flip: false, delivery: 7 });
    await day(other, 2, { flip: false, delivery: 33 });
    const [restarted, straight] = [await watchOf(other), await watchOf(test)];
    expect(restarted?.detector).toEqual(straight?.detector);
    expect(restarted?.seen).toBe(straight?.seen);
    expect(restarted?.current).toEqual(straight?.current);
    await other.dispose();
    await database.dispose();
  }, 120_000);

  it("raises one alert when the labels turn, with rule, means and place, and a signal", async () => {
    for (let number = 5; number < 8; number++) await day(test, number, { flip: true, delivery: 50 });
    const watch = await watchOf(test);
    const alarm = watch?.detections.find((one) => one.direction === "up");
    expect(alarm?.seen).toBeGreaterThan(300);
    expect(alarm?.seen).toBeLessThan(600);
    expect(alarm?.meanNow).toBeGreaterThan(alarm?.meanBefore as number);
    const alerts = await test.store.alerts.list({ model: "m", state: "open", limit: 10 });
    const drift = alerts.filter((one) => one.type === "monitor.concept-drift");
    expect(drift).toHaveLength(1);
    expect(drift[0]?.message).toMatch(/^Concept drift P\(y\|x\): the loss \(accuracy\) of v1 rose to/);
    expect(drift[0]?.evidence["diagnosis"]).toEqual(
      expect.arrayContaining([expect.stringMatching(/concept drift P\(y\|x\)\.$/)]),
    );
    const diagnosis = await test.loop.diagnose("m");
    expect(diagnosis).toMatchObject({
      version: "v1",
      metric: "logLoss",
      since: { by: "concept drift P(y|x), adwin on accuracy" },
    });
    expect(diagnosis.loss.unexplained).toBeGreaterThan(0.3);
    expect(Math.abs(diagnosis.loss.explained)).toBeLessThan(0.15);
    expect(diagnosis.features[0]).toMatchObject({ feature: "x", importance: 1, moved: false });
    expect(diagnosis.rows).toHaveLength(5);
    expect(diagnosis.rows.every((row) => row.decision !== row.label)).toBe(true);
    expect(diagnosis.slices[0]?.sure).toBeGreaterThan(0);
    const signals = await test.store.settings.signals({ model: "m", limit: 10 });
    expect(signals.find((one) => one.monitor === "concept-drift" && one.verdict === "yes")).toBeDefined();
  }, 60_000);

  it("starts over with a promotion, which closes the alert", async () => {
    const { run } = await test.loop.requestRun("m", { reason: "again", actor: "test" });
    await test.engine.wait(run.id);
    const versions = await test.store.registry.list("m");
    const newest = versions.find((version) => version.name === "v2");
    expect(newest).toBeDefined();
    if (newest?.role !== "champion") await test.loop.promote("m", "v2", "test", "for the test");
    const open = await test.store.alerts.list({ model: "m", state: "open", limit: 10 });
    expect(open.some((one) => one.type === "monitor.concept-drift")).toBe(false);
    await day(test, 9, { flip: true, delivery: 100 });
    const { concept } = readFoldState((await test.store.folds.read("m", LABEL_FOLD)).state);
    expect(Object.keys(concept)).toEqual(["v2"]);
    expect(concept.v2?.seen).toBe(100);
    await test.loop.rollback("m", "test", "back");
    await day(test, 10, { flip: true, delivery: 100 });
    // The detector of v1 before the rollback is not continued.
    expect((await watchOf(test))?.seen).toBe(100);
  }, 60_000);
});
