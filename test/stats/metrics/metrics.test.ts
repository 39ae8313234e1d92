import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { RetrainError } from "../../../src/core/errors.ts";
import {
  averagedF1Of,
  computeMetric,
  computeMetrics,
  confusionMatrix,
  eceEvaluator,
  f1Of,
  kappaOf,
  METRIC_NAMES,
  METRICS,
  type MetricInput,
  matthewsOf,
  metricsFor,
  pinballRows,
  precisionOf,
  prepareMetric,
  recallOf,
  reliabilityTable,
  rowLosses,
  wapeEvaluator,
  weightedMean,
} from "../../../src/stats/index.ts";

interface BinaryCase {
  name: string;
  y: number[];
  p: number[];
  threshold: number;
  [key: string]: unknown;
}
/** Reference values of scikit-learn 1.2 and scipy 1.10. */
const golden = JSON.parse(readFileSync(new URL("../../golden/offline-metrics.json", import.meta.url), "utf8")) as {
  binary_metrics: BinaryCase[];
  multiclass_metrics: { y: number[]; p: number[][]; [key: string]: unknown };
  regression_metrics: { y: number[]; pred: number[]; [key: string]: unknown };
};

const close = (actual: number | null, expected: unknown, label: string): void => {
  expect(actual, label).not.toBeNull();
  expect(
    Math.abs((actual as number) - (expected as number)),
    `${label}: ${actual} against ${String(expected)}`,
  ).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(expected as number)));
};

const inputOf = (row: BinaryCase): MetricInput => ({
  labels: Uint8Array.from(row.y),
  scores: Float64Array.from(row.p),
  threshold: row.threshold,
});

describe("binary metrics", () => {
  test.each(golden.binary_metrics.map((row) => [row.name, row] as const))("equal the reference on %s", (_name, row) => {
    const input = inputOf(row);
    close(computeMetric("logLoss", input), row.log_loss, "log loss");
    close(computeMetric("rocAuc", input), row.roc_auc, "AUC");
    close(computeMetric("averagePrecision", input), row.average_precision, "AP");
    close(computeMetric("accuracy", input), row.accuracy, "accuracy");
    close(computeMetric("f1", input), row.f1, "F1");
    close(computeMetric("brier", input), row.brier, "Brier");
    close(computeMetric("ece", input), row.ece10, "ECE 10");
    close(eceEvaluator(input, 15)(null), row.ece15, "ECE 15");
    const matrix = confusionMatrix(input);
    expect([...matrix.cells]).toEqual([row.tn, row.fp, row.fn, row.tp]);
    close(precisionOf(matrix), row.precision, "precision");
    close(recallOf(matrix), row.recall, "recall");
    close(kappaOf(matrix), row.cohen_kappa, "kappa");
    close(matthewsOf(matrix), row.mcc, "MCC");
    const table = reliabilityTable(input);
    const expected = row.reliability10 as { bin: number; n: number; mean_p: number; frac_pos: number }[];
    expect(table.map((bin) => [bin.bin, bin.weight])).toEqual(expected.map((bin) => [bin.bin, bin.n]));
    for (let i = 0; i < table.length; i++) {
      close(table[i]?.meanScore ?? null, expected[i]?.mean_p, "mean score");
      close(table[i]?.positiveShare ?? null, expected[i]?.frac_pos, "positive share");
    }
  });
});

test("multiclass metrics equal the reference", () => {
  const row = golden.multiclass_metrics;
  const input = { labels: row.y, scores: row.p.flat(), classCount: 3 };
  close(computeMetric("logLoss", input), row.log_loss, "log loss");
  close(computeMetric("accuracy", input), row.accuracy, "accuracy");
  close(computeMetric("macroF1", input), row.macro_f1, "macro F1");
  const matrix = confusionMatrix(input);
  expect([...matrix.cells]).toEqual((row.confusion as number[][]).flat());
  close(averagedF1Of(matrix, "weighted"), row.weighted_f1, "weighted F1");
  close(kappaOf(matrix), row.kappa, "kappa");
  close(matthewsOf(matrix), row.mcc, "MCC");
});

test("regression metrics equal the reference", () => {
  const row = golden.regression_metrics;
  const input = { labels: row.y, scores: row.pred };
  close(computeMetric("mae", input), row.mae, "MAE");
  close(computeMetric("rmse", input), row.rmse, "RMSE");
  close(computeMetric("r2", input), row.r2, "R2");
  close(wapeEvaluator(input)(null), row.wape, "WAPE");
  close(weightedMean(pinballRows(input, 0.9), null), row.pinball_q09, "pinball 0.9");
  close(weightedMean(pinballRows(input, 0.1), null), row.pinball_q01, "pinball 0.1");
});

/** Rows with ties, and integer weights that stand for repetitions. */
const weighted = (task: string): { input: MetricInput; repeated: MetricInput; weights: number[] } => {
  const binary = golden.binary_metrics[1] as BinaryCase;
  const source: MetricInput =
    task === "multiclass"
      ? { labels: golden.multiclass_metrics.y, scores: golden.multiclass_metrics.p.flat(), classCount: 3 }
      : task === "regression"
        ? { labels: golden.regression_metrics.y, scores: golden.regression_metrics.pred }
        : { labels: binary.y, scores: binary.p.map((p) => Math.round(p * 20) / 20), threshold: 0.5 };
  const k = source.classCount ?? 1;
  const weights = Array.from(source.labels, (_, i) => [1, 3, 0, 2][i % 4] as number);
  const rows = weights.flatMap((weight, i) => Array.from({ length: weight }, () => i));
  const repeated: MetricInput = {
    ...source,
    labels: rows.map((i) => source.labels[i] as number),
    scores: rows.flatMap((i) => Array.from({ length: k }, (_, j) => source.scores[i * k + j] as number)),
  };
  return { input: source, repeated, weights };
};

describe("every metric of the registry", () => {
  for (const task of ["binary", "multiclass", "regression"] as const) {
    test.each(metricsFor(task))(`${task} %s under a weight equals repeating the row`, (name) => {
      const { input, repeated, weights } = weighted(task);
      close(computeMetric(name, input, weights), computeMetric(name, repeated), name);
    });

    test.each(metricsFor(task))(`${task} %s stays in its range and does not depend on the order of rows`, (name) => {
      const { repeated } = weighted(task);
      const value = computeMetric(name, repeated) as number;
      expect(value).toBeGreaterThanOrEqual(METRICS[name].range[0]);
      expect(value).toBeLessThanOrEqual(METRICS[name].range[1]);
      const k = repeated.classCount ?? 1;
      const reversed = Array.from(repeated.labels).reverse();
      const scores = reversed.flatMap((_, i) =>
        Array.from({ length: k }, (_unused, j) => repeated.scores[(reversed.length - 1 - i) * k + j] as number),
      );
      close(computeMetric(name, { ...repeated, labels: reversed, scores }), value, name);
    });

    test.each(metricsFor(task).filter((name) => METRICS[name].perRow))(
      `${task} %s is the mean of its row losses`,
      (name) => {
        const { input } = weighted(task);
        const rows = rowLosses(name, input);
        close(rows.reduce((sum, value) => sum + value, 0) / rows.length, computeMetric(name, input), name);
      },
    );
  }

  test.each(METRIC_NAMES)("%s of no rows is null", (name) => {
    expect(computeMetric(name, { labels: [], scores: [] })).toBeNull();
  });

  test.each(METRIC_NAMES)("%s refuses NaN", (name) => {
    expect(() => computeMetric(name, { labels: [1, 0], scores: [0.5, NaN] })).toThrow(RetrainError);
    expect(() => computeMetric(name, { labels: [1, 0], scores: [0.5, 0.2, 0.3] })).toThrow(/labels × classCount/);
  });

  test.each(METRIC_NAMES)("%s leaves its inputs alone", (name) => {
    const labels = [1, 0, 1, 0];
    const scores = [0.9, 0.1, 0.4, 0.6];
    const scales = [1, 2, 1, 1];
    prepareMetric(name, { labels, scores, scales, lows: scores, highs: scores })([1, 2, 1, 1]);
    expect([labels, scores]).toEqual([
      [1, 0, 1, 0],
      [0.9, 0.1, 0.4, 0.6],
    ]);
  });
});

describe("what is not defined is null, never a number", () => {
  test("AUC and average precision with one class", () => {
    expect(computeMetric("rocAuc", { labels: [1, 1], scores: [0.2, 0.4] })).toBeNull();
    expect(computeMetric("rocAuc", { labels: [0, 0], scores: [0.2, 0.4] })).toBeNull();
    expect(computeMetric("averagePrecision", { labels: [0, 0], scores: [0.2, 0.4] })).toBeNull();
  });

  test("F1 when class 1 occurs nowhere, and R2 of constant labels", () => {
    expect(f1Of(confusionMatrix({ labels: [0, 0], scores: [0.1, 0.2] }))).toBeNull();
    expect(precisionOf(confusionMatrix({ labels: [1, 0], scores: [0.1, 0.2] }))).toBeNull();
    expect(computeMetric("r2", { labels: [3, 3], scores: [3, 4] })).toBeNull();
  });

  test("row losses of a metric that is not a mean are refused with its remedy", () => {
    expect(() => rowLosses("rocAuc", { labels: [1], scores: [1] })).toThrow(/not a mean over rows/);
  });
});

test("a certain mistake costs the clipped log loss, not infinity", () => {
  const value = computeMetric("logLoss", { labels: [1, 0], scores: [0, 1] }) as number;
  expect(value).toBeCloseTo(34.539, 2);
  expect(value).toBeLessThanOrEqual(METRICS.logLoss.range[1]);
});

test("all metrics of a task come in one call", () => {
  const values = computeMetrics("binary", inputOf(golden.binary_metrics[0] as BinaryCase));
  expect(Object.keys(values)).toEqual(metricsFor("binary"));
});
