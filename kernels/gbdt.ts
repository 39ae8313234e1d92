/**
 * The inner loops of the `gbdt` trainer. Written in AssemblyScript (see docs/dependencies.md); each function has a twin of the
 * same name in src/learn/gbdt/twin.ts that gives the same bits, and the tests compare the two.
 *
 * Pointers are byte offsets into the module's memory, which the driver lays out. No function allocates. Integer sums make
 * histograms independent of the order of rows; floating-point steps are written in the one order the twin repeats. No fused
 * multiply-add and no relaxed instruction is used: they round differently on different processors.
 */

/** Raised with every change of a signature or a result: the driver refuses a file of another number. */
export function kernelVersion(): i32 {
  return 2;
}

const BINS: usize = 256;
const MISSING_BIN: usize = 255;
/** Bytes of one column of a histogram: 256 × (hessian int32, gradient int32). */
const COLUMN_BYTES: usize = BINS * 8;
/** Rows whose cache lines are asked for before any of them is used, so that the misses overlap. */
const TOUCH_ROWS: i32 = 128;

/** Sorts `count` floats without NaN; −0 before 0. Radix sort of three passes. `counts` has 2048 int32, `scratch` `count` words. */
export function sortFloats(values: usize, scratch: usize, counts: usize, count: i32): void {
  for (let i: usize = 0; i < <usize>count; i++) {
    const bits = load<u32>(values + (i << 2));
    const flip = <u32>(<i32>bits >> 31) | 0x80000000;
    store<u32>(values + (i << 2), bits ^ flip);
  }
  radixPass(values, scratch, counts, count, 0);
  radixPass(scratch, values, counts, count, 11);
  radixPass(values, scratch, counts, count, 22);
  for (let i: usize = 0; i < <usize>count; i++) {
    const key = load<u32>(scratch + (i << 2));
    const flip = <u32>(~(<i32>key >> 31)) | 0x80000000;
    store<u32>(values + (i << 2), key ^ flip);
  }
}

function radixPass(from: usize, to: usize, counts: usize, count: i32, shift: u32): void {
  memory.fill(counts, 0, 2048 * 4);
  for (let i: usize = 0; i < <usize>count; i++) {
    const slot = counts + <usize>(((load<u32>(from + (i << 2)) >> shift) & 2047) << 2);
    store<u32>(slot, load<u32>(slot) + 1);
  }
  let sum: u32 = 0;
  for (let i: usize = 0; i < 2048; i++) {
    const slot = counts + (i << 2);
    const here = load<u32>(slot);
    store<u32>(slot, sum);
    sum += here;
  }
  for (let i: usize = 0; i < <usize>count; i++) {
    const key = load<u32>(from + (i << 2));
    const slot = counts + <usize>(((key >> shift) & 2047) << 2);
    const place = load<u32>(slot);
    store<u32>(slot, place + 1);
    store<u32>(to + (<usize>place << 2), key);
  }
}

/**
 * Bins of one column of a block of raw rows: the number of edges below the value, 255 for missing. `edges` holds 256 floats,
 * unused ones +Infinity. Writes `byRow[row · stride]` and `byColumn[row]`.
 */
export function binColumn(
  values: usize,
  rows: i32,
  valueStride: i32,
  edges: usize,
  byRow: usize,
  stride: i32,
  byColumn: usize,
): void {
  for (let i = 0; i < rows; i++) {
    const x = load<f32>(values);
    let at: usize = 0;
    at += select<usize>(128, 0, load<f32>(edges + ((at + 127) << 2)) < x);
    at += select<usize>(64, 0, load<f32>(edges + ((at + 63) << 2)) < x);
    at += select<usize>(32, 0, load<f32>(edges + ((at + 31) << 2)) < x);
    at += select<usize>(16, 0, load<f32>(edges + ((at + 15) << 2)) < x);
    at += select<usize>(8, 0, load<f32>(edges + ((at + 7) << 2)) < x);
    at += select<usize>(4, 0, load<f32>(edges + ((at + 3) << 2)) < x);
    at += select<usize>(2, 0, load<f32>(edges + ((at + 1) << 2)) < x);
    at += select<usize>(1, 0, load<f32>(edges + (at << 2)) < x);
    at = select<usize>(at, MISSING_BIN, x == x);
    store<u8>(byRow, <u8>at);
    store<u8>(byColumn, <u8>at);
    values += <usize>valueStride << 2;
    byRow += <usize>stride;
    byColumn++;
  }
}

/**
 * Gradient and hessian of the logistic loss for `rows` (a multiple of 4) scores. `weights` 0 means weight 1. Writes the sums of
 * |g| and of h of every 4,096 rows to two float64 at `sums`: who adds them up does so in their order.
 */
export function logisticGradients(
  scores: usize,
  labels: usize,
  weights: usize,
  gradients: usize,
  hessians: usize,
  rows: i32,
  sums: usize,
): void {
  for (let from = 0; from < rows; from += 4096) {
    const to = min(rows, from + 4096);
    let laneG = f32x4.splat(0);
    let laneH = f32x4.splat(0);
    for (let i: usize = <usize>from << 2; i < <usize>to << 2; i += 16) {
      const e = exp4(f32x4.neg(v128.load(scores + i)));
      const p = f32x4.div(f32x4.splat(1), f32x4.add(f32x4.splat(1), e));
      let g = f32x4.sub(p, v128.load(labels + i));
      let h = f32x4.mul(p, f32x4.sub(f32x4.splat(1), p));
      if (weights != 0) {
        const w = v128.load(weights + i);
        g = f32x4.mul(g, w);
        h = f32x4.mul(h, w);
      }
      v128.store(gradients + i, g);
      v128.store(hessians + i, h);
      laneG = f32x4.add(laneG, f32x4.abs(g));
      laneH = f32x4.add(laneH, h);
    }
    store<f64>(sums, sumOfLanes(laneG));
    store<f64>(sums + 8, sumOfLanes(laneH));
    sums += 16;
  }
}

// @ts-ignore: decorator
@inline
function sumOfLanes(lanes: v128): f64 {
  return (
    <f64>f32x4.extract_lane(lanes, 0) +
    <f64>f32x4.extract_lane(lanes, 1) +
    <f64>f32x4.extract_lane(lanes, 2) +
    <f64>f32x4.extract_lane(lanes, 3)
  );
}

/** e^x of four floats, x cut to ±87: Cody-Waite reduction and the Taylor polynomial, as src/stats/exp.ts in single precision. */
// @ts-ignore: decorator
@inline
function exp4(x: v128): v128 {
  const cut = f32x4.max(f32x4.min(x, f32x4.splat(87)), f32x4.splat(-87));
  const k = f32x4.floor(f32x4.add(f32x4.mul(cut, f32x4.splat(1.44269504)), f32x4.splat(0.5)));
  let r = f32x4.sub(cut, f32x4.mul(k, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(k, f32x4.splat(-0.00021219444)));
  let p = f32x4.splat(0.0013888889);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.008333334));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.041666668));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.16666667));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.5));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1));
  const exponent = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(k), i32x4.splat(127)), 23);
  return f32x4.mul(p, exponent);
}

/** Packs round(g · scaleG) in the high and round(h · scaleH) in the low half of an int64 per row; `rows` is even, h ≥ 0. */
export function quantize(
  gradients: usize,
  hessians: usize,
  packed: usize,
  rows: i32,
  scaleG: f64,
  scaleH: f64,
): void {
  const half = f64x2.splat(0.5);
  const scalesG = f64x2.splat(scaleG);
  const scalesH = f64x2.splat(scaleH);
  for (let i: usize = 0; i < <usize>rows; i += 2) {
    const g2 = f64x2.promote_low_f32x4(v128.load64_zero(gradients + (i << 2)));
    const h2 = f64x2.promote_low_f32x4(v128.load64_zero(hessians + (i << 2)));
    const g = i32x4.trunc_sat_f64x2_s_zero(f64x2.floor(f64x2.add(f64x2.mul(g2, scalesG), half)));
    const h = i32x4.trunc_sat_f64x2_s_zero(f64x2.floor(f64x2.add(f64x2.mul(h2, scalesH), half)));
    v128.store(packed + (i << 3), v128.shuffle<i32>(h, g, 0, 4, 1, 5));
  }
}

// @ts-ignore: decorator
@inline
function accumulate(histogram: usize, row: usize, stride: usize, value: i64): void {
  let column = histogram;
  for (let c: usize = 0; c < stride; c += 4) {
    const word = load<u32>(row + c);
    const a = column + <usize>((word & 255) << 3);
    const b = column + COLUMN_BYTES + <usize>(((word >> 8) & 255) << 3);
    const d = column + 2 * COLUMN_BYTES + <usize>(((word >> 16) & 255) << 3);
    const e = column + 3 * COLUMN_BYTES + <usize>((word >> 24) << 3);
    store<i64>(a, load<i64>(a) + value);
    store<i64>(b, load<i64>(b) + value);
    store<i64>(d, load<i64>(d) + value);
    store<i64>(e, load<i64>(e) + value);
    column += 4 * COLUMN_BYTES;
  }
}

/** Keeps the touching loads alive: what nobody reads the optimizer removes. */
let touched: i64 = 0;

/**
 * Sums of packed gradients per column and bin over the rows `index[begin .. end)`. `stride` (a multiple of 4) is the bytes of a
 * row of `bins`. The histogram is cleared first.
 */
export function histogramRows(
  histogram: usize,
  bins: usize,
  stride: i32,
  packed: usize,
  index: usize,
  begin: i32,
  end: i32,
): void {
  memory.fill(histogram, 0, <usize>stride * COLUMN_BYTES);
  const width = <usize>stride;
  for (let from = begin; from < end; from += TOUCH_ROWS) {
    const to = min(end, from + TOUCH_ROWS);
    let touch: i64 = 0;
    for (let i = from; i < to; i++) {
      const row = <usize>load<u32>(index + (<usize>i << 2));
      touch += load<i64>(packed + (row << 3)) + <i64>load<u8>(bins + row * width);
    }
    touched = touch;
    for (let i = from; i < to; i++) {
      const row = <usize>load<u32>(index + (<usize>i << 2));
      accumulate(histogram, bins + row * width, width, load<i64>(packed + (row << 3)));
    }
  }
}

/** The same over all rows in order: no index to read, and no cache misses to hide. */
export function histogramAll(histogram: usize, bins: usize, stride: i32, packed: usize, rows: i32): void {
  memory.fill(histogram, 0, <usize>stride * COLUMN_BYTES);
  const width = <usize>stride;
  for (let row: usize = 0; row < <usize>rows; row++) {
    accumulate(histogram, bins + row * width, width, load<i64>(packed + (row << 3)));
  }
}

/** `histogram` becomes itself plus `other`, exactly. */
export function addHistogram(histogram: usize, other: usize, stride: i32): void {
  const bytes = <usize>stride * COLUMN_BYTES;
  for (let i: usize = 0; i < bytes; i += 16) {
    v128.store(histogram + i, i64x2.add(v128.load(histogram + i), v128.load(other + i)));
  }
}

/** `histogram` becomes itself minus `other`, exactly. */
export function subtractHistogram(histogram: usize, other: usize, stride: i32): void {
  const bytes = <usize>stride * COLUMN_BYTES;
  for (let i: usize = 0; i < bytes; i += 16) {
    v128.store(histogram + i, i64x2.sub(v128.load(histogram + i), v128.load(other + i)));
  }
}

// @ts-ignore: decorator
@inline
function cellAt(cell: usize, units: v128): v128 {
  return f64x2.mul(f64x2.convert_low_i32x4_s(v128.load64_zero(cell)), units);
}

// @ts-ignore: decorator
@inline
function emptyPairs(cell: usize): v128 {
  const zero = i64x2.splat(0);
  const low = i64x2.eq(v128.load(cell), zero);
  return v128.shuffle<i32>(low, i64x2.eq(v128.load(cell, 16), zero), 0, 2, 4, 6);
}

/** Bit b tells whether bin b of these 16 holds something. */
// @ts-ignore: decorator
@inline
function filledOf16(cell: usize): u64 {
  const low = i16x8.narrow_i32x4_s(emptyPairs(cell), emptyPairs(cell + 32));
  const high = i16x8.narrow_i32x4_s(emptyPairs(cell + 64), emptyPairs(cell + 96));
  return <u64>(<u32>i8x16.bitmask(i8x16.narrow_i16x8_s(low, high)) ^ 0xffff);
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

/** Whether a child weighs less than `floorH`; asked of the rare candidates that score more than the best. */
// @ts-ignore: decorator
@inline
function isTooLight(left: v128, right: v128, floorH: v128): bool {
  return v128.any_true(f64x2.lt(v128.shuffle<i64>(left, right, 0, 2), floorH));
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
  out: usize,
): i32 {
  let best = leastScore;
  let bestColumn = -1;
  let bestBin = 0;
  let bestMissing = 0;
  let bestLeft = f64x2.splat(0);
  // Lanes are (hessian, gradient). Sums are integers times a power of two, so every one of them is exact.
  const units = f64x2(inverseH, inverseG);
  const all = f64x2.mul(f64x2(<f64>sumH, <f64>sumG), units);
  const l2s = f64x2.splat(l2);
  const floorH = f64x2.splat(minChild);
  for (let c = 0; c < columns; c++) {
    const count = load<i32>(binCounts + (<usize>c << 2));
    if (count == 0) continue;
    const column = histogram + <usize>c * COLUMN_BYTES;
    const missing = cellAt(column + (MISSING_BIN << 3), units);
    const hasMissing = load<i64>(column + (MISSING_BIN << 3)) != 0;
    let left = f64x2.splat(0);
    for (let block = 0; block < count; block += 64) {
      // A leaf of few rows fills few bins, here and there. Guessing at each whether it is empty costs more than all the sums;
      // an empty bin repeats the score before it.
      let filled = filledOf64(column + (<usize>block << 3));
      if (block == 192) filled &= ~(<u64>1 << 63);
      while (filled != 0) {
        const b = block + <i32>ctz(filled);
        filled &= filled - 1;
        left = f64x2.add(left, cellAt(column + (<usize>b << 3), units));
        const right = f64x2.sub(all, left);
        const score = splitScore(left, right, l2s);
        if (score > best && !isTooLight(left, right, floorH)) {
          best = score;
          bestColumn = c;
          bestBin = b;
          bestMissing = 0;
          bestLeft = left;
        }
        if (hasMissing) {
          const both = f64x2.add(left, missing);
          const rest = f64x2.sub(all, both);
          const other = splitScore(both, rest, l2s);
          if (other > best && !isTooLight(both, rest, floorH)) {
            best = other;
            bestColumn = c;
            bestBin = b;
            bestMissing = 1;
            bestLeft = both;
          }
        }
      }
    }
  }
  store<f64>(out, best);
  store<i32>(out + 8, bestColumn);
  store<i32>(out + 12, bestBin);
  store<i32>(out + 16, bestMissing);
  store<i32>(out + 20, <i32>(f64x2.extract_lane(bestLeft, 1) / inverseG));
  store<i32>(out + 24, <i32>(f64x2.extract_lane(bestLeft, 0) / inverseH));
  return bestColumn >= 0 ? 1 : 0;
}

/** `index[i] = i` for i in [begin, end). */
export function countUp(index: usize, begin: i32, end: i32): void {
  for (let i = begin; i < end; i++) store<i32>(index + (<usize>i << 2), i);
}

/**
 * Splits `index[begin .. end)` by `goesLeft[bin of the row]` (256 bytes of 0 or 1), keeping the order on both sides. `scratch`
 * has room for the range. Returns the number of rows that went left.
 */
export function partition(
  index: usize,
  begin: i32,
  end: i32,
  columnBins: usize,
  goesLeft: usize,
  scratch: usize,
): i32 {
  const start = index + (<usize>begin << 2);
  const stop = index + (<usize>end << 2);
  let left = start;
  let right = scratch;
  for (let at = start; at < stop; at += 4) {
    const row = load<u32>(at);
    const isLeft = <usize>load<u8>(goesLeft + <usize>load<u8>(columnBins + <usize>row));
    store<u32>(left, row);
    store<u32>(right, row);
    left += isLeft << 2;
    right += (1 - isLeft) << 2;
  }
  memory.copy(left, scratch, right - scratch);
  return <i32>((left - start) >> 2);
}

/** Adds a leaf's value to the scores of its rows, in single precision. */
export function addValue(scores: usize, index: usize, begin: i32, end: i32, value: f32): void {
  for (let i = begin; i < end; i++) {
    const at = scores + (<usize>load<u32>(index + (<usize>i << 2)) << 2);
    store<f32>(at, load<f32>(at) + value);
  }
}
