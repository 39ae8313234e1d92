/**
 * The inner loops of counting a file's numbers, in AssemblyScript. Each function has a twin of the same name in
 * src/cli/counting/twin.ts that gives the same bits, and the tests compare the two.
 *
 * Pointers are byte offsets into the module's memory, which the driver lays out. No function allocates.
 */

/** Raised with every change of a signature or a result: the driver refuses a file of another number. */
export function kernelVersion(): i32 {
  return 1;
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

/**
 * Adds float32 values to counts of 32 bits. `slots` holds per slot the least cell of its values in the low half and the greatest
 * in the high half; `edges` are closed by +∞. Even and odd values have counts of their own (the second after the first), so that a
 * column of few values does not wait for its own last addition.
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
  for (let i = 0; i < count; i++) {
    const value = <f64>load<f32>(values + (<usize>i << 2));
    let place: u32;
    if (value >= min && value <= max) {
      const slot = <u32>((value - min) * slotsPerUnit);
      const both = load<u32>(slots + (<usize>slot << 2));
      let cell = both & 0xffff;
      let end = both >>> 16;
      // Edges of later slots are greater than the value, so that one comparison answers for slots with one edge or none.
      if (end - cell <= 1) {
        cell += <u32>(load<f64>(edges + (<usize>cell << 3)) < value);
      } else {
        while (cell < end) {
          const middle = (cell + end) >>> 1;
          if (load<f64>(edges + (<usize>middle << 3)) < value) cell = middle + 1;
          else end = middle;
        }
      }
      place = isByValue && load<f64>(edges + (<usize>cell << 3)) != value ? cells + UNSEEN : cell;
    } else if (value != value) place = cells + MISSING;
    else if (value - value != 0) place = cells + NON_FINITE;
    else place = cells + (value < min ? BELOW : ABOVE);
    const at = ((i & 1) == 0 ? counts : other) + (<usize>place << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
}
