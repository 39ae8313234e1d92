// Gates as statistics: how often they are wrong over many simulated holdouts, judged by binomial bounds.
import { describe, expect, it } from "vitest";
import { createRandom, type EvaluationReport, type GateOutcome } from "../../src/core/index.ts";
import { evaluateCandidate, type GateSpec, judgeGates } from "../../src/evaluate/index.ts";

/**
 * Two models that decide right on `championRight` and `candidateRight` of the rows, agreeing on most of them: a share `disagree`
 * of the rows is drawn afresh for the candidate.
 */
function holdout(
  rows: number,
  seed: number,
  quality: { readonly championRight: number; readonly candidateRight: number; readonly disagree: number },
  gatedMetrics: readonly string[],
): EvaluationReport {
  const random = createRandom(seed);
  const labels = new Float64Array(rows);
  const champion = new Float64Array(rows);
  const candidate = new Float64Array(rows);
  const { championRight, candidateRight, disagree } = quality;
  // On the rows drawn afresh the candidate makes up the whole difference.
  const afresh = championRight + (candidateRight - championRight) / disagree;
  const score = (label: number, isRight: boolean) => {
    const distance = 0.5 * random.nextFloat();
    return (label === 1) === isRight ? 0.5 + distance : 0.5 - distance - 1e-9;
  };
  for (let i = 0; i < rows; i++) {
    const label = random.nextFloat() < 0.5 ? 1 : 0;
    const isRight = random.nextFloat() < championRight;
    labels[i] = label;
    champion[i] = score(label, isRight);
    const isFresh = random.nextFloat() < disagree;
    candidate[i] = isFresh ? score(label, random.nextFloat() < afresh) : (champion[i] as number);
  }
  return evaluateCandidate({
    task: "binary",
    classCount: 1,
    labels,
    candidate,
    champion,
    championVersion: "v1",
    baseline: { trainer: "majority", scores: new Float64Array(rows).fill(0.5) },
    gatedMetrics,
    slices: [],
    seed,
  });
}

function count(
  seeds: number,
  wanted: GateOutcome,
  gate: GateSpec,
  draw: (seed: number) => EvaluationReport,
): { readonly hits: number; readonly reports: readonly ReturnType<typeof judgeGates>[] } {
  const reports = Array.from({ length: seeds }, (_, seed) => judgeGates({ report: draw(seed + 1), gates: [gate] }));
  return { hits: reports.filter(({ outcome }) => outcome === wanted).length, reports };
}

/** The largest count a true share would show in 999 of 1,000 simulations: mean plus 3.1 standard deviations. */
const atMost = (seeds: number, share: number) => seeds * share + 3.1 * Math.sqrt(seeds * share * (1 - share));

const EQUAL = { championRight: 0.85, candidateRight: 0.85, disagree: 0.2 };
const WORSE = { championRight: 0.85, candidateRight: 0.82, disagree: 0.3 };

describe("over many holdouts", () => {
  it.each(["accuracy", "rocAuc"] as const)(
    "models of equal %s are promoted as better in at most a twentieth",
    (metric) => {
      const seeds = 400;
      const gate: GateSpec = { kind: "betterThanChampion", metric, by: 0 };
      const { hits } = count(seeds, "promote", gate, (seed) => holdout(500, seed, EQUAL, [metric]));
      expect(hits).toBeLessThanOrEqual(atMost(seeds, 0.05));
      // The level is used, not just kept: a test that never fires would hold it too.
      expect(hits).toBeGreaterThan(seeds * 0.02);
    },
    60_000,
  );

  it("a model worse by 3 points is refused in at least 95 % at 5,000 rows", () => {
    const seeds = 100;
    const gate: GateSpec = { kind: "noWorseThanChampion", metric: "accuracy" };
    const { hits } = count(seeds, "reject", gate, (seed) => holdout(5_000, seed, WORSE, ["accuracy"]));
    expect(hits).toBeGreaterThanOrEqual(seeds * 0.95);
  }, 60_000);

  it("200 rows cannot certify a margin of one point: the answer is hold, with the rows it takes", () => {
    const seeds = 200;
    const gate: GateSpec = { kind: "noWorseThanChampion", metric: "accuracy", margin: 0.01 };
    const { reports } = count(seeds, "hold", gate, (seed) => holdout(200, seed, EQUAL, ["accuracy"]));
    const held = reports.filter(({ outcome }) => outcome === "hold");
    expect(held.length).toBeGreaterThan(seeds * 0.75);
    const needed = held.map(({ checks }) => checks[0]?.rowsNeeded ?? 0).sort((a, b) => a - b);
    expect(needed[0]).toBeGreaterThan(200);
    // (1.645 + 0.842)² · share of discordant rows / 0.01²; the two differ on 0.2 · 2 · 0.85 · 0.15 of the rows.
    const planned = (2.4865 * 2.4865 * 0.2 * 2 * 0.85 * 0.15) / 0.0001;
    expect((needed[(needed.length / 2) | 0] as number) / planned).toBeGreaterThan(0.8);
    expect((needed[(needed.length / 2) | 0] as number) / planned).toBeLessThan(1.25);
  }, 60_000);

  it("a model worse by exactly the margin is promoted in at most 5 %", () => {
    const seeds = 400;
    const gate: GateSpec = { kind: "noWorseThanChampion", metric: "accuracy", margin: 0.03 };
    const { hits } = count(seeds, "promote", gate, (seed) => holdout(1_000, seed, WORSE, ["accuracy"]));
    expect(hits).toBeLessThanOrEqual(atMost(seeds, 0.05));
    expect(hits).toBeGreaterThan(seeds * 0.02);
  }, 60_000);
});
