/** A model of boosted trees through the whole loop: trained in a real process, gated, served with its reasons, reproduced. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, gbdt, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, HOUR_MS } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);

const orders = defineModel({
  name: "orders",
  task: "binary",
  id: "order",
  time: "at",
  features: { amount: f.number(), hour: f.number(), country: f.category(), returning: f.boolean() },
  label: f.boolean(),
  labelDelay: "1d",
  trainer: gbdt({ epochs: 60, maxLeaves: 8, monotone: { amount: 1 } }),
  data: { minRows: 400 },
  retrain: { when: when.newLabels(400), how: "warm-start", cooldown: "1h", maxPerDay: 10 },
  gates: [gate.betterThanBaseline("logLoss"), gate.noWorseThanChampion("logLoss")],
});

/** Fraud where large amounts, nights and two of nine countries meet: no sum of columns says it. */
function rows(count: number, from: number, seed: number, spacingMs: number) {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const amount = Math.round(random.nextFloat() * 500);
    const hour = random.nextInt(24);
    const country = `country ${random.nextInt(9)}`;
    const isOdd = (hour < 6 ? 1 : 0) + (country === "country 3" || country === "country 7" ? 1 : 0);
    const label = random.nextFloat() < (amount > 200 && isOdd > 0 ? 0.9 : 0.08);
    return {
      order: `${seed}-${i}`,
      at: from + i * spacingMs,
      amount: random.nextFloat() < 0.05 ? null : amount,
      hour,
      country,
      returning: random.nextInt(2) === 1,
      label,
    };
  });
}
const readings = (list: readonly Record<string, unknown>[]) => list.map((row, i) => ({ rowNumber: i + 1, row }));
const ingest = (test: TestLoop, list: ReturnType<typeof rows>) =>
  test.loop.ingest({ model: "orders", form: "observation", origin: "http", rows: readings(list) });

describe("a model of boosted trees in the loop", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [orders] }), START);
  }, 60_000);
  afterAll(async () => test.dispose());

  it("trains, passes its gates and goes live", async () => {
    await ingest(test, rows(1_500, START - 20 * DAY_MS, 1, 15 * 60_000));
    const advanced = await test.loop.advance(START + 2 * HOUR_MS);
    const run = await test.store.runs.get(advanced.runs[0] as string);
    expect(run?.error).toBeUndefined();
    expect(run).toMatchObject({ state: "promoted", version: "v1" });
    const trace = await test.store.runs.trace(run?.id as string);
    expect(trace.length).toBeGreaterThan(5);
    expect(trace[0]?.metrics).toMatchObject({ trainLoss: expect.any(Number), validationLoss: expect.any(Number) });
  }, 60_000);

  it("knows what no sum of columns says, and keeps its constraint", async () => {
    const ask = async (row: Record<string, unknown>) => {
      const answer = await test.loop.predict({ model: "orders", rows: [row], log: false });
      return answer.predictions[0]?.score as number;
    };
    const night = { hour: 2, country: "country 5", returning: false };
    expect(await ask({ ...night, amount: 400 })).toBeGreaterThan(0.6);
    expect(await ask({ ...night, amount: 50 })).toBeLessThan(0.3);
    expect(await ask({ ...night, hour: 14, amount: 400 })).toBeLessThan(0.3);
    expect(await ask({ ...night, hour: 14, country: "country 3", amount: 400 })).toBeGreaterThan(0.6);
    expect(await ask({ ...night, country: "nowhere", amount: null })).toBeGreaterThan(0);
  });

  it("explains an answer by contributions that add up to its score", async () => {
    const row = { amount: 450, hour: 3, country: "country 3", returning: true };
    const answer = await test.loop.predict({ model: "orders", rows: [row], trace: true, log: false });
    const trace = answer.predictions[0]?.trace;
    const parts = trace?.prepared.map((line) => line.contribution as number) ?? [];
    expect(trace).toMatchObject({ link: "logistic" });
    expect(parts).toHaveLength(4);
    const raw = parts.reduce((sum, part) => sum + part, trace?.intercept as number);
    expect(raw).toBeCloseTo(trace?.raw?.[0] as number, 9);
    expect(1 / (1 + Math.exp(-raw))).toBeCloseTo(answer.predictions[0]?.score as number, 5);
    const amount = trace?.prepared.find((line) => line.from === "amount")?.contribution as number;
    expect(amount).toBeGreaterThan(0.3);
  });

  it("says what it looks at: what matters first, what is noise last", async () => {
    const { trainer, features } = await test.loop.importance("orders", "v1");
    expect(trainer).toBe("gbdt");
    expect(features.map(({ feature }) => feature).toSorted()).toEqual(["amount", "country", "hour", "returning"]);
    expect(features.at(-1)?.feature).toBe("returning");
    const sum = (pick: (one: (typeof features)[number]) => number | undefined) =>
      features.reduce((total, one) => total + (pick(one) as number), 0);
    expect(sum((one) => one.gainShare)).toBeCloseTo(1, 9);
    expect(sum((one) => one.answerShare)).toBeCloseTo(1, 9);
    // 60 trees of at most 8 leaves.
    expect(sum((one) => one.splits)).toBeGreaterThan(60);
    expect(sum((one) => one.splits)).toBeLessThanOrEqual(60 * 7);
    await expect(test.loop.importance("orders", "v9")).rejects.toMatchObject({ code: "VERSION_UNKNOWN" });
  });

  it("reproduces the version from its manifest, bit for bit", async () => {
    const again = await test.loop.reproduce("orders", "v1");
    expect(again).toMatchObject({ equal: true, bases: [] });
    expect(again.actual).toMatch(/^[0-9a-f]{64}$/);
    expect(again.expected).toBe(again.actual);
  }, 60_000);

  it("reproduces a chain of warm starts down to the full training at its root", async () => {
    await ingest(test, rows(300, test.clock.now() - 12 * DAY_MS, 2, 15 * 60_000));
    const { run } = await test.loop.requestRun("orders", { reason: "more", actor: "test" });
    await test.engine.wait(run.id);
    const ended = await test.store.runs.get(run.id);
    expect(await test.store.registry.get("orders", ended?.version as string)).toMatchObject({ strategy: "warm-start" });
    const again = await test.loop.reproduce("orders", ended?.version as string);
    expect(again).toMatchObject({ equal: true, bases: [{ version: "v1", equal: true }] });
  }, 60_000);
});
