import { describe, expect, it } from "vitest";
import { createRandom, seedFrom, shuffleInPlace } from "../../src/core/index.ts";

describe("the seeded generator", () => {
  it("draws what xoshiro128** draws from the state 1, 2, 3, 4 (values of the authors' C code, as kept by the Rust crate rand_xoshiro)", () => {
    const random = createRandom([1, 2, 3, 4]);
    const drawn = Array.from({ length: 10 }, () => random.nextUint32());
    expect(drawn).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it("goes on from a saved state as if it had never stopped", () => {
    const whole = createRandom(7);
    const part = createRandom(7);
    for (let i = 0; i < 100; i++) expect(part.nextUint32()).toBe(whole.nextUint32());
    const resumed = createRandom(part.state());
    for (let i = 0; i < 100; i++) expect(resumed.nextFloat()).toBe(whole.nextFloat());
  });

  it("draws integers without bias: chi-squared of 60,000 draws of 1 to 6 stays below its 99.9 % quantile of 20.5", () => {
    const random = createRandom(12);
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < 60_000; i++) {
      const face = random.nextInt(6);
      counts[face] = (counts[face] as number) + 1;
    }
    const chi = counts.reduce((sum, count) => sum + (count - 10_000) * (count - 10_000), 0) / 10_000;
    expect(chi).toBeLessThan(20.5);
  });

  it("gives every purpose its own seed, and the same purpose the same one", () => {
    const seeds = ["shuffle", "split", "init"].flatMap((purpose) =>
      [0, 1, 2].map((epoch) => seedFrom(5, purpose, epoch)),
    );
    expect(new Set(seeds).size).toBe(9);
    expect(seedFrom(5, "shuffle", 1)).toBe(seeds[1]);
    // FNV-1a of "a", from the authors' test vectors.
    expect(seedFrom("a")).toBe(0xe40c292c);
  });

  it("shuffles to a permutation", () => {
    const values = Array.from({ length: 50 }, (_, i) => i);
    shuffleInPlace(values, createRandom(3));
    expect(values).not.toEqual([...values].sort((a, b) => a - b));
    expect([...values].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });
});
