/** What stages may say of themselves, and what is refused. */
import { describe, expect, it } from "vitest";
import { f, resolveConfig, stage } from "../../src/config/index.ts";

const base = { name: "m", task: "binary", features: { x: f.number() }, label: f.boolean() };
const resolve = (change: Record<string, unknown>) =>
  resolveConfig({ models: [{ ...base, ...change }] }, { folder: "/", environment: {}, flags: {} }).models[0]?.rollout;
const classes = { task: "multiclass", label: f.category("a", "b", "c") };

describe("stages", () => {
  it("end with the default full one, and know their defaults", () => {
    expect(resolve({ rollout: [stage.shadow("2d", { replay: "7d" })] })).toMatchObject([
      {
        kind: "shadow",
        durationMs: 172_800_000,
        maxMs: 3 * 172_800_000,
        replayMs: 604_800_000,
        method: "always-valid",
      },
      { kind: "full", watchMs: 86_400_000 },
    ]);
  });

  it.each([
    ["betting", "brier"],
    ["bounded", "accuracy"],
  ] as const)("take exact intervals by %s of %s, which lies between 0 and 1", (method, metric) => {
    const rollout = [stage.shadow("1d", { method, metric }), stage.ab({ method, metric })];
    expect(resolve({ rollout })?.slice(0, 2)).toMatchObject([
      { method, metric },
      { method, metric },
    ]);
  });

  it.each([
    [{ rollout: [stage.ab({ method: "betting" })] }, /"betting" goes with a metric in \[0, 1\]: "brier" or "accuracy"/],
    [{ rollout: [stage.shadow("1d", { method: "bounded" })] }, /"bounded" goes with a metric in \[0, 1\]/],
    // Of three classes a Brier score reaches 2.
    [{ ...classes, rollout: [stage.ab({ method: "betting", metric: "brier" })] }, /in \[0, 1\]: "accuracy"/],
    [{ rollout: [stage.ab({ method: "group-sequential" })] }, /plannedRows/],
    [{ rollout: [stage.ab({ min: "30d" })] }, /`max` is no shorter than its `min`/],
    [{ rollout: [stage.ab({ min: "7d", method: "group-sequential", plannedRows: 1_000 })] }, /planned looks only/],
    [{ rollout: [stage.shadow("2d", { max: "1d" })] }, /`max` is no shorter than its `duration`/],
    [{ rollout: [stage.ramp([0.5, 0.2])] }, /growing shares/],
    [{ rollout: [stage.full(), stage.ab()] }, /last stage is the only full one/],
  ])("refuse %j", (change, message) => {
    expect(() => resolve(change)).toThrow(message);
  });
});
