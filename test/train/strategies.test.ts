import { describe, expect, it } from "vitest";
import { findTrainer } from "../../src/learn/index.ts";
import { fitThreshold, selectTrainingRows, strategyParams } from "../../src/train/index.ts";

const rows = (count: number) => Uint32Array.from({ length: count }, (_, i) => i);
const options = (count: number) => ({
  train: rows(count),
  at: Float64Array.from(rows(count)),
  knownAt: Float64Array.from(rows(count)),
  timeOrdered: true,
  seed: 1,
});

describe("training strategies", () => {
  it("train on everything when full, or when there is no base", () => {
    const base = { asOf: 10, trainTo: 10 };
    expect(selectTrainingRows({ ...options(50), strategy: "full", base }).rows).toHaveLength(50);
    expect(selectTrainingRows({ ...options(50), strategy: "warm-start", base: undefined }).rows).toHaveLength(50);
  });

  it("take every row the base has not seen and a bounded part of the others", () => {
    const base = { asOf: 0, trainTo: 8999 };
    const warm = selectTrainingRows({ ...options(10_000), strategy: "warm-start", base });
    expect([warm.newRows, warm.replayedRows]).toEqual([1000, 4000]);
    const incremental = selectTrainingRows({ ...options(10_000), strategy: "incremental", base });
    expect([incremental.newRows, incremental.replayedRows]).toEqual([1000, 200]);
    for (const { rows: chosen } of [warm, incremental]) {
      expect(new Set(chosen).size).toBe(chosen.length);
      expect([...chosen]).toEqual([...chosen].sort((a, b) => a - b));
      expect([...chosen].filter((row) => row > 8999)).toHaveLength(1000);
    }
  });

  it("call a row new by when it was known where rows have no time", () => {
    const base = { asOf: 39, trainTo: null };
    const input = { ...options(50), timeOrdered: false, strategy: "incremental" as const, base };
    expect(selectTrainingRows(input).newRows).toBe(10);
  });

  it("replay the same rows for the same seed", () => {
    const input = { ...options(10_000), strategy: "incremental" as const, base: { asOf: 0, trainTo: 8999 } };
    expect(selectTrainingRows(input)).toEqual(selectTrainingRows(input));
    expect(selectTrainingRows({ ...input, seed: 2 }).rows).not.toEqual(selectTrainingRows(input).rows);
  });

  it("that a trainer does not offer are refused with those it offers", () => {
    expect(() => strategyParams(findTrainer("majority"), "warm-start", {})).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining("full") }),
    );
    expect(strategyParams(findTrainer("linear"), "incremental", { epochs: 30 })["epochs"]).toBe(3);
  });
});

describe("the fitted threshold", () => {
  const best = (labels: readonly number[], scores: readonly number[], maximize: "f1" | "accuracy") =>
    fitThreshold(Float64Array.from(labels), Float64Array.from(scores), maximize);

  it("cuts halfway where the classes part", () => {
    expect(best([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], "f1")).toBeCloseTo(0.25, 12);
    expect(best([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], "accuracy")).toBeCloseTo(0.25, 12);
  });

  it("is no worse than any other cut, by brute force", () => {
    const labels = [0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1];
    const scores = [0.1, 0.35, 0.4, 0.2, 0.8, 0.65, 0.6, 0.3, 0.3, 0.05, 0.15, 0.9];
    const f1 = (threshold: number) => {
      const decided = scores.map((score) => Number(score >= threshold));
      const hits = decided.filter((one, i) => one === 1 && labels[i] === 1).length;
      return (2 * hits) / (decided.filter((one) => one === 1).length + labels.filter((one) => one === 1).length);
    };
    const bruteForce = Math.max(...Array.from({ length: 1000 }, (_, i) => f1(i / 1000)));
    expect(f1(best(labels, scores, "f1"))).toBeCloseTo(bruteForce, 12);
  });

  it("is 0.5 where there is one class only, and may decide nothing for accuracy", () => {
    expect(best([1, 1], [0.2, 0.3], "f1")).toBe(0.5);
    expect(best([0, 0, 0, 1], [0.9, 0.8, 0.7, 0.1], "accuracy")).toBe(1);
  });
});
