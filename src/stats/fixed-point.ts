/**
 * Sums that are exact. A counter is folded in pieces, merged in any order, corrected by "−old +new" and compared with a
 * recomputation from the log; with floating-point sums the last bits would depend on the order and such a comparison would
 * never be equal. Here each value is rounded once to a multiple of 2^-40 and everything after that is integer arithmetic.
 *
 * Why 2^-40: the rounding of one value is at most 4.5e-13, far below the noise of any loss, and a mean of rounded values is off
 * by no more than that. Integers are bigints (kept as decimal text), so no sum overflows, however many rows it covers.
 * Policy: NaN is counted and left out; a value beyond ±2^62 (or infinite) is counted and enters as ±2^62, so that
 * one absurd loss can neither poison a counter for ever nor hide.
 */
import { RetrainError } from "../core/errors.ts";

export const FIXED_POINT_BITS = 40;
const SCALE = 1_099_511_627_776;
/** 2^62, the largest size a single value may have. */
export const FIXED_POINT_LIMIT = 4_611_686_018_427_387_904;
/** Below 2^52 every integer is a double, so sums up to twice that are exact without a bigint. */
const EXACT = 4_503_599_627_370_496;

/** x·2^40 rounded to the nearest integer (halves away from 0, so that −x gives exactly the negative). */
function scaledInteger(x: number): number {
  const clamped = x > FIXED_POINT_LIMIT ? FIXED_POINT_LIMIT : x < -FIXED_POINT_LIMIT ? -FIXED_POINT_LIMIT : x;
  const scaled = clamped * SCALE;
  if (scaled >= EXACT || scaled <= -EXACT) return scaled;
  return scaled < 0 ? -Math.floor(0.5 - scaled) : Math.floor(scaled + 0.5);
}

/** A number as a multiple of 2^-40. Saturates at ±2^62; throws STATISTIC_UNDEFINED for NaN. */
export function toFixedPoint(x: number): bigint {
  if (x !== x) throw notANumber();
  return BigInt(scaledInteger(x));
}

function notANumber(): RetrainError {
  return new RetrainError("STATISTIC_UNDEFINED", {
    message: "NaN has no fixed-point value.",
    remedy: "Count it apart, as FixedSum does, or refuse it earlier.",
  });
}

/** The nearest double to a fixed-point value. */
export function fromFixedPoint(value: bigint): number {
  return Number(value) / SCALE;
}

/** What is stored: `sum` is the integer multiple of 2^-40 as decimal text. */
export interface FixedSumState {
  readonly sum: string;
  readonly count: number;
  /** Values that were NaN and are in neither `sum` nor `count`. */
  readonly invalidCount: number;
  /** Values beyond ±2^62 that entered `sum` as the limit. */
  readonly saturatedCount: number;
}

/** An exact running sum; equal whatever the order of additions and merges. About 20 ns an addition. */
export class FixedSum {
  #sum: bigint;
  /** Integer part of the sum not yet moved into the bigint; always exact in a double. */
  #pending = 0;
  #count: number;
  #invalidCount: number;
  #saturatedCount: number;

  constructor(state: FixedSumState = { sum: "0", count: 0, invalidCount: 0, saturatedCount: 0 }) {
    this.#sum = BigInt(state.sum);
    this.#count = state.count;
    this.#invalidCount = state.invalidCount;
    this.#saturatedCount = state.saturatedCount;
  }

  /** Adds one value. */
  add(x: number): void {
    this.#change(x, 1);
  }

  /** Takes back a value added before: the other half of a correction. */
  subtract(x: number): void {
    this.#change(x, -1);
  }

  #change(x: number, sign: 1 | -1): void {
    if (x !== x) {
      this.#invalidCount += sign;
      return;
    }
    if (x > FIXED_POINT_LIMIT || x < -FIXED_POINT_LIMIT) this.#saturatedCount += sign;
    this.#count += sign;
    const scaled = sign * scaledInteger(x);
    const next = this.#pending + scaled;
    if (next < EXACT && next > -EXACT && scaled < EXACT && scaled > -EXACT) {
      this.#pending = next;
      return;
    }
    this.#sum += BigInt(this.#pending) + BigInt(scaled);
    this.#pending = 0;
  }

  /** Adds all of another sum. */
  merge(other: FixedSumState): void {
    this.#sum += BigInt(other.sum);
    this.#count += other.count;
    this.#invalidCount += other.invalidCount;
    this.#saturatedCount += other.saturatedCount;
  }

  /** The exact sum in multiples of 2^-40. */
  total(): bigint {
    return this.#sum + BigInt(this.#pending);
  }

  /** The sum as the nearest double. */
  value(): number {
    return fromFixedPoint(this.total());
  }

  /** The mean as a double, or null without values. */
  mean(): number | null {
    return fixedMean(this.total(), this.#count);
  }

  get count(): number {
    return this.#count;
  }

  toState(): FixedSumState {
    return {
      sum: this.total().toString(),
      count: this.#count,
      invalidCount: this.#invalidCount,
      saturatedCount: this.#saturatedCount,
    };
  }
}

interface Total {
  sum: bigint;
  /** Not yet moved into `sum`; always exact in a double. */
  pending: number;
}

/** Exact sums by name: what a row adds becomes no bigint of its own, which for a dozen sums would be most of its cost. */
export class FixedTotals {
  readonly #totals = new Map<string, Total>();

  /** Adds a number, rounded to a multiple of 2^-40 as `toFixedPoint` does. Throws STATISTIC_UNDEFINED for NaN. */
  add(name: string, x: number): void {
    if (x !== x) throw notANumber();
    this.#move(name, scaledInteger(x));
  }

  /** Adds one to a count. */
  count(name: string): void {
    this.#move(name, 1);
  }

  /** Adds an integer as it is. */
  addInteger(name: string, value: bigint): void {
    this.#totalOf(name).sum += value;
  }

  /** Every sum that something was added to, zeros too. */
  values(): Record<string, bigint> {
    const found: Record<string, bigint> = {};
    for (const [name, { sum, pending }] of this.#totals) found[name] = sum + BigInt(pending);
    return found;
  }

  #move(name: string, scaled: number): void {
    const total = this.#totalOf(name);
    const next = total.pending + scaled;
    if (next < EXACT && next > -EXACT && scaled < EXACT && scaled > -EXACT) {
      total.pending = next;
      return;
    }
    total.sum += BigInt(total.pending) + BigInt(scaled);
    total.pending = 0;
  }

  #totalOf(name: string): Total {
    let total = this.#totals.get(name);
    if (total === undefined) this.#totals.set(name, (total = { sum: 0n, pending: 0 }));
    return total;
  }
}

/** Mean of a fixed-point sum over `count` values; null for none. One place, so that live and offline divide alike. */
export function fixedMean(sum: bigint, count: number): number | null {
  return count > 0 ? fromFixedPoint(sum) / count : null;
}

/** The exact sum of an array, for recomputations that must equal a folded counter. */
export function fixedSumOf(values: ArrayLike<number>): FixedSum {
  const sum = new FixedSum();
  for (let i = 0; i < values.length; i++) sum.add(values[i] as number);
  return sum;
}
