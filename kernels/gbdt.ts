/**
 * The inner loops of the `gbdt` trainer. Written in AssemblyScript (see docs/dependencies.md); each function has a twin of the
 * same name in src/learn/gbdt/twin.ts (`growTree`: the steps of grow.ts) that gives the same bits, and the tests compare the two.
 *
 * Pointers are byte offsets into the module's memory, which the driver lays out. No function allocates. Integer sums make
 * histograms independent of the order of rows; floating-point steps are written in the one order the twin repeats. No fused
 * multiply-add and no relaxed instruction is used: they round differently on different processors.
 */

/** Raised with every change of a signature or a result: the driver refuses a file of another number. */
export function kernelVersion(): i32 {
  return 3;
}

export { addHistogram, histogramAll, histogramRows, subtractHistogram } from "./gbdt/histogram";
export { logisticLosses } from "./gbdt/loss";
export { scanColumns } from "./gbdt/scan";
export { addLeaves, countUp, partition } from "./gbdt/rows";
export { growTree } from "./gbdt/grow";

const MISSING_BIN: usize = 255;

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
