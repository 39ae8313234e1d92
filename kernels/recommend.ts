/**
 * The inner loops of matrix factorization, in AssemblyScript. Each function has a twin of the same name in
 * src/learn/recommend/twin.ts that gives the same bits, and the tests compare the two.
 *
 * Pointers are byte offsets into the module's memory, which the driver lays out. No function allocates. Vectors are float32,
 * padded with zeros to a multiple of 4; sums run in four lanes added as (0 + 1) + (2 + 3); no fused multiply-add.
 */

/** Raised with every change of a signature or a result: the driver refuses a file of another number. */
export function kernelVersion(): i32 {
  return 1;
}

/** Rows whose products are summed in float32 before the sum goes on in float64: long float32 sums lose digits. */
const GRAM_BLOCK: i32 = 64;
const LN2_HIGH: f64 = 0.69314718036912381649;
const LN2_LOW: f64 = 1.90821492927058770002e-10;
const INVERSE_LN2: f64 = 1.442695040888963387;
const EXP_MINIMUM: f64 = -700;

// @ts-ignore: decorator
@inline
function sumOf(lanes: v128): f32 {
  return (
    f32x4.extract_lane(lanes, 0) +
    f32x4.extract_lane(lanes, 1) +
    (f32x4.extract_lane(lanes, 2) + f32x4.extract_lane(lanes, 3))
  );
}

// @ts-ignore: decorator
@inline
function dot(left: usize, right: usize, bytes: usize): f32 {
  let sum = f32x4.splat(0);
  for (let j: usize = 0; j < bytes; j += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(left + j), v128.load(right + j)));
  return sumOf(sum);
}

/** out (factors × factors, float64) += upper triangle of Σ y·yᵀ over the rows [from, to); `scratch` holds factors² floats. */
export function gram(rows: usize, from: i32, to: i32, factors: i32, out: usize, scratch: usize): void {
  const bytes = <usize>factors << 2;
  const size = factors * factors;
  for (let block = from; block < to; block += GRAM_BLOCK) {
    const end = min(to, block + GRAM_BLOCK);
    memory.fill(scratch, 0, <usize>size << 2);
    for (let row = block; row < end; row++) {
      const y = rows + <usize>row * bytes;
      for (let i = 0; i < factors; i++) {
        const own = f32x4.splat(load<f32>(y + (<usize>i << 2)));
        const line = scratch + <usize>i * bytes;
        for (let j: usize = <usize>(i & ~3) << 2; j < bytes; j += 16) {
          v128.store(line + j, f32x4.add(v128.load(line + j), f32x4.mul(own, v128.load(y + j))));
        }
      }
    }
    for (let i = 0; i < size; i++) {
      const at = out + (<usize>i << 3);
      store<f64>(at, load<f64>(at) + <f64>load<f32>(scratch + (<usize>i << 2)));
    }
  }
}

/** out = gram · x for a symmetric float32 matrix: line by line, so that every load is whole. */
// @ts-ignore: decorator
@inline
function timesGram(gramAt: usize, x: usize, bytes: usize, out: usize): void {
  memory.fill(out, 0, bytes);
  for (let i: usize = 0; i < bytes; i += 16) {
    const a = f32x4.splat(load<f32>(x + i));
    const b = f32x4.splat(load<f32>(x + i, 4));
    const c = f32x4.splat(load<f32>(x + i, 8));
    const d = f32x4.splat(load<f32>(x + i, 12));
    const line = gramAt + (i >> 2) * bytes;
    for (let j: usize = 0; j < bytes; j += 16) {
      const first = f32x4.add(f32x4.mul(a, v128.load(line + j)), f32x4.mul(b, v128.load(line + bytes + j)));
      const second = f32x4.add(
        f32x4.mul(c, v128.load(line + 2 * bytes + j)),
        f32x4.mul(d, v128.load(line + 3 * bytes + j)),
      );
      v128.store(out + j, f32x4.add(v128.load(out + j), f32x4.add(first, second)));
    }
  }
}

// @ts-ignore: decorator
@inline
function addScaled(out: usize, scale: f32, y: usize, bytes: usize): void {
  const s = f32x4.splat(scale);
  for (let j: usize = 0; j < bytes; j += 16) v128.store(out + j, f32x4.add(v128.load(out + j), f32x4.mul(s, v128.load(y + j))));
}

/** The sums of the lanes of four vectors, each added as (0 + 1) + (2 + 3): the four are turned around and added at once. */
// @ts-ignore: decorator
@inline
function sumsOf(a: v128, b: v128, c: v128, d: v128): v128 {
  const lowAb = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const highAb = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const lowCd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const highCd = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  const first = f32x4.add(v128.shuffle<i64>(lowAb, lowCd, 0, 2), v128.shuffle<i64>(lowAb, lowCd, 1, 3));
  return f32x4.add(first, f32x4.add(v128.shuffle<i64>(highAb, highCd, 0, 2), v128.shuffle<i64>(highAb, highCd, 1, 3)));
}

/** out += Σ of four scaled rows, whose scales are the lanes. */
// @ts-ignore: decorator
@inline
function addFour(out: usize, bytes: usize, scales: v128, ya: usize, yb: usize, yc: usize, yd: usize): void {
  const sa = v128.shuffle<i32>(scales, scales, 0, 0, 0, 0);
  const sb = v128.shuffle<i32>(scales, scales, 1, 1, 1, 1);
  const sc = v128.shuffle<i32>(scales, scales, 2, 2, 2, 2);
  const sd = v128.shuffle<i32>(scales, scales, 3, 3, 3, 3);
  for (let j: usize = 0; j < bytes; j += 16) {
    const first = f32x4.add(f32x4.mul(sa, v128.load(ya + j)), f32x4.mul(sb, v128.load(yb + j)));
    const second = f32x4.add(f32x4.mul(sc, v128.load(yc + j)), f32x4.mul(sd, v128.load(yd + j)));
    v128.store(out + j, f32x4.add(v128.load(out + j), f32x4.add(first, second)));
  }
}

/** What an observation adds to the residual, as a share of its row. */
// @ts-ignore: decorator
@inline
function pullOf(w: f32, score: f32): f32 {
  return w * (1 - score) + 1;
}

/** What an observation costs above what it would cost as none. */
// @ts-ignore: decorator
@inline
function costOf(w: f32, score: f32): f64 {
  const missing: f32 = 1 - score;
  return (1 + <f64>w) * <f64>missing * <f64>missing - <f64>score * <f64>score;
}

/** The same of two observations. */
// @ts-ignore: decorator
@inline
function costsOf(w: v128, score: v128, missing: v128): v128 {
  const gap = f64x2.promote_low_f32x4(missing);
  const found = f64x2.promote_low_f32x4(score);
  const weight = f64x2.add(f64x2.splat(1), f64x2.promote_low_f32x4(w));
  return f64x2.sub(f64x2.mul(f64x2.mul(weight, gap), gap), f64x2.mul(found, found));
}

// @ts-ignore: decorator
@inline
function upperHalf(lanes: v128): v128 {
  return v128.shuffle<i64>(lanes, lanes, 1, 1);
}

/**
 * One half-step: for each row the vector x that minimizes Σ_observed (1 + w)(1 − x·y)² + Σ_others (x·y)² + l2·|x|², by `steps`
 * conjugate-gradient steps from the vector that is there. `gramAt` is YᵀY + l2·I. `starts` has one more entry than rows,
 * `indices` and `extra` (w, float32) one per observation. Adds to the float64 at `loss` what the observations cost before.
 */
export function solveRows(
  x: usize, y: usize, gramAt: usize, starts: usize, indices: usize, extra: usize,
  from: i32, to: i32, factors: i32, steps: i32, scratch: usize, loss: usize,
): void {
  const bytes = <usize>factors << 2;
  const r = scratch;
  const p = scratch + bytes;
  const ap = scratch + 2 * bytes;
  let cost: f64 = load<f64>(loss);
  for (let row = from; row < to; row++) {
    const own = x + <usize>row * bytes;
    const first = load<i32>(starts + (<usize>row << 2));
    const last = load<i32>(starts + (<usize>row << 2), 4);
    if (first == last) {
      memory.fill(own, 0, bytes);
      continue;
    }
    timesGram(gramAt, own, bytes, r);
    for (let j: usize = 0; j < bytes; j += 16) v128.store(r + j, f32x4.neg(v128.load(r + j)));
    let begun = first;
    for (; begun + 4 <= last; begun += 4) {
      const at = <usize>begun << 2;
      const ya = y + <usize>load<i32>(indices + at) * bytes;
      const yb = y + <usize>load<i32>(indices + at, 4) * bytes;
      const yc = y + <usize>load<i32>(indices + at, 8) * bytes;
      const yd = y + <usize>load<i32>(indices + at, 12) * bytes;
      let da = f32x4.splat(0);
      let db = f32x4.splat(0);
      let dc = f32x4.splat(0);
      let dd = f32x4.splat(0);
      for (let j: usize = 0; j < bytes; j += 16) {
        const part = v128.load(own + j);
        da = f32x4.add(da, f32x4.mul(part, v128.load(ya + j)));
        db = f32x4.add(db, f32x4.mul(part, v128.load(yb + j)));
        dc = f32x4.add(dc, f32x4.mul(part, v128.load(yc + j)));
        dd = f32x4.add(dd, f32x4.mul(part, v128.load(yd + j)));
      }
      const w = v128.load(extra + at);
      const score = sumsOf(da, db, dc, dd);
      const missing = f32x4.sub(f32x4.splat(1), score);
      addFour(r, bytes, f32x4.add(f32x4.mul(w, missing), f32x4.splat(1)), ya, yb, yc, yd);
      const costs = costsOf(w, score, missing);
      cost += f64x2.extract_lane(costs, 0);
      cost += f64x2.extract_lane(costs, 1);
      const others = costsOf(upperHalf(w), upperHalf(score), upperHalf(missing));
      cost += f64x2.extract_lane(others, 0);
      cost += f64x2.extract_lane(others, 1);
    }
    for (; begun < last; begun++) {
      const at = <usize>begun << 2;
      const other = y + <usize>load<i32>(indices + at) * bytes;
      const w = load<f32>(extra + at);
      const score = dot(own, other, bytes);
      addScaled(r, pullOf(w, score), other, bytes);
      cost += costOf(w, score);
    }
    memory.copy(p, r, bytes);
    let old = dot(r, r, bytes);
    for (let step = 0; step < steps; step++) {
      if (!(old > 1e-20)) break;
      timesGram(gramAt, p, bytes, ap);
      let k = first;
      for (; k + 4 <= last; k += 4) {
        const at = <usize>k << 2;
        const ya = y + <usize>load<i32>(indices + at) * bytes;
        const yb = y + <usize>load<i32>(indices + at, 4) * bytes;
        const yc = y + <usize>load<i32>(indices + at, 8) * bytes;
        const yd = y + <usize>load<i32>(indices + at, 12) * bytes;
        let da = f32x4.splat(0);
        let db = f32x4.splat(0);
        let dc = f32x4.splat(0);
        let dd = f32x4.splat(0);
        for (let j: usize = 0; j < bytes; j += 16) {
          const part = v128.load(p + j);
          da = f32x4.add(da, f32x4.mul(part, v128.load(ya + j)));
          db = f32x4.add(db, f32x4.mul(part, v128.load(yb + j)));
          dc = f32x4.add(dc, f32x4.mul(part, v128.load(yc + j)));
          dd = f32x4.add(dd, f32x4.mul(part, v128.load(yd + j)));
        }
        addFour(ap, bytes, f32x4.mul(v128.load(extra + at), sumsOf(da, db, dc, dd)), ya, yb, yc, yd);
      }
      for (; k < last; k++) {
        const at = <usize>k << 2;
        const other = y + <usize>load<i32>(indices + at) * bytes;
        addScaled(ap, load<f32>(extra + at) * dot(p, other, bytes), other, bytes);
      }
      const alpha = old / dot(p, ap, bytes);
      addScaled(own, alpha, p, bytes);
      addScaled(r, -alpha, ap, bytes);
      const fresh = dot(r, r, bytes);
      const beta = f32x4.splat(fresh / old);
      for (let j: usize = 0; j < bytes; j += 16)
        v128.store(p + j, f32x4.add(v128.load(r + j), f32x4.mul(beta, v128.load(p + j))));
      old = fresh;
    }
  }
  store<f64>(loss, cost);
}

/** out[i] = x · row i, float32. */
export function scoreRows(x: usize, rows: usize, count: i32, factors: i32, out: usize): void {
  const bytes = <usize>factors << 2;
  for (let i = 0; i < count; i++) store<f32>(out + (<usize>i << 2), dot(x, rows + <usize>i * bytes, bytes));
}

/** e to the power x for x ≤ 0, as `expDeterministic` computes it. */
function expNegative(given: f64): f64 {
  const x = max(given, EXP_MINIMUM);
  const k = Math.floor(x * INVERSE_LN2 + 0.5);
  const high = x - k * LN2_HIGH;
  const low = k * LN2_LOW;
  const r = high - low;
  let p: f64 = 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  const tail = high - r - low;
  const value = 1 + (r + (p * r * r + tail));
  return value * reinterpret<f64>((<i64>k + 1023) << 52);
}

/** Whether a sorted list holds the value. */
// @ts-ignore: decorator
@inline
function holds(indices: usize, from: i32, to: i32, value: i32): bool {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    const found = load<i32>(indices + (<usize>middle << 2));
    if (found == value) return true;
    if (found < value) low = middle + 1;
    else high = middle;
  }
  return false;
}

/**
 * `samples` steps of Bayesian personalized ranking: an observation (user, item) drawn evenly, an item the user has not, and a
 * step that ranks the first above the second. `userOf` names the user of each observation. `items` rows end with the item's
 * bias in the last lane, where user vectors hold 1. Adds the chance of the wrong order, before the step, to the float64 at `loss`.
 */
export function rankPairs(
  users: usize, items: usize, itemCount: i32, userOf: usize, starts: usize, indices: usize, count: i32,
  factors: i32, samples: i32, rate: f32, l2: f32, state: usize, loss: usize,
): void {
  const bytes = <usize>factors << 2;
  let a = load<u32>(state);
  let b = load<u32>(state, 4);
  let c = load<u32>(state, 8);
  let d = load<u32>(state, 12);
  let wrong = load<f64>(loss);
  const decay = f32x4.splat(l2);
  const speed = f32x4.splat(rate);
  for (let sample = 0; sample < samples; sample++) {
    let negative = 0;
    let chosen = 0;
    let user = 0;
    // The first draw picks the observation; the next ones an item, until the user has it not.
    for (let draws = 0; draws < 64; draws++) {
      const draw = rotl<u32>(b * 5, 7) * 9;
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = rotl<u32>(d, 11);
      if (draws == 0) {
        chosen = <i32>((<u64>draw * <u64>(<u32>count)) >> 32);
        user = load<i32>(userOf + (<usize>chosen << 2));
        continue;
      }
      negative = <i32>((<u64>draw * <u64>(<u32>itemCount)) >> 32);
      const at = starts + (<usize>user << 2);
      if (!holds(indices, load<i32>(at), load<i32>(at, 4), negative)) break;
    }
    const u = users + <usize>user * bytes;
    const i = items + <usize>load<i32>(indices + (<usize>chosen << 2)) * bytes;
    const j = items + <usize>negative * bytes;
    const margin = <f64>(dot(u, i, bytes) - dot(u, j, bytes));
    const e = expNegative(-Math.abs(margin));
    const error = margin >= 0 ? e / (1 + e) : 1 / (1 + e);
    wrong += error;
    const pull = f32x4.splat(<f32>error);
    for (let at: usize = 0; at < bytes; at += 16) {
      const own = v128.load(u + at);
      const liked = v128.load(i + at);
      const other = v128.load(j + at);
      v128.store(u + at, f32x4.add(own, f32x4.mul(speed, f32x4.sub(f32x4.mul(pull, f32x4.sub(liked, other)), f32x4.mul(decay, own)))));
      v128.store(i + at, f32x4.add(liked, f32x4.mul(speed, f32x4.sub(f32x4.mul(pull, own), f32x4.mul(decay, liked)))));
      v128.store(j + at, f32x4.sub(other, f32x4.mul(speed, f32x4.add(f32x4.mul(pull, own), f32x4.mul(decay, other)))));
    }
    store<f32>(u + bytes - 4, 1);
  }
  store<u32>(state, a);
  store<u32>(state, b, 4);
  store<u32>(state, c, 8);
  store<u32>(state, d, 12);
  store<f64>(loss, wrong);
}
