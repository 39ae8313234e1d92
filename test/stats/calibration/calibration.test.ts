import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createRandom } from "../../../src/core/random.ts";
import {
  applyIsotonic,
  applyPlatt,
  cohenKappa,
  computeMetric,
  expectedPerformance,
  fitIsotonic,
  fitPlatt,
  fleissKappa,
  krippendorffAlpha,
  logit,
  sigmoid,
} from "../../../src/stats/index.ts";

/** Reference values of scikit-learn 1.2; Fleiss (1971) and Krippendorff (2011) as published. */
const golden = JSON.parse(readFileSync(new URL("../../golden/offline-metrics.json", import.meta.url), "utf8")) as {
  cohen_kappa: {
    a: number[];
    b: number[];
    cohen_kappa: number;
    weighted_linear?: number;
    weighted_quadratic?: number;
  }[];
  fleiss_kappa: { table: number[][]; kappa: number }[];
  krippendorff_alpha_nominal: { data: (number | null)[][]; nominal_alpha: number };
  cbpe: ({ p: number[]; threshold: number } & Record<string, number>)[];
  isotonic_calibration: {
    x: number[];
    y: number[];
    predict_at: number[];
    predicted: number[];
    X_thresholds: number[];
    y_thresholds: number[];
  };
  platt_calibration: { a: number; b: number };
};

describe("agreement", () => {
  test.each(golden.cohen_kappa)("Cohen's kappa equals the reference: $cohen_kappa", (row) => {
    expect(cohenKappa(row.a, row.b)).toBeCloseTo(row.cohen_kappa, 12);
    if (row.weighted_linear !== undefined) {
      expect(cohenKappa(row.a, row.b, "linear")).toBeCloseTo(row.weighted_linear, 12);
      expect(cohenKappa(row.a, row.b, "quadratic")).toBeCloseTo(row.weighted_quadratic as number, 12);
    }
  });
  test.each(golden.fleiss_kappa)("Fleiss' kappa equals the reference: $kappa", (row) => {
    expect(fleissKappa(row.table)).toBeCloseTo(row.kappa, 12);
  });
  test("Krippendorff's alpha equals the worked example", () => {
    const { data, nominal_alpha: expected } = golden.krippendorff_alpha_nominal;
    expect(krippendorffAlpha(data)).toBeCloseTo(expected, 12);
  });
  test("nothing to agree on is null", () => {
    expect(cohenKappa([1, 1], [1, 1])).toBeNull();
    expect(cohenKappa([], [])).toBeNull();
    expect(fleissKappa([])).toBeNull();
    expect(
      krippendorffAlpha([
        [1, null],
        [null, 2],
      ]),
    ).toBeNull();
    expect(() => cohenKappa([1], [1, 2])).toThrow(/same items/);
  });
});

describe("calibration", () => {
  const { x, y, predict_at: at, predicted, X_thresholds: corners, y_thresholds: heights } = golden.isotonic_calibration;
  test("the isotonic curve has the reference's corners and answers", () => {
    const curve = fitIsotonic(x, y);
    expect(curve.x).toEqual(corners);
    curve.y.forEach((value, i) => expect(value).toBeCloseTo(heights[i] as number, 12));
    at.forEach((score, i) => expect(applyIsotonic(curve, score)).toBeCloseTo(predicted[i] as number, 12));
  });
  test("equal scores are averaged before violators are pooled", () => {
    const curve = fitIsotonic([1, 1, 2, 2, 3], [0, 1, 1, 1, 0]);
    expect(applyIsotonic(curve, 1)).toBe(0.5);
    expect(applyIsotonic(curve, 2)).toBeCloseTo(2 / 3, 12);
    expect(applyIsotonic(curve, 3)).toBeCloseTo(2 / 3, 12);
    expect(applyIsotonic({ x: [], y: [] }, 1)).toBeNaN();
  });
  test("the Platt curve equals the reference and never claims a fit that does not exist", () => {
    const curve = fitPlatt(x, y);
    // Five digits: the reference's optimizer stops 7e-7 before the maximum, and ours reaches it.
    expect(curve?.slope).toBeCloseTo(golden.platt_calibration.a, 5);
    expect(curve?.intercept).toBeCloseTo(golden.platt_calibration.b, 5);
    expect(fitPlatt([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])).toBeNull();
    expect(fitPlatt([0.1, 0.2], [0, 0])).toBeNull();
  });
  test("both repair an overconfident model", () => {
    const random = createRandom(3);
    const truth = Array.from({ length: 4000 }, () => random.nextFloat());
    const labels = truth.map((p) => (random.nextFloat() < p ? 1 : 0));
    const scores = truth.map((p) => sigmoid(3 * logit(p)));
    const platt = fitPlatt(scores, labels);
    const isotonic = fitIsotonic(scores, labels);
    const before = computeMetric("ece", { labels, scores }) as number;
    const plattScores = scores.map((score) => applyPlatt(platt as NonNullable<typeof platt>, score));
    const isotonicScores = scores.map((score) => applyIsotonic(isotonic, score));
    expect(platt?.slope).toBeCloseTo(1 / 3, 1);
    expect(computeMetric("ece", { labels, scores: plattScores })).toBeLessThan(before / 3);
    expect(computeMetric("ece", { labels, scores: isotonicScores })).toBeLessThan(before / 3);
  });
});

describe("expected performance without labels", () => {
  test.each(golden.cbpe)("equals the reference at threshold $threshold", (row) => {
    const result = expectedPerformance(row.p, row.threshold);
    const pairs = {
      tp: result?.truePositives,
      fp: result?.falsePositives,
      fn: result?.falseNegatives,
      tn: result?.trueNegatives,
      accuracy: result?.accuracy,
      precision: result?.precision,
      recall: result?.recall,
      specificity: result?.specificity,
      f1: result?.f1,
      roc_auc: result?.rocAuc,
      log_loss: result?.logLoss,
      brier: result?.brier,
      accuracy_sampling_sd: result?.accuracyDeviation,
    };
    for (const [name, value] of Object.entries(pairs)) expect(value, name).toBeCloseTo(row[name] as number, 12);
  });
  test("is null without rows, and its undefined parts are null", () => {
    expect(expectedPerformance([])).toBeNull();
    expect(expectedPerformance([0, 0])).toMatchObject({ precision: null, recall: null, rocAuc: null, logLoss: 0 });
  });
});
