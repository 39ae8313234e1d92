// Counts per threshold against counting each threshold by hand.
import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/index.ts";
import { THRESHOLD_STEPS, thresholdCounts } from "../../src/evaluate/thresholds.ts";

describe("decisions at every threshold", () => {
  it("are those of comparing each score with it", () => {
    const random = createRandom(7);
    const edges = Array.from({ length: THRESHOLD_STEPS + 1 }, (_, step) => step / THRESHOLD_STEPS);
    const scores = Float64Array.from([...edges, ...Array.from({ length: 500 }, () => random.nextFloat())]);
    const labels = Float64Array.from(scores, () => random.nextInt(2));
    const found = thresholdCounts(labels, scores);
    const count = (at: number, label: number) =>
      scores.reduce((sum, score, i) => sum + (score >= at && labels[i] === label ? 1 : 0), 0);
    expect(found.truePositives).toEqual(edges.map((at) => count(at, 1)));
    expect(found.falsePositives).toEqual(edges.map((at) => count(at, 0)));
  });

  it("are none without rows", () => {
    const { truePositives, falsePositives } = thresholdCounts(new Float64Array(0), new Float64Array(0));
    expect(new Set([...truePositives, ...falsePositives])).toEqual(new Set([0]));
    expect(truePositives).toHaveLength(101);
  });
});
