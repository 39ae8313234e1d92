import { describe, expect, it } from "vitest";
import {
  evaluateTrigger,
  performanceKey,
  performanceNeeds,
  type TriggerSpec,
  type TriggerState,
} from "../../src/trigger/index.ts";

const quiet: TriggerState = {
  now: 1_000_000,
  lastEvaluatedAt: 940_000,
  lastRunAt: 0,
  rowsSince: 0,
  labelsSince: 0,
  hasChampion: true,
  labelled: 1000,
  minRows: 300,
  events: [],
  performance: new Map(),
};
const drop = { kind: "performanceDrop", metric: "logLoss", relative: 0.1, windowMs: 1000, minRows: 50 } as const;
const seeing = (change: object): TriggerState => ({
  ...quiet,
  performance: new Map([
    [
      performanceKey("logLoss", 1000),
      { version: "v1", value: 0.5, rows: 100, reference: 0.4, higherIsBetter: false, ...change },
    ],
  ]),
});
const yes: TriggerSpec = { kind: "newRows", count: 1 };
const no: TriggerSpec = { kind: "newLabels", count: 5 };
const unsure: TriggerSpec = drop;

describe("any and all", () => {
  const state = { ...quiet, rowsSince: 1 };
  it.each<[string, TriggerSpec["kind"] & ("any" | "all"), readonly TriggerSpec[], string]>([
    ["any with a yes", "any", [no, unsure, yes], "yes"],
    ["any without a yes but with a doubt", "any", [no, unsure], "cannot-tell"],
    ["any of noes", "any", [no, no], "no"],
    ["all yes", "all", [yes, yes], "yes"],
    ["all with a no beside a doubt", "all", [yes, unsure, no], "no"],
    ["all with a doubt", "all", [yes, unsure], "cannot-tell"],
  ])("answers %s", (_, kind, of, outcome) => {
    const evaluation = evaluateTrigger({ kind, of }, state);
    expect(evaluation.outcome).toBe(outcome);
    expect(evaluation.decisions).toHaveLength(of.length);
  });

  it("nests", () => {
    const spec: TriggerSpec = {
      kind: "any",
      of: [
        { kind: "all", of: [yes, no] },
        { kind: "all", of: [yes] },
      ],
    };
    const evaluation = evaluateTrigger(spec, state);
    expect(evaluation).toMatchObject({ outcome: "yes", trigger: "newRows" });
    expect(evaluation.decisions.map((one) => one.outcome)).toEqual(["yes", "no", "yes"]);
  });

  it("names no cause when all would need what is missing", () => {
    expect(evaluateTrigger({ kind: "all", of: [yes, no] }, state)).toMatchObject({
      outcome: "no",
      trigger: "none",
      reason: "No trigger fired.",
    });
  });
});

describe("performanceDrop", () => {
  it.each<[string, object, string]>([
    ["worse than the allowance", { value: 0.4401 }, "yes"],
    ["exactly at the limit", { value: 0.44 }, "no"],
    ["better", { value: 0.1 }, "no"],
    ["too few rows", { rows: 49 }, "cannot-tell"],
    ["no value", { value: null }, "cannot-tell"],
    ["no champion", { version: null }, "cannot-tell"],
    ["no reference", { reference: null }, "cannot-tell"],
    ["an interval that reaches back", { interval: [0.43, 0.6] }, "cannot-tell"],
    ["an interval wholly beyond", { interval: [0.45, 0.6] }, "yes"],
    ["a lower score where higher is better", { higherIsBetter: true, value: 0.3, reference: 0.4 }, "yes"],
    ["a higher score where higher is better", { higherIsBetter: true, value: 0.5, reference: 0.4 }, "no"],
    ["a negative reference", { higherIsBetter: true, value: -0.6, reference: -0.5 }, "yes"],
  ])("answers for %s", (_, change, outcome) => {
    expect(evaluateTrigger(drop, seeing(change)).outcome).toBe(outcome);
  });

  it("cannot tell without a reading", () => {
    expect(evaluateTrigger(drop, quiet).outcome).toBe("cannot-tell");
  });

  it("records value, limit, reference and rows", () => {
    const { decisions, reason } = evaluateTrigger(drop, seeing({ interval: [0.45, 0.6] }));
    expect(decisions[0]).toMatchObject({
      subject: "performanceDrop(logLoss)",
      inputs: { version: "v1", value: 0.5, reference: 0.4, rows: 100, low: 0.45, high: 0.6 },
    });
    expect(decisions[0]?.threshold).toBeCloseTo(0.44, 12);
    expect(reason).toBe("logLoss of v1 is 0.5000 on 100 mature rows, limit 0.4400 (0.4000 on its holdout).");
  });

  it("says which windows it needs", () => {
    const spec: TriggerSpec = { kind: "any", of: [yes, { kind: "all", of: [drop] }] };
    expect(performanceNeeds(spec)).toEqual([drop]);
  });
});

describe("the first version", () => {
  const none: TriggerState = { ...quiet, hasChampion: false, lastRunAt: null };
  it("is trained at enough labelled rows, whatever the policy waits for", () => {
    const waiting = evaluateTrigger(no, { ...none, labelled: 299 });
    expect(waiting.outcome).toBe("no");
    expect(waiting.decisions.map((one) => one.subject)).toEqual(["newLabels(5)", "first version"]);
    expect(evaluateTrigger(no, { ...none, labelled: 300 })).toMatchObject({ outcome: "yes", trigger: "first" });
  });

  it("waits for enough labelled rows even where a trigger fires on fewer", () => {
    const few = evaluateTrigger({ kind: "newLabels", count: 5 }, { ...none, labelled: 200, labelsSince: 200 });
    expect(few).toMatchObject({ outcome: "no", trigger: "none", reason: "Fewer than 300 labelled rows have arrived." });
    expect(few.decisions.map((one) => one.outcome)).toEqual(["yes", "no"]);
  });

  it("names its own rule as the cause before the triggers that fired with it", () => {
    const both = evaluateTrigger({ kind: "newLabels", count: 5 }, { ...none, labelled: 400, labelsSince: 400 });
    expect(both).toMatchObject({ outcome: "yes", trigger: "first" });
    expect(both.reason).toMatch(/^There is no live version .* 400 new labels have arrived/);
  });

  it("is tried again after a refusal only with new labels", () => {
    const refused = { ...none, lastRunAt: 1, labelled: 400 };
    expect(evaluateTrigger({ kind: "newLabels", count: 5000 }, { ...refused, labelsSince: 59 }).outcome).toBe("no");
    expect(evaluateTrigger({ kind: "newLabels", count: 5000 }, { ...refused, labelsSince: 60 }).outcome).toBe("yes");
  });

  it("waits for a person where the only trigger is manual", () => {
    expect(evaluateTrigger({ kind: "manual" }, none)).toMatchObject({ outcome: "no", trigger: "none" });
  });
});
