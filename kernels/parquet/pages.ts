/**
 * What a page of a Parquet file holds, as float32: levels that tell which rows have a value, values as they lie there or as places in a
 * dictionary. Nothing is read beyond the end that is given; a page that would need it is refused with −1.
 */

/** Bytes read of the number that was asked for last. */
let read: u32 = 0;

/** A number of seven bits a byte; `read` is 0 where it does not end. */
function variable(at: usize, end: usize): u32 {
  let value: u32 = 0;
  read = 0;
  for (let i: u32 = 0; i < 5 && at + <usize>i < end; i++) {
    const byte = <u32>load<u8>(at + <usize>i);
    value |= (byte & 0x7f) << (i * 7);
    if (byte < 0x80) {
      read = i + 1;
      return value;
    }
  }
  return 0;
}

/**
 * Runs and packed groups of numbers of `width` bits (1 to 24), one after the other to `to` as 32 bits each.
 *
 * @returns how many of them equal `sought`, or −1
 */
export function unpack(from: usize, length: i32, width: u32, count: i32, to: usize, sought: u32): i32 {
  const end = from + <usize>length;
  const mask = (<u32>1 << width) - 1;
  let at = from;
  let left = <u32>count;
  let out = to;
  let found: u32 = 0;
  while (left > 0) {
    const header = variable(at, end);
    if (read == 0) return -1;
    at += <usize>read;
    if ((header & 1) == 0) {
      const bytes = (width + 7) >>> 3;
      if (end - at < <usize>bytes) return -1;
      let value: u32 = 0;
      for (let i: u32 = 0; i < bytes; i++) value |= <u32>load<u8>(at + <usize>i) << (i << 3);
      at += <usize>bytes;
      const run = min(header >>> 1, left);
      if (run == 0) return -1;
      for (let i: u32 = 0; i < run; i++, out += 4) store<u32>(out, value);
      if (value == sought) found += run;
      left -= run;
      continue;
    }
    // Groups of eight; the last may be cut short by the end of the page, and hold more than there are rows.
    const groups = header >>> 1;
    if (groups == 0 || groups > 0x1000000) return -1;
    const run = min(groups << 3, left);
    const bytes = min(<usize>(groups * width), end - at);
    if (<u64>run * width > <u64>bytes << 3) return -1;
    const stop = at + bytes;
    let bits: u64 = 0;
    let held: u32 = 0;
    let next = at;
    for (let i: u32 = 0; i < run; i++, out += 4) {
      while (held < width) {
        bits |= <u64>load<u8>(next++) << held;
        held += 8;
      }
      const value = <u32>bits & mask;
      bits >>= width;
      held -= width;
      store<u32>(out, value);
      found += <u32>(value == sought);
    }
    at = stop;
    left -= run;
  }
  return <i32>found;
}

/** Places in a dictionary of `size` float32 as its values. @returns 0, or −1 where a place lies outside */
export function lookUp(places: usize, count: i32, dictionary: usize, size: u32, to: usize): i32 {
  let largest: u32 = 0;
  for (let i: usize = 0; i < <usize>count; i++) largest = max(largest, load<u32>(places + (i << 2)));
  if (count > 0 && largest >= size) return -1;
  for (let i: usize = 0; i < <usize>count; i++) {
    store<f32>(to + (i << 2), load<f32>(dictionary + (<usize>load<u32>(places + (i << 2)) << 2)));
  }
  return 0;
}

/** Values that lie one after the other into the rows of level 1; the others become NaN. From the end: both are in the same place. */
export function spread(levels: usize, count: i32, present: i32, at: usize): void {
  let from = <usize>present;
  for (let i = <usize>count; i-- > 0; ) {
    if (load<u32>(levels + (i << 2)) != 0) store<f32>(at + (i << 2), load<f32>(at + (--from << 2)));
    else store<f32>(at + (i << 2), NaN);
  }
}

/** Whole numbers as float32: of 32 bits, signed or not. */
export function fromInt32(from: usize, to: usize, count: i32, isUnsigned: i32): void {
  for (let i: usize = 0; i < <usize>count; i++) {
    const value = load<i32>(from + (i << 2));
    store<f32>(to + (i << 2), isUnsigned ? <f32>(<u32>value) : <f32>value);
  }
}

/** The same of 64 bits. */
export function fromInt64(from: usize, to: usize, count: i32, isUnsigned: i32): void {
  for (let i: usize = 0; i < <usize>count; i++) {
    const value = load<i64>(from + (i << 3));
    store<f32>(to + (i << 2), isUnsigned ? <f32>(<u64>value) : <f32>value);
  }
}

/** float32 as they are. */
export function copyFloats(from: usize, to: usize, count: i32): void {
  memory.copy(to, from, <usize>count << 2);
}
