/** Histograms: packed sums of gradients by column and bin. */

export const BINS: usize = 256;
export const MISSING_BIN: usize = 255;
/** Bytes of one column of a histogram: 256 × (hessian int32, gradient int32). */
export const COLUMN_BYTES: usize = BINS * 8;
/** Rows whose cache lines are asked for before any of them is used, so that the misses overlap. */
const TOUCH_ROWS: i32 = 128;

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
