import { describe, expect, it } from "vitest";
import { ASSIGNMENT_BUCKETS } from "../../src/core/index.ts";
import { bucketOf, hash32, isMirrored, variantOf } from "../../src/deploy/assignment.ts";

describe("assignment", () => {
  // Published test values of MurmurHash3 x86 32-bit.
  it.each([
    ["", 0, 0],
    ["", 1, 0x514e28b7],
    ["test", 0, 0xba6bd213],
    ["test", 0x9747b28c, 0x704b81dc],
    ["Hello, world!", 0, 0xc0363e43],
    ["Hello, world!", 0x9747b28c, 0x24884cba],
    ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
  ])("hashes %j with seed %i as the reference does", (text, seed, expected) => {
    expect(hash32(text, seed)).toBe(expected);
  });

  it("hashes texts longer than its buffer", () => {
    const long = "ü".repeat(3_000);
    expect(hash32(long)).toBe(hash32(long));
    expect(hash32(`${long}a`)).not.toBe(hash32(long));
  });

  it("splits within 99.9 % binomial bounds at any share, for ids that look alike", () => {
    const count = 100_000;
    for (const share of [0.01, 0.05, 0.5, 0.9]) {
      let challengers = 0;
      for (let i = 0; i < count; i++) {
        if (variantOf(bucketOf("salt-1", `user-${i}`), share) === "challenger") challengers++;
      }
      expect(Math.abs(challengers - share * count)).toBeLessThan(3.29 * Math.sqrt(count * share * (1 - share)));
    }
  });

  it("only moves units from champion to challenger when the share grows", () => {
    for (let i = 0; i < 5_000; i++) {
      const bucket = bucketOf("salt-2", `user-${i}`);
      expect(bucket).toBeGreaterThanOrEqual(0);
      expect(bucket).toBeLessThan(ASSIGNMENT_BUCKETS);
      const path = [0.1, 0.25, 0.5, 1].map((share) => variantOf(bucket, share));
      expect(path.join()).toMatch(/^(champion,)*(challenger,?)*$/);
    }
  });

  it("splits differently under another salt, and mirrors independently of the split", () => {
    const plan = { rollout: "r", phase: 0, kind: "shadow", share: 0.5, mirror: 0.5, salt: "a" } as const;
    let both = 0;
    let mirrored = 0;
    for (let i = 0; i < 20_000; i++) {
      const id = `user-${i}`;
      const inA = bucketOf("a", id) < 5_000;
      if (inA && bucketOf("b", id) < 5_000) both++;
      if (inA && isMirrored(plan, id)) mirrored++;
    }
    expect(Math.abs(both - 5_000)).toBeLessThan(3.29 * Math.sqrt(20_000 * 0.25 * 0.75));
    expect(Math.abs(mirrored - 5_000)).toBeLessThan(3.29 * Math.sqrt(20_000 * 0.25 * 0.75));
  });
});
