/**
 * The inner loops of counting a file's numbers, in AssemblyScript. Each function has a twin of the same name in
 * src/cli/counting/twin.ts that gives the same bits, and the tests compare the two. Those of Parquet pages have none: without them
 * DuckDB reads, and the tests compare with what it reads.
 *
 * Pointers are byte offsets into the module's memory, which the driver lays out. No function allocates.
 */

export { unsnappy } from "./parquet/snappy";
export { copyFloats, fromInt32, fromInt64, lookUp, spread, unpack } from "./parquet/pages";

/** Raised with every change of a signature or a result: the driver refuses a file of another number. */
export function kernelVersion(): i32 {
  return 2;
}

// @ts-ignore: decorator
@inline
function narrowed(value: f64): f32 {
  const short = <f32>value;
  // What float32 cannot hold is no usable value, as DuckDB's TRY_CAST has it; an infinite one stays infinite.
  return abs(short) == f32.MAX_VALUE + f32.MAX_VALUE && abs(value) <= f64.MAX_VALUE ? NaN : short;
}

/** float64 at `from` as float32 at `to`. Two at a time; where one of them became infinite, both are looked at. */
export function narrow(from: usize, to: usize, count: i32): void {
  const infinite = f32x4.splat(Infinity);
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    const at = from + (<usize>i << 3);
    const low = f32x4.demote_f64x2_zero(v128.load(at));
    const high = f32x4.demote_f64x2_zero(v128.load(at, 16));
    const four = v128.shuffle<i32>(low, high, 0, 1, 4, 5);
    if (v128.any_true(f32x4.eq(f32x4.abs(four), infinite))) {
      for (let j = 0; j < 4; j++) store<f32>(to + (<usize>(i + j) << 2), narrowed(load<f64>(at + (<usize>j << 3))));
    } else {
      v128.store(to + (<usize>i << 2), four);
    }
  }
  for (; i < count; i++) store<f32>(to + (<usize>i << 2), narrowed(load<f64>(from + (<usize>i << 3))));
}

/** The ends of the finite float32 values, as two float64 at `out`: +∞ and −∞ where there is none. */
export function range(values: usize, count: i32, out: usize): void {
  const infinite = f32x4.splat(Infinity);
  let low = f32x4.splat(Infinity);
  let high = f32x4.splat(-Infinity);
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    const four = v128.load(values + (<usize>i << 2));
    const isFinite = f32x4.lt(f32x4.abs(four), infinite);
    low = f32x4.pmin(low, v128.bitselect(four, infinite, isFinite));
    high = f32x4.pmax(high, v128.bitselect(four, f32x4.neg(infinite), isFinite));
  }
  let min = <f64>Infinity;
  let max = <f64>-Infinity;
  min = Math.min(min, Math.min(f32x4.extract_lane(low, 0), f32x4.extract_lane(low, 1)));
  min = Math.min(min, Math.min(f32x4.extract_lane(low, 2), f32x4.extract_lane(low, 3)));
  max = Math.max(max, Math.max(f32x4.extract_lane(high, 0), f32x4.extract_lane(high, 1)));
  max = Math.max(max, Math.max(f32x4.extract_lane(high, 2), f32x4.extract_lane(high, 3)));
  for (; i < count; i++) {
    const value = <f64>load<f32>(values + (<usize>i << 2));
    if (value < min && value > -Infinity) min = value;
    if (value > max && value < Infinity) max = value;
  }
  store<f64>(out, min);
  store<f64>(out, max, 8);
}

/** Places after the cells, in the order of a profile's tails. */
const BELOW: u32 = 0;
const ABOVE: u32 = 1;
const UNSEEN: u32 = 3;
const MISSING: u32 = 4;
const NON_FINITE: u32 = 5;
const TAILS: u32 = 6;

/** The place of a value that lies between the ends, where its slot says the least cell (low half) and the greatest (high half). */
// @ts-ignore: decorator
@inline
function cellOf(value: f64, both: u32, edges: usize): u32 {
  let cell = both & 0xffff;
  // Halved without branches: which half it is in a skewed column, no processor guesses.
  for (let size = (both >>> 16) - cell; size > 1; ) {
    const half = size >>> 1;
    cell += half & -(<u32>(load<f64>(edges + (<usize>(cell + half - 1) << 3)) < value));
    size -= half;
  }
  // Edges of later slots are greater than the value: the last comparison answers for slots without an edge too.
  return cell + <u32>(load<f64>(edges + (<usize>cell << 3)) < value);
}

// @ts-ignore: decorator
@inline
function addOne(counts: usize, place: u32): void {
  const at = counts + (<usize>place << 2);
  store<u32>(at, load<u32>(at) + 1);
}

// @ts-ignore: decorator
@inline
function slotAt(slots: usize, slot: i32): u32 {
  return load<u32>(slots + (<usize>slot << 2));
}

/**
 * Adds float32 values to counts of 32 bits. `slots` holds per slot the least cell of its values in the low half and the greatest
 * in the high half; `edges` are closed by +∞. Even and odd values have counts of their own (the second after the first), so that a
 * column of few values does not wait for its own last addition. Four values that all lie between the ends find their slots together.
 */
export function countCells(
  values: usize,
  count: i32,
  slots: usize,
  edges: usize,
  counts: usize,
  cells: u32,
  isByValue: i32,
  min: f64,
  max: f64,
  slotsPerUnit: f64,
): void {
  const other = counts + (<usize>(cells + TAILS) << 2);
  const isExact = !isByValue && <f64>(<f32>min) == min && <f64>(<f32>max) == max;
  const lows = f32x4.splat(<f32>min);
  const highs = f32x4.splat(<f32>max);
  const start = f64x2.splat(min);
  const scale = f64x2.splat(slotsPerUnit);
  let i = 0;
  while (i < count) {
    if (isExact && i + 4 <= count) {
      const four = v128.load(values + (<usize>i << 2));
      if (i32x4.all_true(v128.and(f32x4.ge(four, lows), f32x4.le(four, highs)))) {
        const low = f64x2.promote_low_f32x4(four);
        const high = f64x2.promote_low_f32x4(v128.shuffle<i32>(four, four, 2, 3, 2, 3));
        const first = i32x4.trunc_sat_f64x2_u_zero(f64x2.mul(f64x2.sub(low, start), scale));
        const second = i32x4.trunc_sat_f64x2_u_zero(f64x2.mul(f64x2.sub(high, start), scale));
        addOne(counts, cellOf(f64x2.extract_lane(low, 0), slotAt(slots, i32x4.extract_lane(first, 0)), edges));
        addOne(other, cellOf(f64x2.extract_lane(low, 1), slotAt(slots, i32x4.extract_lane(first, 1)), edges));
        addOne(counts, cellOf(f64x2.extract_lane(high, 0), slotAt(slots, i32x4.extract_lane(second, 0)), edges));
        addOne(other, cellOf(f64x2.extract_lane(high, 1), slotAt(slots, i32x4.extract_lane(second, 1)), edges));
        i += 4;
        continue;
      }
    }
    // One by one, up to where four can be tried again.
    for (const stop = isExact ? min32(count, (i + 4) & ~3) : count; i < stop; i++) {
      const value = <f64>load<f32>(values + (<usize>i << 2));
      let place: u32;
      if (value >= min && value <= max) {
        const cell = cellOf(value, slotAt(slots, <i32>((value - min) * slotsPerUnit)), edges);
        place = isByValue && load<f64>(edges + (<usize>cell << 3)) != value ? cells + UNSEEN : cell;
      } else if (value != value) place = cells + MISSING;
      else if (value - value != 0) place = cells + NON_FINITE;
      else place = cells + (value < min ? BELOW : ABOVE);
      addOne((i & 1) == 0 ? counts : other, place);
    }
  }
}

// @ts-ignore: decorator
@inline
function min32(one: i32, other: i32): i32 {
  return one < other ? one : other;
}
