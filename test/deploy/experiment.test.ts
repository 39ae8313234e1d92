import { describe, expect, it } from "vitest";
import { simulateExperiments } from "../../bench/experiment-simulation.ts";
import { createRandom } from "../../src/core/index.ts";
import { bucketOf, variantOf } from "../../src/deploy/assignment.ts";
import { bucketCounters, readBuckets } from "../../src/deploy/bucket-sums.ts";
import { type Estimate, estimateUnpaired, rowsForAb } from "../../src/deploy/experiment.ts";
import { sampleRatio } from "../../src/deploy/guardrails.ts";

type Sums = Record<string, bigint>;
function add(sums: Sums, bucket: number, y: number, x = 0): void {
  for (const [key, value] of Object.entries(bucketCounters(bucket, y, x))) sums[key] = (sums[key] ?? 0n) + value;
}

describe("an estimate from bucket sums", () => {
  const random = createRandom(7);
  const rows = Array.from({ length: 4_000 }, (_, i) => {
    const unit = `u${random.nextInt(900)}`;
    const bucket = bucketOf("s", unit);
    const x = random.nextFloat();
    return { i, bucket, variant: variantOf(bucket, 0.5), x, y: 0.3 * x + random.nextFloat() * 0.2 };
  });
  const arms = () => {
    const champion: Sums = {};
    const challenger: Sums = {};
    for (const row of rows) add(row.variant === "champion" ? champion : challenger, row.bucket, row.y, row.x);
    return { champion: readBuckets(champion), challenger: readBuckets(challenger) };
  };

  it("equals the delta method over buckets computed from the rows themselves", () => {
    // x = 0 everywhere: without a covariate the adjusted difference is the plain one.
    const sums: Record<string, Sums> = { champion: {}, challenger: {} };
    for (const row of rows) add(sums[row.variant] as Sums, row.bucket, row.y);
    const plain = {
      champion: readBuckets(sums["champion"] as Sums),
      challenger: readBuckets(sums["challenger"] as Sums),
    };
    const found = estimateUnpaired(plain, "mae", true) as Estimate;
    const arm = (variant: string) => {
      const own = rows.filter((row) => row.variant === variant);
      const mean = own.reduce((sum, row) => sum + row.y, 0) / own.length;
      const residuals = new Map<number, number>();
      for (const row of own) residuals.set(row.bucket, (residuals.get(row.bucket) ?? 0) + row.y - mean);
      const k = residuals.size;
      const squares = [...residuals.values()].reduce((sum, one) => sum + one * one, 0);
      return { mean, variance: ((k / (k - 1)) * squares) / (own.length * own.length) };
    };
    const champion = arm("champion");
    const challenger = arm("challenger");
    expect(found.difference).toBeCloseTo(champion.mean - challenger.mean, 9);
    expect(found.standardError).toBeCloseTo(Math.sqrt(champion.variance + challenger.variance), 9);
  });

  it("is tighter with the covariate, and does not depend on the order rows came in", () => {
    const adjusted = estimateUnpaired(arms(), "mae", true) as Estimate;
    expect(adjusted.varianceReduction).toBeGreaterThan(0.5);
    const backwards: Record<string, Sums> = { champion: {}, challenger: {} };
    for (const row of [...rows].reverse()) add(backwards[row.variant] as Sums, row.bucket, row.y, row.x);
    const again = estimateUnpaired(
      {
        champion: readBuckets(backwards["champion"] as Sums),
        challenger: readBuckets(backwards["challenger"] as Sums),
      },
      "mae",
      true,
    );
    expect(again).toEqual(adjusted);
  });
});

/** Upper 99.9 % bound of a count whose probability is at most p. */
const atMost = (runs: number, p: number) => runs * p + 3.09 * Math.sqrt(runs * p * (1 - p));

describe("sequential decisions, simulated", () => {
  it("promote or roll back equal models in at most 5 % of experiments, however often one looks; a fixed z does not", () => {
    const found = simulateExperiments({ runs: 200, max: 5_000, effect: 0, seed: 1, margin: 0.02 });
    expect(found.better + found.worse).toBeLessThanOrEqual(atMost(200, 0.05));
    expect(found.harm).toBeLessThanOrEqual(atMost(200, 0.05));
    expect(found.fixedZ).toBeGreaterThan(3 * (found.better + found.worse));
    expect(found.fixedZ).toBeGreaterThan(atMost(200, 0.05));
  });

  it("call a challenger that is worse by exactly the margin not worse in at most 5 %", () => {
    const found = simulateExperiments({ runs: 200, max: 5_000, effect: -0.03, seed: 2, margin: 0.03 });
    expect(found.notWorse).toBeLessThanOrEqual(atMost(200, 0.05));
  });

  it("find an effect planned for half the maximum, and stop early", () => {
    const effect = 0.06;
    const deviation = Math.sqrt(0.33 * 0.67);
    const max = rowsForAb({ rowDeviation: deviation, effect, share: 0.5, alpha: 0.05 });
    const found = simulateExperiments({ runs: 200, max, effect, seed: 3, margin: 0.02 });
    const stops = found.stops.toSorted((left, right) => left - right);
    expect(found.better / 200).toBeGreaterThan(0.8);
    expect(found.worse).toBe(0);
    expect(stops[Math.floor(stops.length / 2)] as number).toBeLessThan(0.65 * max);
  });
});

describe("the sample ratio", () => {
  const exposures = (count: number, leak: number, seed: number) => {
    const random = createRandom(seed);
    const champion = new Map<number, number>();
    const challenger = new Map<number, number>();
    for (let i = 0; i < count; i++) {
      const bucket = bucketOf("r", `user-${seed}-${i}`);
      const variant = variantOf(bucket, 0.5);
      // A share of the champion's requests is lost on the way.
      if (variant === "champion" && random.nextFloat() < leak) continue;
      const arm = variant === "champion" ? champion : challenger;
      arm.set(bucket, (arm.get(bucket) ?? 0) + 1);
    }
    return { champion, challenger };
  };

  it("detects 51/49 on 100,000 units, and stays quiet on an even split", () => {
    expect(sampleRatio(exposures(102_000, 1 - 49 / 51, 1), 0.5).mismatch).toBe(true);
    let alarms = 0;
    for (let seed = 2; seed < 12; seed++) if (sampleRatio(exposures(20_000, 0, seed), 0.5).mismatch) alarms++;
    expect(alarms).toBeLessThanOrEqual(1);
  });
});
