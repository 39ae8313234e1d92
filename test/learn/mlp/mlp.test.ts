/** The network against what it must be able to do: gradients by differences, functions no linear model can learn. */
import { describe, expect, it } from "vitest";
import { createRandom, type JsonObject, type Task } from "../../../src/core/index.ts";
import { mlp, type Matrix, type Targets, type TrainedWeights } from "../../../src/learn/index.ts";
import type { Layer } from "../../../src/learn/mlp/layers.ts";
import { openNetwork } from "../../../src/learn/mlp/network.ts";
import { networkRequest } from "./data.ts";

/** The exclusive or of two signs, with noise columns: half of it looks random to a linear model. */
function signs(rows: number, seed: number): { readonly x: Matrix; readonly y: Targets } {
  const random = createRandom(seed);
  const values = Float32Array.from({ length: rows * 4 }, () => random.nextFloat() * 2 - 1);
  const target = Float64Array.from({ length: rows }, (_, i) =>
    (values[i * 4] as number) > 0 !== (values[i * 4 + 1] as number) > 0 ? 1 : 0,
  );
  return { x: { rows, columns: 4, values }, y: { values: target, classCount: 2 } };
}

function lossOf(trained: TrainedWeights, { x, y }: { readonly x: Matrix; readonly y: Targets }): number {
  const score = mlp.scorer(trained, "binary");
  const out = new Float64Array(2);
  let sum = 0;
  for (let i = 0; i < x.rows; i++) {
    score(x.values, i * x.columns, out);
    sum -= Math.log(out[y.values[i] as number] as number);
  }
  return sum / x.rows;
}

const fit = (change: JsonObject, train = signs(2000, 1)) =>
  mlp.fit({
    task: "binary",
    train,
    validation: signs(500, 2),
    params: change,
    seed: 4,
    signal: new AbortController().signal,
    onPoint: async () => {},
  });

describe("the mlp trainer", () => {
  it.each(["relu", "tanh"])("learns the exclusive or of two signs with %s units", async (activation) => {
    const trained = await fit({ activation, hidden: [16], epochs: 60 });
    // Guessing costs ln 2 = 0.693.
    expect(lossOf(trained, signs(1000, 3))).toBeLessThan(0.2);
  });

  it("learns it with three layers, dropout and few rows", async () => {
    const trained = await fit({ hidden: [24, 16, 8], dropout: 0.1, epochs: 120, patience: 40 }, signs(400, 5));
    expect(lossOf(trained, signs(1000, 3))).toBeLessThan(0.35);
  });

  it("follows a sine that a line cannot", async () => {
    const rows = 1500;
    const random = createRandom(8);
    const values = Float32Array.from({ length: rows }, () => random.nextFloat() * 2 - 1);
    const part = {
      x: { rows, columns: 1, values },
      y: { values: Float64Array.from(values, (x) => 500 + 40 * Math.sin(4 * x)), classCount: 0 },
    };
    const request = { ...networkRequest("regression", { rows: 4, columns: 1 }), train: part, validation: part };
    const trained = await mlp.fit({ ...request, params: { hidden: [32], activation: "tanh", learningRate: 0.01 } });
    const score = mlp.scorer(trained, "regression");
    const out = new Float64Array(1);
    let squares = 0;
    for (let i = 0; i < rows; i++) {
      score(values, i, out);
      squares += ((out[0] as number) - (part.y.values[i] as number)) ** 2;
    }
    // The sine's own deviation is about 28.
    expect(Math.sqrt(squares / rows)).toBeLessThan(3);
  });

  it("keeps a rare class calibrated: the mean probability is near its share", async () => {
    const train = signs(3000, 6);
    const rare = train.y.values.map((label, i) => (label === 1 && i % 20 === 0 ? 1 : 0));
    const part = { x: train.x, y: { values: rare, classCount: 2 } };
    const trained = await fit({ epochs: 10 }, part);
    const score = mlp.scorer(trained, "binary");
    const out = new Float64Array(2);
    let sum = 0;
    for (let i = 0; i < 3000; i++) {
      score(part.x.values, i * 4, out);
      sum += out[1] as number;
    }
    const share = rare.reduce((total, label) => total + label, 0) / 3000;
    expect(sum / 3000).toBeGreaterThan(share * 0.6);
    expect(sum / 3000).toBeLessThan(share * 1.5);
  });

  it("names a wrong list of layers", () => {
    for (const hidden of [[], [0], [1, 2, 3, 4], [2.5], 64]) {
      expect(() => mlp.resolveParams({ hidden })).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining("a list of 1 to 3") }),
      );
    }
  });
});

/** Loss of a network over all rows in 64 bits, written independently of the kernels. */
function plainLoss(task: Task, layers: readonly Layer[], x: Matrix, target: Float64Array, isTanh: boolean): number {
  let sum = 0;
  for (let i = 0; i < x.rows; i++) {
    let from: number[] = [...x.values.subarray(i * x.columns, (i + 1) * x.columns)];
    layers.forEach((layer, l) => {
      const to = [...layer.biases];
      from.forEach((value, a) =>
        to.forEach((_, b) => (to[b] = (to[b] as number) + value * (layer.weights[a * layer.outputs + b] as number))),
      );
      from = l === layers.length - 1 ? to : to.map((z) => (isTanh ? Math.tanh(z) : Math.max(0, z)));
    });
    const label = target[i] as number;
    if (task === "regression") sum += 0.5 * ((from[0] as number) - label) ** 2;
    else if (task === "binary") sum += Math.log(1 + Math.exp(-(label === 1 ? 1 : -1) * (from[0] as number)));
    else sum += Math.log(from.reduce((total, z) => total + Math.exp(z), 0)) - (from[label] as number);
  }
  return sum / x.rows;
}

describe("one step of a network", () => {
  it.each([
    ["regression", true],
    ["binary", false],
    ["multiclass", true],
  ] as const)("moves every weight against the slope of the %s loss, found by differences", (task, isTanh) => {
    const { train } = networkRequest(task, { rows: 24, columns: 5 });
    const outputs = task === "multiclass" ? 3 : 1;
    const random = createRandom(2);
    const draw = (count: number) => Float32Array.from({ length: count }, () => random.nextFloat() - 0.5);
    const layers: Layer[] = [
      { name: "hidden1", inputs: 5, outputs: 6, weights: draw(30), biases: draw(6) },
      { name: "output", inputs: 6, outputs, weights: draw(6 * outputs), biases: draw(outputs) },
    ];
    const rate = 1e-3;
    const network = openNetwork({
      task,
      x: train.x,
      target: train.y.values,
      rowWeights: undefined,
      layers,
      rates: [rate, rate],
      isTanh,
      batch: 24,
      dropout: 0,
      l2: 0,
      kernels: "auto",
    });
    network.shuffle(createRandom(1).state());
    network.step(0, 24);
    const moved = network.layers();
    let looked = 0;
    layers.forEach((layer, l) => {
      for (const key of ["weights", "biases"] as const) {
        for (let i = 0; i < layer[key].length; i++) {
          const kept = layer[key][i] as number;
          const at = (value: number) => {
            layer[key][i] = value;
            return plainLoss(task, layers, train.x, train.y.values, isTanh);
          };
          const slope = (at(kept + 1e-3) - at(kept - 1e-3)) / 2e-3;
          layer[key][i] = kept;
          // Adam's first step is the rate times the sign of the slope, whatever its size.
          if (Math.abs(slope) < 2e-3) continue;
          looked++;
          expect((moved[l] as Layer)[key][i]).toBeCloseTo(kept - rate * Math.sign(slope), 5);
        }
      }
    });
    expect(looked).toBeGreaterThan(20);
  });
});
