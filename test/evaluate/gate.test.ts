import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/index.ts";
import { evaluateCandidate, judgeGates } from "../../src/evaluate/index.ts";
import { computeMetric } from "../../src/stats/index.ts";

interface Change {
  readonly candidateNoise?: number;
  readonly same?: boolean;
}

/** A champion that knows the truth up to noise, and a candidate with more noise in its log odds. */
function draw(rows: number, seed: number, change: Change) {
  const random = createRandom(seed);
  const labels = new Float64Array(rows);
  const champion = new Float64Array(rows);
  const candidate = new Float64Array(rows);
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  const noise = () => (random.nextFloat() + random.nextFloat() + random.nextFloat() + random.nextFloat() - 2) * 1.7;
  for (let i = 0; i < rows; i++) {
    const signal = noise();
    labels[i] = random.nextFloat() < sigmoid(1.5 * signal) ? 1 : 0;
    champion[i] = sigmoid(1.5 * signal + 0.2 * noise());
    const other = sigmoid(1.5 * signal + (change.candidateNoise ?? 0.2) * noise());
    candidate[i] = change.same === true ? (champion[i] as number) : other;
  }
  return { labels, champion, candidate };
}

function simulate(rows: number, seed: number, change: Change, gatedMetrics = ["logLoss", "accuracy"]) {
  const { labels, champion, candidate } = draw(rows, seed, change);
  const share = labels.reduce((sum, y) => sum + y, 0) / rows;
  return evaluateCandidate({
    task: "binary",
    classCount: 1,
    labels,
    candidate,
    champion,
    championVersion: "v1",
    baseline: { trainer: "majority", scores: new Float64Array(rows).fill(share) },
    gatedMetrics,
    slices: [],
    seed,
  });
}

describe("gates", () => {
  it("promote a model that equals its champion under non-inferiority, and never call it better", () => {
    const report = simulate(2_000, 1, { same: true });
    expect(judgeGates({ report, gates: [{ kind: "noWorseThanChampion", metric: "logLoss" }] }).outcome).toBe("promote");
    expect(report.differences.find((one) => one.metric === "logLoss")?.difference).toBe(0);
  });

  it("reject a clearly worse model with its evidence", () => {
    const report = simulate(5_000, 2, { candidateNoise: 1.6 });
    const result = judgeGates({ report, gates: [{ kind: "noWorseThanChampion", metric: "logLoss" }] });
    expect(result.outcome).toBe("reject");
    expect(result.reason).toMatch(/Log loss .* against .* of champion v1 on 5,000 rows: difference .* It is worse\./);
  });

  it("hold with the rows needed when the holdout is too small to tell", () => {
    const report = simulate(60, 5, { candidateNoise: 0.3 });
    const result = judgeGates({ report, gates: [{ kind: "noWorseThanChampion", metric: "logLoss", margin: 0.05 }] });
    expect(result.outcome).toBe("hold");
    const check = result.checks[0];
    expect(check?.outcome).toBe("cannot-tell");
    if (check?.rowsNeeded !== undefined) expect(check.rowsNeeded).toBeGreaterThan(60);
  });

  it("judge a floor by its bound, not by the point", () => {
    const report = simulate(300, 3, {});
    const accuracy = report.candidate.accuracy as number;
    const gate = (value: number) =>
      judgeGates({ report, gates: [{ kind: "atLeast", metric: "accuracy", value }] }).outcome;
    expect(gate(accuracy - 0.001)).toBe("hold");
    expect(gate(accuracy - 0.1)).toBe("promote");
    expect(gate(accuracy + 0.1)).toBe("reject");
  });

  it("say whether there is no champion, or one that cannot answer", () => {
    const { championVersion: _, ...report } = simulate(200, 4, {});
    const reason = (champion?: string) =>
      judgeGates({
        report,
        gates: [{ kind: "noWorseThanChampion", metric: "logLoss" }],
        ...(champion === undefined ? {} : { champion }),
      }).reason;
    expect(reason()).toBe("There is no champion to compare with.");
    expect(reason("v1")).toBe("Champion v1 cannot answer these rows, so there is nothing to compare with.");
  });

  it("refuse a model that is no better than the share of positives", () => {
    const report = simulate(3_000, 4, { candidateNoise: 3 });
    expect(judgeGates({ report, gates: [{ kind: "betterThanBaseline", metric: "logLoss" }] }).outcome).toBe("reject");
  });

  it("promote a model worse by exactly the margin in at most 5 % of simulations", () => {
    // The margin is the true difference, known from a large sample; 200 experiments, binomial bound at 5 % + 3 sd.
    const { labels, champion, candidate } = draw(400_000, 77, { candidateNoise: 0.8 });
    const margin =
      (computeMetric("logLoss", { labels, scores: candidate }) as number) -
      (computeMetric("logLoss", { labels, scores: champion }) as number);
    expect(margin).toBeGreaterThan(0);
    let promoted = 0;
    for (let seed = 0; seed < 200; seed++) {
      const report = simulate(400, seed + 9000, { candidateNoise: 0.8 }, ["logLoss"]);
      if (
        judgeGates({ report, gates: [{ kind: "noWorseThanChampion", metric: "logLoss", margin }] }).outcome ===
        "promote"
      )
        promoted++;
    }
    expect(promoted).toBeLessThanOrEqual(10 + 9);
  }, 120_000);
});
