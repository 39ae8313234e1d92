import { describe, expect, test } from "vitest";
import { RetrainError } from "../../src/core/errors.ts";
import { createRandom, shuffleInPlace } from "../../src/core/random.ts";
import {
  FIXED_POINT_LIMIT,
  FixedSum,
  FixedTotals,
  fixedMean,
  fixedSumOf,
  fromFixedPoint,
  toFixedPoint,
} from "../../src/stats/index.ts";

const random = createRandom(5);
const values = Array.from({ length: 2000 }, (_, i) => {
  const size = [1e-14, 1e-3, 1, 35, 1e6, 1e15][i % 6] as number;
  return (random.nextFloat() - 0.5) * size;
});

describe("fixed-point sums", () => {
  test("are the same in any order and any grouping, where plain sums are not", () => {
    const whole = fixedSumOf(values).toState();
    const plain = values.reduce((sum, value) => sum + value, 0);
    let plainDiffers = false;
    for (let round = 0; round < 5; round++) {
      const shuffled = [...values];
      shuffleInPlace(shuffled, createRandom(round));
      plainDiffers ||= shuffled.reduce((sum, value) => sum + value, 0) !== plain;
      const merged = new FixedSum();
      for (let start = 0; start < shuffled.length; start += 97 + round) {
        merged.merge(fixedSumOf(shuffled.slice(start, start + 97 + round)).toState());
      }
      expect(merged.toState()).toEqual(whole);
    }
    expect(plainDiffers).toBe(true);
  });

  test("by name are what sums of bigints are, counts and integers too", () => {
    const totals = new FixedTotals();
    const wanted: Record<string, bigint> = { big: 0n, n: 0n };
    const names = ["a", "b", "c", "d", "e"];
    values.forEach((value, i) => {
      const name = names[i % names.length] as string;
      totals.add(name, value);
      wanted[name] = (wanted[name] ?? 0n) + toFixedPoint(value);
      totals.count("n");
      totals.addInteger("big", BigInt(i) << 70n);
      wanted["n"] = (wanted["n"] as bigint) + 1n;
      wanted["big"] = (wanted["big"] as bigint) + (BigInt(i) << 70n);
    });
    totals.add("limit", Number.POSITIVE_INFINITY);
    totals.add("zero", 0);
    expect(totals.values()).toEqual({ ...wanted, limit: toFixedPoint(FIXED_POINT_LIMIT), zero: 0n });
    expect(() => totals.add("a", Number.NaN)).toThrow(RetrainError);
  });

  test("a correction leaves exactly what the right value alone would have left", () => {
    const corrected = fixedSumOf(values);
    for (let i = 0; i < values.length; i += 7) {
      corrected.subtract(values[i] as number);
      corrected.add(0.25 * i);
    }
    const right = fixedSumOf(values.map((value, i) => (i % 7 === 0 ? 0.25 * i : value)));
    expect(corrected.toState()).toEqual(right.toState());
  });

  test("adding and taking back everything leaves zero, halves included", () => {
    const sum = new FixedSum();
    const halves = [0.5, 1.5, 2.5, -0.5, 3.5].map((value) => value / 2 ** 40);
    for (const value of [...values, ...halves]) sum.add(value);
    for (const value of [...values, ...halves]) sum.subtract(value);
    expect(sum.total()).toBe(0n);
    for (const value of halves) expect(toFixedPoint(-value)).toBe(-toFixedPoint(value));
  });

  test("round each value by at most 2^-41", () => {
    for (const value of values) {
      if (Math.abs(value) < 2048)
        expect(Math.abs(fromFixedPoint(toFixedPoint(value)) - value)).toBeLessThanOrEqual(2 ** -41);
    }
    expect(toFixedPoint(1)).toBe(1n << 40n);
    expect(toFixedPoint(0.75)).toBe(3n << 38n);
    expect(toFixedPoint(-4097)).toBe(-4097n << 40n);
  });

  test("survive text, including sums far beyond 64 bits", () => {
    const sum = fixedSumOf([1e18, 1e18, 4e18, -0.125]);
    const again = new FixedSum(JSON.parse(JSON.stringify(sum.toState())));
    expect(again.total()).toBe(sum.total());
    expect(again.total() > 1n << 64n).toBe(true);
    expect(again.mean()).toBe(1.5e18);
  });

  test("count NaN apart and saturate what is beyond 2^62", () => {
    const sum = fixedSumOf([1, NaN, Infinity, 1e308, -Infinity, 2]);
    expect(sum.toState()).toEqual({
      sum: (toFixedPoint(3) + toFixedPoint(FIXED_POINT_LIMIT)).toString(),
      count: 5,
      invalidCount: 1,
      saturatedCount: 3,
    });
    expect(() => toFixedPoint(NaN)).toThrow(RetrainError);
  });

  test("a mean over nothing is null", () => {
    expect(new FixedSum().mean()).toBeNull();
    expect(fixedMean(toFixedPoint(3), 2)).toBe(1.5);
  });
});
