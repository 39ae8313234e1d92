import { describe, expect, it } from "vitest";
import {
  gbdt as describeGbdt,
  lastValue,
  linear as describeLinear,
  majority,
  mean,
  mlp as describeMlp,
} from "../../src/config/index.ts";
import type { GbdtParams, LinearParams, MlpParams } from "../../src/config/trainers.ts";
import { findTrainer } from "../../src/learn/index.ts";

/** Values that every rule allows; the compiler checks that no name is missing. */
const GBDT: Required<GbdtParams> = {
  epochs: 10,
  patience: 3,
  learningRate: 0.2,
  grow: "depth",
  maxLeaves: 16,
  maxDepth: 4,
  minChildWeight: 2,
  minSplitGain: 0.1,
  l2: 2,
  bins: 64,
  rowShare: 0.5,
  columnShare: 0.5,
  categorySmoothing: 5,
  loss: "quantile",
  quantile: 0.9,
  threads: 2,
  monotone: { age: 1 },
};
const LINEAR: Required<LinearParams> = {
  epochs: 1,
  patience: 1,
  l2: 0,
  l1: 2,
  classWeights: "balanced",
  learningRate: 1,
  warmRate: 1,
};

const MLP: Required<MlpParams> = {
  hidden: [32, 16],
  activation: "tanh",
  epochs: 2,
  patience: 1,
  batch: 64,
  learningRate: 0.01,
  warmRate: 0.5,
  l2: 0,
  dropout: 0.2,
  classWeights: "balanced",
};

describe("the names of trainers", () => {
  it.each([describeGbdt(), describeLinear(), describeMlp(), majority(), mean(), lastValue()])(
    "are those of the registry: $name",
    ({ name }) => {
      expect(findTrainer(name).name).toBe(name);
    },
  );
});

describe("parameters as a configuration names them", () => {
  it.each([
    ["gbdt", describeGbdt(GBDT).params],
    ["linear", describeLinear(LINEAR).params],
    ["mlp", describeMlp(MLP).params],
  ])("are those of the trainer %s, each allowed as written", (name, params) => {
    const trainer = findTrainer(name);
    expect(Object.keys(params).sort()).toEqual(Object.keys(trainer.defaults).sort());
    expect(trainer.resolveParams(params as never)).toEqual(params);
  });
});
