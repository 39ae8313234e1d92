/** Weights of training rows against their definition, and what they do to a model of data that changed. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/index.ts";
import { rowWeights } from "../../src/data/index.ts";
import { TRAINERS } from "../../src/learn/index.ts";

const DAY = 86_400_000;

function tableOf(ages: readonly number[], values: readonly number[] = ages.map(() => 1)) {
  return {
    at: Float64Array.from(ages, (age) => 1e12 - age * DAY),
    frame: { rows: ages.length, columns: [{ kind: "number", name: "amount", values: Float32Array.from(values) }] },
  } as const;
}
const all = (count: number) => Uint32Array.from({ length: count }, (_, i) => i);

describe("row weights", () => {
  it("halve with every half-life before the newest row, and average 1", () => {
    const weights = rowWeights(tableOf([0, 30, 60, 90]), all(4), { halfLifeMs: 30 * DAY });
    const sum = 1 + 0.5 + 0.25 + 0.125;
    for (const [i, share] of [1, 0.5, 0.25, 0.125].entries()) expect(weights[i]).toBeCloseTo((share * 4) / sum, 12);
  });

  it("count age from the newest of the rows that train, not of all", () => {
    const weights = rowWeights(tableOf([0, 30, 60]), Uint32Array.of(1, 2), { halfLifeMs: 30 * DAY });
    expect(weights[0]).toBeCloseTo(4 / 3, 12);
    expect(weights[1]).toBeCloseTo(2 / 3, 12);
  });

  it("follow a feature, times the decay", () => {
    expect([...rowWeights(tableOf([5, 9, 1], [1, 0, 3]), all(3), { feature: "amount" })]).toEqual([0.75, 0, 2.25]);
    const both = rowWeights(tableOf([0, 30], [1, 2]), all(2), { feature: "amount", halfLifeMs: 30 * DAY });
    expect(both[0]).toBeCloseTo(1, 12);
    expect(both[1]).toBeCloseTo(1, 12);
  });

  it("take a missing value for the mean of the known ones", () => {
    expect([...rowWeights(tableOf([0, 0, 0], [1, Number.NaN, 3]), all(3), { feature: "amount" })]).toEqual([
      0.5, 1, 1.5,
    ]);
  });

  it.each([
    [[1, -2], "-2"],
    [[Infinity, 1], "Infinity"],
    [[0, 0], "weigh 0"],
  ])("refuse %j", (values, part) => {
    expect(() => rowWeights(tableOf([0, 1], values), all(2), { feature: "amount" })).toThrow(
      expect.objectContaining({ code: "TRAINER_FAILED", message: expect.stringContaining(part) }),
    );
  });
});

const weighing = TRAINERS.filter((trainer) => trainer.takesWeights).map((trainer) => [trainer.name, trainer] as const);

describe("a trainer that takes weights", () => {
  it("is every built-in one but the last value", () => {
    expect(weighing.map(([name]) => name).sort()).toEqual(["gbdt", "linear", "majority", "mean", "mlp"]);
  });

  it.each(weighing)("%s follows the newer rows where old and new contradict each other", async (_name, trainer) => {
    const task = trainer.tasks.includes("regression") ? "regression" : "binary";
    const random = createRandom(4);
    const rows = 400;
    // The first three quarters say "mostly 0", the last quarter "mostly 1"; a feature that explains nothing.
    const values = Float32Array.from({ length: rows }, () => random.nextFloat());
    const target = Float64Array.from({ length: rows }, (_, i) => (random.nextFloat() < (i < 300 ? 0.1 : 0.9) ? 1 : 0));
    const ages = Array.from({ length: rows }, (_, i) => rows - i);
    const answer = async (weights?: Float64Array) => {
      const y = {
        values: target,
        classCount: task === "binary" ? 2 : 0,
        ...(weights === undefined ? {} : { weights }),
      };
      const trained = await trainer.fit({
        task,
        train: { x: { rows, columns: 1, values }, y },
        validation: {
          x: { rows: 0, columns: 1, values: new Float32Array(0) },
          y: { values: new Float64Array(0), classCount: y.classCount },
        },
        params: trainer.resolveParams("epochs" in trainer.defaults ? { epochs: 10 } : {}),
        seed: 3,
        signal: new AbortController().signal,
        onPoint: async () => {},
      });
      const out = new Float64Array(task === "binary" ? 2 : 1);
      trainer.scorer(trained, task)(Float32Array.of(0.5), 0, out);
      return out[out.length - 1] as number;
    };
    expect(await answer()).toBeLessThan(0.5);
    expect(await answer(rowWeights(tableOf(ages), all(rows), { halfLifeMs: 20 * DAY }))).toBeGreaterThan(0.55);
  });
});
