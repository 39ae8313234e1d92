/**
 * Ranking metrics. Golden numbers: the graded example of ten documents with relevances 3 2 3 0 1 2 0 0 1 3 as scikit-learn 1.x
 * (`ndcg_score`, `dcg_score`) and direct formulas give them; the rest by hand.
 */
import { describe, expect, it } from "vitest";
import { computeMetric, dcg, discountOf, ndcg, rowLosses } from "../../../src/stats/index.ts";

const RELEVANCE = [3, 2, 3, 0, 1, 2, 0, 0, 1, 3];

describe("discounted cumulative gain", () => {
  it("is what others compute, by linear and by exponential gain", () => {
    expect(dcg(RELEVANCE)).toBeCloseTo(8.029351163211146, 12);
    expect(ndcg(RELEVANCE)).toBeCloseTo(0.9210729970757464, 12);
    expect(ndcg(RELEVANCE, 5)).toBeCloseTo(0.7659228626423701, 12);
    expect(ndcg(RELEVANCE, 5, "exponential")).toBeCloseTo(0.7357689654680096, 12);
    expect(ndcg([0, 0, 0])).toBeNull();
    expect(discountOf(1)).toBe(1);
  });
});

describe("metrics of slates", () => {
  // Three users, slates of 5: hits at 1 and 3 of 3 items; none of 2; one at 5 of 9.
  const input = {
    labels: [3, 2, 9],
    classCount: 5,
    scores: [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  };

  it("are means over users, and over interactions for the share of hits", () => {
    const ideal3 = 1 + discountOf(2) + discountOf(3);
    const ideal5 = ideal3 + discountOf(4) + discountOf(5);
    const rows = [(1 + discountOf(3)) / ideal3, 0, discountOf(5) / ideal5];
    rowLosses("ndcg", input).forEach((value, i) => expect(value).toBeCloseTo(rows[i] as number, 12));
    expect(computeMetric("ndcg", input)).toBeCloseTo((rows[0] as number) / 3 + (rows[2] as number) / 3, 12);
    expect(computeMetric("recall", input)).toBeCloseTo((2 / 3 + 0 + 1 / 9) / 3, 12);
    expect(computeMetric("hitRate", input)).toBeCloseTo(2 / 3, 12);
    expect(computeMetric("hitShare", input)).toBeCloseTo(3 / 14, 12);
  });

  it("agree with the graded example where relevance is at least 1", () => {
    const binary = RELEVANCE.map((one) => (one >= 1 ? 1 : 0));
    const slate = (k: number) => ({ labels: [7], classCount: k, scores: binary.slice(0, k) });
    expect(computeMetric("recall", slate(5))).toBeCloseTo(0.5714285714285714, 12);
    expect(computeMetric("hitRate", slate(3))).toBe(1);
    expect(computeMetric("ndcg", slate(10))).toBeCloseTo(ndcg(binary) as number, 12);
  });

  it("count a user as often as its weight, and are not defined for nobody", () => {
    expect(computeMetric("hitRate", input, [1, 2, 0])).toBeCloseTo(1 / 3, 12);
    expect(computeMetric("hitShare", input, [1, 1, 0])).toBeCloseTo(2 / 5, 12);
    for (const metric of ["ndcg", "recall", "hitRate", "hitShare"] as const)
      expect(computeMetric(metric, { labels: [], scores: [], classCount: 5 })).toBeNull();
  });
});
