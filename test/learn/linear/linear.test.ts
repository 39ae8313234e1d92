/**
 * The linear trainer against solutions found another way: the normal equations for least squares, Newton's method for the
 * logistic loss. Both minimize exactly the penalized loss that the trainer states, so the answers must meet.
 */
import { describe, expect, it } from "vitest";
import { createRandom, type JsonObject, sha256Hex, type Task } from "../../../src/core/index.ts";
import { linear, linearContributions, type Matrix, type Targets } from "../../../src/learn/index.ts";
import { encodeWeights } from "../../../src/model/index.ts";
import { sigmoid } from "../../../src/stats/index.ts";

const ROWS = 4000;
const COLUMNS = 4;

function makeData(task: Task): { readonly x: Matrix; readonly y: Targets } {
  const random = createRandom(21);
  const values = new Float32Array(ROWS * COLUMNS);
  const target = new Float64Array(ROWS);
  for (let i = 0; i < ROWS; i++) {
    for (let j = 0; j < COLUMNS; j++) {
      // The last column repeats the first with noise: correlated columns are where bad optimizers stop early.
      const fresh = (random.nextFloat() - 0.5) * 3.4;
      values[i * COLUMNS + j] = j === COLUMNS - 1 ? (values[i * COLUMNS] as number) * 0.8 + fresh * 0.4 : fresh;
    }
    const row = values.subarray(i * COLUMNS, (i + 1) * COLUMNS);
    const score = 0.9 * (row[0] as number) - 1.2 * (row[1] as number) + 0.3 * (row[3] as number) - 1;
    target[i] =
      task === "regression"
        ? 200 + 30 * score + 20 * (random.nextFloat() - 0.5)
        : Number(random.nextFloat() < sigmoid(score));
  }
  return {
    x: { rows: ROWS, columns: COLUMNS, values },
    y: { values: target, classCount: task === "regression" ? 0 : 2 },
  };
}

/** Solves A x = b in place by Gaussian elimination with pivoting. */
function solve(a: number[][], b: number[]): number[] {
  const n = b.length;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(a[i]?.[k] as number) > Math.abs(a[pivot]?.[k] as number)) pivot = i;
    [a[k], a[pivot]] = [a[pivot] as number[], a[k] as number[]];
    [b[k], b[pivot]] = [b[pivot] as number, b[k] as number];
    for (let i = k + 1; i < n; i++) {
      const factor = (a[i]?.[k] as number) / (a[k]?.[k] as number);
      for (let j = k; j < n; j++) (a[i] as number[])[j] = (a[i]?.[j] as number) - factor * (a[k]?.[j] as number);
      b[i] = (b[i] as number) - factor * (b[k] as number);
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i] as number;
    for (let j = i + 1; j < n; j++) sum -= (a[i]?.[j] as number) * (x[j] as number);
    x[i] = sum / (a[i]?.[i] as number);
  }
  return x;
}

/** One Newton step of the penalized loss per round; for least squares the first round is already exact. */
function newton(x: Matrix, target: Float64Array, isLogistic: boolean, rounds: number): number[] {
  const width = COLUMNS + 1;
  let weights = new Array<number>(width).fill(0);
  for (let round = 0; round < rounds; round++) {
    const hessian = Array.from({ length: width }, () => new Array<number>(width).fill(0));
    const gradient = new Array<number>(width).fill(0);
    for (let i = 0; i < ROWS; i++) {
      const row = [...x.values.subarray(i * COLUMNS, (i + 1) * COLUMNS), 1];
      const score = row.reduce((sum, value, j) => sum + value * (weights[j] as number), 0);
      const p = isLogistic ? 1 / (1 + Math.exp(-score)) : score;
      const curvature = isLogistic ? p * (1 - p) : 1;
      for (let j = 0; j < width; j++) {
        gradient[j] = (gradient[j] as number) + (p - (target[i] as number)) * (row[j] as number);
        for (let k = 0; k < width; k++) {
          (hessian[j] as number[])[k] =
            (hessian[j]?.[k] as number) + curvature * (row[j] as number) * (row[k] as number);
        }
      }
    }
    // l2 = 1 adds ½ ‖w‖² to the summed loss; the intercept is free.
    for (let j = 0; j < COLUMNS; j++) {
      gradient[j] = (gradient[j] as number) + (weights[j] as number);
      (hessian[j] as number[])[j] = (hessian[j]?.[j] as number) + 1;
    }
    const step = solve(hessian, gradient);
    weights = weights.map((weight, j) => weight - (step[j] as number));
  }
  return weights;
}

/** Lasso ½ Σ (w·x + b − y)² + l1 Σ |w| by iterative soft thresholding with a safe step; slow and plain. */
function proximal(x: Matrix, target: Float64Array, l1: number): number[] {
  const weights = new Array<number>(COLUMNS + 1).fill(0);
  const step = 1 / (ROWS * (COLUMNS + 1) * 1.5);
  for (let round = 0; round < 150; round++) {
    const gradient = new Array<number>(COLUMNS + 1).fill(0);
    for (let i = 0; i < ROWS; i++) {
      const row = [...x.values.subarray(i * COLUMNS, (i + 1) * COLUMNS), 1];
      const residual = row.reduce((sum, value, j) => sum + value * (weights[j] as number), 0) - (target[i] as number);
      row.forEach((value, j) => (gradient[j] = (gradient[j] as number) + residual * value));
    }
    for (let j = 0; j <= COLUMNS; j++) {
      const moved = (weights[j] as number) - step * (gradient[j] as number);
      const cut = j === COLUMNS ? 0 : step * l1;
      weights[j] = Math.abs(moved) <= cut ? 0 : moved - Math.sign(moved) * cut;
    }
  }
  return weights;
}

const requestOf = (task: Task, params: JsonObject) => {
  const data = makeData(task);
  return {
    task,
    train: data,
    validation: data,
    params,
    seed: 3,
    signal: new AbortController().signal,
    onPoint: async () => {},
  };
};
const fit = (task: Task, params: JsonObject) => linear.fit(requestOf(task, params));

describe("the linear trainer", () => {
  it("meets Newton's solution of the logistic loss", async () => {
    const { x, y } = makeData("binary");
    const exact = newton(x, y.values, true, 12);
    const trained = await fit("binary", { epochs: 60, patience: 60 });
    const weights = trained.arrays["weights"] as Float64Array;
    exact.forEach((weight, j) => expect(weights[j]).toBeCloseTo(weight, 1.5));
    const loss = (w: ArrayLike<number>) => {
      let sum = 0;
      for (let i = 0; i < ROWS; i++) {
        const row = [...x.values.subarray(i * COLUMNS, (i + 1) * COLUMNS), 1];
        const p = 1 / (1 + Math.exp(-row.reduce((total, value, j) => total + value * (w[j] as number), 0)));
        sum -= Math.log(y.values[i] === 1 ? p : 1 - p);
      }
      return sum / ROWS;
    };
    expect(loss(weights) - loss(exact)).toBeLessThan(2e-4);
  });

  it("meets the normal equations of least squares", async () => {
    const { x, y } = makeData("regression");
    const mean = y.values.reduce((sum, value) => sum + value, 0) / ROWS;
    const deviation = Math.sqrt(y.values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / ROWS);
    const exact = newton(
      x,
      y.values.map((value) => (value - mean) / deviation),
      false,
      1,
    );
    const trained = await fit("regression", { epochs: 60, patience: 60 });
    const weights = trained.arrays["weights"] as Float64Array;
    exact.forEach((weight, j) => expect(weights[j]).toBeCloseTo(weight, 2));
    expect(trained.shape).toMatchObject({
      targetMean: expect.closeTo(mean, 9),
      targetDeviation: expect.closeTo(deviation, 9),
    });
  });

  it("is calibrated: the mean probability is the share of positives", async () => {
    const { x, y } = makeData("binary");
    const trained = await fit("binary", {});
    const score = linear.scorer(trained, "binary");
    const out = new Float64Array(2);
    let sum = 0;
    for (let i = 0; i < ROWS; i++) {
      score(x.values, i * COLUMNS, out);
      sum += out[1] as number;
    }
    expect(sum / ROWS).toBeCloseTo(y.values.reduce((total, value) => total + value, 0) / ROWS, 2);
  });

  it("shrinks its weights with the penalty", async () => {
    const size = async (l2: number) =>
      ((await fit("binary", { l2, epochs: 10 })).arrays["weights"] as Float64Array)
        .subarray(0, COLUMNS)
        .reduce((sum, weight) => sum + weight * weight, 0);
    expect(await size(2000)).toBeLessThan(0.5 * (await size(0)));
  });

  it("meets the lasso's solution, found by proximal gradient steps, zeros included", async () => {
    const { x, y } = makeData("regression");
    const mean = y.values.reduce((sum, value) => sum + value, 0) / ROWS;
    const deviation = Math.sqrt(y.values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / ROWS);
    const target = y.values.map((value) => (value - mean) / deviation);
    const exact = proximal(x, target, 1200);
    const trained = await fit("regression", { epochs: 60, patience: 60, l2: 0, l1: 1200 });
    const weights = trained.arrays["weights"] as Float64Array;
    exact.forEach((weight, j) => expect(weights[j]).toBeCloseTo(weight, 1.7));
    // The third column is noise; its weight is closed in both, exactly.
    expect([exact[2], weights[2]]).toEqual([0, 0]);
    expect(Math.abs(weights[1] as number)).toBeGreaterThan(0.1);
  });

  it("with balanced classes, trains as if each class had the same total weight", async () => {
    const data = makeData("binary");
    const positives = data.y.values.reduce((sum, value) => sum + value, 0);
    const weights = data.y.values.map((label) => ROWS / (2 * (label === 1 ? positives : ROWS - positives)));
    const weighted = { x: data.x, y: { ...data.y, weights } };
    const request = requestOf("binary", {});
    const left = await linear.fit({ ...request, params: { epochs: 5, classWeights: "balanced" } });
    const right = await linear.fit({ ...request, params: { epochs: 5 }, train: weighted, validation: weighted });
    expect(left.arrays).toEqual(right.arrays);
  });

  it("splits a score into the contributions of its columns", async () => {
    const trained = await fit("regression", { epochs: 3 });
    const { x } = makeData("regression");
    const score = linear.scorer(trained, "regression");
    const out = new Float64Array(1);
    score(x.values, COLUMNS, out);
    const parts = linearContributions(trained, x.values.subarray(COLUMNS, 2 * COLUMNS));
    expect(parts.contributions.reduce((sum, one) => sum + one, parts.intercept)).toBeCloseTo(out[0] as number, 9);
  });

  it("gives event-loop turns while it trains", async () => {
    const rows = 300_000;
    const values = new Float32Array(rows * 32).map((_, i) => ((i * 7919) % 1000) / 1000);
    const target = Float64Array.from({ length: rows }, (_, i) => i % 2);
    const part = { x: { rows, columns: 32, values }, y: { values: target, classCount: 2 } };
    const abort = new AbortController();
    let points = 0;
    // The abort comes from outside, as a cancel message does: it can only arrive if the loop turns within an epoch.
    setImmediate(() => abort.abort());
    const request = {
      task: "binary",
      train: part,
      validation: part,
      params: {},
      seed: 1,
      signal: abort.signal,
    } as const;
    await expect(linear.fit({ ...request, onPoint: async () => void points++ })).rejects.toMatchObject({
      code: "TRAINER_CANCELED",
    });
    expect(points).toBe(0);
  });
});

describe("reproducible bits", () => {
  // Kept to notice change, not as truth: a new hash means that every stored version would be reproduced differently.
  it.each([
    ["binary", "301dba83621962276fea4aac503458398d4e39b7f0e0ce3628d2fa847a4ca8f6"],
    ["regression", "ae9f5c65fe9e99ebacca26c33293ab9797fdf1cc63029bd5f083543ad21061c4"],
  ] as const)("are the same on every engine for %s", async (task, hash) => {
    const { json, binary } = encodeWeights(await fit(task, { epochs: 4 }));
    expect(sha256Hex(`${json}${Buffer.from(binary).toString("hex")}`)).toBe(hash);
  });
});
