/** Metrics of forecasts by hand. */
import { expect, test } from "vitest";
import { metricFromCounters, performanceOf } from "../../../src/monitor/performance.ts";
import { computeMetric, type MetricName, metricsFor } from "../../../src/stats/index.ts";

const input = {
  labels: [10, 0, 30, 20],
  scores: [12, 1, 24, 20],
  scales: [2, 1, 4, 5],
  lows: [9, 0.5, 25, 19],
  highs: [13, 2, 31, 20],
};
/** Errors 2, 1, 6, 0 against values that sum to 60; in scales 1, 1, 1.5, 0; the second interval misses. */
const expected = { wape: 9 / 60, mase: 3.5 / 4, mae: 9 / 4, rmse: Math.sqrt(41 / 4), intervalCoverage: 3 / 4 };

test.each(Object.entries(expected))("%s is what a hand finds, offline and from counters", (name, value) => {
  expect(computeMetric(name as MetricName, input)).toBeCloseTo(value, 12);
  const sum = new Map<string, bigint>();
  input.labels.forEach((label, i) => {
    const at = (key: "scores" | "lows" | "highs" | "scales") => input[key][i] as number;
    const scores = [at("scores"), at("lows"), at("highs"), at("scales")];
    const own = performanceOf({ task: "forecast", classes: [], scores, decision: at("scores"), label });
    for (const [key, count] of Object.entries(own)) sum.set(key, (sum.get(key) ?? 0n) + count);
  });
  expect(metricFromCounters(name, Object.fromEntries(sum)).value).toBeCloseTo(value, 8);
});

test("a forecast has these metrics and no other", () => {
  expect([...metricsFor("forecast")].sort()).toEqual(Object.keys(expected).sort());
});

test("a WAPE of zeros is undefined, and MASE without scales is refused", () => {
  expect(computeMetric("wape", { labels: [0, 0], scores: [1, 0] })).toBeNull();
  expect(() => computeMetric("mase", { labels: [1], scores: [1] })).toThrow(/needs scales/);
  expect(() => computeMetric("intervalCoverage", { labels: [1], scores: [1] })).toThrow(/needs lows/);
});
