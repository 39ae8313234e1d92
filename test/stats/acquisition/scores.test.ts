import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/random.ts";
import {
  committeeDisagreement,
  committeeUncertainty,
  entropy,
  leastConfidence,
  margin,
  rowUncertainty,
} from "../../../src/stats/index.ts";

const random = createRandom(5);
const ROWS = 50;
const WIDTH = 4;
function matrix() {
  const values = new Float64Array(ROWS * WIDTH);
  for (let i = 0; i < ROWS; i++) {
    const raw = Array.from({ length: WIDTH }, () => random.nextFloat());
    const sum = raw.reduce((total, one) => total + one, 0);
    raw.forEach((one, j) => {
      values[i * WIDTH + j] = one / sum;
    });
  }
  return { values, width: WIDTH };
}
const row = ({ values }: { values: Float64Array }, i: number) => [...values.subarray(i * WIDTH, (i + 1) * WIDTH)];

describe("measures over a matrix", () => {
  it("are those of single rows, which are checked against the reference vectors", () => {
    const scores = matrix();
    const measures = { margin: (p: number[]) => 1 - margin(p), "least-confidence": leastConfidence, entropy } as const;
    for (const [name, of] of Object.entries(measures)) {
      const found = rowUncertainty(name as keyof typeof measures, scores);
      for (let i = 0; i < ROWS; i++) expect(found[i]).toBeCloseTo(of(row(scores, i)), 12);
    }
  });

  it("are BALD for a committee of classifiers, the spread for one of regressions", () => {
    const members = [matrix(), matrix(), matrix()];
    const found = committeeUncertainty(members);
    for (let i = 0; i < ROWS; i++) {
      const { mutualInformation } = committeeDisagreement(members.map((member) => row(member, i)));
      expect(found[i]).toBeCloseTo(mutualInformation, 12);
    }
    const numbers = [1, 2, 3].map((value) => ({ values: Float64Array.of(value, 7), width: 1 }));
    expect([...committeeUncertainty(numbers)]).toEqual([1, 0]);
  });
});
