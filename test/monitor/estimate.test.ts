import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/index.ts";
import {
  addInPlace,
  calibratedScores,
  estimateFromCounters,
  estimateOf,
  fitScoreCurve,
  metricFromCounters,
  performanceOf,
  type ScoreCalibration,
} from "../../src/monitor/index.ts";
import { classEstimationErrors, estimationError, simulateBinary } from "../../bench/estimation.ts";

/** Gaps in deviations: none beyond three, and as many beyond one as there should be (a third of 20; at most 14 and at least 1 by a binomial bound). */
function expectHonest(ratios: readonly number[]): void {
  for (const ratio of ratios) expect(Math.abs(ratio)).toBeLessThanOrEqual(3);
  const beyondOne = ratios.filter((ratio) => Math.abs(ratio) > 1).length;
  expect(beyondOne).toBeGreaterThanOrEqual(1);
  expect(beyondOne).toBeLessThanOrEqual(14);
}

const sumOf = (all: readonly Readonly<Record<string, bigint>>[]) => {
  const sum = new Map<string, bigint>();
  for (const one of all) addInPlace(sum, one);
  return Object.fromEntries(sum);
};

describe("performance estimated before labels", () => {
  it("equals the closed forms of confidence-based estimation, row by row", () => {
    // Probabilities 0.9, 0.6, 0.3, decided at 0.5: TP 1.5, FP 0.5, FN 0.3, TN 0.7.
    const rows = [0.9, 0.6, 0.3].map((p) =>
      estimateOf({
        task: "binary",
        classes: [false, true],
        scores: [1 - p, p],
        decision: p >= 0.5,
        expected: [1 - p, p],
      }),
    );
    const values = sumOf(rows);
    expect(estimateFromCounters("accuracy", values).value).toBeCloseTo(2.2 / 3, 10);
    expect(estimateFromCounters("f1", values).value).toBeCloseTo(3 / 3.8, 10);
    expect(estimateFromCounters("brier", values).value).toBeCloseTo((0.09 + 0.24 + 0.21) / 3, 10);
    const entropy = (p: number) => -p * Math.log(p) - (1 - p) * Math.log(1 - p);
    expect(estimateFromCounters("logLoss", values).value).toBeCloseTo(
      (entropy(0.9) + entropy(0.6) + entropy(0.3)) / 3,
      10,
    );
    expect(estimateFromCounters("accuracy", values).deviation).toBeCloseTo(Math.sqrt(0.09 + 0.24 + 0.21) / 3, 10);
    // Pairs of one positive and one negative row, weighted by their probabilities; a row is no pair with itself but a tie.
    const p = [0.9, 0.6, 0.3];
    let wins = 0;
    let pairs = 0;
    for (const [i, one] of p.entries())
      for (const [j, other] of p.entries()) {
        pairs += one * (1 - other);
        wins += one * (1 - other) * (i === j ? 0.5 : one > other ? 1 : 0);
      }
    expect(estimateFromCounters("rocAuc", values).value).toBeCloseTo(wins / pairs, 9);
  });

  it("of several classes is the expectation over them", () => {
    const scores = [0.2, 0.5, 0.3];
    const expected = [0.1, 0.6, 0.3];
    const values = estimateOf({ task: "multiclass", classes: ["a", "b", "c"], scores, decision: "b", expected });
    expect(estimateFromCounters("accuracy", values).value).toBeCloseTo(0.6, 10);
    const logLoss = -(0.1 * Math.log(0.2) + 0.6 * Math.log(0.5) + 0.3 * Math.log(0.3));
    expect(estimateFromCounters("logLoss", values).value).toBeCloseTo(logLoss, 10);
    const brier = [0, 1, 2].map((k) => scores.reduce((sum, score, j) => sum + (score - (j === k ? 1 : 0)) ** 2, 0));
    expect(estimateFromCounters("brier", values).value).toBeCloseTo(
      expected.reduce((sum, q, k) => sum + q * (brier[k] as number), 0),
      10,
    );
    expect(estimateFromCounters("rocAuc", values).value).toBeNull();
  });

  it("of numbers is the mean of the errors that are expected", () => {
    const row = (absolute: number, squared: number) =>
      estimateOf({ task: "regression", classes: [], scores: [5], decision: 5, expected: [absolute, squared] });
    const values = sumOf([row(1, 2), row(3, 10)]);
    expect(estimateFromCounters("mae", values)).toMatchObject({ value: 2, rows: 2 });
    expect(estimateFromCounters("mae", values).deviation).toBeCloseTo(Math.sqrt((1 + 1) / 2 / 2), 10);
    expect(estimateFromCounters("rmse", values).value).toBeCloseTo(Math.sqrt(6), 10);
    // A square below the squared mean, and an error below zero, are mended.
    expect(estimateFromCounters("rmse", row(2, 1)).value).toBeCloseTo(2, 10);
    expect(estimateFromCounters("mae", row(-1, 1)).value).toBe(0);
  });

  it("says nothing about metrics it cannot see, or about no rows", () => {
    expect(
      estimateFromCounters(
        "ece",
        estimateOf({
          task: "binary",
          classes: [false, true],
          scores: [0.5, 0.5],
          decision: true,
          expected: [0.5, 0.5],
        }),
      ).value,
    ).toBeNull();
    expect(estimateFromCounters("accuracy", {})).toEqual({
      value: null,
      rows: 0,
      deviation: null,
      calibrationDeviation: null,
    });
  });

  it("finds the AUC of 20,000 shifted rows within 0.01 on average of 50 windows, and within three deviations in each", () => {
    const found = Array.from({ length: 50 }, (_, seed) =>
      estimationError({ seed: seed + 1, kind: "covariate", referenceRows: 5_000 }),
    );
    const mean = found.reduce((sum, { gap }) => sum + Math.abs(gap), 0) / found.length;
    expect(mean).toBeLessThanOrEqual(0.01);
    for (const { gap, deviation } of found) expect(Math.abs(gap)).toBeLessThanOrEqual(3 * deviation);
    // The bands are not wider than needed: a third of normal gaps lies beyond one deviation, at least 6 of 50 by a binomial bound.
    expect(found.filter(({ gap, deviation }) => Math.abs(gap) > deviation).length).toBeGreaterThanOrEqual(6);
  }, 60_000);

  it("says how far it may be off where few rows were held out: three deviations hold in each of ten seeds", () => {
    let beyondSampling = 0;
    for (let seed = 0; seed < 10; seed++) {
      const { gap, deviation, calibrationDeviation } = estimationError({
        seed: 100 + seed,
        kind: "covariate",
        rows: 5_000,
        referenceRows: 1_000,
      });
      expect(Math.abs(gap), `seed ${seed}`).toBeLessThanOrEqual(3 * deviation);
      const sampling = Math.sqrt(deviation ** 2 - (calibrationDeviation ?? 0) ** 2);
      // With a fifth of the window's rows held out, the calibration is what is known least.
      expect(calibrationDeviation).toBeGreaterThan(sampling);
      if (Math.abs(gap) > 1.96 * sampling) beyondSampling++;
    }
    // By sampling alone half a seed of ten would be so far off.
    expect(beyondSampling).toBeGreaterThan(2);
  });

  it.each(["f1", "accuracy"] as const)(
    "the bands of %s hold in each of twenty seeds, and are not wider than needed",
    (metric) => {
      const ratios: number[] = [];
      for (let seed = 0; seed < 20; seed++) {
        const found = estimationError({
          seed: 300 + seed,
          kind: "covariate",
          rows: 5_000,
          referenceRows: 1_000,
          metric,
        });
        expect(found.calibrationDeviation).toBeGreaterThan(0);
        ratios.push(found.gap / found.deviation);
      }
      expectHonest(ratios);
    },
  );

  it("the bands of three classes hold in each of twenty seeds, and are not wider than needed", () => {
    const metrics = ["accuracy", "logLoss", "brier"] as const;
    const ratios = metrics.map((): number[] => []);
    let beyondSampling = 0;
    for (let seed = 0; seed < 20; seed++) {
      const found = classEstimationErrors({ seed: 500 + seed, rows: 5_000, referenceRows: 1_000 }, metrics);
      found.forEach(({ gap, deviation, calibrationDeviation }, i) => {
        ratios[i]?.push(gap / deviation);
        const sampling = Math.sqrt(deviation ** 2 - (calibrationDeviation as number) ** 2);
        if (Math.abs(gap) > 1.96 * sampling) beyondSampling++;
      });
    }
    for (const one of ratios) expectHonest(one);
    // By sampling alone 3 of 60 would be so far off.
    expect(beyondSampling).toBeGreaterThan(8);
  });

  it("turns the estimate as much as a refitted calibration does, for every metric", () => {
    const { scores } = simulateBinary(3, 4_000, { mean: 0, scale: 1 });
    const estimateUnder = (metric: string, a: number, b: number) => {
      const rows = Array.from(scores, (s) => {
        const p = 1 / (1 + Math.exp(-(a + b * Math.log(s / (1 - s)))));
        return estimateOf({
          task: "binary",
          classes: [false, true],
          scores: [1 - s, s],
          decision: s >= 0.37,
          expected: [1 - p, p],
        });
      });
      return sumOf(rows);
    };
    const now = estimateUnder("", 0, 1);
    for (const metric of ["accuracy", "logLoss", "brier", "rocAuc", "f1"]) {
      for (const [uncertainty, a, b] of [
        [[0.01, 0, 0], 0.1, 0],
        [[0, 0, 0.0025], 0, 0.05],
      ] as const) {
        const up = estimateFromCounters(metric, estimateUnder(metric, a, 1 + b)).value as number;
        const down = estimateFromCounters(metric, estimateUnder(metric, -a, 1 - b)).value as number;
        const { calibrationDeviation } = estimateFromCounters(metric, now, [uncertainty]);
        expect(Math.abs((calibrationDeviation as number) - Math.abs(up - down) / 2), metric).toBeLessThan(2e-4);
      }
    }
    expect(estimateFromCounters("mae", now, [[0.01, 0, 0.01]]).calibrationDeviation).toBeNull();
    expect(estimateFromCounters("accuracy", now).calibrationDeviation).toBeNull();
  });

  it("does not move under pure concept drift, as its blind spots say", () => {
    const { gap, estimated, before } = estimationError({ seed: 5, kind: "concept" });
    expect(Math.abs(estimated - (before as number))).toBeLessThan(0.015);
    // The realised AUC has fallen by a tenth and more: the estimate is wrong by that much.
    expect(gap).toBeGreaterThan(0.1);
  });
});

describe("calibration of scores", () => {
  it("is kept where it lowers the error on rows it was not fitted on, and left out where it does not", () => {
    const random = createRandom(1);
    const n = 3_000;
    const truth = Float64Array.from({ length: n }, () => random.nextFloat());
    const outcomes = truth.map((p) => (random.nextFloat() < p ? 1 : 0));
    expect(
      fitScoreCurve(
        truth.map((p) => p * p * p),
        outcomes,
        1,
      ),
    ).not.toBeNull();
    const curve = fitScoreCurve(
      truth.map((p) => p * p * p),
      outcomes,
      1,
    );
    const fitted = calibratedScores({ rows: n, curves: [curve] }, [1 - 0.125, 0.125]);
    expect(fitted[1]).toBeGreaterThan(0.4);
    expect(fitted[1]).toBeLessThan(0.6);
    expect(fitScoreCurve(truth.slice(0, 99), outcomes.slice(0, 99), 1)).toBeNull();
    expect(
      fitScoreCurve(
        truth,
        outcomes.map(() => 1),
        1,
      ),
    ).toBeNull();
  });

  it("of several classes sums to one again", () => {
    const half: ScoreCalibration = { rows: 1, curves: [{ kind: "isotonic", x: [0, 1], y: [0, 0.5] }, null, null] };
    const [a, b, c] = calibratedScores(half, [0.6, 0.3, 0.1]) as readonly [number, number, number];
    expect(a + b + c).toBeCloseTo(1, 12);
    expect(a).toBeCloseTo(0.3 / 0.7, 12);
  });
});

it("estimated and realised counters agree on average where the scores are right", () => {
  const { scores, labels } = simulateBinary(9, 5_000, { mean: 0, scale: 1 });
  const rows = Array.from(scores, (p, i) => {
    const one = { task: "binary", classes: [false, true], scores: [1 - p, p], decision: p >= 0.4 } as const;
    return {
      realised: performanceOf({ ...one, label: labels[i] === 1 }),
      estimated: estimateOf({ ...one, expected: [1 - p, p] }),
    };
  });
  const realised = sumOf(rows.map((row) => row.realised));
  const estimated = sumOf(rows.map((row) => row.estimated));
  for (const metric of ["accuracy", "logLoss", "brier", "rocAuc"]) {
    const estimate = estimateFromCounters(metric, estimated);
    const value = metricFromCounters(metric, realised).value as number;
    expect(Math.abs((estimate.value as number) - value), metric).toBeLessThan(3.5 * (estimate.deviation as number));
  }
});
