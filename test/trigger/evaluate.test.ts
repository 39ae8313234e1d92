import { describe, expect, it } from "vitest";
import type { DriftSignal, DriftVerdict } from "../../src/core/index.ts";
import {
  evaluateTrigger,
  nextScheduledAt,
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
  champion: { version: "v1", promotedAt: 0, trainedThrough: 0 },
  drift: new Map(),
  concept: null,
  since: {},
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
    expect(reason).toBe("Log loss of v1 is 0.5000 on 100 mature rows, limit 0.4400 (0.4000 on its holdout).");
  });

  it("says which windows it needs", () => {
    const spec: TriggerSpec = { kind: "any", of: [yes, { kind: "all", of: [drop] }] };
    expect(performanceNeeds(spec)).toEqual([{ metric: "logLoss", windowMs: 1000 }]);
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

describe("atLeast, not and debounce", () => {
  const state = { ...quiet, rowsSince: 1 };
  it.each<[string, number, readonly TriggerSpec[], string]>([
    ["two yeses of two wanted", 2, [yes, no, yes], "yes"],
    ["one yes and a doubt", 2, [yes, no, unsure], "cannot-tell"],
    ["too many noes, whatever the doubt", 2, [no, no, unsure], "no"],
  ])("answer %s", (_, count, of, outcome) => {
    expect(evaluateTrigger({ kind: "atLeast", count, of }, state).outcome).toBe(outcome);
  });

  it("turn a no around and leave a doubt a doubt", () => {
    expect(evaluateTrigger({ kind: "not", of: [no] }, state)).toMatchObject({ outcome: "yes", trigger: "newLabels" });
    expect(evaluateTrigger({ kind: "not", of: [yes] }, state).outcome).toBe("no");
    expect(evaluateTrigger({ kind: "not", of: [unsure] }, state).outcome).toBe("cannot-tell");
  });

  it("wait until a trigger has fired long enough without a break, and start over after one", () => {
    const spec: TriggerSpec = { kind: "any", of: [no, { kind: "debounce", forMs: 100, of: [yes] }] };
    let since: TriggerState["since"] = {};
    const at = (now: number, rowsSince: number) => {
      const evaluation = evaluateTrigger(spec, { ...quiet, now, rowsSince, since });
      ({ since } = evaluation);
      return evaluation.outcome;
    };
    expect([at(1000, 1), at(1099, 1), at(1100, 1)]).toEqual(["no", "no", "yes"]);
    expect([at(1110, 0), at(1120, 1), at(1219, 1), at(1220, 1)]).toEqual(["no", "no", "no", "yes"]);
    expect(nextScheduledAt(spec, 1150, { since: { "1.": 1120 } })).toBe(1220);
    expect(since).toEqual({ "1.": 1120 });
  });

  it("show the whole expression with what each part says", () => {
    const spec: TriggerSpec = { kind: "all", of: [yes, { kind: "not", of: [{ kind: "any", of: [no, unsure] }] }] };
    const { judgement, decisions } = evaluateTrigger(spec, state);
    expect(judgement).toMatchObject({
      subject: "all",
      outcome: "cannot-tell",
      reason: "1 of 2 fire.",
      of: [
        { subject: "newRows(1)", outcome: "yes" },
        { subject: "not", of: [{ subject: "any", of: [{}, { inputs: {} }] }] },
      ],
    });
    expect(decisions).toHaveLength(3);
  });
});

describe("triggers that read monitors", () => {
  it("do not fire twice on one finding: what the last run had seen is settled", () => {
    const alarm = { at: 500, meanBefore: 0.2, meanNow: 0.4 };
    const concept = { version: "v1", metric: "logLoss", detector: "adwin", seen: 500, alarm };
    const judge = (lastRunAt: number) =>
      evaluateTrigger({ kind: "conceptDrift" }, { ...quiet, concept, lastRunAt }).outcome;
    expect(judge(499)).toBe("yes");
    expect(judge(500)).toBe("no");
  });

  const finding = (feature: string, verdict: DriftVerdict, importance = 0.25) =>
    ({ feature, verdict, statistic: "psi", value: 0.2, threshold: 0.1, ratio: 2, importance }) as const;
  const signal = (change: Partial<DriftSignal>): DriftSignal => ({
    monitor: "data-drift",
    model: "m",
    version: "v1",
    at: 900,
    from: 0,
    to: 900,
    reference: "training",
    verdict: "no-drift",
    share: 0,
    shareThreshold: 0.1,
    rows: 500,
    referenceRows: 500,
    findings: [],
    reason: "",
    ...change,
  });
  const dataDrift = (spec: object, change: Partial<DriftSignal>, more: Partial<TriggerState> = {}) =>
    evaluateTrigger(
      { kind: "dataDrift", ...spec },
      {
        ...quiet,
        drift: new Map([["data-drift", signal(change)]]),
        ...more,
      },
    ).outcome;

  it.each<[string, readonly string[], Partial<DriftSignal>, string]>([
    [
      "moved, whatever the others hide",
      ["age"],
      { verdict: "cannot-tell", findings: [finding("age", "drift"), finding("job", "cannot-tell")] },
      "yes",
    ],
    [
      "may have moved",
      ["age"],
      { findings: [finding("job", "no-drift"), finding("age", "cannot-tell")] },
      "cannot-tell",
    ],
    [
      "is as it was beside one that may have moved",
      ["age"],
      { verdict: "cannot-tell", findings: [finding("age", "no-drift"), finding("job", "cannot-tell")] },
      "no",
    ],
    [
      "moved in a part of a text",
      ["note"],
      { verdict: "drift", findings: [finding("note · word", "drift"), finding("note · length", "no-drift")] },
      "yes",
    ],
    [
      "is not another whose name begins alike",
      ["note"],
      { verdict: "drift", findings: [finding("notes", "drift"), finding("note", "no-drift")] },
      "no",
    ],
    ["is not watched", ["gone"], { findings: [finding("age", "no-drift")] }, "cannot-tell"],
  ])("judge a named feature by its own finding: it %s", (_, features, change, outcome) => {
    expect(dataDrift({ features }, change)).toBe(outcome);
    // A finding that the last run has seen is that run's, also within a whole that could not be judged.
    expect(dataDrift({ features }, change, { lastRunAt: 900 })).not.toBe("yes");
  });

  it("hold a share of the definition against what may have moved, not only the monitor's own", () => {
    const findings = [finding("a", "drift", 0.2), finding("b", "cannot-tell", 0.4), finding("c", "no-drift", 0.4)];
    expect(dataDrift({ share: 0.5 }, { verdict: "drift", share: 0.2, findings })).toBe("cannot-tell");
    expect(dataDrift({ share: 0.7 }, { verdict: "drift", share: 0.2, findings })).toBe("no");
    expect(dataDrift({ share: 0.2 }, { verdict: "cannot-tell", share: 0.2, shareThreshold: 0.5, findings })).toBe(
      "yes",
    );
    expect(dataDrift({}, { verdict: "cannot-tell", share: 0.05, findings })).toBe("cannot-tell");
    expect(dataDrift({ share: 0.2 }, { verdict: "cannot-tell", share: null, findings: [] })).toBe("cannot-tell");
  });

  it("know when a champion goes stale", () => {
    const champion = { version: "v1", promotedAt: 900, trainedThrough: 400 };
    const spec: TriggerSpec = { kind: "staleness", maxAgeMs: 600 };
    expect(nextScheduledAt(spec, 900, { champion })).toBe(1000);
    expect(evaluateTrigger(spec, { ...quiet, now: 999, champion }).outcome).toBe("no");
    expect(evaluateTrigger(spec, { ...quiet, now: 1000, champion }).outcome).toBe("yes");
    expect(evaluateTrigger(spec, { ...quiet, champion: null }).outcome).toBe("cannot-tell");
  });

  it("do not pay for a gain that may be none", () => {
    const spec: TriggerSpec = {
      kind: "worthIt",
      metric: "mae",
      pricePerLoss: 1,
      pricePerRun: 100,
      pricePerRow: 0,
      horizonMs: 2000,
      windowMs: 1000,
      minRows: 50,
    };
    const seen = { version: "v1", value: 1.5, rows: 100, reference: 1, higherIsBetter: false, predictions: 150 };
    const judge = (change: object) =>
      evaluateTrigger(spec, {
        ...quiet,
        performance: new Map([[performanceKey("mae", 1000), { ...seen, ...change }]]),
      });
    // 0.5 a prediction, 300 predictions in the horizon: 150 for 100.
    expect(judge({})).toMatchObject({ outcome: "yes", trigger: "worthIt" });
    expect(judge({ interval: [1.2, 1.8] }).outcome).toBe("yes");
    expect(judge({ interval: [0.9, 2.1] }).outcome).toBe("cannot-tell");
    expect(judge({ value: 1.3 }).outcome).toBe("no");
    expect(judge({ rows: 49 }).outcome).toBe("cannot-tell");
  });

  it("judge an estimate by its own window", () => {
    const spec: TriggerSpec = { ...drop, estimated: true };
    const seen = { version: "v1", value: 0.5, rows: 100, reference: 0.4, higherIsBetter: false };
    const performance = new Map([[performanceKey("logLoss", 1000, true), seen]]);
    const found = evaluateTrigger(spec, { ...quiet, performance });
    expect(found).toMatchObject({ outcome: "yes" });
    expect(found.reason).toMatch(/^Estimated log loss of v1 is 0\.5/);
    expect(evaluateTrigger(drop, { ...quiet, performance }).outcome).toBe("cannot-tell");
  });
});
