import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { RetrainError } from "../../../src/core/errors.ts";
import { createRandom } from "../../../src/core/random.ts";
import {
  committeeDisagreement,
  entropy,
  kCenter,
  leastConfidence,
  lureMean,
  lureWeights,
  margin,
  rowDensity,
} from "../../../src/stats/index.ts";

/** Formulas evaluated with numpy; picks and orders by brute force. */
const golden = JSON.parse(readFileSync(new URL("../../golden/active-learning.json", import.meta.url), "utf8")) as {
  uncertainty: { p: number[]; least_confidence: number; margin: number; entropy_nat: number }[];
  ranking_most_informative_first_ties_by_index: Record<string, number[]>;
  committee: {
    members: number[][];
    consensus: number[];
    bald: number;
    vote_entropy: number;
    variation_ratio: number;
  }[];
  k_center: {
    points_lcg_seed77_round4: number[][];
    labelled_init: number[];
    picks: number[];
    radius_at_pick: number[];
    final_cover_radius: number;
  };
  density_weighting: { uncertainty: number[]; density: number[]; score: number[]; argmax: number };
  lure: { N: number; q: number[]; loss: number[]; weights: number[]; estimate: number };
};

describe("uncertainty", () => {
  test.each(golden.uncertainty)("of $p equals the reference", (row) => {
    expect(leastConfidence(row.p)).toBeCloseTo(row.least_confidence, 12);
    expect(margin(row.p)).toBeCloseTo(row.margin, 12);
    expect(entropy(row.p)).toBeCloseTo(row.entropy_nat, 12);
  });

  test("orders rows as the reference does", () => {
    const orders = golden.ranking_most_informative_first_ties_by_index;
    const rank = (score: (p: number[]) => number): number[] => {
      const scores = golden.uncertainty.map((row) => Number(score(row.p).toFixed(12)));
      return scores.map((_, i) => i).sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
    };
    expect(rank(leastConfidence)).toEqual(orders.least_confidence);
    expect(rank((p) => -margin(p))).toEqual(orders.margin_ascending);
    expect(rank(entropy)).toEqual(orders.entropy);
  });

  test.each(golden.committee)("of the committee $members equals the reference", (row) => {
    const found = committeeDisagreement(row.members);
    row.consensus.forEach((share, j) => expect(found.consensus[j]).toBeCloseTo(share, 12));
    expect(found.mutualInformation).toBeCloseTo(row.bald, 12);
    expect(found.voteEntropy).toBeCloseTo(row.vote_entropy, 12);
    expect(found.variationRatio).toBeCloseTo(row.variation_ratio, 12);
  });
});

describe("diversity", () => {
  const points = { values: golden.k_center.points_lcg_seed77_round4.flat(), dimension: 2 };

  test("k-center picks the reference's rows", () => {
    const found = kCenter(points, golden.k_center.labelled_init, golden.k_center.picks.length);
    expect(found.picks).toEqual(golden.k_center.picks);
    found.radii.forEach((radius, i) => expect(radius).toBeCloseTo(golden.k_center.radius_at_pick[i] as number, 12));
    expect(found.coverRadius).toBeCloseTo(golden.k_center.final_cover_radius, 12);
  });

  test("k-center starts at row 0 without labels and stops when every row is covered", () => {
    const found = kCenter({ values: [1, 1, 5], dimension: 1 }, [], 9);
    expect(found).toEqual({ picks: [0, 2], radii: [Infinity, 4], coverRadius: 0 });
  });

  test("density and its product with uncertainty equal the reference", () => {
    const density = rowDensity(points);
    const { density: expected, uncertainty, score, argmax } = golden.density_weighting;
    expected.forEach((value, i) => expect(density[i]).toBeCloseTo(value, 12));
    const scores = uncertainty.map((value, i) => value * (density[i] as number));
    scores.forEach((value, i) => expect(value).toBeCloseTo(score[i] as number, 12));
    expect(scores.indexOf(Math.max(...scores))).toBe(argmax);
  });
});

describe("LURE", () => {
  test("weights and estimate equal the reference", () => {
    const { N, q, loss, weights, estimate } = golden.lure;
    const found = lureWeights(q, N);
    weights.forEach((weight, i) => expect(found[i]).toBeCloseTo(weight, 12));
    expect(lureMean(loss, found)).toBeCloseTo(estimate, 12);
    expect(lureMean([], [])).toBeNull();
    expect(() => lureWeights([0.5, 0], 10)).toThrow(RetrainError);
  });

  test("is unbiased where the plain mean of chosen rows is not", () => {
    const losses = Array.from({ length: 40 }, (_, i) => i / 39);
    const random = createRandom(11);
    let plain = 0;
    let weighted = 0;
    const runs = 3000;
    for (let run = 0; run < runs; run++) {
      const left = losses.map((_, i) => i);
      const picked: number[] = [];
      const probabilities: number[] = [];
      for (let m = 0; m < 8; m++) {
        const total = left.reduce((sum, row) => sum + 0.2 + (losses[row] as number), 0);
        let draw = random.nextFloat() * total;
        let at = 0;
        while (at < left.length - 1 && draw >= 0.2 + (losses[left[at] as number] as number)) {
          draw -= 0.2 + (losses[left[at] as number] as number);
          at++;
        }
        const row = left.splice(at, 1)[0] as number;
        picked.push(losses[row] as number);
        probabilities.push((0.2 + (losses[row] as number)) / total);
      }
      plain += picked.reduce((sum, loss) => sum + loss, 0) / 8 / runs;
      weighted += (lureMean(picked, lureWeights(probabilities, 40)) as number) / runs;
    }
    expect(Math.abs(weighted - 0.5)).toBeLessThan(0.01);
    expect(plain - 0.5).toBeGreaterThan(0.05);
  });
});
