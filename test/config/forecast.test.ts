/** What a forecast's definition may say, and what is refused. */
import { describe, expect, it } from "vitest";
import { defineModel, f, forecast, gate, resolveConfig, stage } from "../../src/config/index.ts";

const base = {
  name: "sales",
  task: "forecast",
  series: "store",
  time: "day",
  frequency: "daily",
  horizon: 14,
  features: {},
  label: f.number(),
} as const;
const resolve = (change: Record<string, unknown>) =>
  resolveConfig({ models: [{ ...base, ...change }] }, { folder: "/", environment: {}, flags: {} }).models[0];

describe("a forecast's definition", () => {
  it("is complete with series, period, frequency and horizon", () => {
    const spec = resolveConfig({ models: [defineModel(base)] }, { folder: "/", environment: {}, flags: {} }).models[0];
    expect(spec?.trainer.name).toBe("forecast");
    expect(spec?.trainer.params["method"]).toBe("auto");
    expect(spec?.schema.features.map(({ name }) => name)).toEqual(["store"]);
    expect(spec?.schema.forecast).toEqual({ series: "store", horizon: 14, frequency: "daily" });
    expect(spec?.gates).toMatchObject([{ metric: "wape" }, { metric: "wape" }]);
    expect(resolve({ trainer: forecast({ method: "smoothing" }) })?.trainer.params["method"]).toBe("smoothing");
    expect(resolve({ trainer: { name: "seasonal-naive" } })?.trainer.name).toBe("seasonal-naive");
  });

  it.each([
    [{ horizon: 0 }, /horizon/],
    [{ frequency: "weekly" }, /frequency` is "weekly"/],
    [{ series: undefined }, /series/],
    [{ time: undefined }, /needs the column of the period/],
    [{ id: "row" }, /named by its series and period/],
    [{ features: { store: f.category() } }, /is a feature by itself/],
    [{ trainer: { name: "gbdt" } }, /trainer.name` is "gbdt"/],
    [{ data: { refit: true } }, /starts from the newest values/],
    [{ retrain: { how: "warm-start" } }, /can only do full/],
    [{ gates: [gate.latency("5ms")] }, /is about single rows/],
    [{ threshold: 0.5 }, /no decision threshold/],
    [{ rollout: [stage.ab(), stage.full()] }, /a forecast is asked series by series/],
    [{ label: f.boolean() }, /number/],
  ])("refuses %j", (change, message) => {
    expect(() => resolve(change)).toThrow(message);
  });

  it("keeps its fields from other tasks", () => {
    const row = { name: "prices", task: "regression", features: { size: f.number() }, label: f.number(), horizon: 3 };
    expect(() => resolveConfig({ models: [row] }, { folder: "/", environment: {}, flags: {} })).toThrow(
      /is no forecast/,
    );
  });
});
