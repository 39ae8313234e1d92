import { describe, expect, test } from "vitest";
import { createRandom, type SeededRandom } from "../../src/core/random.ts";
import { RetrainError } from "../../src/core/errors.ts";
import {
  binnedAveragePrecision,
  binnedRocAuc,
  computeMetric,
  normalPpf,
  SCORE_BIN_COUNT,
  scoreBin,
  scoreBinCenter,
  scoreHistogram,
  sigmoid,
} from "../../src/stats/index.ts";

const normal = (random: SeededRandom): number => normalPpf(random.nextFloat() + 1e-17);

const split = (labels: Uint8Array, scores: Float64Array) => ({
  positives: scoreHistogram(scores.filter((_, i) => labels[i] === 1)),
  negatives: scoreHistogram(scores.filter((_, i) => labels[i] === 0)),
});

/** Scores of a model whose logits are normal within each class, `separation` apart. */
const simulate = (seed: number, share: number, separation: number, rows: number) => {
  const random = createRandom(seed);
  const labels = new Uint8Array(rows);
  const scores = new Float64Array(rows);
  const offset = Math.log(share / (1 - share)) - separation / 2;
  for (let i = 0; i < rows; i++) {
    labels[i] = random.nextFloat() < share ? 1 : 0;
    scores[i] = sigmoid(offset + (labels[i] === 1 ? separation : 0) + 1.2 * normal(random));
  }
  return { labels, scores };
};

describe("ranking metrics from binned scores", () => {
  const settings = [0.12, 0.006].flatMap((share) =>
    [0.8, 1.6, 3.2].flatMap((separation) => [1, 2, 3].map((seed) => [share, separation, seed] as const)),
  );
  test.each(settings)(
    "at a positive share of %f, separation %f, seed %i stay within 0.001 (AUC) and 0.005 (AP)",
    (share, separation, seed) => {
      const { labels, scores } = simulate(seed, share, separation, 40_000);
      const { positives, negatives } = split(labels, scores);
      const auc = computeMetric("rocAuc", { labels, scores }) as number;
      const precision = computeMetric("averagePrecision", { labels, scores }) as number;
      expect(Math.abs((binnedRocAuc(positives, negatives) as number) - auc)).toBeLessThan(0.001);
      expect(Math.abs((binnedAveragePrecision(positives, negatives) as number) - precision)).toBeLessThan(0.005);
    },
  );

  test("equal the unbinned metric exactly on scores that already are bin centers", () => {
    const { labels, scores } = simulate(9, 0.2, 1, 5000);
    const centered = scores.map((score) => scoreBinCenter(scoreBin(score)));
    const { positives, negatives } = split(labels, scores);
    const input = { labels, scores: centered };
    expect(binnedRocAuc(positives, negatives)).toBe(computeMetric("rocAuc", input));
    expect(binnedAveragePrecision(positives, negatives)).toBe(computeMetric("averagePrecision", input));
  });

  test("are null where a class is missing", () => {
    const some = scoreHistogram([0.2, 0.7]);
    const none = new Float64Array(SCORE_BIN_COUNT);
    expect(binnedRocAuc(none, some)).toBeNull();
    expect(binnedRocAuc(some, none)).toBeNull();
    expect(binnedAveragePrecision(none, some)).toBeNull();
    expect(binnedAveragePrecision(some, none)).toBe(1);
  });
});

describe("score bins", () => {
  test("cover all of [0, 1] in order and contain their centers", () => {
    expect(scoreBin(0)).toBe(0);
    expect(scoreBin(1)).toBe(1023);
    expect(scoreBin(0.5)).toBe(512);
    expect(scoreBin(-3)).toBe(0);
    expect(scoreBin(7)).toBe(1023);
    expect(scoreBin(5e-324)).toBe(0);
    expect(scoreBin(1 - 2 ** -53)).toBe(1023);
    for (let bin = 0; bin < SCORE_BIN_COUNT; bin++) expect(scoreBin(scoreBinCenter(bin))).toBe(bin);
    let previous = 0;
    for (let i = 0; i <= 10_000; i++) {
      const bin = scoreBin(i / 10_000);
      expect(bin).toBeGreaterThanOrEqual(previous);
      previous = bin;
    }
  });

  test("refuse NaN", () => {
    expect(() => scoreBin(NaN)).toThrow(RetrainError);
  });
});
