// Every kind of gate in the registry honors one contract; a new kind is found by itself.
import { describe, expect, it } from "vitest";
import type { FieldPlace, Task } from "../../src/core/index.ts";
import { GATES, gateField, type GateKind, judgeGates } from "../../src/evaluate/index.ts";

const TASKS: readonly Task[] = ["binary", "multiclass", "regression"];
const place: FieldPlace = { path: "gates[0]", record: () => {}, originOf: () => "file" };

const frozen = <T>(value: T): T => {
  if (typeof value === "object" && value !== null && !(value instanceof Map)) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
};

describe.each(GATES.map((kind) => [kind.kind, kind] as const))("the gate %s", (name, kind: GateKind) => {
  it("describes itself and each of its fields", () => {
    expect(kind.description).toMatch(/\.$/);
    for (const task of TASKS) {
      for (const field of Object.values(kind.fields(task))) {
        expect(field.info.description).toMatch(/\.$/);
        expect(field.info.rule).not.toBe("");
      }
    }
  });

  it("says yes and no where its samples say so, without changing what it is given", () => {
    expect(kind.samples.length).toBeGreaterThan(0);
    for (const { spec, passes, refuses } of kind.samples) {
      expect(kind.judge(frozen(spec), frozen(passes)).outcome).toBe("yes");
      expect(kind.judge(frozen(spec), frozen(refuses)).outcome).toBe("no");
    }
  });

  it("answers the same to the same question, as plain JSON, under the name it has in records", () => {
    for (const { spec, passes, refuses } of kind.samples) {
      for (const context of [passes, refuses]) {
        const check = kind.judge(spec, context);
        expect(kind.judge(spec, context)).toEqual(check);
        expect(JSON.parse(JSON.stringify(check))).toEqual(check);
        expect(check.reason).toMatch(/[.]$|"$/);
        expect(kind.rule(spec)).toMatch(/[.]$/);
      }
      expect(JSON.parse(JSON.stringify(spec))).toEqual(spec);
    }
  });

  it("cannot tell, or has nothing to compare, where its evidence is missing; it never refuses for that", () => {
    for (const { spec, passes } of kind.samples) {
      const { rows, candidate, baseline, holdout } = passes.report;
      const bare = {
        rows,
        candidate: {},
        candidateIntervals: {},
        baseline,
        differences: [],
        baselineDifferences: [],
        slices: [],
        holdout,
      };
      expect(candidate).toBeDefined();
      const check = kind.judge(spec, { ...passes, report: bare, approvals: [], custom: new Map() });
      expect(check.outcome).not.toBe("no");
      if (check.outcome === "yes") expect(check.reason).toMatch(/no champion/);
    }
  });

  it("decides the whole: one no refuses, one open question holds", () => {
    for (const { spec, passes, refuses } of kind.samples) {
      expect(judgeGates({ ...passes, gates: [spec] }).outcome).toBe("promote");
      expect(judgeGates({ ...refuses, gates: [spec] }).outcome).toBe("reject");
    }
  });

  it("refuses an unknown key of a configuration", () => {
    expect(() => gateField("binary").read({ kind: name, metrik: "logLoss" }, place)).toThrow(/metrik/);
  });
});

describe("gates as a user writes them", () => {
  const read = (value: unknown, task: Task = "binary") => gateField(task).read(value, place);

  it("have defaults, and units that are told apart", () => {
    expect(read({ kind: "slices" })).toEqual({ kind: "slices", metric: "logLoss", margin: 0, minRows: 50 });
    expect(read({ kind: "slices" }, "regression")).toMatchObject({ metric: "mae" });
    expect(read({ kind: "latency", max: "5ms" })).toEqual({ kind: "latency", maxMs: 5 });
    expect(read({ kind: "size", maxMiB: 2 })).toEqual({ kind: "size", maxBytes: 2_097_152 });
    expect(read({ kind: "approval" })).toEqual({ kind: "approval", role: "operator", people: 1, validMs: 604_800_000 });
    expect(read({ kind: "betterThanChampion", metric: "rocAuc" })).toMatchObject({ by: 0 });
    expect(read({ kind: "calibration" })).toEqual({ kind: "calibration", max: 0.05 });
    expect(read({ kind: "custom", name: "fair", check: () => ({ outcome: "yes", reason: "." }) })).toMatchObject({
      source: expect.stringMatching(/^[0-9a-f]{12}$/),
    });
  });

  it.each([
    ["an unknown kind", { kind: "slice" }, /closest: "slices"/],
    ["a metric of another task", { kind: "atLeast", metric: "mae", value: 1 }, /logLoss/],
    ["a latency without a unit", { kind: "latency", max: 5 }, /duration/],
    ["a check that is no function", { kind: "custom", name: "x", check: "yes" }, /function/],
    ["probes without a probe", { kind: "probes" }, /lists no probe/],
    ["a golden row without an answer", { kind: "probes", golden: [{ row: { x: 1 } }] }, /states no answer/],
    ["a viewer's approval", { kind: "approval", role: "viewer" }, /"operator"/],
  ])("are refused with %s", (_what, value, message) => {
    expect(() => read(value)).toThrow(message);
  });

  it("ask for calibration of binary models only", () => {
    expect(() => read({ kind: "calibration" }, "multiclass")).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", remedy: expect.stringContaining("brier") }) as Error,
    );
  });
});
