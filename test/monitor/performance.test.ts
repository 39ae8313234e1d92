import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/index.ts";
import {
  addInPlace,
  type LabelledPrediction,
  metricFromCounters,
  performanceOf,
} from "../../src/monitor/performance.ts";
import { computeMetric, type MetricName } from "../../src/stats/index.ts";

function binaryRows(count: number, positiveShare: number, seed: number): LabelledPrediction[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const label = random.nextFloat() < positiveShare;
    const noise = random.nextFloat() + random.nextFloat() + random.nextFloat() - 1.5;
    const raw = (label ? 0.8 : -0.4) + noise * 1.6 + Math.log(positiveShare / (1 - positiveShare));
    const score = 1 / (1 + Math.exp(-raw));
    return {
      task: "binary",
      classes: [false, true],
      scores: [1 - score, score],
      decision: score >= 0.5,
      label,
    } as const;
  });
}

function sumOf(rows: readonly LabelledPrediction[]): Record<string, bigint> {
  const sum = new Map<string, bigint>();
  for (const row of rows) addInPlace(sum, performanceOf(row));
  return Object.fromEntries(sum);
}

function exact(metric: MetricName, rows: readonly LabelledPrediction[]): number | null {
  return computeMetric(metric, {
    labels: rows.map((row) => (row.label === true ? 1 : 0)),
    scores: rows.map((row) => row.scores[1] as number),
  });
}

/** Counters of very many rows, whose metrics are the truth, and of 400 small windows. */
function windowsOf(rowsOf: (count: number, seed: number) => readonly LabelledPrediction[]) {
  let made: { readonly all: Record<string, bigint>; readonly windows: readonly Record<string, bigint>[] } | undefined;
  return () =>
    (made ??= {
      all: sumOf(rowsOf(200_000, 99)),
      windows: Array.from({ length: 400 }, (_, seed) => sumOf(rowsOf(400, seed + 1000))),
    });
}

/** Of 400 intervals 360 should hold the truth; three standard deviations of a binomial are 18. */
function expectCoverage(metric: string, { all, windows }: ReturnType<ReturnType<typeof windowsOf>>): void {
  const truth = metricFromCounters(metric, all).value as number;
  let covered = 0;
  for (const values of windows) {
    const [low, high] = metricFromCounters(metric, values).interval ?? [Number.NaN, Number.NaN];
    if (low <= truth && truth <= high) covered++;
  }
  expect(covered).toBeGreaterThan(360 - 18);
  expect(covered).toBeLessThan(360 + 18);
}

describe("performance counters of a binary model", () => {
  it.each([
    [0.12, 20_000],
    [0.006, 60_000],
  ])("agree with the metrics over the rows at %f positives", (share, count) => {
    const rows = binaryRows(count, share, 7);
    const counters = sumOf(rows);
    for (const metric of ["logLoss", "brier", "accuracy", "ece"] as const) {
      expect(metricFromCounters(metric, counters).value).toBeCloseTo(exact(metric, rows) as number, 10);
    }
    expect(
      Math.abs((metricFromCounters("rocAuc", counters).value as number) - (exact("rocAuc", rows) as number)),
    ).toBeLessThan(0.001);
    expect(
      Math.abs(
        (metricFromCounters("averagePrecision", counters).value as number) -
          (exact("averagePrecision", rows) as number),
      ),
    ).toBeLessThan(0.005);
    expect(metricFromCounters("f1", counters).value).toEqual(exact("f1", rows));
  });

  it("have the same bits in any order and split", () => {
    const rows = binaryRows(5_000, 0.3, 3);
    const whole = sumOf(rows);
    const parts = [rows.slice(1_700).reverse(), rows.slice(0, 900), rows.slice(900, 1_700)];
    const merged = new Map<string, bigint>();
    for (const part of parts) addInPlace(merged, sumOf(part));
    expect(Object.fromEntries(merged)).toEqual(whole);
  });

  it("return to nothing when every row is taken away again", () => {
    const rows = binaryRows(500, 0.3, 5);
    const sum = new Map<string, bigint>();
    for (const row of rows) addInPlace(sum, performanceOf(row));
    for (const row of rows) addInPlace(sum, performanceOf(row), -1n);
    expect(sum.size).toBe(0);
  });

  const windows = windowsOf((count, seed) => binaryRows(count, 0.3, seed));
  it.each(["logLoss", "brier", "accuracy", "f1", "rocAuc"])("cover the true %s in nine of ten windows", (metric) => {
    expectCoverage(metric, windows());
  });

  it("know nothing of an AUC from one positive row, and say so", () => {
    const rows = binaryRows(60, 0.5, 1).map((row, i) => ({ ...row, label: i === 0 }));
    expect(metricFromCounters("rocAuc", sumOf(rows)).interval).toEqual([0, 1]);
    expect(metricFromCounters("averagePrecision", sumOf(rows)).interval).toBeUndefined();
  });

  it("say null where a metric is not defined", () => {
    const positives = binaryRows(50, 0.5, 1).map((row) => ({ ...row, label: true }));
    expect(metricFromCounters("rocAuc", sumOf(positives)).value).toBeNull();
    expect(metricFromCounters("logLoss", {})).toEqual({ value: null, rows: 0 });
  });
});

describe("performance counters of a regression model", () => {
  it("give R² without losing digits at a large mean", () => {
    const random = createRandom(11);
    const rows = Array.from({ length: 2_000 }, () => {
      const y = 1_000_000 + random.nextFloat() * 10;
      return {
        task: "regression",
        classes: [],
        scores: [y + random.nextFloat() - 0.5],
        decision: 0,
        label: y,
      } as const;
    });
    const input = { labels: rows.map((row) => row.label), scores: rows.map((row) => row.scores[0] as number) };
    const counters = sumOf(rows);
    for (const metric of ["mae", "rmse", "r2"] as const) {
      expect(metricFromCounters(metric, counters).value).toBeCloseTo(computeMetric(metric, input) as number, 6);
    }
  });
});

describe("intervals of other models", () => {
  const regression = (count: number, seed: number) => {
    const random = createRandom(seed);
    return Array.from({ length: count }, () => {
      const y = 400_000 * random.nextFloat();
      // Errors beyond 46,000, whose fourth power one fixed-point value could not hold.
      const error = 150_000 * (random.nextFloat() + random.nextFloat() - 1);
      return { task: "regression", classes: [], scores: [y + error], decision: 0, label: y } as const;
    });
  };
  const CLASSES = ["a", "b", "c"];
  const multiclass = (count: number, seed: number) => {
    const random = createRandom(seed);
    return Array.from({ length: count }, () => {
      const truth = random.nextFloat() < 0.6 ? 0 : random.nextFloat() < 0.7 ? 1 : 2;
      const decided = random.nextFloat() < 0.65 ? truth : random.nextInt(3);
      const sure = 0.4 + 0.5 * random.nextFloat();
      const scores = CLASSES.map((_, k) => (k === decided ? sure : (1 - sure) / 2));
      return {
        task: "multiclass",
        classes: CLASSES,
        scores,
        decision: CLASSES[decided] as string,
        label: CLASSES[truth] as string,
      } as const;
    });
  };

  const ofNumbers = windowsOf(regression);
  it.each(["mae", "rmse"])("cover the true %s", (metric) => expectCoverage(metric, ofNumbers()));

  const ofClasses = windowsOf(multiclass);
  it.each(["macroF1", "brier", "logLoss"])("cover the true %s of three classes", (metric) => {
    expectCoverage(metric, ofClasses());
  });
});

describe("performance counters of a multiclass model", () => {
  it("agree with the metrics and count an unseen class as wrong", () => {
    const random = createRandom(4);
    const classes = ["a", "b", "c"];
    const rows = Array.from({ length: 3_000 }, () => {
      const weights = classes.map(() => random.nextFloat() + 0.01);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const scores = weights.map((weight) => weight / total);
      const best = scores.indexOf(Math.max(...scores));
      return {
        task: "multiclass",
        classes,
        scores,
        decision: classes[best] as string,
        label: classes[random.nextInt(3)] as string,
      } as const;
    });
    const input = {
      labels: rows.map((row) => classes.indexOf(row.label)),
      scores: rows.flatMap((row) => row.scores),
      classCount: 3,
    };
    const counters = sumOf(rows);
    for (const metric of ["logLoss", "accuracy", "brier", "macroF1"] as const) {
      expect(metricFromCounters(metric, counters).value).toBeCloseTo(computeMetric(metric, input) as number, 9);
    }
    const unseen = metricFromCounters(
      "accuracy",
      sumOf([...rows, { ...(rows[0] as (typeof rows)[0]), label: "d" as never }]),
    );
    expect(unseen.rows).toBe(3_001);
    expect(unseen.value as number).toBeLessThan(metricFromCounters("accuracy", counters).value as number);
  });
});
