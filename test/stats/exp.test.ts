import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  expDeterministic,
  expm1Deterministic,
  log1pDeterministic,
  log1pExp,
  logDeterministic,
  logit,
  sigmoid,
} from "../../src/stats/exp.ts";

type Pairs = [number, number][];
const golden = JSON.parse(readFileSync(new URL("../golden/exp-log.json", import.meta.url), "utf8")) as {
  exp: Pairs;
  log: Pairs;
  log1p: Pairs;
  expm1: Pairs;
};

const worst = (pairs: Pairs, evaluate: (x: number) => number): number => {
  let largest = 0;
  for (const [x, expected] of pairs) {
    const error = expected === 0 ? Math.abs(evaluate(x)) : Math.abs(evaluate(x) - expected) / Math.abs(expected);
    largest = Math.max(largest, error);
  }
  return largest;
};

describe("exp and log from the four operations", () => {
  test.each([
    ["exp", golden.exp, expDeterministic, 3.4e-16],
    ["log", golden.log, logDeterministic, 3.4e-16],
    ["log1p", golden.log1p, log1pDeterministic, 5e-16],
    ["expm1", golden.expm1, expm1Deterministic, 5e-16],
  ] as const)("%s agrees with 60-digit arithmetic rounded to double", (_name, pairs, evaluate, limit) => {
    expect(worst(pairs, evaluate)).toBeLessThanOrEqual(limit);
  });

  test("the edges are those of IEEE arithmetic", () => {
    expect(expDeterministic(0)).toBe(1);
    expect(expDeterministic(-0)).toBe(1);
    expect(expDeterministic(710)).toBe(Infinity);
    expect(expDeterministic(-746)).toBe(0);
    expect(expDeterministic(-745)).toBe(5e-324);
    expect(expDeterministic(-Infinity)).toBe(0);
    expect(expDeterministic(NaN)).toBeNaN();
    expect(logDeterministic(1)).toBe(0);
    expect(logDeterministic(0)).toBe(-Infinity);
    expect(logDeterministic(-0)).toBe(-Infinity);
    expect(logDeterministic(-1)).toBeNaN();
    expect(logDeterministic(Infinity)).toBe(Infinity);
    expect(logDeterministic(NaN)).toBeNaN();
    expect(expDeterministic(709.78)).toBeLessThan(Infinity);
  });

  test("the bits are pinned, so another engine or version that disagrees is noticed", () => {
    let hash = 0x811c9dc5;
    const view = new DataView(new ArrayBuffer(8));
    const add = (value: number): void => {
      view.setFloat64(0, value);
      for (let i = 0; i < 8; i++) hash = Math.imul(hash ^ view.getUint8(i), 0x01000193) >>> 0;
    };
    for (let i = -2000; i < 2000; i++) {
      add(expDeterministic(i * 0.0137));
      add(logDeterministic((i + 2001) * 0.0173));
      add(sigmoid(i * 0.01));
    }
    expect(hash.toString(16)).toMatchInlineSnapshot(`"71700427"`);
  });

  test("sigmoid and softplus neither overflow nor lose their tails", () => {
    expect(sigmoid(800)).toBe(1);
    expect(sigmoid(-800)).toBe(0);
    expect(sigmoid(-700)).toBeGreaterThan(0);
    expect(sigmoid(0)).toBe(0.5);
    expect(log1pExp(1000)).toBe(1000);
    expect(log1pExp(-1000)).toBe(0);
    expect(log1pExp(0)).toBeCloseTo(Math.LN2, 15);
    for (const x of [-12, -1, 0.2, 3, 13]) expect(logit(sigmoid(x))).toBeCloseTo(x, 8);
  });
});
