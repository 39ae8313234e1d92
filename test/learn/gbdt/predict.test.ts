/** Prediction by the kernel against the walk through the trees: every bit of every answer, on rows of every kind. */
import { describe, expect, it } from "vitest";
import { createRandom, type JsonObject, type Task } from "../../../src/core/index.ts";
import { gbdt } from "../../../src/learn/gbdt/gbdt.ts";
import { gbdtRowsScorer, gbdtScorer } from "../../../src/learn/gbdt/predict.ts";
import { compareTrees } from "../../../src/learn/gbdt/tree-tables.ts";
import { packedTreesOf } from "../../../src/learn/gbdt/predict.ts";
import { hasWasm } from "../../../src/learn/wasm.ts";
import type { TrainedWeights } from "../../../src/learn/index.ts";
import { COLUMNS, request, table } from "./data.ts";

const MODELS: readonly (readonly [string, Task, JsonObject])[] = [
  ["31 leaves", "binary", { epochs: 40 }],
  ["64 leaves by depth", "binary", { epochs: 20, grow: "depth" }],
  ["33 leaves and a few of one word", "regression", { epochs: 30, maxLeaves: 33, minChildWeight: 15 }],
  ["three outputs in turn", "multiclass", { epochs: 12, maxLeaves: 8 }],
  ["stumps", "regression", { epochs: 9, maxLeaves: 2, loss: "poisson" }],
  ["200 leaves, walked", "binary", { epochs: 5, maxLeaves: 200, minChildWeight: 0 }],
];

/** Odd values in odd places: missing, infinite, both zeros, codes nobody has seen, and values on the edges themselves. */
function oddRows(rows: number, edges: readonly number[]): Float32Array {
  const random = createRandom(77);
  const { values } = table({ rows, seed: 9, missing: 0.1 }).x;
  const odd = [Number.NaN, Infinity, -Infinity, 0, -0, 0.5, 254, 255, 256, 1e9, -3];
  for (let i = 0; i < values.length; i++) {
    const draw = random.nextInt(8);
    if (draw === 0) values[i] = odd[random.nextInt(odd.length)] as number;
    else if (draw === 1 && edges.length > 0) values[i] = edges[random.nextInt(edges.length)] as number;
  }
  return values;
}

function thresholdsOf(trained: TrainedWeights): number[] {
  const compared = compareTrees(packedTreesOf(trained)) ?? [];
  return compared.flatMap(({ comparisons }) => comparisons.map(({ threshold }) => threshold));
}

function byRow(trained: TrainedWeights, task: Task, x: Float32Array, path: "auto" | "walk"): Float64Array {
  const score = gbdtScorer(trained, task, path);
  const width = task === "binary" ? 2 : (trained.arrays["start"]?.length as number);
  const out = new Float64Array(width);
  const all = new Float64Array((x.length / COLUMNS.length) * width);
  for (let row = 0; row < x.length / COLUMNS.length; row++) {
    score(x, row * COLUMNS.length, out);
    all.set(out, row * width);
  }
  return all;
}

describe("scores of a model", () => {
  it.each(MODELS)("have the same bits by row, by block and by walking: %s", async (_name, task, params) => {
    const trained = await gbdt.fit(
      request({ task, params: { patience: 0, ...params }, table: { task, missing: 0.1 } }),
    );
    const x = oddRows(1100, thresholdsOf(trained));
    const walked = byRow(trained, task, x, "walk");
    expect(byRow(trained, task, x, "auto")).toEqual(walked);
    for (const rows of [0, 1, 3, 128, 129, 1100]) {
      const out = new Float64Array((walked.length / 1100) * rows);
      gbdtRowsScorer(trained, task)(x, rows, out);
      expect(out).toEqual(walked.subarray(0, out.length));
    }
  });

  it("come from the kernel where a tree has at most 64 leaves", async () => {
    const small = await gbdt.fit(request({ params: { epochs: 2, maxLeaves: 64 } }));
    const large = await gbdt.fit(request({ params: { epochs: 2, maxLeaves: 128, minChildWeight: 0 } }));
    expect(compareTrees(packedTreesOf(small))).toHaveLength(2);
    expect(compareTrees(packedTreesOf(large))).toBeUndefined();
  });

  it.skipIf(!hasWasm("trees", 1))("are those of a model that is one leaf", async () => {
    const all = request({ params: { epochs: 3, minChildWeight: 1e6 } });
    const trained = await gbdt.fit(all);
    const x = oddRows(10, []);
    expect(byRow(trained, "binary", x, "auto")).toEqual(byRow(trained, "binary", x, "walk"));
  });
});
