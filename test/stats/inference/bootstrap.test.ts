import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { RetrainError } from "../../../src/core/errors.ts";
import { createRandom } from "../../../src/core/random.ts";
import {
  binomialSf,
  bootstrapMean,
  bootstrapMetric,
  computeMetric,
  type MetricInput,
  METRIC_NAMES,
  METRICS,
  normalPpf,
  pairedBootstrap,
  quantile,
  sigmoid,
} from "../../../src/stats/index.ts";
import { createLcg } from "../lcg.ts";

/** Computed with numpy from the stated generator. */
const golden = (
  JSON.parse(readFileSync(new URL("../../golden/offline-metrics.json", import.meta.url), "utf8")) as {
    paired_bootstrap: {
      d_values: number[];
      mean: number;
      bootstrap_mean: number;
      bootstrap_se_ddof1: number;
      percentile_ci95: [number, number];
      percentile_ci90: [number, number];
      share_le_0: number;
    };
  }
).paired_bootstrap;

/** Two scored models whose logits share most of their signal; `gain` is what the candidate knows more. */
const twoModels = (seed: number, rows: number, gain: number): { candidate: MetricInput; champion: MetricInput } => {
  const random = createRandom(seed);
  const normal = (): number => normalPpf(random.nextFloat() + 1e-17);
  const labels = new Uint8Array(rows);
  const candidate = new Float64Array(rows);
  const champion = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const shared = normal();
    const extra = normal();
    labels[i] = random.nextFloat() < sigmoid(shared + gain * extra - 1) ? 1 : 0;
    candidate[i] = sigmoid(shared + gain * extra - 1 + 0.1 * normal());
    champion[i] = sigmoid(shared - 1 + 0.1 * normal());
  }
  return { candidate: { labels, scores: candidate }, champion: { labels, scores: champion } };
};

describe("bootstrap of a paired difference", () => {
  test("draws the stated indices and gives the reference interval", () => {
    const values = Float64Array.from(golden.d_values);
    const at95 = bootstrapMean(values, { random: createLcg(999) });
    const at90 = bootstrapMean(values, { random: createLcg(999), level: 0.9 });
    expect(at95?.estimate).toBeCloseTo(golden.mean, 12);
    expect(at95?.mean).toBeCloseTo(golden.bootstrap_mean, 12);
    expect(at95?.standardError).toBeCloseTo(golden.bootstrap_se_ddof1, 12);
    expect(at95?.shareAtOrBelowZero).toBe(golden.share_le_0);
    for (const end of [0, 1] as const) {
      expect(at95?.interval[end]).toBeCloseTo(golden.percentile_ci95[end], 12);
      expect(at90?.interval[end]).toBeCloseTo(golden.percentile_ci90[end], 12);
    }
    expect(at95?.lowerBound).toBe(at90?.interval[0]);
  });

  test("is the same for the same seed and differs for another", () => {
    const models = twoModels(1, 300, 0.5);
    const run = (seed: number) => pairedBootstrap("logLoss", models, { random: createRandom(seed), resamples: 200 });
    expect(run(3)).toEqual(run(3));
    expect(run(3)?.interval).not.toEqual(run(4)?.interval);
  });

  test.each(METRIC_NAMES.filter((name) => METRICS[name].tasks.some((task) => task === "binary")))(
    "%s: its estimate is the difference of the plain values and lies inside the interval",
    (name) => {
      const models = twoModels(2, 400, 0.6);
      const result = pairedBootstrap(name, models, { random: createRandom(8), resamples: 400 });
      const difference =
        (computeMetric(name, models.candidate) as number) - (computeMetric(name, models.champion) as number);
      expect(result?.estimate).toBeCloseTo(difference, 12);
      expect(result?.interval[0]).toBeLessThan(result?.interval[1] as number);
      if (name !== "ece") {
        expect(result?.interval[0]).toBeLessThanOrEqual(difference);
        expect(result?.interval[1]).toBeGreaterThanOrEqual(difference);
      }
    },
  );

  test("a model compared with itself differs by exactly nothing", () => {
    const { champion } = twoModels(3, 200, 1);
    for (const name of ["logLoss", "rocAuc", "f1"] as const) {
      const result = pairedBootstrap(
        name,
        { candidate: champion, champion },
        { random: createRandom(1), resamples: 100 },
      );
      expect(result?.interval).toEqual([0, 0]);
    }
  });

  test("covers the true difference in about 95 of 100 samples", () => {
    let covered = 0;
    const runs = 400;
    for (let seed = 0; seed < runs; seed++) {
      const random = createRandom(seed);
      const values = Float64Array.from({ length: 150 }, () => 0.2 + normalPpf(random.nextFloat() + 1e-17));
      const { interval } = bootstrapMean(values, { random, resamples: 400 }) ?? { interval: [NaN, NaN] };
      if (interval[0] <= 0.2 && interval[1] >= 0.2) covered++;
    }
    // Both tails of the binomial at 93 to 97 % true coverage, one in a million.
    expect(binomialSf(covered - 1, runs, 0.935)).toBeGreaterThan(1e-6);
    expect(binomialSf(runs - covered - 1, runs, 0.03)).toBeGreaterThan(1e-6);
  });

  test("10,000 rows and 2,000 replicates of AUC end within seconds", () => {
    const result = pairedBootstrap("rocAuc", twoModels(5, 10_000, 0.5), { random: createRandom(1) });
    expect(result?.interval[0]).toBeGreaterThan(0);
  }, 10_000);

  test("refuses models scored on different rows", () => {
    const { candidate } = twoModels(1, 50, 1);
    const { champion } = twoModels(2, 50, 1);
    expect(() => pairedBootstrap("logLoss", { candidate, champion }, { random: createRandom(1) })).toThrow(
      RetrainError,
    );
  });

  test("is null where the metric is not defined", () => {
    const input = { labels: [1, 1, 1], scores: [0.2, 0.3, 0.4] };
    expect(bootstrapMetric("rocAuc", input, { random: createRandom(1) })).toBeNull();
    expect(bootstrapMean(new Float64Array(0), { random: createRandom(1) })).toBeNull();
    const rare = { labels: [1, 0, 0, 0], scores: [0.9, 0.3, 0.4, 0.1] };
    expect(bootstrapMetric("rocAuc", rare, { random: createRandom(1) })?.undefinedReplicates).toBeGreaterThan(400);
  });
});

describe("dependent rows", () => {
  /** A slowly wandering series: neighbors are nearly equal, so rows hold far less information than their number says. */
  const wandering = (seed: number): Float64Array => {
    const random = createRandom(seed);
    const values = new Float64Array(1000);
    for (let i = 1; i < values.length; i++) values[i] = 0.95 * (values[i - 1] as number) + random.nextFloat() - 0.5;
    return values;
  };

  test("blocks give a wider, honest interval for a series than single rows", () => {
    const values = wandering(1);
    const rows = bootstrapMean(values, { random: createRandom(1), resamples: 500 });
    const blocks = bootstrapMean(values, {
      random: createRandom(1),
      resamples: 500,
      plan: { kind: "blocks", length: 60 },
    });
    expect(blocks?.standardError).toBeGreaterThan(3 * (rows?.standardError as number));
  });

  test("blocks of one row are plain resampling", () => {
    const values = wandering(2);
    const rows = bootstrapMean(values, { random: createRandom(4), resamples: 100 });
    const blocks = bootstrapMean(values, {
      random: createRandom(4),
      resamples: 100,
      plan: { kind: "blocks", length: 1 },
    });
    expect(blocks).toEqual(rows);
  });

  test("groups move together: ten copies of each row are worth one", () => {
    const single = wandering(3).subarray(0, 80);
    const copies = Float64Array.from({ length: 800 }, (_, i) => single[i % 80] as number);
    const groupOf = Int32Array.from({ length: 800 }, (_, i) => i % 80);
    const alone = bootstrapMean(single, { random: createRandom(6), resamples: 300 });
    const grouped = bootstrapMean(copies, {
      random: createRandom(6),
      resamples: 300,
      plan: { kind: "groups", groupOf },
    });
    expect(grouped?.standardError).toBeCloseTo(alone?.standardError as number, 12);
  });
});

test("quantiles interpolate linearly", () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([5], 0.9)).toBe(5);
  expect(quantile([], 0.9)).toBeNaN();
});
