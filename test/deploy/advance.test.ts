// The stage machine on evidence written by hand: what each stage does with it.
import { describe, expect, it } from "vitest";
import { f, resolveConfig, stage, type StageConfig } from "../../src/config/index.ts";
import { type Comparison, DAY_MS, HOUR_MS, type PhaseEvidence, type RolloutRecord } from "../../src/core/index.ts";
import { advanceRollout, firstPhase } from "../../src/deploy/advance.ts";
import { type ExperimentPlan, lookAt } from "../../src/deploy/experiment.ts";

const START = Date.UTC(2026, 0, 5);
const stagesOf = (rollout: readonly StageConfig[]) =>
  resolveConfig(
    { models: [{ name: "m", task: "binary", features: { x: f.number() }, label: f.boolean(), rollout }] },
    { folder: "/", environment: {}, flags: {} },
  ).models[0]?.rollout ?? [];

function open(stages: readonly StageConfig[]): RolloutRecord {
  const resolved = stagesOf(stages);
  const first = firstPhase(resolved, START);
  if (first === null) throw new Error("no stage");
  return {
    id: "r",
    model: "m",
    champion: "v1",
    challenger: "v2",
    state: "open",
    salt: "s",
    stages: resolved,
    phases: [first],
    verdict: "",
    createdAt: START,
    revision: 1,
  };
}

const compared = (verdict: Comparison["verdict"]): Comparison => ({
  design: "unpaired",
  method: "asymptotic confidence sequence",
  metric: "logLoss",
  championRows: 2_000,
  challengerRows: 2_000,
  championMean: 0.3,
  challengerMean: 0.35,
  difference: -0.05,
  interval: [-0.07, -0.03],
  p: 0.001,
  standardError: 0.01,
  varianceReduction: 0,
  corrected: { difference: -0.05, interval: [-0.07, -0.03] },
  verdict,
  correctedVerdict: verdict,
  plannedRows: null,
});
const seen = (verdict: Comparison["verdict"], exposed: number | null = START): PhaseEvidence => ({
  phase: 0,
  exposures: { champion: 2_000, challenger: 2_000, mirrored: 0 },
  buckets: { champion: 900, challenger: 900 },
  firstExposureAt: exposed,
  lastExposureAt: exposed,
  sampleRatio: null,
  labelledRatio: null,
  comparison: compared(verdict),
  guardrails: [],
});
const at = (rollout: RolloutRecord, evidence: PhaseEvidence, afterMs: number) =>
  advanceRollout({ rollout, evidence, now: START + afterMs, labelDelayMs: 0 });

describe("a stage whose time is over", () => {
  it.each([
    ["shadow", stage.shadow("1d")],
    ["canary", stage.canary(0.1, "1d")],
    ["ramp", stage.ramp([0.1, 0.5])],
    ["ab", stage.ab()],
  ])("goes back when the challenger is shown to be worse: %s", (_, first) => {
    const step = at(open([first]), seen("worse"), 2 * DAY_MS);
    expect(step).toMatchObject({ kind: "move", action: "rollback", rollout: { state: "rolled-back" } });
    expect(step.kind === "move" && step.reason).toMatch(/^v2 is worse than v1 by 0\.05/);
  });

  it("goes on when it is not worse, or cannot be told, a ramp by its next share", () => {
    for (const verdict of ["not-worse", "cannot-tell"] as const) {
      const step = at(open([stage.ramp([0.1, 0.5])]), seen(verdict), 2 * DAY_MS);
      expect(step).toMatchObject({ action: "advance", rollout: { phases: [{ share: 0.1 }, { share: 0.5 }] } });
    }
  });

  it("says how long it takes, and at most only where it cannot be longer", () => {
    const told = (first: StageConfig, after: number) => at(open([first]), seen("cannot-tell"), after).rollout.verdict;
    expect(told(stage.canary(0.1, "3d"), DAY_MS)).toContain("Keep going, about 2 days more");
    expect(told(stage.ab({ max: "3d" }), DAY_MS)).toContain("Keep going, at most about 2 days more");
    expect(told(stage.ab({ max: "1h" }), 2 * 60_000)).toContain("at most about an hour more");
    expect(told(stage.ab({ max: "1h" }), 20 * 60_000)).toContain("at most about 40 minutes more");
    expect(told(stage.ab({ max: "20s" }), 1_000)).toContain("at most about a minute more");
  });
});

describe("a stage that waits for something else than its time", () => {
  it("says for what, whatever the comparison says", () => {
    const rollout = open([stage.canary(0.1, "1d", { minSamples: 5_000 })]);
    const short = at(rollout, seen("cannot-tell"), 2 * DAY_MS);
    expect(short.rollout.verdict).toBe(
      "Canary at 10 % waits for 5000 answers; 2000 have come. It takes at most about 24 hours more. v2 is behind by 0.0500 of log loss, which may be chance.",
    );
    const paused = at({ ...rollout, state: "paused" }, seen("cannot-tell"), 2 * DAY_MS);
    expect(paused.rollout.verdict).toMatch(/^Paused: nothing moves on until somebody resumes it\. v2 is behind/);
    // A Monday at midnight.
    const night = open([stage.canary(0.1, "1d", { within: { days: ["mon"], from: "09:10", to: "09:50" } })]);
    const waits = at(night, seen("cannot-tell"), 2 * DAY_MS);
    expect(waits.rollout.verdict).toMatch(/It waits for the maintenance window to move on\. v2 is behind/);
    const monday = 7 * DAY_MS + 9 * HOUR_MS;
    expect(at(night, seen("cannot-tell"), monday + 9 * 60_000).kind).toBe("stay");
    expect(at(night, seen("cannot-tell"), monday + 10 * 60_000)).toMatchObject({ action: "promote" });
    expect(at(night, seen("worse"), 2 * DAY_MS)).toMatchObject({ action: "rollback" });
  });
});

describe("an A/B with a minimum", () => {
  it("promotes no sooner, however clear it is, and goes back at once", () => {
    const rollout = open([stage.ab({ min: "7d", minSamples: 100 })]);
    const early = at(rollout, seen("better"), 6 * DAY_MS);
    expect(early.kind).toBe("stay");
    expect(early.rollout.verdict).toBe(
      "v2 is better by 0.0500 of log loss, safe to stop. A/B at 50 % lasts 7 days at least.",
    );
    expect(at(rollout, seen("better"), 7 * DAY_MS)).toMatchObject({ action: "promote" });
    expect(at(rollout, seen("worse"), DAY_MS)).toMatchObject({ action: "rollback" });
  });
});

describe("a stage without requests for a day", () => {
  it("is replayed, and then ends with what the replay says", () => {
    const rollout = open([stage.canary(0.1, "2d")]);
    expect(at(rollout, seen("cannot-tell", null), 23 * HOUR_MS).kind).toBe("stay");
    expect(at(rollout, seen("cannot-tell", null), DAY_MS).kind).toBe("replay");
    const [phase] = rollout.phases;
    const replayed = {
      ...rollout,
      phases: [{ ...phase, replaySince: START, replayed: 500, replayedAt: START + DAY_MS }],
    };
    const judged = (verdict: Comparison["verdict"], mirrored = 500) =>
      at(
        replayed as RolloutRecord,
        { ...seen(verdict, null), exposures: { champion: 0, challenger: 0, mirrored } },
        DAY_MS + 1,
      );
    expect(judged("cannot-tell", 499).kind).toBe("stay");
    expect(judged("worse")).toMatchObject({ action: "rollback" });
    expect(judged("better")).toMatchObject({ action: "promote", rollout: { phases: [{ outcome: "yes" }, {}] } });
    const open_ = judged("cannot-tell");
    expect(open_).toMatchObject({ action: "promote", rollout: { phases: [{ outcome: "skipped" }, {}] } });
    expect(open_.kind === "move" && open_.reason).toMatch(/500 logged requests were replayed, quality cannot be told/);
  });
});

describe("planned looks", () => {
  const plan: ExperimentPlan = {
    metric: "logLoss",
    margin: 0.02,
    alpha: 0.05,
    minSamples: 0,
    rule: "superiority",
    method: "group-sequential",
    spending: "obrien-fleming",
    looks: 5,
    plannedRows: 10_000,
    clustered: false,
  };
  const estimate = (rows: number) => ({
    difference: 0,
    standardError: 0.01,
    championMean: 0.3,
    challengerMean: 0.3,
    rows,
    varianceReduction: 0,
    smallestArm: { rows: rows / 2, pieces: rows / 2 },
  });
  const look = (rows: number, looks: readonly number[], isLast = false) =>
    lookAt({ plan, estimate: estimate(rows), looks, isLast }).fraction;

  it("are taken at their points, and a late one leaves the last to come", () => {
    expect(look(1_999, [])).toBeUndefined();
    expect(look(2_000, [])).toBe(0.2);
    expect(look(3_000, [0.2])).toBeUndefined();
    // Labels came in a lump: the looks that were passed are not made up for one after the other.
    expect(look(9_001, [0.9])).toBeUndefined();
    expect(look(10_000, [0.9])).toBe(1);
    expect(look(12_000, [0.9, 1])).toBeUndefined();
    expect(look(4_000, [0.2], true)).toBe(1);
  });
});
