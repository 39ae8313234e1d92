import { describe, expect, it } from "vitest";
import { f, resolveConfig } from "../../src/config/index.ts";

const minimal = { name: "churn", task: "binary", features: { age: f.number() }, label: f.boolean() };
const monitors = (value: unknown, change: object = {}) =>
  resolveConfig({ models: [{ ...minimal, ...change, monitors: value }] }, { folder: "/tmp" }).models[0]?.monitors;
const NUMERIC = { task: "regression", label: f.number() };

describe("monitors of a configuration", () => {
  it("watch the main loss of the task with ADWIN unless told otherwise", () => {
    expect(monitors({})).toMatchObject({ falseAlarms: 1, conceptDrift: { detector: "adwin", metric: "logLoss" } });
    expect(monitors({}, NUMERIC)?.conceptDrift).toEqual({ detector: "adwin", metric: "mae" });
    expect(monitors({ conceptDrift: false })?.conceptDrift).toBeNull();
  });

  it("give a detector of bits the error bit", () => {
    expect(monitors({ conceptDrift: { detector: "ddm" } })?.conceptDrift).toEqual({
      detector: "ddm",
      metric: "accuracy",
    });
  });

  it.each([
    [{ conceptDrift: { detector: "adwn" } }, {}, 'closest: "adwin"'],
    [{ conceptDrift: { metric: "mae" } }, {}, 'one of "accuracy", "logLoss", "brier"'],
    [
      { conceptDrift: { detector: "ddm", metric: "logLoss" } },
      {},
      'is "ddm", which counts errors; logLoss is a number',
    ],
    [{ conceptDrift: { detector: "hddm-a" } }, NUMERIC, "which counts errors; mae is a number"],
    [{ conceptDrift: { threshold: 3 } }, {}, "delta of adwin must be in"],
    [{ conceptDrift: true }, {}, "`models.churn.monitors.conceptDrift` is true"],
    [{ falseAlarms: 0 }, {}, "`models.churn.monitors.falseAlarms` is 0"],
    [{ conceptDrft: {} }, {}, 'Closest: "conceptDrift"'],
  ])("refuse %j", (value, change, words) => {
    expect(() => monitors(value, change)).toThrow(words);
  });
});
