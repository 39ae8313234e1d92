/** Entity state through the loop: card fraud seen only in what a card did before; the same numbers at training and serving. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, gbdt, resolveConfig, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, HOUR_MS, type PredictionEvent } from "../../src/core/index.ts";
import { openTestDatabase } from "../../src/testing/database.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);
const payments = defineModel({
  name: "payments",
  task: "binary",
  id: "payment",
  time: "at",
  features: {
    card: f.category(),
    amount: f.number(),
    spent: f.aggregate({ by: "card", window: "1h", sum: "amount" }),
    uses: f.aggregate({ by: "card", window: "1h", count: true }),
    before: f.aggregate({ by: "card", last: "amount" }),
  },
  label: f.boolean(),
  trainer: gbdt({ epochs: 60 }),
  data: { minRows: 400 },
  retrain: { when: when.newLabels(100_000) },
  gates: [gate.betterThanBaseline("logLoss")],
});

/** Forty cards; a fraud is the fourth and later use within an hour, whatever the amount. */
function stream(count: number, from: number, seed: number) {
  const random = createRandom(seed);
  const recent = new Map<string, number[]>();
  let at = from;
  return Array.from({ length: count }, (_, i) => {
    at += random.nextInt(120_000) + 1;
    const card = `card ${random.nextInt(10) < 3 ? random.nextInt(3) : random.nextInt(40)}`;
    const uses = (recent.get(card) ?? []).filter((one) => one >= at - HOUR_MS);
    const label = uses.length >= 3;
    recent.set(card, [...uses, at]);
    return { payment: `${seed}-${i}`, at, card, amount: 1 + random.nextInt(100), label };
  });
}
const readings = (rows: readonly Record<string, unknown>[]) => rows.map((row, i) => ({ rowNumber: i + 1, row }));

describe("aggregates in the loop", () => {
  let test: TestLoop;
  const rows = stream(1_500, START - 2 * DAY_MS, 1);
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [payments] }), START);
    await test.loop.ingest({ model: "payments", form: "observation", origin: "http", rows: readings(rows) });
    const { run } = await test.loop.requestRun("payments", { reason: "test", actor: "test" });
    await test.engine.wait(run.id);
    await test.loop.advance(START + HOUR_MS);
  }, 120_000);
  afterAll(async () => test.dispose());

  it("finds a fraud that no row shows by itself", async () => {
    const run = await test.store.runs.last("payments");
    expect(run?.error).toBeUndefined();
    expect(run?.state).toBe("promoted");
    const report = await test.loop.evaluation(run?.id as string);
    expect(report?.candidate["rocAuc"] as number).toBeGreaterThan(0.97);
  });

  it("answers a request with the numbers that a collected row gets", async () => {
    // The same payment of two cards with the same past: one is collected, one is asked about.
    const past = [10, 20, 30].map((amount, i) => ({ amount, at: START + HOUR_MS + (i + 1) * 60_000, label: false }));
    for (const card of ["collected", "asked"]) {
      const own = past.map((row, i) => ({ ...row, card, payment: `${card} ${i}` }));
      await test.loop.ingest({ model: "payments", form: "observation", origin: "http", rows: readings(own) });
    }
    const now = { amount: 5, at: START + HOUR_MS + 5 * 60_000 };
    await test.loop.ingest({
      model: "payments",
      form: "observation",
      origin: "http",
      rows: readings([{ ...now, card: "collected", payment: "collected now", label: true }]),
    });
    const answer = await test.loop.predict({
      model: "payments",
      rows: [{ ...now, card: "asked", payment: "asked now" }],
    });
    const found = await test.store.log.findObservations("payments", { exampleIds: ["collected now"] });
    const logged = await test.store.log.findPredictions("payments", { exampleIds: ["asked now"] });
    const { card: _, ...collected } = found[0]?.features ?? {};
    const { card: _asked, ...asked } = logged[0]?.features ?? {};
    expect(collected).toEqual({ amount: 5, spent: 60, uses: 3, before: 30 });
    expect(asked).toEqual(collected);
    expect((logged[0] as PredictionEvent).stateSequence).toBe(3);
    expect(answer.predictions[0]?.score as number).toBeGreaterThan(0.5);
  });

  it("trains on the number that was logged with the prediction, not on what is known since", async () => {
    const at = START + 2 * HOUR_MS;
    const row = { card: "late", amount: 7, at, payment: "late 2" };
    await test.loop.predict({ model: "payments", rows: [row] });
    // Known only afterwards: it lies before the payment, yet no answer could have looked at it.
    const earlier = { card: "late", amount: 900, at: at - 60_000, payment: "late 1", label: false };
    await test.loop.ingest({ model: "payments", form: "observation", origin: "http", rows: readings([earlier]) });
    await test.loop.ingest({
      model: "payments",
      form: "label",
      origin: "http",
      rows: readings([{ id: "late 2", label: false }]),
    });
    const [logged] = await test.store.log.findPredictions("payments", { exampleIds: ["late 2"] });
    expect(logged?.features).toMatchObject({ spent: 0, uses: 0, before: null });
    const next = await test.loop.predict({
      model: "payments",
      log: false,
      rows: [{ ...row, payment: "late 3", at: at + 1 }],
    });
    expect(next.predictions).toHaveLength(1);
  });

  it("keeps later rows out of earlier ones, in whatever order they come", async () => {
    const planted = { card: "planted", amount: 1e6, at: START + 5 * HOUR_MS, payment: "planted later", label: true };
    const row = { card: "planted", amount: 1, at: START + 4.5 * HOUR_MS, payment: "planted earlier", label: false };
    await test.loop.advance(START + 6 * HOUR_MS);
    await test.loop.ingest({ model: "payments", form: "observation", origin: "http", rows: readings([planted, row]) });
    const [found] = await test.store.log.findObservations("payments", { exampleIds: ["planted earlier"] });
    expect(found?.features).toMatchObject({ spent: 0, uses: 0, before: null });
  });

  it("goes on after a restart from what it kept, reads only what came since, and lets no later row leak back", async () => {
    const database = await openTestDatabase();
    const config = defineConfig({ models: [payments] });
    const ingest = (on: TestLoop, list: readonly Record<string, unknown>[]) =>
      on.loop.ingest({ model: "payments", form: "observation", origin: "http", rows: readings(list) });
    const past = stream(1_200, START - DAY_MS, 7);
    const planted = { card: "leak", amount: 1e6, at: START + 5 * HOUR_MS, payment: "planted", label: true };
    let restarted = await openTestLoop(config, START + 6 * HOUR_MS, { database });
    await ingest(restarted, past.slice(0, 1_100));
    await restarted.loop.advance(START + 7 * HOUR_MS);
    const kept = await restarted.store.folds.read("payments", "entities");
    expect(kept.foldSeq).toBeGreaterThan(0);
    await ingest(restarted, [planted]);
    // A delivery that never reaches the log is not remembered by the next process.
    const append = restarted.store.log.append.bind(restarted.store.log);
    Object.assign(restarted.store.log, { append: () => Promise.reject(new Error("the disk is gone")) });
    await expect(ingest(restarted, [{ ...planted, payment: "lost", at: START }])).rejects.toThrow("the disk is gone");
    Object.assign(restarted.store.log, { append });
    await restarted.dispose();

    restarted = await openTestLoop(config, START + 7 * HOUR_MS, { database });
    const read = restarted.store.log.readAfter.bind(restarted.store.log);
    let eventsRead = 0;
    Object.assign(restarted.store.log, {
      readAfter: async (...asked: Parameters<typeof read>) => {
        const page = await read(...asked);
        eventsRead += page.events.length;
        return page;
      },
    });
    const whole = await openTestLoop(config, START + 7 * HOUR_MS);
    await ingest(whole, past.slice(0, 1_100));
    await ingest(whole, [planted]);
    const rest = [...past.slice(1_100), { ...planted, payment: "earlier", at: START + 4.5 * HOUR_MS }];
    await ingest(restarted, rest);
    expect(eventsRead).toBe(0);
    await ingest(whole, rest);
    const ids = rest.map(({ payment }) => payment);
    const featuresOf = async (on: TestLoop) => {
      const found = await on.store.log.findObservations("payments", { exampleIds: ids });
      return Object.fromEntries(found.map(({ exampleId, features }) => [exampleId, features]));
    };
    expect(await featuresOf(restarted)).toEqual(await featuresOf(whole));
    const [earlier] = await restarted.store.log.findObservations("payments", { exampleIds: ["earlier"] });
    expect(earlier?.features).toMatchObject({ spent: 0, uses: 0, before: null });
    await restarted.dispose();
    await whole.dispose();
    await database.dispose();
  }, 60_000);

  it("refuses rows and definitions that state what is computed", async () => {
    const row = { payment: "x", at: START, card: "a", amount: 1, spent: 4 };
    await expect(test.loop.predict({ model: "payments", rows: [row] })).rejects.toThrow(
      /computed from earlier rows of its "card"/,
    );
    const result = await test.loop.ingest({
      model: "payments",
      form: "observation",
      origin: "http",
      rows: readings([row]),
    });
    expect(result.quarantined).toBe(1);
    const define = (spent: unknown) =>
      resolveConfig(
        { models: [{ ...payments, features: { ...payments.features, spent } }] },
        { folder: "/", environment: {}, flags: {} },
      );
    expect(() => define({ kind: "aggregate", by: "card", window: "1h" })).toThrow(/must ask for one of/);
    expect(() => define({ kind: "aggregate", by: "card", count: true })).toThrow(/neither of/);
    expect(() => define({ kind: "aggregate", by: "carb", window: "1h", count: true })).toThrow(/Closest: "card"/);
    expect(() => define({ kind: "aggregate", by: "card", window: "1h", sum: "uses" })).toThrow(
      /no feature a row carries/,
    );
  });
});
