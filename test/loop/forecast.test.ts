/** A forecast through the whole loop: ingested, trained in a real process, gated, served, restated, judged. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, forecast, gate, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, HOUR_MS } from "../../src/core/index.ts";
import { loadRuntime } from "../../src/model/onnx/runtime.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);
const HISTORY_DAYS = 300;
const STORES = ["north", "south", "east", "west"];

const sales = defineModel({
  name: "sales",
  task: "forecast",
  series: "store",
  time: "day",
  frequency: "daily",
  horizon: 7,
  features: { promo: f.boolean() },
  label: f.number({ min: 0 }),
  labelColumn: "sold",
  trainer: forecast({ epochs: 60 }),
  retrain: { when: when.newLabels(100_000), cooldown: "1h" },
  gates: [gate.betterThanBaseline("wape"), gate.noWorseThanChampion("wape")],
});

/** Weekly demand with promotions, the same for every caller. */
function sold(store: number, day: number): { sold: number; promo: boolean } {
  const random = createRandom(store * 100_000 + day);
  const promo = random.nextInt(10) === 0;
  const weekday = [0.8, 0.7, 0.8, 1, 1.3, 1.6, 1.2][day % 7] as number;
  const level = 40 + 30 * store + 0.05 * (day - 20_000);
  return { sold: Math.round(level * weekday * (promo ? 1.6 : 1) * (0.9 + 0.2 * random.nextFloat())), promo };
}
const dayOf = (at: number) => Math.floor(at / DAY_MS);
function rowsOf(from: number, days: number, stores = STORES) {
  return Array.from({ length: days }, (_, i) => dayOf(from) + i).flatMap((day) =>
    stores.map((store) => ({
      store,
      day: new Date(day * DAY_MS).toISOString().slice(0, 10),
      ...sold(STORES.indexOf(store), day),
    })),
  );
}
const readings = (rows: readonly Record<string, unknown>[]) => rows.map((row, i) => ({ rowNumber: i + 1, row }));

describe("a forecast in the loop", () => {
  let test: TestLoop;
  const ingest = (rows: readonly Record<string, unknown>[], form: "observation" | "label" = "observation") =>
    test.loop.ingest({ model: "sales", form, origin: "http", rows: readings(rows) });

  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [sales] }), START);
    await ingest(rowsOf(START - HISTORY_DAYS * DAY_MS, HISTORY_DAYS));
    const { run } = await test.loop.requestRun("sales", { reason: "test", actor: "test" });
    await test.engine.wait(run.id);
    await test.loop.advance(START + HOUR_MS);
  }, 120_000);
  afterAll(async () => test.dispose());

  it("trains, beats last season and goes live with its evidence", async () => {
    const run = await test.store.runs.last("sales");
    expect(run?.error).toBeUndefined();
    expect(run).toMatchObject({ state: "promoted", version: "v1" });
    const report = await test.loop.evaluation(run?.id as string);
    expect(report?.baseline.trainer).toBe("seasonal-naive");
    expect(report?.candidate["wape"] as number).toBeLessThan((report?.baseline.metrics["wape"] as number) * 0.8);
    expect(report?.candidate["intervalCoverage"] as number).toBeGreaterThan(0.75);
    expect(report?.forecast?.byStep.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(report?.forecast?.tried.map(({ method }) => method)).toContain("smoothing");
    expect(report?.forecast?.examples[0]?.points.length).toBeGreaterThan(20);
  });

  it("answers the coming periods of a series with intervals, a promotion known ahead included", async () => {
    const first = dayOf(START);
    const text = (day: number) => new Date(day * DAY_MS).toISOString().slice(0, 10);
    const ask = async (promo: boolean) =>
      test.loop.predict({
        model: "sales",
        log: false,
        rows: [{ store: "west", future: Array.from({ length: 7 }, (_, i) => ({ day: text(first + i), promo })) }],
      });
    const plain = (await ask(false)).predictions;
    const promoted = (await ask(true)).predictions;
    expect(plain.map((row) => row.exampleId)).toEqual(Array.from({ length: 7 }, (_, i) => `west@${text(first + i)}`));
    for (const [i, row] of plain.entries()) {
      expect(row.forecast?.originAt).toBe((first - 1) * DAY_MS);
      expect(row.forecast?.low as number).toBeLessThanOrEqual(row.score as number);
      expect(row.forecast?.high as number).toBeGreaterThanOrEqual(row.score as number);
      expect(promoted[i]?.score as number).toBeGreaterThan((row.score as number) * 1.15);
    }
  });

  it("leaves as ONNX, which forecasts what the server forecasts", async () => {
    const horizon = 7;
    const first = dayOf(START);
    const text = (day: number) => new Date(day * DAY_MS).toISOString().slice(0, 10);
    const promos = STORES.map((_, s) => Array.from({ length: horizon }, (_unused, i) => (s + i) % 3 === 0));
    const { predictions } = await test.loop.predict({
      model: "sales",
      log: false,
      rows: STORES.map((store, s) => ({
        store,
        future: (promos[s] as boolean[]).map((promo, i) => ({ day: text(first + i), promo })),
      })),
    });
    const { Tensor, InferenceSession } = await loadRuntime();
    const session = await InferenceSession.create(await test.loop.exportOnnx("sales", "v1"), {});
    const known = STORES.map((_, s) =>
      Array.from({ length: HISTORY_DAYS }, (_unused, i) => sold(s, first - HISTORY_DAYS + i).sold),
    );
    const given: Readonly<Record<string, unknown>> = {
      history: new Tensor("float64", Float64Array.from(known.flat()), [STORES.length, HISTORY_DAYS]),
      series: new Tensor("string", STORES, [STORES.length, 1]),
      promo: new Tensor("float32", Float32Array.from(promos.flat(), Number), [STORES.length, horizon]),
      origin: new Tensor("int64", new BigInt64Array(STORES.length).fill(BigInt(START - DAY_MS)), [STORES.length, 1]),
    };
    const outputs = await session.run(given, undefined as never);
    const dataOf = (name: string) => outputs[name]?.data as Float64Array;
    expect(predictions).toHaveLength(STORES.length * horizon);
    predictions.forEach(({ score, forecast: own }, i) => {
      expect(dataOf("forecast")[i]).toBeCloseTo(score as number, 4);
      expect(dataOf("lower")[i]).toBeCloseTo(own?.low as number, 4);
      expect(dataOf("upper")[i]).toBeCloseTo(own?.high as number, 4);
    });
  });

  it("reproduces to the bit", async () => {
    expect(await test.loop.reproduce("sales", "v1")).toMatchObject({ equal: true });
  }, 60_000);

  it("judges forecasts of two origins by one label, and corrects itself after a restatement", async () => {
    await test.loop.predict({ model: "sales", rows: [{ store: "north" }] });
    await test.loop.advance(START + 2 * DAY_MS);
    await ingest(rowsOf(START, 1, ["north"]));
    await test.loop.predict({ model: "sales", rows: [{ store: "north" }] });
    await test.loop.advance(START + 8 * DAY_MS);
    // Day 3 was forecast from the day before the start and from the start.
    const target = rowsOf(START + 2 * DAY_MS, 1, ["north"]);
    await ingest(target);
    await test.loop.advance(START + 8 * DAY_MS + 2 * HOUR_MS);
    const labelledAt = async (from: number) => {
      const series = await test.loop.performance({ model: "sales", metric: "mae", bucketMs: DAY_MS });
      const point = series.points.find((one) => one.from === from);
      return { labelled: point?.labelled, value: point?.value as number };
    };
    const before = await labelledAt(START + 2 * DAY_MS);
    expect(before.labelled).toBe(2);
    await ingest([{ store: "north", day: target[0]?.day, label: (target[0]?.sold as number) + 1000 }], "label");
    await test.loop.advance(START + 8 * DAY_MS + 4 * HOUR_MS);
    const after = await labelledAt(START + 2 * DAY_MS);
    expect(after.labelled).toBe(2);
    expect(after.value).toBeGreaterThan(before.value + 900);
    const wape = await test.loop.performance({ model: "sales", bucketMs: DAY_MS });
    expect(wape.metric).toBe("wape");
  });

  it("starts later forecasts from restated values", async () => {
    const answer = await test.loop.predict({ model: "sales", log: false, rows: [{ store: "north", steps: 1 }] });
    expect(answer.predictions).toHaveLength(1);
    expect(answer.predictions[0]?.forecast?.originAt).toBe(START + 2 * DAY_MS);
    const earlier = await test.loop.predict({
      model: "sales",
      log: false,
      rows: [{ store: "north", steps: 1, until: "2025-12-31" }],
    });
    expect(earlier.predictions[0]?.forecast?.originAt).toBe(START - DAY_MS);
  });

  it("judges values nobody asked about by what it would have said the day before", async () => {
    await ingest(rowsOf(START, 5, ["south"]));
    await test.loop.advance(START + 9 * DAY_MS);
    const events = await test.store.log.recent("sales", { kind: "prediction", limit: 10 });
    const system = events.filter((event) => event.kind === "prediction" && event.origin === "system");
    expect(system.length).toBe(5);
    for (const event of system)
      if (event.kind === "prediction") expect(event.at - (event.originAt as number)).toBe(DAY_MS);
  });

  it("says what is wrong with a question", async () => {
    const ask = (row: Record<string, unknown>) => test.loop.predict({ model: "sales", rows: [row] });
    await expect(ask({ store: "nowhere" })).rejects.toMatchObject({ code: "SERIES_UNKNOWN" });
    await expect(ask({ shop: "north" })).rejects.toThrow(/no field "shop"/);
    await expect(ask({ store: "north", steps: 30 })).rejects.toMatchObject({ code: "ROW_INVALID" });
    await expect(ask({ store: "north", future: [{ promo: true }] })).rejects.toThrow(/has no "day"/);
  });
});
