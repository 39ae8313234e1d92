/**
 * The split scan. Candidates are scored four at a time in single precision; the few that come near the best are then scored in
 * double, which decides: the answer has the bits of scoring all of them in double, one after the other.
 */
import { BINS, COLUMN_BYTES, MISSING_BIN } from "./histogram";

/** Two bytes for each of 8 bins, zero where hessian and gradient are: narrowing saturates, so what is not zero stays so. */
// @ts-ignore: decorator
@inline
function bytesOf8(cell: usize): v128 {
  return i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(v128.load(cell), v128.load(cell, 16)),
    i16x8.narrow_i32x4_s(v128.load(cell, 32), v128.load(cell, 48)),
  );
}

/** Bit b tells whether bin b of these 16 holds something. */
// @ts-ignore: decorator
@inline
function filledOf16(cell: usize): u64 {
  const zero = i16x8.splat(0);
  const low = i16x8.ne(bytesOf8(cell), zero);
  const high = i16x8.ne(bytesOf8(cell + 64), zero);
  return <u64>(<u32>i8x16.bitmask(i8x16.narrow_i16x8_s(low, high)));
}

/** The same of 64 bins. A column has 256 of them, so every block is inside. */
// @ts-ignore: decorator
@inline
function filledOf64(cell: usize): u64 {
  return (
    filledOf16(cell) |
    (filledOf16(cell + 128) << 16) |
    (filledOf16(cell + 256) << 32) |
    (filledOf16(cell + 384) << 48)
  );
}

/** GL²/(HL + l2) + GR²/(HR + l2). */
// @ts-ignore: decorator
@inline
function splitScore(left: v128, right: v128, l2s: v128): f64 {
  const h = v128.shuffle<i64>(left, right, 0, 2);
  const g = v128.shuffle<i64>(left, right, 1, 3);
  const q = f64x2.div(f64x2.mul(g, g), f64x2.add(h, l2s));
  return f64x2.extract_lane(q, 0) + f64x2.extract_lane(q, 1);
}

/**
 * Scratch of a scan, by byte offset: for each filled bin of a column the packed sums to its left and its own, then rough scores
 * with missing values to the right, then to the left. Four bins are taken at a time, so each has room for three more. Last come
 * the bits of the filled bins.
 */
const SCAN_RIGHT: usize = (BINS + 4) * 8;
const SCAN_LEFT: usize = SCAN_RIGHT + (BINS + 4) * 4;
const SCAN_FILLED: usize = SCAN_LEFT + (BINS + 4) * 4;

/**
 * Rough scores are single-precision: a dozen roundings of 2^-24 and no difference of like numbers. What is this share below the
 * largest of them cannot be the best.
 */
const ROUGH_MARGIN: f64 = 3.8147e-6;
/** Outside these, in units of the fixed point, a penalty or a score may leave the normal range of single precision. */
const LEAST_ROUGH: f64 = 1e-6;
const MOST_ROUGH: f64 = 1e15;
const MOST_ROUGH_SCORE: f64 = 1e30;

/**
 * Writes the sums of the filled bins, and which they are, as long as they weigh at most `most`; returns how many. A leaf of few
 * rows fills few bins, here and there. Guessing at each whether it is empty costs more than all the sums; an empty bin repeats the
 * score before it.
 */
// @ts-ignore: decorator
@inline
function sumFilled(column: usize, count: i32, most: i32, scratch: usize): usize {
  let sum: i64 = 0;
  let to = scratch;
  for (let block: usize = 0; block < <usize>count; block += 64) {
    let filled = filledOf64(column + (block << 3));
    if (block == 192) filled &= ~(<u64>1 << 63);
    store<u64>(scratch + (block >> 3), filled, SCAN_FILLED);
    const cells = column + (block << 3);
    while (filled != 0) {
      sum += load<i64>(cells + (<usize>ctz(filled) << 3));
      if (<i32>sum > most) break;
      filled &= filled - 1;
      store<i64>(to, sum);
      to += 8;
    }
    if (filled != 0) break;
  }
  // What is read beyond the last one is too light to be taken, whatever is added to it.
  for (let i: usize = 0; i < 3; i++) store<i64>(to + (i << 3), 0x80000000);
  return (to - scratch) >> 3;
}

/** The bin of the filled bin number `i`. */
function filledBin(scratch: usize, i: i32): i32 {
  let block = 0;
  let filled = load<u64>(scratch, SCAN_FILLED);
  for (let n = <i32>popcnt(filled); n <= i; n = <i32>popcnt(filled)) {
    i -= n;
    block += 64;
    filled = load<u64>(scratch + (block >> 3), SCAN_FILLED);
  }
  for (; i > 0; i--) filled &= filled - 1;
  return block + <i32>ctz(filled);
}

/**
 * Writes the rough scores of `n` filled bins with `missing` packed added to each, −1 where a child is too light, and returns the
 * largest. In units of the fixed point: one factor takes all of them to the true scale.
 */
// @ts-ignore: decorator
@inline
function roughly(scratch: usize, to: usize, n: usize, missing: i64, sumG: i32, sumH: i32, l2: f32, leastH: i32): f32 {
  const more = i64x2.splat(missing);
  const allG = i32x4.splat(sumG);
  const allH = i32x4.splat(sumH);
  const l2s = f32x4.splat(l2);
  const least = i32x4.splat(leastH);
  const light = f32x4.splat(-1);
  let largest = light;
  for (let i: usize = 0; i < n; i += 4) {
    const first = i64x2.add(v128.load(scratch + (i << 3)), more);
    const second = i64x2.add(v128.load(scratch + (i << 3), 16), more);
    const leftH = v128.shuffle<i32>(first, second, 0, 2, 4, 6);
    const leftG = v128.shuffle<i32>(first, second, 1, 3, 5, 7);
    const rightH = i32x4.sub(allH, leftH);
    const gl = f32x4.convert_i32x4_s(leftG);
    const gr = f32x4.convert_i32x4_s(i32x4.sub(allG, leftG));
    const hl = f32x4.add(f32x4.convert_i32x4_s(leftH), l2s);
    const hr = f32x4.add(f32x4.convert_i32x4_s(rightH), l2s);
    // Over one denominator: half the divisions.
    const above = f32x4.add(f32x4.mul(f32x4.mul(gl, gl), hr), f32x4.mul(f32x4.mul(gr, gr), hl));
    const score = f32x4.div(above, f32x4.mul(hl, hr));
    const kept = v128.bitselect(score, light, i32x4.ge_s(i32x4.min_s(leftH, rightH), least));
    v128.store(to + (i << 2), kept);
    largest = f32x4.pmax(largest, kept);
  }
  const half = f32x4.pmax(largest, v128.shuffle<i32>(largest, largest, 2, 3, 0, 1));
  return max(f32x4.extract_lane(half, 0), f32x4.extract_lane(half, 1));
}

/** GL²/(HL + l2) + GR²/(HR + l2) of a packed left side. */
// @ts-ignore: decorator
@inline
function exactScore(left: i64, all: v128, units: v128, l2s: v128): f64 {
  const sums = f64x2.mul(f64x2.convert_low_i32x4_s(i64x2.splat(left)), units);
  return splitScore(sums, f64x2.sub(all, sums), l2s);
}

/**
 * The best split of a node over its numeric columns. `binCounts[c]` is the number of value bins of a column, 0 to skip it.
 * A candidate must reach more than `best` = parent + least gain; ties keep the lower column, then the lower bin, then missing
 * to the right. Writes to `out`: score f64, column, bin, missingLeft, GL, HL (int32 each). Returns whether one was found.
 */
export function scanColumns(
  histogram: usize,
  binCounts: usize,
  columns: i32,
  sumG: i32,
  sumH: i32,
  inverseG: f64,
  inverseH: f64,
  l2: f64,
  minChild: f64,
  leastScore: f64,
  scratch: usize,
  out: usize,
): i32 {
  let best = leastScore;
  let bestColumn = -1;
  let bestBin = 0;
  let bestMissing = 0;
  let bestLeft: i64 = 0;
  // Lanes are (hessian, gradient). Sums are integers times a power of two, so every one of them is exact.
  const units = f64x2(inverseH, inverseG);
  const all = f64x2.mul(f64x2(<f64>sumH, <f64>sumG), units);
  const l2s = f64x2.splat(l2);
  const leastH = <i32>min(ceil(minChild / inverseH), <f64>i32.MAX_VALUE);
  const roughL2 = l2 / inverseH;
  const l2f = <f32>roughL2;
  const isRough = l2 == 0 || (roughL2 > LEAST_ROUGH && roughL2 < MOST_ROUGH);
  const roughUnit = inverseH / inverseG / inverseG;
  for (let c = 0; c < columns; c++) {
    const count = load<i32>(binCounts + (<usize>c << 2));
    if (count == 0) continue;
    const column = histogram + <usize>c * COLUMN_BYTES;
    const missing = load<i64>(column + (MISSING_BIN << 3));
    const n = sumFilled(column, count, sumH - leastH, scratch);
    let largest = roughly(scratch, scratch + SCAN_RIGHT, n, 0, sumG, sumH, l2f, leastH);
    if (missing != 0) {
      largest = max(largest, roughly(scratch, scratch + SCAN_LEFT, n, missing, sumG, sumH, l2f, leastH));
    }
    const reach = max(best * roughUnit, <f64>largest);
    const least = isRough && reach < MOST_ROUGH_SCORE ? <f32>(reach - abs(reach) * ROUGH_MARGIN) : <f32>-0.5;
    if (!(largest > least)) continue;
    const near = f32x4.splat(least);
    let found = -1;
    for (let from: usize = 0; from < n; from += 4) {
      let right = i32x4.bitmask(f32x4.gt(v128.load(scratch + (from << 2), SCAN_RIGHT), near));
      let left = missing == 0 ? 0 : i32x4.bitmask(f32x4.gt(v128.load(scratch + (from << 2), SCAN_LEFT), near));
      for (let i = <i32>from; (left | right) != 0; i++, left >>= 1, right >>= 1) {
        const sums = load<i64>(scratch + (<usize>i << 3));
        if ((right & 1) != 0) {
          const score = exactScore(sums, all, units, l2s);
          if (score > best) {
            best = score;
            found = i;
            bestMissing = 0;
            bestLeft = sums;
          }
        }
        if ((left & 1) == 0) continue;
        const score = exactScore(sums + missing, all, units, l2s);
        if (!(score > best)) continue;
        best = score;
        found = i;
        bestMissing = 1;
        bestLeft = sums + missing;
      }
    }
    if (found < 0) continue;
    bestColumn = c;
    bestBin = filledBin(scratch, found);
  }
  store<f64>(out, best);
  store<i32>(out + 8, bestColumn);
  store<i32>(out + 12, bestBin);
  store<i32>(out + 16, bestMissing);
  store<i32>(out + 20, <i32>(bestLeft >> 32));
  store<i32>(out + 24, <i32>bestLeft);
  return bestColumn >= 0 ? 1 : 0;
}
