/** Snappy's block format: literals and copies of what was written, as its format description has it. Never reads or writes outside. */

/** @returns the bytes written, or −1 where the block is not whole or needs more than `capacity` */
export function unsnappy(from: usize, length: i32, to: usize, capacity: i32): i32 {
  const end = from + <usize>length;
  let at = from;
  let size: u32 = 0;
  let shift: u32 = 0;
  for (;;) {
    if (at >= end || shift > 28) return -1;
    const byte = <u32>load<u8>(at++);
    size |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
    shift += 7;
  }
  if (size > <u32>capacity) return -1;
  const last = to + <usize>size;
  let out = to;
  while (at < end) {
    const tag = <u32>load<u8>(at++);
    if ((tag & 3) == 0) {
      let count = tag >>> 2;
      if (count >= 60) {
        const bytes = count - 59;
        if (<usize>bytes > end - at) return -1;
        count = 0;
        for (let i: u32 = 0; i < bytes; i++) count |= <u32>load<u8>(at + <usize>i) << (i << 3);
        at += <usize>bytes;
      }
      if (count >= <u32>(end - at) || count >= <u32>(last - out)) return -1;
      count++;
      memory.copy(out, at, <usize>count);
      at += <usize>count;
      out += <usize>count;
      continue;
    }
    let count: u32;
    let offset: u32;
    if ((tag & 3) == 1) {
      if (end - at < 1) return -1;
      count = ((tag >>> 2) & 7) + 4;
      offset = ((tag >>> 5) << 8) | <u32>load<u8>(at);
      at += 1;
    } else if ((tag & 3) == 2) {
      if (end - at < 2) return -1;
      count = (tag >>> 2) + 1;
      offset = <u32>load<u16>(at);
      at += 2;
    } else {
      if (end - at < 4) return -1;
      count = (tag >>> 2) + 1;
      offset = load<u32>(at);
      at += 4;
    }
    if (offset == 0 || offset > <u32>(out - to) || count > <u32>(last - out)) return -1;
    if (offset >= count) {
      memory.copy(out, out - <usize>offset, <usize>count);
      out += <usize>count;
    } else {
      // What is being copied is still being written.
      for (const stop = out + <usize>count; out < stop; out++) store<u8>(out, load<u8>(out - <usize>offset));
    }
  }
  return out == last ? <i32>size : -1;
}
