// Accuracies are checked by simulation with known errors; the two-rater case against the counts by hand.
import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/index.ts";
import { estimateAnnotators } from "../../src/stats/index.ts";

/** Answers of people with known error rates about items whose truth is known to the test alone. */
function simulate(accuracies: readonly number[], items: number, classes: number, seed: number) {
  const random = createRandom(seed);
  const truth = Array.from({ length: items }, () => random.nextInt(classes));
  const ratings = accuracies.map((accuracy) =>
    truth.map((right) => (random.nextFloat() < accuracy ? right : (right + 1 + random.nextInt(classes - 1)) % classes)),
  );
  return { truth, ratings };
}
const share = (said: readonly (number | null)[], truth: readonly number[]) =>
  said.filter((one, i) => one === truth[i]).length / truth.length;

describe("estimateAnnotators", () => {
  it("is right more often than the best single person, in every one of four simulated teams", () => {
    for (let seed = 0; seed < 4; seed++) {
      const { truth, ratings } = simulate([0.85, 0.8, 0.75, 0.7, 0.6], 400, 3, seed);
      const { consensus, accuracy } = estimateAnnotators(ratings, 3);
      const best = Math.max(...ratings.map((row) => share(row, truth)));
      expect(share(consensus, truth)).toBeGreaterThan(best);
      accuracy.forEach((one, r) => expect(Math.abs(one - share(ratings[r] ?? [], truth))).toBeLessThan(0.07));
    }
  });

  it("hears an expert over a careless majority, which counting votes does not", () => {
    const { truth, ratings } = simulate([0.97, 0.6, 0.6], 800, 2, 4);
    const votes = truth.map((_, i) => (ratings.filter((row) => row[i] === 1).length > 1 ? 1 : 0));
    const { consensus } = estimateAnnotators(ratings, 2);
    expect(share(consensus, truth)).toBeGreaterThan(share(votes, truth) + 0.1);
  });

  it("leaves what nobody answered undecided, and knows gaps", () => {
    const estimate = estimateAnnotators(
      [
        [0, null, 1],
        [0, null, null],
      ],
      2,
    );
    expect(estimate.consensus).toEqual([0, expect.any(Number), 1]);
    expect(estimate.posterior[1]?.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
    expect(estimateAnnotators([], 2).consensus).toEqual([]);
  });
});
