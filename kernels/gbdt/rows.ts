/** Rows by leaf: which of them go left, and what their scores gain. */

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

/**
 * Adds the leaves' values to the scores of their rows, in single precision. `ranges` holds begin and end of each leaf (int32),
 * `rangeStride` bytes from one to the next, `values` what to add (float32).
 */
export function addLeaves(
  scores: usize,
  index: usize,
  ranges: usize,
  rangeStride: i32,
  values: usize,
  leaves: i32,
): void {
  for (let leaf = 0; leaf < leaves; leaf++) {
    const value = load<f32>(values);
    const stop = index + (<usize>load<i32>(ranges, 4) << 2);
    for (let at = index + (<usize>load<i32>(ranges) << 2); at < stop; at += 4) {
      const score = scores + (<usize>load<u32>(at) << 2);
      store<f32>(score, load<f32>(score) + value);
    }
    ranges += <usize>rangeStride;
    values += 4;
  }
}
