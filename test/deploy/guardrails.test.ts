// Guardrails roll back by themselves, so what they must not do is as much tested as what they must.
import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/index.ts";
import { type BucketSums, bucketCounters, readBuckets } from "../../src/deploy/bucket-sums.ts";
import { estimateUnpaired } from "../../src/deploy/experiment.ts";
import { constantGuardrail, outcomeGuardrail, qualityGuardrail } from "../../src/deploy/guardrails.ts";

/** Requests of so many users, each in a bucket of its own, with 0/1 outcomes at the given rate. */
function requests(count: number, rate: number, next: () => number): BucketSums {
  const values: Record<string, bigint> = {};
  for (let bucket = 0; bucket < count; bucket++)
    Object.assign(values, bucketCounters(bucket, next() < rate ? 1 : 0, 0));
  return readBuckets(values);
}
/** The largest count a true share would show in 999 of 1,000 simulations. */
const atMost = (runs: number, share: number) => runs * share + 3.1 * Math.sqrt(runs * share * (1 - share));

describe("a business outcome", () => {
  const guard = { outcome: "order", worseWhen: "lower", margin: 0 } as const;

  it.each([
    [950, 50],
    [950, 110],
    [110, 950],
  ])("of which versions with %i and %i requests have the same few is harm in at most 1 %", (champion, challenger) => {
    const random = createRandom(champion + challenger);
    const runs = 100;
    let harm = 0;
    for (let run = 0; run < runs; run++) {
      for (const worseWhen of ["lower", "higher"] as const) {
        const next = () => random.nextFloat();
        const arms = { champion: requests(champion, 0.02, next), challenger: requests(challenger, 0.02, next) };
        if (outcomeGuardrail({ ...guard, worseWhen }, arms).harm === "yes") harm++;
      }
    }
    expect(harm).toBeLessThanOrEqual(atMost(2 * runs, 0.01));
  });

  it("that fewer of the challenger's users bring is harm", () => {
    const random = createRandom(5);
    const next = () => random.nextFloat();
    const arms = { champion: requests(4_000, 0.1, next), challenger: requests(2_000, 0.03, next) };
    expect(outcomeGuardrail(guard, arms)).toMatchObject({ harm: "yes", value: expect.closeTo(0.07, 1) });
    expect(outcomeGuardrail({ ...guard, worseWhen: "higher" }, arms).harm).toBe("no");
  });
});

describe("constant output", () => {
  it("is no harm where the champion answers nearly everybody alike too", () => {
    // A rare event: the champion leaves the first bin once in a hundred answers, so 200 in it are an everyday sight.
    expect(constantGuardrail({ champion: [3_762, 30, 8], challenger: [200, 0, 0] }).harm).toBe("cannot-tell");
    expect(constantGuardrail({ champion: [3_762, 30, 8], challenger: [3_000, 0, 0] }).harm).toBe("yes");
  });

  it("is harm within 200 answers where the champion's are spread, and cannot be told before", () => {
    expect(constantGuardrail({ champion: [100, 300, 200], challenger: [0, 200, 0] }).harm).toBe("yes");
    expect(constantGuardrail({ champion: [100, 300, 200], challenger: [0, 199, 0] }).harm).toBe("cannot-tell");
    expect(constantGuardrail({ champion: [100, 300, 200], challenger: [1, 199, 0] }).harm).toBe("no");
    // Both say the same to everybody: nothing is new.
    expect(constantGuardrail({ champion: [0, 900, 0], challenger: [0, 900, 0] }).harm).toBe("no");
  });
});

describe("harm in quality", () => {
  it("is not read from an arm of a few rows, however many the other has", () => {
    const right: Record<string, bigint> = {};
    for (let bucket = 0; bucket < 900; bucket++)
      Object.assign(right, bucketCounters(bucket, bucket % 10 === 0 ? 0 : 1, 0));
    const wrong: Record<string, bigint> = {};
    for (let bucket = 900; bucket < 905; bucket++) Object.assign(wrong, bucketCounters(bucket, 0, 0));
    const arms = { champion: readBuckets(right), challenger: readBuckets(wrong) };
    const found = qualityGuardrail(estimateUnpaired(arms, "accuracy", true), "accuracy", 0.02, 500);
    expect(found).toMatchObject({ harm: "cannot-tell", reason: expect.stringContaining("5 labelled rows") });
  });
});
