// Opinions of one network: many where it learned with dropout, one where it did not, and their mean is what the network says.
import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.ts";
import { mlp } from "../../../src/learn/mlp/mlp.ts";
import type { FitRequest, TrainedWeights } from "../../../src/learn/index.ts";
import { committeeDisagreement } from "../../../src/stats/index.ts";
import { networkRequest } from "./data.ts";

const COLUMNS = 2;
/** Two classes that the first column tells apart, all between -1 and 1. */
function request(dropout: number): FitRequest {
  const given = networkRequest("binary", {
    rows: 600,
    columns: COLUMNS,
    params: { hidden: [32], epochs: 40, dropout },
  });
  const random = createRandom(3);
  const values = Float32Array.from({ length: 600 * COLUMNS }, () => random.nextFloat() * 2 - 1);
  const target = Float64Array.from({ length: 600 }, (_, i) => ((values[i * COLUMNS] as number) > 0 ? 1 : 0));
  const part = { x: { rows: 600, columns: COLUMNS, values }, y: { values: target, classCount: 2 } };
  return { ...given, train: part, validation: part };
}
const opinions = (trained: TrainedWeights, row: readonly number[]) =>
  (mlp.committee?.(trained, "binary") ?? []).map((score) => {
    const out = new Float64Array(2);
    score(Float32Array.from(row), 0, out);
    return [...out];
  });

describe("a committee of one network", () => {
  it("has no members where nothing was dropped in training", async () => {
    expect(opinions(await mlp.fit(request(0)), [0, 0])).toEqual([]);
  });

  it("disagrees at the border more than where the data are clear, the same way each time, around what the network says", async () => {
    const trained = await mlp.fit(request(0.3));
    const told = (row: readonly number[]) => committeeDisagreement(opinions(trained, row)).mutualInformation;
    expect(opinions(trained, [0.1, 0.4])).toHaveLength(10);
    expect(opinions(trained, [0.1, 0.4])).toEqual(opinions(trained, [0.1, 0.4]));
    const mean = (at: number) => [-0.9, -0.5, 0, 0.5, 0.9].reduce((sum, other) => sum + told([at, other]) / 5, 0);
    expect(mean(0.02)).toBeGreaterThan(2 * mean(0.9));
    expect(mean(0.02)).toBeGreaterThan(2 * mean(-0.9));
    const out = new Float64Array(2);
    mlp.scorer(trained, "binary")(Float32Array.from([0.8, 0]), 0, out);
    const { consensus } = committeeDisagreement(opinions(trained, [0.8, 0]));
    expect(Math.abs((consensus[1] as number) - (out[1] as number))).toBeLessThan(0.1);
  });
});
