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

type Windows = ReturnType<ReturnType<typeof windowsOf>>;
/** How many of the 400 intervals hold the truth, and how many of its ends are beyond it on each side. */
function coverage(metric: string, { all, windows }: Windows, truth = metricFromCounters(metric, all).value as number) {
  const counts = { covered: 0, below: 0, above: 0 };
  for (const values of windows) {
    const [low, high] = metricFromCounters(metric, values).interval ?? [Number.NaN, Number.NaN];
    if (low <= truth && truth <= high) counts.covered++;
    else counts[truth < low ? "above" : "below"]++;
  }
  return counts;
}

/** Of 400 intervals 360 should hold the truth; three standard deviations of a binomial are 18. */
function expectCoverage(metric: string, found: Windows): void {
  const { covered } = coverage(metric, found);
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
    expect(metricFromCounters("averagePrecision", sumOf(rows)).interval).toEqual([0, 1]);
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

describe("the interval of the average precision", () => {
  // 400 rows each: about 20, 80 and 200 positives.
  it.each([0.05, 0.2, 0.5])("covers the truth at a share of %f positives", (share) => {
    expectCoverage("averagePrecision", windowsOf((count, seed) => binaryRows(count, share, seed))());
  });

  it("has the width of a bootstrap of the rows", () => {
    const rows = binaryRows(1_000, 0.2, 4);
    const random = createRandom(8);
    const values = Array.from({ length: 400 }, () => {
      const drawn = rows.map(() => rows[random.nextInt(rows.length)] as LabelledPrediction);
      return metricFromCounters("averagePrecision", sumOf(drawn)).value as number;
    }).sort((a, b) => a - b);
    const [low, high] = metricFromCounters("averagePrecision", sumOf(rows)).interval as readonly [number, number];
    const bootstrap = (values[379] as number) - (values[20] as number);
    expect((high - low) / bootstrap).toBeGreaterThan(0.85);
    expect((high - low) / bootstrap).toBeLessThan(1.2);
  });

  it("does not call a perfect order of three rows certain", () => {
    const rows = binaryRows(60, 0.5, 1).map((row, i) => ({
      ...row,
      label: i < 3,
      scores: i < 3 ? [0.1, 0.9] : [0.8, 0.2],
    }));
    const { value, interval } = metricFromCounters("averagePrecision", sumOf(rows));
    expect(value).toBe(1);
    expect(interval?.[0]).toBeLessThan(0.6);
  });
});

describe("the interval of the calibration error", () => {
  /** True with the score's probability to the power `bend`; 1 is calibrated. */
  const bent = (bend: number) => (count: number, seed: number) => {
    const random = createRandom(seed);
    return Array.from({ length: count }, (): LabelledPrediction => {
      const score = random.nextFloat() * random.nextFloat();
      const label = random.nextFloat() < score ** bend;
      return { task: "binary", classes: [false, true], scores: [1 - score, score], decision: score > 0.5, label };
    });
  };

  // What is read is never below the truth on average, so neither end may be passed in more than 5 % of 400, with three deviations.
  it.each([1, 1.5, 3, 0.5])("passes the truth at neither end too often with a bend of %f", (bend) => {
    const found = windowsOf(bent(bend))();
    const { below, above } = coverage("ece", found, bend === 1 ? 0 : undefined);
    expect(below).toBeLessThan(20 + 13.1);
    expect(above).toBeLessThan(20 + 13.1);
  });

  it("reaches 0 for a calibrated model, and does not for a plainly wrong one", () => {
    const intervalOf = (bend: number) => metricFromCounters("ece", sumOf(bent(bend)(1_000, 5))).interval;
    expect(intervalOf(1)?.[0]).toBe(0);
    expect(intervalOf(3)?.[0]).toBeGreaterThan(0.05);
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

  /** Scores of a forecast: value, low, high, scale. */
  const forecasts = (count: number, seed: number) =>
    regression(count, seed).map((row) => {
      const value = row.scores[0] as number;
      return { ...row, task: "forecast", scores: [value, value - 1, value + 1, 10_000] } as const;
    });
  const ofForecasts = windowsOf(forecasts);
  it("cover the true WAPE", () => expectCoverage("wape", ofForecasts()));

  it("are wider, never narrower, for the WAPE of hours that were counted without the products", () => {
    const values = sumOf(forecasts(400, 3));
    const { errorTimesSize: _, ...older } = values;
    const [low, high] = metricFromCounters("wape", values).interval as readonly [number, number];
    const [lowest, highest] = metricFromCounters("wape", older).interval as readonly [number, number];
    expect(lowest).toBeLessThan(low);
    expect(highest).toBeGreaterThan(high);
  });

  it("are not told for R², whose spread the counters cannot hold", () => {
    expect(metricFromCounters("r2", sumOf(regression(400, 3)))).toMatchObject({ rows: 400, value: expect.any(Number) });
    expect(metricFromCounters("r2", sumOf(regression(400, 3))).interval).toBeUndefined();
  });

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
