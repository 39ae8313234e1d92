import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CounterDelta, CounterValues } from "../../src/core/index.ts";
import type { LoopContext } from "../../src/loop/context.ts";
import { sumBuckets } from "../../src/loop/estimates.ts";
import { WindowSum, windowSum } from "../../src/loop/window-sum.ts";

const values = fc.dictionary(fc.constantFrom("n", "logLoss", "p3", "q7"), fc.bigInt(-5n, 5n), { maxKeys: 4 });
/** Each step replaces some buckets, takes others away, and moves the window. */
const steps = fc.array(
  fc.record({
    changed: fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), values), { maxLength: 6 }),
    gone: fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 2 }),
    from: fc.integer({ min: 0, max: 10 }),
    length: fc.integer({ min: 0, max: 8 }),
  }),
  { minLength: 1, maxLength: 12 },
);

const sorted = (sum: CounterValues) => Object.entries(sum).sort(([a], [b]) => (a < b ? -1 : 1));
const row = (bucket: number, one: CounterValues): CounterDelta => ({
  counter: "c",
  version: "v1",
  bucket,
  values: one,
});

describe("the sum of a window that moves", () => {
  it("is the one made anew, whatever changed", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const moving = new WindowSum();
        const buckets = new Map<number, CounterValues>();
        for (const { changed, gone, from, length } of all) {
          for (const [bucket, one] of changed) buckets.set(bucket, one);
          for (const bucket of gone) buckets.delete(bucket);
          const rows = [...buckets].map(([bucket, one]) => row(bucket, one));
          const found = moving.move(rows, from, from + length);
          expect(sorted(found)).toEqual(sorted(sumBuckets(rows, from, from + length)));
        }
      }),
    );
  });

  it("begins anew with another version", () => {
    const context = {} as LoopContext;
    expect(windowSum(context, "m", "v1").move([row(1, { n: 3n })], 0, 5)).toEqual({ n: 3n });
    expect(windowSum(context, "m", "v1").move([row(1, { n: 3n }), row(2, { n: 1n })], 0, 5)).toEqual({ n: 4n });
    expect(windowSum(context, "m", "v2").move([row(2, { n: 2n })], 0, 5)).toEqual({ n: 2n });
  });
});
