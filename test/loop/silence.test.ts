/** Silence as an answer: after the stated time an unlabelled example gets the stated value, and a later real answer wins. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, linear, resolveConfig, when } from "../../src/config/index.ts";
import { DAY_MS, HOUR_MS } from "../../src/core/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { labelledRows, START } from "../server/support.ts";

const claims = defineModel({
  name: "claims",
  task: "binary",
  id: "customer",
  time: "at",
  features: { age: f.number(), balance: f.number(), job: f.category("clerk", "farmer", "nurse") },
  label: f.boolean({ ifMissingAfter: { "5d": false } }),
  labelDelay: "5d",
  trainer: linear({ epochs: 4 }),
  data: { minRows: 400 },
  retrain: { when: when.event("never") },
  gates: [gate.betterThanBaseline("logLoss")],
});

describe("an example nobody labelled", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [claims], alerts: [] }), START);
    await test.loop.ingest({
      model: "claims",
      form: "observation",
      origin: "http",
      rows: labelledRows(1200, START - 20 * DAY_MS, 1, 20 * 60_000).map((row, i) => ({ rowNumber: i + 1, row })),
    });
    await test.loop.advance(START + 2 * HOUR_MS);
  }, 60_000);
  afterAll(() => test.dispose());

  const labelsOf = async (ids: readonly string[]) => {
    const labels = await test.store.log.findLabels("claims", { exampleIds: ids });
    return labels.map(({ exampleId, value, labelSource }) => `${exampleId} ${value} ${labelSource}`).sort();
  };
  const point = async () => {
    const series = await test.loop.performance({ model: "claims", metric: "logLoss", from: START + 2 * HOUR_MS });
    const points = series.points.filter(({ predictions }) => predictions > 0);
    return {
      predictions: points.reduce((sum, one) => sum + one.predictions, 0),
      labelled: points.reduce((sum, one) => sum + one.labelled, 0),
    };
  };

  const losses = async () => {
    const series = await test.loop.performance({ model: "claims", metric: "logLoss", from: START + 2 * HOUR_MS });
    return series.points.map(({ value }) => value);
  };

  it("is left alone until the time has come, then gets the value once, from the weakest source", async () => {
    const live = labelledRows(4, test.clock.now(), 2, HOUR_MS).map(({ label: _, ...row }) => row);
    const answered = await test.loop.predict({ model: "claims", rows: live });
    expect(answered.predictions.every(({ logged }) => logged)).toBe(true);
    const ids = live.map(({ customer }) => customer);
    // A real answer by prediction id, and one of the examples is a day younger than the others.
    await test.loop.ingest({
      model: "claims",
      form: "label",
      origin: "http",
      rows: [{ rowNumber: 1, row: { predictionId: answered.predictions[0]?.predictionId, label: true } }],
    });
    await test.loop.advance(test.clock.now() + 4 * DAY_MS);
    expect(await labelsOf(ids)).toEqual([]);
    await test.loop.advance(test.clock.now() + 2 * DAY_MS);
    const silent = ids.slice(1).map((id) => `${id} false rule`);
    expect(await labelsOf(ids)).toEqual(silent);
    expect(await point()).toEqual({ predictions: 4, labelled: 4 });
    await test.loop.advance(test.clock.now() + 3 * DAY_MS);
    expect(await labelsOf(ids)).toEqual(silent);
  }, 60_000);

  it("takes a real answer that comes later still", async () => {
    const before = await losses();
    expect(before.filter((value) => value !== null).length).toBeGreaterThan(0);
    await test.loop.ingest({
      model: "claims",
      form: "label",
      origin: "http",
      rows: [{ rowNumber: 1, row: { id: "2-1", label: true } }],
    });
    await test.loop.advance(test.clock.now() + HOUR_MS);
    expect(await labelsOf(["2-1"])).toEqual(["2-1 false rule", "2-1 true system"]);
    // The same examples with another truth: what the model is said to lose moves.
    expect(await losses()).not.toEqual(before);
    expect(await point()).toEqual({ predictions: 4, labelled: 4 });
  }, 60_000);
});

describe("the rule in the configuration", () => {
  const resolve = (label: unknown, task = "binary") =>
    resolveConfig(
      { models: [{ name: "m", task, features: { a: { kind: "number" } }, label }] },
      { folder: "/nowhere", environment: {}, flags: {} },
    );

  it("is one duration with one answer of the label's kind", () => {
    for (const ifMissingAfter of [
      {},
      { "30d": 0 },
      { "30 days": false },
      { "30d": false, "60d": true },
      false,
      { "0s": false },
    ]) {
      expect(() => resolve({ kind: "boolean", ifMissingAfter })).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining("label.ifMissingAfter") }),
      );
    }
    const category = { kind: "category", categories: ["a", "b"] };
    expect(() => resolve({ ...category, ifMissingAfter: { "1d": "c" } }, "multiclass")).toThrow(
      /none of its categories/,
    );
    expect(resolve({ ...category, ifMissingAfter: { "1d": "b" } }, "multiclass").models[0]?.schema.label).toMatchObject(
      {
        ifMissingAfter: { afterMs: DAY_MS, value: "b" },
      },
    );
  });

  it("belongs to labels alone", () => {
    const wrong = {
      models: [
        {
          name: "m",
          task: "binary",
          features: { a: { kind: "boolean", ifMissingAfter: { "1d": true } } },
          label: { kind: "boolean" },
        },
      ],
    };
    expect(() => resolveConfig(wrong, { folder: "/nowhere", environment: {}, flags: {} })).toThrow(/ifMissingAfter/);
  });
});
