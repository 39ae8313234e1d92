import { describe, expect, it } from "vitest";
import { command, f, gbdt, lastValue, type ModelSpec, resolveConfig } from "../../src/config/index.ts";
import { DAY_MS } from "../../src/core/index.ts";

const minimal = {
  name: "sales",
  task: "regression",
  features: { amount: f.number(), shop: f.category() },
  label: f.number(),
} as const;
const model = (change: object) =>
  resolveConfig({ models: [{ ...minimal, ...change }] }, { folder: "." }).models[0] as ModelSpec;

describe("data.weights", () => {
  it("is left out where nobody asks for it, so that definitions keep their revision", () => {
    expect(model({}).data).not.toHaveProperty("weights");
  });

  it("takes a half-life, a number feature, or both", () => {
    expect(model({ data: { weights: { halfLife: "90d" } } }).data.weights).toEqual({ halfLifeMs: 90 * DAY_MS });
    expect(model({ trainer: gbdt(), data: { weights: { halfLife: "1w", feature: "amount" } } }).data.weights).toEqual({
      halfLifeMs: 7 * DAY_MS,
      feature: "amount",
    });
  });

  it.each([
    [{ data: { weights: {} } }, "is empty"],
    [{ data: { weights: { feature: "shop" } } }, 'is "shop", which is no number feature'],
    [{ data: { weights: { feature: "amonut" } } }, 'Closest: "amount"'],
    [
      { trainer: lastValue(), data: { weights: { halfLife: "1d" } } },
      'the trainer "last-value" counts every row alike',
    ],
    [
      { trainer: command({ run: ["fit"] }), data: { weights: { halfLife: "1d" } } },
      'the trainer "command" counts every row alike',
    ],
  ])("refuses what cannot be: %j", (change, part) => {
    expect(() => model(change)).toThrow(expect.objectContaining({ message: expect.stringContaining(part) }));
  });
});
