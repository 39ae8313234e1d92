import { describe, expect, it } from "vitest";
import type { DriftSignal } from "../../src/core/index.ts";
import { conceptDrift, dataDrift } from "../../src/trigger/drift.ts";
import { performanceDrop } from "../../src/trigger/performance-drop.ts";
import { performanceKey } from "../../src/trigger/state.ts";
import { QUIET_STATE } from "../../src/trigger/trigger.ts";

const { now } = QUIET_STATE;
const signal: DriftSignal = {
  monitor: "data-drift",
  model: "m",
  version: "v1",
  at: now,
  from: now - 1,
  to: now,
  reference: "training",
  verdict: "drift",
  share: 0.6,
  shareThreshold: 0.1,
  rows: 500,
  referenceRows: 500,
  findings: [
    {
      feature: "age",
      verdict: "drift",
      statistic: "psi",
      value: 0.4,
      threshold: 0.1,
      thresholdFrom: "history",
      ratio: 4,
    },
    {
      feature: "job",
      verdict: "no-drift",
      statistic: "unseenRate",
      value: 0.01,
      threshold: 0.05,
      thresholdFrom: "minimum effect",
      ratio: 0.2,
    },
  ],
  reason: "It moved.",
};

describe("a judgement of a trigger", () => {
  const state = {
    ...QUIET_STATE,
    drift: new Map([["data-drift", signal]]),
    champion: { ...QUIET_STATE.champion, version: "v1" },
  };

  it("says whose share it was held against, and what made the threshold of the furthest feature", () => {
    expect(dataDrift.judge({ kind: "dataDrift" }, state as never)).toMatchObject({
      outcome: "yes",
      threshold: 0.1,
      inputs: { limitFrom: "the monitor", furthest: "age", psi: 0.4, threshold: 0.1, thresholdFrom: "history" },
    });
    const own = dataDrift.judge({ kind: "dataDrift", share: 0.3 }, state as never);
    expect(own).toMatchObject({ threshold: 0.3, inputs: { limitFrom: "the definition" } });
    const named = dataDrift.judge({ kind: "dataDrift", features: ["job"] }, state as never);
    expect(named.inputs).toMatchObject({ furthest: "job", unseenRate: 0.01, thresholdFrom: "minimum effect" });
    expect(named.inputs).not.toHaveProperty("limitFrom");
  });

  it("says which allowance made the limit of a metric", () => {
    const windowMs = 86_400_000;
    const seen = { version: "v1", value: 0.9, rows: 900, reference: 0.8, higherIsBetter: true };
    const performance = new Map([[performanceKey("rocAuc", windowMs), seen]]);
    const judge = (allowed: object) =>
      performanceDrop.judge(
        { kind: "performanceDrop", metric: "rocAuc", windowMs, minRows: 200, ...allowed },
        { ...QUIET_STATE, performance },
      ).inputs["limitFrom"];
    expect(judge({ relative: 0.1 })).toBe("the holdout's value and the default of 10 % of it");
    expect(judge({ relative: 0.05 })).toBe("the holdout's value and 5 % of it");
    expect(judge({ absolute: 0.02 })).toBe("the holdout's value and the 0.02 of the definition");
  });

  it("says whether a detector's setting was calibrated", () => {
    const concept = {
      version: "v1",
      metric: "logLoss",
      detector: "adwin",
      threshold: 0.002,
      thresholdFrom: "calibrated",
      seen: 900,
      alarm: null,
    };
    expect(conceptDrift.judge({ kind: "conceptDrift" }, { ...QUIET_STATE, concept }).inputs).toMatchObject({
      threshold: 0.002,
      thresholdFrom: "calibrated",
    });
  });
});
