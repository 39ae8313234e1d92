// Against the reference's hedged sequences in test/golden/sequential.json, and against our own sequence that keeps every mean.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.ts";
import {
  BETTING_START,
  bettingInterval,
  type BettingState,
  binomialSf,
  createHedgedSequence,
  runningIntersection,
  updateBetting,
} from "../../../src/stats/index.ts";
import { createLcg } from "../lcg.ts";

const golden = JSON.parse(readFileSync(new URL("../../golden/sequential.json", import.meta.url), "utf8")) as {
  readonly bounded_mean_cs: {
    readonly streams: Readonly<Record<string, string | readonly number[]>>;
    readonly cases: readonly {
      readonly stream: string;
      readonly alpha: number;
      readonly checkpoints: readonly number[];
      readonly hedged_betting_grid1000: readonly (readonly [number, number])[];
    }[];
  };
  readonly paired_shadow_cs: {
    readonly checkpoints: readonly number[];
    readonly hedged: readonly (readonly [number, number])[];
  };
};
const follow = (values: readonly number[], alpha: number) =>
  values.reduce<BettingState[]>(
    (states, value) => [...states, updateBetting(states.at(-1) ?? BETTING_START, value, alpha)],
    [],
  );

describe("a stored betting sequence", () => {
  it.each(golden.bounded_mean_cs.cases)("has the reference's lower end on $stream", (row) => {
    // A stream of bits is written as a text of digits.
    const states = follow(Array.from(golden.bounded_mean_cs.streams[row.stream] ?? [], Number), row.alpha);
    row.checkpoints.forEach((at, i) => {
      const [low] = bettingInterval(states[at - 1] as BettingState);
      expect(low).toBeCloseTo(row.hedged_betting_grid1000[i]?.[0] as number, 9);
    });
  });

  it("has the reference's lower end on paired differences", () => {
    const random = createLcg(51);
    const values = Array.from({ length: 500 }, () => {
      const challenger = random.next() < 0.8 ? 1 : 0;
      return (challenger - (random.next() < 0.74 ? 1 : 0) + 1) / 2;
    });
    const states = follow(values, 0.05);
    const { checkpoints, hedged } = golden.paired_shadow_cs;
    checkpoints.forEach((at, i) => {
      const [low] = bettingInterval(states[at - 1] as BettingState);
      expect(2 * low - 1).toBeCloseTo(hedged[i]?.[0] as number, 9);
    });
  });

  it("equals the sequence that keeps every mean, also when it is stored and read after each value", () => {
    const random = createRandom(3);
    const whole = runningIntersection(createHedgedSequence(0.05));
    let state = BETTING_START;
    for (let i = 0; i < 400; i++) {
      const value = Math.min(1, random.nextFloat() * random.nextFloat() * 1.2);
      state = updateBetting(JSON.parse(JSON.stringify(state)) as BettingState, value, 0.05);
      expect(bettingInterval(state)).toEqual(whole.update(value));
    }
    expect(state.up.length).toBeLessThan(250);
  });

  it("covers the mean at all times as often as it promises", () => {
    let missed = 0;
    for (let seed = 0; seed < 80; seed++) {
      const random = createRandom(seed);
      let state = BETTING_START;
      // The interval never widens: what it left out once stays out.
      for (let i = 0; i < 150; i++) state = updateBetting(state, random.nextFloat() < 0.2 ? 1 : 0, 0.05);
      const [low, high] = bettingInterval(state);
      if (low > 0.2 || high < 0.2) missed++;
    }
    expect(binomialSf(missed - 1, 80, 0.05)).toBeGreaterThan(1e-4);
  });
});
