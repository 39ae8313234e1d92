import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.ts";
import { gbdtContributions, gbdtImportance } from "../../../src/learn/gbdt/explain.ts";
import { gbdt } from "../../../src/learn/gbdt/gbdt.ts";
import { findBranch, packedTreesOf, readTrees } from "../../../src/learn/gbdt/predict.ts";
import { COLUMN_MASK, NODE_INTS } from "../../../src/learn/gbdt/tree.ts";
import type { TrainedWeights } from "../../../src/learn/index.ts";
import { logit } from "../../../src/stats/index.ts";
import { request, scoresOf } from "./data.ts";

/** The expected score where only the columns of `known` are known: unknown ones go both ways, by training rows. */
function expectation(trained: TrainedWeights, x: Float32Array, known: ReadonlySet<number>, output: number): number {
  const trees = readTrees(packedTreesOf(trained));
  const start = trained.arrays["start"] as Float32Array;
  const visit = (at: number): number => {
    const meta = trees.nodes[at + 1] as number;
    if (meta < 0) return trees.floats[at] as number;
    if (known.has(meta & COLUMN_MASK)) return visit(findBranch(trees, at, x, 0));
    return [2, 3]
      .map((side) => trees.nodes[at + side] as number)
      .reduce((sum, child) => sum + (visit(child) * countOf(child)) / countOf(at), 0);
  };
  const countOf = (at: number) => trees.counts[at / NODE_INTS] as number;
  let sum = start[output] as number;
  for (let t = output; t < trees.roots.length; t += start.length) sum += visit(trees.roots[t] as number);
  return sum;
}

/** Shapley values by their definition: the mean over all subsets of what a column changes. */
function bruteForce(trained: TrainedWeights, x: Float32Array, output: number): number[] {
  const n = x.length;
  const factorial = (k: number): number => (k <= 1 ? 1 : k * factorial(k - 1));
  return Array.from({ length: n }, (_, column) => {
    let value = 0;
    for (let subset = 0; subset < 1 << n; subset++) {
      if ((subset >> column) & 1) continue;
      const known = new Set(Array.from({ length: n }, (_unused, j) => j).filter((j) => (subset >> j) & 1));
      const weight = (factorial(known.size) * factorial(n - known.size - 1)) / factorial(n);
      const without = expectation(trained, x, known, output);
      value += weight * (expectation(trained, x, new Set([...known, column]), output) - without);
    }
    return value;
  });
}

describe("contributions of the columns to a score", () => {
  it.each([
    ["binary", 0],
    ["multiclass", 2],
    ["regression", 0],
  ] as const)("are the Shapley values of the definition: %s", async (task, output) => {
    const all = request({ task, params: { epochs: 6, patience: 0, maxLeaves: 12 }, table: { missing: 0.1 } });
    const trained = await gbdt.fit(all);
    const random = createRandom(1);
    for (let i = 0; i < 8; i++) {
      const row = random.nextInt(700) * 6;
      const x = all.train.x.values.slice(row, row + 6);
      const found = gbdtContributions(trained, x, output);
      const unit = task === "regression" ? Number(trained.shape["targetDeviation"]) : 1;
      bruteForce(trained, x, output).forEach((value, j) => expect(found.contributions[j]).toBeCloseTo(value * unit, 8));
    }
  });

  it("add up to the score that is served", async () => {
    const all = request({ params: { epochs: 40 } });
    const trained = await gbdt.fit(all);
    const served = scoresOf(trained, "binary", all.train as never);
    for (let i = 0; i < 20; i++) {
      const { score } = gbdtContributions(trained, all.train.x.values.slice(i * 6, i * 6 + 6));
      expect(score).toBeCloseTo(logit(served[i * 2 + 1] as number), 4);
    }
  });
});

describe("importance", () => {
  it("counts every split once and puts a column that says nothing last", async () => {
    const all = request({ params: { epochs: 30, patience: 0 } });
    const trained = await gbdt.fit(all);
    const found = gbdtImportance(trained);
    const { roots, gains } = packedTreesOf(trained);
    // A binary tree of n nodes has (n − 1) / 2 splits.
    expect(found.reduce((sum, one) => sum + one.splits, 0)).toBe((gains.length - roots.length) / 2);
    expect(found[0]?.gain).toBeGreaterThan(5 * (found[3]?.gain as number));
  });
});
