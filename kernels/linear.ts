/**
 * The inner loops of the `linear` trainer, in AssemblyScript. Each function has a twin of the same name in
 * src/learn/linear/twin.ts that gives the same bits, and the tests compare the two.
 *
 * Pointers are byte offsets into the module's memory, which the driver lays out. No function allocates. Sums are float64 in
 * two lanes (even and odd columns), added at the end; no fused multiply-add, which rounds differently between processors.
 */

/** Raised with every change of a signature or a result: the driver refuses a file of another number. */
export function kernelVersion(): i32 {
  return 1;
}

const LN2_HIGH: f64 = 0.69314718036912381649;
const LN2_LOW: f64 = 1.90821492927058770002e-10;
const INVERSE_LN2: f64 = 1.442695040888963387;
/** exp of less is not told from 0 in any sum here; above it 2^k is a normal number, which keeps the code short. */
const EXP_MINIMUM: f64 = -700;
/** Rows between two settlements: adding up every 16th iterate costs a sixteenth and changes nothing that matters. */
const SETTLE_ROWS: i32 = 16;

/** Fisher-Yates by xoshiro128**, whose four words lie at `state`. A draw below n is the high half of draw × n. */
export function shuffle(order: usize, count: i32, state: usize): void {
  let a = load<u32>(state);
  let b = load<u32>(state, 4);
  let c = load<u32>(state, 8);
  let d = load<u32>(state, 12);
  for (let i = count - 1; i > 0; i--) {
    const draw = rotl<u32>(b * 5, 7) * 9;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotl<u32>(d, 11);
    const j = <usize>((<u64>draw * <u64>(<u32>i + 1)) >> 32);
    const here = order + (<usize>i << 2);
    const there = order + (j << 2);
    const kept = load<u32>(here);
    store<u32>(here, load<u32>(there));
    store<u32>(there, kept);
  }
  store<u32>(state, a);
  store<u32>(state, b, 4);
  store<u32>(state, c, 8);
  store<u32>(state, d, 12);
}

/** e to the power x for x ≤ 0, as `expDeterministic` computes it. */
// @ts-ignore: decorator
@inline
function exp2(given: v128): v128 {
  const x = f64x2.max(given, f64x2.splat(EXP_MINIMUM));
  const k = f64x2.floor(f64x2.add(f64x2.mul(x, f64x2.splat(INVERSE_LN2)), f64x2.splat(0.5)));
  const high = f64x2.sub(x, f64x2.mul(k, f64x2.splat(LN2_HIGH)));
  const low = f64x2.mul(k, f64x2.splat(LN2_LOW));
  const r = f64x2.sub(high, low);
  let p = f64x2.splat(1.0 / 6227020800);
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 479001600));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 39916800));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 3628800));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 362880));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 40320));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 5040));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 720));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 120));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 24));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 6));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(0.5));
  const tail = f64x2.sub(f64x2.sub(high, r), low);
  const value = f64x2.add(f64x2.splat(1), f64x2.add(r, f64x2.add(f64x2.mul(f64x2.mul(p, r), r), tail)));
  const exponent = i64x2.shl(
    i64x2.add(i64x2.extend_low_i32x4_s(i32x4.trunc_sat_f64x2_s_zero(k)), i64x2.splat(1023)),
    52,
  );
  return f64x2.mul(value, exponent);
}

/** 1 / (1 + e^−x) by e = exp(−|x|), which cannot overflow. */
// @ts-ignore: decorator
@inline
function sigmoid2(x: v128): v128 {
  const e = exp2(f64x2.neg(f64x2.abs(x)));
  const top = v128.bitselect(f64x2.splat(1), e, f64x2.ge(x, f64x2.splat(0)));
  return f64x2.div(top, f64x2.add(f64x2.splat(1), e));
}

// @ts-ignore: decorator
@inline
function pairAt(at: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(at));
}

// @ts-ignore: decorator
@inline
function sumOf(lanes: v128): f64 {
  return f64x2.extract_lane(lanes, 0) + f64x2.extract_lane(lanes, 1);
}

/** Rows whose cache lines are asked for before any of them is used, so that the misses overlap; a multiple of 4. */
const TOUCH_ROWS: i32 = 64;
const CACHE_LINE: usize = 64;
/** Keeps the touching loads alive: what nobody reads the optimizer removes. */
let touched: i32 = 0;

function touch(values: usize, rowBytes: usize, order: usize, from: i32, to: i32): void {
  let sum: i32 = 0;
  for (let i = from; i < to; i++) {
    const start = values + <usize>load<u32>(order + (<usize>i << 2)) * rowBytes;
    for (let j: usize = 0; j < rowBytes; j += CACHE_LINE) sum += load<i32>(start + j);
    sum += load<i32>(start + rowBytes - 8);
  }
  touched = sum;
}

/** Row `i` of the order, or the batch's first where the order has ended. */
// @ts-ignore: decorator
@inline
function rowAt(order: usize, first: i32, i: i32, to: i32): usize {
  return <usize>load<u32>(order + (<usize>(i < to ? i : first) << 2));
}

/** The rate of a row times its weight; 0 where the order has ended. */
// @ts-ignore: decorator
@inline
function rateOf(rate: f64, rowWeights: usize, row: usize, exists: bool): f64 {
  if (!exists) return 0;
  return rowWeights == 0 ? rate : rate * load<f64>(rowWeights + (row << 3));
}

// @ts-ignore: decorator
@inline
function pairOf(left: usize, right: usize): v128 {
  return f64x2(load<f64>(left), load<f64>(right));
}

/** w += Σ move · x over the four rows at p, q, r, s. */
// @ts-ignore: decorator
@inline
function move4(weights: usize, bytes: usize, p: usize, q: usize, r: usize, s: usize, low: v128, high: v128): void {
  const a = v128.shuffle<i64>(low, low, 0, 0);
  const b = v128.shuffle<i64>(low, low, 1, 1);
  const c = v128.shuffle<i64>(high, high, 0, 0);
  const d = v128.shuffle<i64>(high, high, 1, 1);
  for (let j: usize = 0; j < bytes; j += 8) {
    const at = weights + (j << 1);
    const left = f64x2.add(f64x2.mul(a, pairAt(p + j)), f64x2.mul(b, pairAt(q + j)));
    const right = f64x2.add(f64x2.mul(c, pairAt(r + j)), f64x2.mul(d, pairAt(s + j)));
    v128.store(at, f64x2.add(v128.load(at), f64x2.add(left, right)));
  }
  const at = weights + (bytes << 1);
  store<f64>(at, load<f64>(at) + (sumOf(low) + sumOf(high)));
}

/** Shrinks the weights by the penalties of the last batches and adds them to the mean; an intercept is not shrunk. */
function settle(weights: usize, sums: usize, bytes: usize, shrink: f64, threshold: f64): void {
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
}

/** Fields of the pass at `state`, float64 each: rows done, iterates summed, first rate, decay in rows, l2, l1, curvature. */
// @ts-ignore: decorator
@inline
function rateAt(state: usize): f64 {
  return load<f64>(state, 16) / (1 + load<f64>(state) / load<f64>(state, 24));
}

/**
 * Rows `from` to `to` of the order (from is a multiple of 16) for one output: logistic, or squared loss. A row has `bytes`
 * (a multiple of 8) of float32, then its target and ‖x‖² + 1 as float64: what a step needs lies together. The weights are as
 * many float64, then the intercept. `rowWeights` 0 means weight 1.
 */
export function passSingle(
  values: usize,
  bytes: usize,
  rowWeights: usize,
  order: usize,
  from: i32,
  to: i32,
  weights: usize,
  sums: usize,
  state: usize,
  scratch: usize,
  isLogistic: i32,
): void {
  const rowBytes = bytes + 16;
  const curvature = load<f64>(state, 48);
  let rate = rateAt(state);
  let settled = from;
  for (let i = from; i < to; i += 4) {
    if (((i - from) & (TOUCH_ROWS - 1)) == 0) touch(values, rowBytes, order, i, min(to, i + TOUCH_ROWS));
    const a = rowAt(order, i, i, to);
    const b = rowAt(order, i, i + 1, to);
    const c = rowAt(order, i, i + 2, to);
    const d = rowAt(order, i, i + 3, to);
    const p = values + a * rowBytes;
    const q = values + b * rowBytes;
    const r = values + c * rowBytes;
    const s = values + d * rowBytes;
    let scaleLow = f64x2(rateOf(rate, rowWeights, a, true), rateOf(rate, rowWeights, b, i + 1 < to));
    let scaleHigh = f64x2(rateOf(rate, rowWeights, c, i + 2 < to), rateOf(rate, rowWeights, d, i + 3 < to));
    const reach =
      sumOf(f64x2.mul(scaleLow, pairOf(p + bytes + 8, q + bytes + 8))) + sumOf(f64x2.mul(scaleHigh, pairOf(r + bytes + 8, s + bytes + 8)));
    const bound = f64x2.splat(1 + curvature * reach);
    scaleLow = f64x2.div(scaleLow, bound);
    scaleHigh = f64x2.div(scaleHigh, bound);
    let sumA = f64x2.splat(0);
    let sumB = f64x2.splat(0);
    let sumC = f64x2.splat(0);
    let sumD = f64x2.splat(0);
    for (let j: usize = 0; j < bytes; j += 8) {
      const pair = v128.load(weights + (j << 1));
      sumA = f64x2.add(sumA, f64x2.mul(pair, pairAt(p + j)));
      sumB = f64x2.add(sumB, f64x2.mul(pair, pairAt(q + j)));
      sumC = f64x2.add(sumC, f64x2.mul(pair, pairAt(r + j)));
      sumD = f64x2.add(sumD, f64x2.mul(pair, pairAt(s + j)));
    }
    const intercept = v128.load64_splat(weights + (bytes << 1));
    let low = f64x2.add(intercept, f64x2.add(v128.shuffle<i64>(sumA, sumB, 0, 2), v128.shuffle<i64>(sumA, sumB, 1, 3)));
    let high = f64x2.add(intercept, f64x2.add(v128.shuffle<i64>(sumC, sumD, 0, 2), v128.shuffle<i64>(sumC, sumD, 1, 3)));
    if (isLogistic) {
      low = sigmoid2(low);
      high = sigmoid2(high);
    }
    low = f64x2.sub(pairOf(p + bytes, q + bytes), low);
    high = f64x2.sub(pairOf(r + bytes, s + bytes), high);
    move4(weights, bytes, p, q, r, s, f64x2.mul(low, scaleLow), f64x2.mul(high, scaleHigh));
    const stop = min(i + 4, to);
    if (stop == to || stop - settled == SETTLE_ROWS) {
      const count = <f64>(stop - settled);
      const reach = count * rate;
      settle(weights, sums, bytes, 1 / (1 + reach * load<f64>(state, 32)), reach * load<f64>(state, 40));
      settled = stop;
      store<f64>(state, load<f64>(state) + count);
      store<f64>(state, load<f64>(state, 8) + 1, 8);
      rate = rateAt(state);
    }
  }
}

/** The same for softmax over `classes` outputs, whose weights follow each other `classBytes` apart. */
export function passSoftmax(
  values: usize,
  bytes: usize,
  rowWeights: usize,
  order: usize,
  from: i32,
  to: i32,
  weights: usize,
  sums: usize,
  state: usize,
  scratch: usize,
  classes: i32,
): void {
  const rowBytes = bytes + 16;
  const curvature = load<f64>(state, 48);
  const classBytes = (bytes << 1) + 16;
  const end = scratch + (<usize>classes << 5);
  let rate = rateAt(state);
  let settled = from;
  for (let i = from; i < to; i += 4) {
    if (((i - from) & (TOUCH_ROWS - 1)) == 0) touch(values, rowBytes, order, i, min(to, i + TOUCH_ROWS));
    const a = rowAt(order, i, i, to);
    const b = rowAt(order, i, i + 1, to);
    const c = rowAt(order, i, i + 2, to);
    const d = rowAt(order, i, i + 3, to);
    const p = values + a * rowBytes;
    const q = values + b * rowBytes;
    const r = values + c * rowBytes;
    const s = values + d * rowBytes;
    let scaleLow = f64x2(rateOf(rate, rowWeights, a, true), rateOf(rate, rowWeights, b, i + 1 < to));
    let scaleHigh = f64x2(rateOf(rate, rowWeights, c, i + 2 < to), rateOf(rate, rowWeights, d, i + 3 < to));
    const reach =
      sumOf(f64x2.mul(scaleLow, pairOf(p + bytes + 8, q + bytes + 8))) + sumOf(f64x2.mul(scaleHigh, pairOf(r + bytes + 8, s + bytes + 8)));
    const bound = f64x2.splat(1 + curvature * reach);
    scaleLow = f64x2.div(scaleLow, bound);
    scaleHigh = f64x2.div(scaleHigh, bound);
    let w = weights;
    let largestLow = f64x2.splat(-Infinity);
    let largestHigh = f64x2.splat(-Infinity);
    for (let at = scratch; at < end; at += 32) {
      let sumA = f64x2.splat(0);
      let sumB = f64x2.splat(0);
      let sumC = f64x2.splat(0);
      let sumD = f64x2.splat(0);
      for (let j: usize = 0; j < bytes; j += 8) {
        const pair = v128.load(w + (j << 1));
        sumA = f64x2.add(sumA, f64x2.mul(pair, pairAt(p + j)));
        sumB = f64x2.add(sumB, f64x2.mul(pair, pairAt(q + j)));
        sumC = f64x2.add(sumC, f64x2.mul(pair, pairAt(r + j)));
        sumD = f64x2.add(sumD, f64x2.mul(pair, pairAt(s + j)));
      }
      const intercept = v128.load64_splat(w + (bytes << 1));
      const low = f64x2.add(intercept, f64x2.add(v128.shuffle<i64>(sumA, sumB, 0, 2), v128.shuffle<i64>(sumA, sumB, 1, 3)));
      const high = f64x2.add(intercept, f64x2.add(v128.shuffle<i64>(sumC, sumD, 0, 2), v128.shuffle<i64>(sumC, sumD, 1, 3)));
      v128.store(at, low);
      v128.store(at, high, 16);
      largestLow = f64x2.max(largestLow, low);
      largestHigh = f64x2.max(largestHigh, high);
      w += classBytes;
    }
    let totalLow = f64x2.splat(0);
    let totalHigh = f64x2.splat(0);
    for (let at = scratch; at < end; at += 32) {
      const low = exp2(f64x2.sub(v128.load(at), largestLow));
      const high = exp2(f64x2.sub(v128.load(at, 16), largestHigh));
      totalLow = f64x2.add(totalLow, low);
      totalHigh = f64x2.add(totalHigh, high);
      v128.store(at, low);
      v128.store(at, high, 16);
    }
    const classLow = pairOf(p + bytes, q + bytes);
    const classHigh = pairOf(r + bytes, s + bytes);
    w = weights;
    let number: f64 = 0;
    const one = f64x2.splat(1);
    for (let at = scratch; at < end; at += 32) {
      const here = f64x2.splat(number);
      const low = f64x2.sub(
        v128.and(f64x2.eq(classLow, here), one),
        f64x2.div(v128.load(at), totalLow),
      );
      const high = f64x2.sub(
        v128.and(f64x2.eq(classHigh, here), one),
        f64x2.div(v128.load(at, 16), totalHigh),
      );
      move4(w, bytes, p, q, r, s, f64x2.mul(low, scaleLow), f64x2.mul(high, scaleHigh));
      w += classBytes;
      number += 1;
    }
    const stop = min(i + 4, to);
    if (stop == to || stop - settled == SETTLE_ROWS) {
      const count = <f64>(stop - settled);
      const reach = count * rate;
      const shrink = 1 / (1 + reach * load<f64>(state, 32));
      for (let k: usize = 0; k < <usize>classes; k++) {
        settle(weights + k * classBytes, sums + k * classBytes, bytes, shrink, reach * load<f64>(state, 40));
      }
      settled = stop;
      store<f64>(state, load<f64>(state) + count);
      store<f64>(state, load<f64>(state, 8) + 1, 8);
      rate = rateAt(state);
    }
  }
}
