/**
 * The inner loops of the `linear` trainer, in AssemblyScript. Each function has a twin of the same name in
 * src/learn/linear/twin.ts that gives the same bits, and the tests compare the two.
 *
 * Pointers are byte offsets into the module's memory, which the driver lays out. No function allocates. What a row gives (its
 * score, its share of the step) is float32 in four lanes; the weights these steps add up to, and their mean, are float64, so
 * that late, small steps are not lost. No fused multiply-add, which rounds differently between processors.
 */

/** Raised with every change of a signature or a result: the driver refuses a file of another number. */
export function kernelVersion(): i32 {
  return 2;
}

const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440e-4;
const INVERSE_LN2: f32 = 1.44269504088896341;
/** exp of less is not told from 0 in any sum here; above it 2^k is a normal number, which keeps the code short. */
const EXP_MINIMUM: f32 = -87;
/** Rows between two settlements: adding up every 16th iterate costs a sixteenth and changes nothing that matters. */
const SETTLE_ROWS: i32 = 16;
/** Rows of one step. */
const BATCH_ROWS: i32 = 8;
/** Squared lengths are kept as float32; a longer row than this has lost its meaning anyway, and infinity times 0 is none. */
const LARGEST_NORM: f64 = 1e30;

/** An integer below `limit` by xoshiro128**, whose four words lie at `state`: the high half of a word × limit. */
// @ts-ignore: decorator
@inline
function drawBelow(limit: u32, state: usize): u32 {
  const a = load<u32>(state);
  const b = load<u32>(state, 4);
  const c = load<u32>(state, 8) ^ a;
  const d = load<u32>(state, 12) ^ b;
  const draw = rotl<u32>(b * 5, 7) * 9;
  store<u32>(state, a ^ d);
  store<u32>(state, b ^ c, 4);
  store<u32>(state, c ^ (b << 9), 8);
  store<u32>(state, rotl<u32>(d, 11), 12);
  return <u32>((<u64>draw * <u64>limit) >> 32);
}

/** Fisher-Yates. */
export function shuffle(order: usize, count: i32, state: usize): void {
  for (let i = count - 1; i > 0; i--) {
    const here = order + (<usize>i << 2);
    const there = order + (<usize>drawBelow(i + 1, state) << 2);
    const kept = load<u32>(here);
    store<u32>(here, load<u32>(there));
    store<u32>(there, kept);
  }
}

/**
 * The order of an epoch: blocks of `blockRows` neighbors in random order, each gone around once from a row drawn at random. Rows
 * that were placed at random meet in other batches every epoch, and memory is read in stretches. Block numbers go to `blocks`.
 */
export function shuffleBlocks(order: usize, count: i32, blocks: usize, blockRows: i32, state: usize): void {
  const blockCount = (count + blockRows - 1) / blockRows;
  for (let i = 0; i < blockCount; i++) store<u32>(blocks + (<usize>i << 2), i);
  shuffle(blocks, blockCount, state);
  let at = order;
  for (let i = 0; i < blockCount; i++) {
    const first = <i32>load<u32>(blocks + (<usize>i << 2)) * blockRows;
    const end = min(first + blockRows, count);
    const start = first + <i32>drawBelow(end - first, state);
    for (let row = start; row < end; row++, at += 4) store<u32>(at, row);
    for (let row = first; row < start; row++, at += 4) store<u32>(at, row);
  }
}

/**
 * Writes `count` rows of `columns` float32 at `rows`, with their targets and weights (float64), to the slots whose numbers lie
 * at `slots`: padded with 0 to `bytes` (a multiple of 16), then target, ‖x‖² + 1 and weight as float32, so that what a step
 * needs lies together. Returns `total` plus the sum of ‖x‖² + 1.
 */
export function placeRows(
  rows: usize,
  count: i32,
  columns: i32,
  targets: usize,
  rowWeights: usize,
  slots: usize,
  values: usize,
  bytes: usize,
  total: f64,
): f64 {
  const size = <usize>columns << 2;
  const whole = size & ~15;
  for (let i: usize = 0; i < <usize>count; i++) {
    const from = rows + i * size;
    const to = values + <usize>load<u32>(slots + (i << 2)) * (bytes + 16);
    let sums = f64x2.splat(0);
    for (let j: usize = 0; j < whole; j += 16) {
      const four = v128.load(from + j);
      v128.store(to + j, four);
      const low = f64x2.promote_low_f32x4(four);
      const high = f64x2.promote_low_f32x4(v128.shuffle<i64>(four, four, 1, 1));
      sums = f64x2.add(f64x2.add(sums, f64x2.mul(low, low)), f64x2.mul(high, high));
    }
    let even = f64x2.extract_lane(sums, 0);
    let odd = f64x2.extract_lane(sums, 1);
    for (let j = whole; j < size; j += 4) {
      const value = load<f32>(from + j);
      store<f32>(to + j, value);
      const square = <f64>value * <f64>value;
      if (j & 4) odd += square;
      else even += square;
    }
    const norm = 1 + (even + odd);
    store<f32>(to + bytes, <f32>load<f64>(targets + (i << 3)));
    store<f32>(to + bytes, <f32>min(norm, LARGEST_NORM), 4);
    store<f32>(to + bytes, <f32>load<f64>(rowWeights + (i << 3)), 8);
    total += norm;
  }
  return total;
}

/** e to the power x for x ≤ 0, within 2e-7 of it: S. L. Moshier, Cephes Mathematical Library 2.2, expf.c (1992). */
// @ts-ignore: decorator
@inline
function exp4(given: v128): v128 {
  const x = f32x4.max(given, f32x4.splat(EXP_MINIMUM));
  const k = f32x4.floor(f32x4.add(f32x4.mul(x, f32x4.splat(INVERSE_LN2)), f32x4.splat(0.5)));
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(k, f32x4.splat(LN2_HIGH))), f32x4.mul(k, f32x4.splat(LN2_LOW)));
  // Powers side by side (G. Estrin 1960) rather than one after the other: a batch waits for this before the next can begin.
  const square = f32x4.mul(r, r);
  const low = f32x4.add(f32x4.mul(f32x4.splat(1.6666665459e-1), r), f32x4.splat(5.0000001201e-1));
  const middle = f32x4.add(f32x4.mul(f32x4.splat(8.3334519073e-3), r), f32x4.splat(4.1665795894e-2));
  const high = f32x4.add(f32x4.mul(f32x4.splat(1.9875691500e-4), r), f32x4.splat(1.3981999507e-3));
  const p = f32x4.add(f32x4.add(low, f32x4.mul(middle, square)), f32x4.mul(high, f32x4.mul(square, square)));
  const value = f32x4.add(f32x4.add(f32x4.splat(1), r), f32x4.mul(p, square));
  return f32x4.mul(value, i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(k), i32x4.splat(127)), 23));
}

/** 1 / (1 + e^−x) by e = exp(−|x|), which cannot overflow. */
// @ts-ignore: decorator
@inline
function sigmoid4(x: v128): v128 {
  const e = exp4(f32x4.neg(f32x4.abs(x)));
  const top = v128.bitselect(f32x4.splat(1), e, f32x4.ge(x, f32x4.splat(0)));
  return f32x4.div(top, f32x4.add(f32x4.splat(1), e));
}

// @ts-ignore: decorator
@inline
function sumOf(lanes: v128): f32 {
  return f32x4.extract_lane(lanes, 0) + f32x4.extract_lane(lanes, 1) + (f32x4.extract_lane(lanes, 2) + f32x4.extract_lane(lanes, 3));
}

/** Row `i` of the order, or the batch's first where the order has ended. */
// @ts-ignore: decorator
@inline
function rowAt(values: usize, rowBytes: usize, order: usize, first: i32, i: i32, to: i32): usize {
  return values + <usize>load<u32>(order + (<usize>(i < to ? i : first) << 2)) * rowBytes;
}

/** Targets, then norms, of two rows, whose tails are at p and q. */
// @ts-ignore: decorator
@inline
function pairLow(p: usize, q: usize): v128 {
  return v128.shuffle<i32>(v128.load(p), v128.load(q), 0, 4, 1, 5);
}

// @ts-ignore: decorator
@inline
function targets4(p: usize, q: usize, r: usize, s: usize): v128 {
  return v128.shuffle<i64>(pairLow(p, q), pairLow(r, s), 0, 2);
}

// @ts-ignore: decorator
@inline
function norms4(p: usize, q: usize, r: usize, s: usize): v128 {
  return v128.shuffle<i64>(pairLow(p, q), pairLow(r, s), 1, 3);
}

// @ts-ignore: decorator
@inline
function weights4(p: usize, q: usize, r: usize, s: usize): v128 {
  const left = v128.shuffle<i32>(v128.load(p), v128.load(q), 2, 6, 3, 7);
  const right = v128.shuffle<i32>(v128.load(r), v128.load(s), 2, 6, 3, 7);
  return v128.shuffle<i64>(left, right, 0, 2);
}

/**
 * What residuals of four rows are multiplied by: rate × weight / (1 + curvature · Σ rate × weight × norm); 0 from row `count` on.
 */
// @ts-ignore: decorator
@inline
function scales4(rate: f32, weights: v128, norms: v128, curvature: f32, count: i32): v128 {
  let rates = f32x4.mul(f32x4.splat(rate), weights);
  rates = v128.and(rates, i32x4.gt_s(i32x4.splat(count), i32x4(0, 1, 2, 3)));
  return f32x4.div(rates, f32x4.splat(1 + curvature * sumOf(f32x4.mul(rates, norms))));
}

/** w · x + intercept of the four rows. */
// @ts-ignore: decorator
@inline
function scores4(singles: usize, bytes: usize, p: usize, q: usize, r: usize, s: usize): v128 {
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  let c = f32x4.splat(0);
  let d = f32x4.splat(0);
  for (let j: usize = 0; j < bytes; j += 16) {
    const w = v128.load(singles + j);
    a = f32x4.add(a, f32x4.mul(w, v128.load(p + j)));
    b = f32x4.add(b, f32x4.mul(w, v128.load(q + j)));
    c = f32x4.add(c, f32x4.mul(w, v128.load(r + j)));
    d = f32x4.add(d, f32x4.mul(w, v128.load(s + j)));
  }
  const left = f32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const right = f32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  const sums = f32x4.add(v128.shuffle<i64>(left, right, 0, 2), v128.shuffle<i64>(left, right, 1, 3));
  return f32x4.add(v128.load32_splat(singles + bytes), sums);
}

/** Two vectors of float64 as one of float32. */
// @ts-ignore: decorator
@inline
function narrow(low: v128, high: v128): v128 {
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

// @ts-ignore: decorator
@inline
function sum4(a: v128, p: usize, b: v128, q: usize, c: v128, r: usize, d: v128, s: usize): v128 {
  const left = f32x4.add(f32x4.mul(a, v128.load(p)), f32x4.mul(b, v128.load(q)));
  const right = f32x4.add(f32x4.mul(c, v128.load(r)), f32x4.mul(d, v128.load(s)));
  return f32x4.add(left, right);
}

/**
 * w += Σ move · x over the batch. The copy moves by itself: rounding it from the float64 would make the next batch wait for it.
 */
// @ts-ignore: decorator
@inline
function move8(
  weights: usize,
  singles: usize,
  bytes: usize,
  p: usize,
  q: usize,
  r: usize,
  s: usize,
  t: usize,
  u: usize,
  v: usize,
  x: usize,
  first: v128,
  second: v128,
): void {
  const a = v128.shuffle<i32>(first, first, 0, 0, 0, 0);
  const b = v128.shuffle<i32>(first, first, 1, 1, 1, 1);
  const c = v128.shuffle<i32>(first, first, 2, 2, 2, 2);
  const d = v128.shuffle<i32>(first, first, 3, 3, 3, 3);
  const e = v128.shuffle<i32>(second, second, 0, 0, 0, 0);
  const f = v128.shuffle<i32>(second, second, 1, 1, 1, 1);
  const g = v128.shuffle<i32>(second, second, 2, 2, 2, 2);
  const h = v128.shuffle<i32>(second, second, 3, 3, 3, 3);
  for (let j: usize = 0; j < bytes; j += 16) {
    const at = weights + (j << 1);
    const step = f32x4.add(sum4(a, p + j, b, q + j, c, r + j, d, s + j), sum4(e, t + j, f, u + j, g, v + j, h, x + j));
    v128.store(singles + j, f32x4.add(v128.load(singles + j), step));
    v128.store(at, f64x2.add(v128.load(at), f64x2.promote_low_f32x4(step)));
    const high = f64x2.promote_low_f32x4(v128.shuffle<i64>(step, step, 1, 1));
    v128.store(at, f64x2.add(v128.load(at, 16), high), 16);
  }
  const at = weights + (bytes << 1);
  const step = sumOf(first) + sumOf(second);
  store<f32>(singles + bytes, load<f32>(singles + bytes) + step);
  store<f64>(at, load<f64>(at) + <f64>step);
}

/** The float32 copy of the weights that scores are computed from. */
function copyWeights(weights: usize, singles: usize, bytes: usize): void {
  for (let j: usize = 0; j < bytes; j += 16) {
    v128.store(singles + j, narrow(v128.load(weights + (j << 1)), v128.load(weights + (j << 1), 16)));
  }
  store<f32>(singles + bytes, <f32>load<f64>(weights + (bytes << 1)));
}

/** Shrinks the weights by the penalties of the last batches and adds them to the mean; an intercept is not shrunk. */
function settle(weights: usize, sums: usize, singles: usize, bytes: usize, shrink: f64, threshold: f64): void {
  const factor = f64x2.splat(shrink);
  const cut = f64x2.splat(threshold);
  const zero = f64x2.splat(0);
  const end = bytes << 1;
  for (let j: usize = 0; j < end; j += 16) {
    let w = f64x2.mul(v128.load(weights + j), factor);
    if (threshold > 0) {
      const size = f64x2.max(f64x2.sub(f64x2.abs(w), cut), zero);
      w = v128.bitselect(f64x2.neg(size), size, f64x2.lt(w, zero));
    }
    v128.store(weights + j, w);
    v128.store(sums + j, f64x2.add(v128.load(sums + j), w));
  }
  store<f64>(sums + end, load<f64>(sums + end) + load<f64>(weights + end));
  copyWeights(weights, singles, bytes);
}

/** Fields of the pass at `state`, float64 each: rows done, iterates summed, first rate, decay in rows, l2, l1, curvature. */
// @ts-ignore: decorator
@inline
function rateAt(state: usize): f64 {
  return load<f64>(state, 16) / (1 + load<f64>(state) / load<f64>(state, 24));
}

/** Counts what has been gone over since the last settlement. */
// @ts-ignore: decorator
@inline
function countRows(state: usize, count: f64): void {
  store<f64>(state, load<f64>(state) + count);
  store<f64>(state, load<f64>(state, 8) + 1, 8);
}

/**
 * Rows `from` to `to` of the order (from is a multiple of 16) for one output: logistic, or squared loss. Rows lie as `placeRows`
 * wrote them. The weights are bytes / 4 float64, then the intercept; `singles` has room for as many float32 and four more.
 */
export function passSingle(
  values: usize,
  bytes: usize,
  order: usize,
  from: i32,
  to: i32,
  weights: usize,
  sums: usize,
  singles: usize,
  state: usize,
  scratch: usize,
  isLogistic: i32,
): void {
  const rowBytes = bytes + 16;
  const curvature = <f32>load<f64>(state, 48);
  let rate = rateAt(state);
  let settled = from;
  copyWeights(weights, singles, bytes);
  for (let i = from; i < to; i += BATCH_ROWS) {
    const p = rowAt(values, rowBytes, order, i, i, to);
    const q = rowAt(values, rowBytes, order, i, i + 1, to);
    const r = rowAt(values, rowBytes, order, i, i + 2, to);
    const s = rowAt(values, rowBytes, order, i, i + 3, to);
    const t = rowAt(values, rowBytes, order, i, i + 4, to);
    const u = rowAt(values, rowBytes, order, i, i + 5, to);
    const v = rowAt(values, rowBytes, order, i, i + 6, to);
    const x = rowAt(values, rowBytes, order, i, i + 7, to);
    let first = weights4(p + bytes, q + bytes, r + bytes, s + bytes);
    let second = weights4(t + bytes, u + bytes, v + bytes, x + bytes);
    first = scales4(<f32>rate, first, norms4(p + bytes, q + bytes, r + bytes, s + bytes), curvature, to - i);
    second = scales4(<f32>rate, second, norms4(t + bytes, u + bytes, v + bytes, x + bytes), curvature, to - i - 4);
    let left = scores4(singles, bytes, p, q, r, s);
    let right = scores4(singles, bytes, t, u, v, x);
    if (isLogistic) {
      left = sigmoid4(left);
      right = sigmoid4(right);
    }
    left = f32x4.sub(targets4(p + bytes, q + bytes, r + bytes, s + bytes), left);
    right = f32x4.sub(targets4(t + bytes, u + bytes, v + bytes, x + bytes), right);
    first = f32x4.mul(left, first);
    second = f32x4.mul(right, second);
    move8(weights, singles, bytes, p, q, r, s, t, u, v, x, first, second);
    const stop = min(i + BATCH_ROWS, to);
    if (stop == to || stop - settled == SETTLE_ROWS) {
      const count = <f64>(stop - settled);
      const reach = count * rate;
      settle(weights, sums, singles, bytes, 1 / (1 + reach * load<f64>(state, 32)), reach * load<f64>(state, 40));
      settled = stop;
      countRows(state, count);
      rate = rateAt(state);
    }
  }
}

/**
 * The same for softmax over `classes` outputs, whose weights follow each other; `scratch` has room for eight float32 of each.
 */
export function passSoftmax(
  values: usize,
  bytes: usize,
  order: usize,
  from: i32,
  to: i32,
  weights: usize,
  sums: usize,
  singles: usize,
  state: usize,
  scratch: usize,
  classes: i32,
): void {
  const rowBytes = bytes + 16;
  const curvature = <f32>load<f64>(state, 48);
  const classBytes = (bytes << 1) + 16;
  const end = scratch + (<usize>classes << 5);
  let rate = rateAt(state);
  let settled = from;
  for (let k: usize = 0; k < <usize>classes; k++) copyWeights(weights + k * classBytes, singles + k * rowBytes, bytes);
  for (let i = from; i < to; i += BATCH_ROWS) {
    const p = rowAt(values, rowBytes, order, i, i, to);
    const q = rowAt(values, rowBytes, order, i, i + 1, to);
    const r = rowAt(values, rowBytes, order, i, i + 2, to);
    const s = rowAt(values, rowBytes, order, i, i + 3, to);
    const t = rowAt(values, rowBytes, order, i, i + 4, to);
    const u = rowAt(values, rowBytes, order, i, i + 5, to);
    const v = rowAt(values, rowBytes, order, i, i + 6, to);
    const x = rowAt(values, rowBytes, order, i, i + 7, to);
    let first = weights4(p + bytes, q + bytes, r + bytes, s + bytes);
    let second = weights4(t + bytes, u + bytes, v + bytes, x + bytes);
    first = scales4(<f32>rate, first, norms4(p + bytes, q + bytes, r + bytes, s + bytes), curvature, to - i);
    second = scales4(<f32>rate, second, norms4(t + bytes, u + bytes, v + bytes, x + bytes), curvature, to - i - 4);
    let single = singles;
    let largest = f32x4.splat(-Infinity);
    let largestToo = f32x4.splat(-Infinity);
    for (let at = scratch; at < end; at += 32) {
      const left = scores4(single, bytes, p, q, r, s);
      const right = scores4(single, bytes, t, u, v, x);
      v128.store(at, left);
      v128.store(at, right, 16);
      largest = f32x4.max(largest, left);
      largestToo = f32x4.max(largestToo, right);
      single += rowBytes;
    }
    let total = f32x4.splat(0);
    let totalToo = f32x4.splat(0);
    for (let at = scratch; at < end; at += 32) {
      const left = exp4(f32x4.sub(v128.load(at), largest));
      const right = exp4(f32x4.sub(v128.load(at, 16), largestToo));
      v128.store(at, left);
      v128.store(at, right, 16);
      total = f32x4.add(total, left);
      totalToo = f32x4.add(totalToo, right);
    }
    const labels = targets4(p + bytes, q + bytes, r + bytes, s + bytes);
    const labelsToo = targets4(t + bytes, u + bytes, v + bytes, x + bytes);
    const one = f32x4.splat(1);
    let w = weights;
    single = singles;
    let number: f32 = 0;
    for (let at = scratch; at < end; at += 32) {
      const here = f32x4.splat(number);
      const left = f32x4.sub(v128.and(f32x4.eq(labels, here), one), f32x4.div(v128.load(at), total));
      const right = f32x4.sub(v128.and(f32x4.eq(labelsToo, here), one), f32x4.div(v128.load(at, 16), totalToo));
      move8(w, single, bytes, p, q, r, s, t, u, v, x, f32x4.mul(left, first), f32x4.mul(right, second));
      w += classBytes;
      single += rowBytes;
      number += 1;
    }
    const stop = min(i + BATCH_ROWS, to);
    if (stop == to || stop - settled == SETTLE_ROWS) {
      const count = <f64>(stop - settled);
      const reach = count * rate;
      const shrink = 1 / (1 + reach * load<f64>(state, 32));
      for (let k: usize = 0; k < <usize>classes; k++) {
        const own = k * classBytes;
        settle(weights + own, sums + own, singles + k * rowBytes, bytes, shrink, reach * load<f64>(state, 40));
      }
      settled = stop;
      countRows(state, count);
      rate = rateAt(state);
    }
  }
}
