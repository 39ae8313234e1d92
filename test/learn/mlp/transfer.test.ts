/** Layers of one network under the head of another: what is frozen stays, what is reused saves rows. */
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createRandom, type JsonObject } from "../../../src/core/index.ts";
import { type FitRequest, type Matrix, mlp, type Targets, type TrainedWeights } from "../../../src/learn/index.ts";

interface Part {
  readonly x: Matrix;
  readonly y: Targets;
}
const part = (rows: readonly (readonly number[])[], classes: readonly number[], classCount: number): Part => ({
  x: { rows: rows.length, columns: rows[0]?.length ?? 0, values: Float32Array.from(rows.flat()) },
  y: { values: Float64Array.from(classes), classCount },
});
const requestOf = (train: Part, validation: Part, params: JsonObject, extra: Partial<FitRequest> = {}): FitRequest => ({
  task: "multiclass",
  train,
  validation,
  params,
  seed: 3,
  signal: new AbortController().signal,
  onPoint: async () => {},
  ...extra,
});

function accuracyOf(trained: TrainedWeights, { x, y }: Part): number {
  const score = mlp.scorer(trained, "multiclass");
  const out = new Float64Array(y.classCount);
  let right = 0;
  for (let i = 0; i < x.rows; i++) {
    score(x.values, i * x.columns, out);
    if (out.indexOf(Math.max(...out)) === y.values[i]) right++;
  }
  return right / x.rows;
}

/** Classes are corners of three hidden signs, each the parity of two of 12 inputs: a network has to find the pairs first. */
function parities(count: number, seed: number, classOf: (signs: readonly number[]) => number): Part {
  const random = createRandom(seed);
  const rows = Array.from({ length: count }, () => Array.from({ length: 12 }, () => random.nextFloat() * 2 - 1));
  const sign = (row: readonly number[], i: number) =>
    (row[2 * i] as number) > 0 === (row[2 * i + 1] as number) > 0 ? 1 : 0;
  return part(
    rows,
    rows.map((row) => classOf([sign(row, 0), sign(row, 1), sign(row, 2)])),
    4,
  );
}
const firstTwo = ([a, b]: readonly number[]) => 2 * (a as number) + (b as number);
const otherWay = ([a, b]: readonly number[]) => 3 - (2 * (b as number) + (a as number));
const HIDDEN = { hidden: [24], epochs: 60, patience: 60 };

describe("transfer of layers on generated rows", () => {
  const base = mlp.fit(requestOf(parities(4000, 1, firstTwo), parities(500, 2, firstTwo), HIDDEN));
  const train = parities(120, 3, otherWay);
  const [validation, test] = [parities(200, 4, otherWay), parities(2000, 5, otherWay)];

  it("needs far fewer rows than a network that starts from nothing", async () => {
    const alone = accuracyOf(await mlp.fit(requestOf(train, validation, HIDDEN)), test);
    const extra = { base: await base, freeze: ["hidden1"] };
    const moved = accuracyOf(await mlp.fit(requestOf(train, validation, HIDDEN, extra)), test);
    expect(alone).toBeLessThan(0.6);
    expect(moved).toBeGreaterThan(0.85);
  });

  it("keeps frozen layers to the bit, moves the others carefully, and starts the head anew", async () => {
    const from = await base;
    const fit = async (freeze: readonly string[], params: JsonObject = {}) =>
      mlp.fit(requestOf(train, validation, { ...HIDDEN, epochs: 2, ...params }, { base: from, freeze }));
    const frozen = await fit(["hidden1"]);
    expect(frozen.arrays["hidden1.weights"]).toEqual(from.arrays["hidden1.weights"]);
    expect(frozen.arrays["hidden1.biases"]).toEqual(from.arrays["hidden1.biases"]);
    const other = requestOf(train, validation, { ...HIDDEN, epochs: 2 }, { base: from, freeze: ["hidden1"] });
    expect((await mlp.fit(other)).arrays).toEqual(frozen.arrays);
    const distance = (one: TrainedWeights) =>
      (one.arrays["hidden1.weights"] as Float32Array).reduce(
        (sum, weight, i) => sum + Math.abs(weight - ((from.arrays["hidden1.weights"] as Float32Array)[i] as number)),
        0,
      );
    const [careful, bold] = [await fit([]), await fit([], { warmRate: 1 })];
    expect(distance(careful)).toBeGreaterThan(0);
    expect(distance(bold)).toBeGreaterThan(2 * distance(careful));
  });

  it("resumes from a checkpoint to the same bits", async () => {
    const extra = { base: await base, freeze: [] };
    let kept: TrainedWeights | undefined;
    const onCheckpoint = async (state: () => TrainedWeights) => {
      kept ??= state();
    };
    const params = { ...HIDDEN, epochs: 4 };
    const whole = await mlp.fit(requestOf(train, validation, params, { ...extra, onCheckpoint }));
    const resumed = await mlp.fit(
      requestOf(train, validation, params, { ...extra, ...(kept === undefined ? {} : { resume: kept }) }),
    );
    expect(resumed).toEqual(whole);
  });

  it("refuses layers of another size, frozen heads and layers there are none of", async () => {
    const fit = async (params: JsonObject, freeze: readonly string[]) =>
      mlp.fit(requestOf(train, validation, { ...HIDDEN, ...params }, { base: await base, freeze }));
    await expect(fit({ hidden: [8] }, [])).rejects.toMatchObject({
      code: "TRANSFER_BASE_UNFIT",
      message: "The hidden layers of the base are 12 × 24; this model's are 12 × 8.",
    });
    await expect(fit({}, ["output"])).rejects.toThrow(
      '`freeze` freezes "output", but the head is new and has to learn.',
    );
    await expect(fit({}, ["hiden1"])).rejects.toThrow('Closest: "hidden1".');
  });
});

const DIGITS = fileURLToPath(new URL("../../../../shared/data/digits-8x8/digits-8x8.csv.gz", import.meta.url));
const hasDigits = existsSync(DIGITS);

describe.skipIf(!hasDigits)(
  `transfer between handwritten digits${hasDigits ? "" : " (no data at ../shared/data)"}`,
  () => {
    it("tells 3, 5, 8 and 9 apart from three examples each, by layers that learned all ten digits elsewhere", async () => {
      const lines = gunzipSync(readFileSync(DIGITS)).toString("utf8").trim().split("\n").slice(1);
      const all = lines.map((line) => line.split(",").map(Number));
      const CLASSES = [3, 5, 8, 9];
      const toPart = (rows: readonly (readonly number[])[], classes: readonly number[]) =>
        part(
          rows.map((row) => row.slice(0, 64).map((pixel) => pixel / 8 - 1)),
          rows.map((row) => classes.indexOf(row[64] as number)),
          classes.length,
        );
      const params = { hidden: [32], epochs: 300, patience: 60 };
      const ten = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
      const base = await mlp.fit(requestOf(toPart(all.slice(0, 800), ten), toPart(all.slice(800, 900), ten), params));
      const pool = all.slice(900).filter((row) => CLASSES.includes(row[64] as number));
      const few = (each: number) => CLASSES.flatMap((digit) => pool.filter((row) => row[64] === digit).slice(0, each));
      const rest = pool.filter((row) => !few(12).includes(row));
      const [validation, test] = [toPart(rest.slice(0, 40), CLASSES), toPart(rest.slice(40), CLASSES)];
      const accuracy = async (each: number, extra: Partial<FitRequest> = {}) =>
        accuracyOf(
          await mlp.fit(requestOf(toPart(few(each), CLASSES), validation, { ...params, patience: 300 }, extra)),
          test,
        );
      const moved = await accuracy(3, { base, freeze: ["hidden1"] });
      // Measured: 0.90 from three examples each; from nothing 0.82 on three and 0.87 on twelve.
      expect(moved).toBeGreaterThan((await accuracy(3)) + 0.05);
      expect(moved).toBeGreaterThan(await accuracy(12));
    });
  },
);
