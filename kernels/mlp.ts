/**
 * The inner loops of the `mlp` trainer, in AssemblyScript. Each function has a twin of the same name in src/learn/mlp/twin.ts
 * that gives the same bits, and the tests compare the two.
 *
 * Pointers are byte offsets into the module's memory, strides are bytes. No function allocates. Products are added in one
 * fixed order; no fused multiply-add and no relaxed instruction is used: they round differently on different processors.
 */

/** Raised with every change of a signature or a result: the driver refuses a file of another number. */
export function kernelVersion(): i32 {
  return 2;
}

/** Fisher-Yates by xoshiro128**, whose four words lie at `state`. A draw below n is the high half of draw × n. */
export function shuffle(order: usize, count: i32, state: usize): void {
  for (let i = count - 1; i > 0; i--) {
    const j = <usize>((<u64>nextWord(state) * <u64>(<u32>i + 1)) >> 32);
    const here = order + (<usize>i << 2);
    const there = order + (j << 2);
    const kept = load<u32>(here);
    store<u32>(here, load<u32>(there));
    store<u32>(there, kept);
  }
}

// @ts-ignore: decorator
@inline
function nextWord(state: usize): u32 {
  const b = load<u32>(state, 4);
  const draw = rotl<u32>(b * 5, 7) * 9;
  const c = load<u32>(state, 8) ^ load<u32>(state);
  const d = load<u32>(state, 12) ^ b;
  store<u32>(state, load<u32>(state) ^ d);
  store<u32>(state, b ^ c, 4);
  store<u32>(state, c ^ (b << 9), 8);
  store<u32>(state, rotl<u32>(d, 11), 12);
  return draw;
}

/** Copies `bytes` (a multiple of 16): rows are short, and the call of the engine's copy would take longer than the loop. */
// @ts-ignore: decorator
@inline
function copy(to: usize, from: usize, bytes: usize): void {
  for (let j: usize = 0; j < bytes; j += 16) v128.store(to + j, v128.load(from + j));
}

/** Copies the rows `order[from .. from + count)` of `rowBytes` (a multiple of 16) each to `out`, one after the other. */
export function gather(order: usize, from: i32, count: i32, values: usize, rowBytes: usize, out: usize): void {
  for (let i = from; i < from + count; i++) {
    copy(out, values + <usize>load<u32>(order + (<usize>i << 2)) * rowBytes, rowBytes);
    out += rowBytes;
  }
}

/** Writes `row` (`rowBytes`, a multiple of 16) to each of `count` rows. */
export function fillRows(out: usize, count: i32, row: usize, rowBytes: usize): void {
  for (let i = 0; i < count; i++) {
    copy(out, row, rowBytes);
    out += rowBytes;
  }
}

/** Rows of B from which on eight columns of it are copied together: rows far apart share few places of the first cache. */
const PACK_ROWS: i32 = 32;

/**
 * C += A · B with C of `m` (a multiple of 4) × `n` (a multiple of 8) and `k` products per cell, added one by one in order of k.
 * Element (i, l) of A lies at a + i · aRow + l · aColumn, so that a matrix may be read as its transpose.
 * `panel` has room for k × 8 floats.
 */
export function multiply(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: usize,
  aColumn: usize,
  b: usize,
  bRow: usize,
  c: usize,
  cRow: usize,
  panel: usize,
): void {
  const isPacked = k > PACK_ROWS && m > 4;
  const step = isPacked ? <usize>32 : bRow;
  for (let j: usize = 0; j < <usize>n << 2; j += 32) {
    if (isPacked) {
      let row = b + j;
      for (let l: usize = 0; l < <usize>k << 5; l += 32) {
        v128.store(panel + l, v128.load(row));
        v128.store(panel + l, v128.load(row, 16), 16);
        row += bRow;
      }
    }
    const columns = isPacked ? panel : b + j;
    for (let i = 0; i < m; i += 4) {
      const c0 = c + <usize>i * cRow + j;
      const c1 = c0 + cRow;
      const c2 = c1 + cRow;
      const c3 = c2 + cRow;
      let s00 = v128.load(c0);
      let s01 = v128.load(c0, 16);
      let s10 = v128.load(c1);
      let s11 = v128.load(c1, 16);
      let s20 = v128.load(c2);
      let s21 = v128.load(c2, 16);
      let s30 = v128.load(c3);
      let s31 = v128.load(c3, 16);
      let a0 = a + <usize>i * aRow;
      let a1 = a0 + aRow;
      let a2 = a1 + aRow;
      let a3 = a2 + aRow;
      let from = columns;
      for (let l = 0; l < k; l++) {
        const left = v128.load(from);
        const right = v128.load(from, 16);
        const x0 = v128.load32_splat(a0);
        s00 = f32x4.add(s00, f32x4.mul(x0, left));
        s01 = f32x4.add(s01, f32x4.mul(x0, right));
        const x1 = v128.load32_splat(a1);
        s10 = f32x4.add(s10, f32x4.mul(x1, left));
        s11 = f32x4.add(s11, f32x4.mul(x1, right));
        const x2 = v128.load32_splat(a2);
        s20 = f32x4.add(s20, f32x4.mul(x2, left));
        s21 = f32x4.add(s21, f32x4.mul(x2, right));
        const x3 = v128.load32_splat(a3);
        s30 = f32x4.add(s30, f32x4.mul(x3, left));
        s31 = f32x4.add(s31, f32x4.mul(x3, right));
        a0 += aColumn;
        a1 += aColumn;
        a2 += aColumn;
        a3 += aColumn;
        from += step;
      }
      v128.store(c0, s00);
      v128.store(c0, s01, 16);
      v128.store(c1, s10);
      v128.store(c1, s11, 16);
      v128.store(c2, s20);
      v128.store(c2, s21, 16);
      v128.store(c3, s30);
      v128.store(c3, s31, 16);
    }
  }
}

/**
 * The scores of one output: out += X · w for `m` (a multiple of 4) rows of X, `xRow` apart, and `k` (a multiple of 4) products,
 * added one by one in order of k. Elements of w lie `wStep` apart, scores `outRow`. A row is a lane: four columns of four rows
 * are turned around at a time.
 */
export function multiplyOne(
  m: i32,
  k: i32,
  x: usize,
  xRow: usize,
  w: usize,
  wStep: usize,
  out: usize,
  outRow: usize,
): void {
  for (let i = 0; i < m; i += 4) {
    const x1 = x + xRow;
    const x2 = x1 + xRow;
    const x3 = x2 + xRow;
    const o1 = out + outRow;
    const o2 = o1 + outRow;
    const o3 = o2 + outRow;
    let sum = f32x4(load<f32>(out), load<f32>(o1), load<f32>(o2), load<f32>(o3));
    let at = w;
    for (let l: usize = 0; l < <usize>k << 2; l += 16) {
      const a = v128.load(x + l);
      const b = v128.load(x1 + l);
      const c = v128.load(x2 + l);
      const d = v128.load(x3 + l);
      const lowAb = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
      const highAb = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
      const lowCd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
      const highCd = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
      sum = f32x4.add(sum, f32x4.mul(v128.shuffle<i64>(lowAb, lowCd, 0, 2), v128.load32_splat(at)));
      sum = f32x4.add(sum, f32x4.mul(v128.shuffle<i64>(lowAb, lowCd, 1, 3), v128.load32_splat(at + wStep)));
      sum = f32x4.add(sum, f32x4.mul(v128.shuffle<i64>(highAb, highCd, 0, 2), v128.load32_splat(at + 2 * wStep)));
      sum = f32x4.add(sum, f32x4.mul(v128.shuffle<i64>(highAb, highCd, 1, 3), v128.load32_splat(at + 3 * wStep)));
      at += wStep << 2;
    }
    store<f32>(out, f32x4.extract_lane(sum, 0));
    store<f32>(o1, f32x4.extract_lane(sum, 1));
    store<f32>(o2, f32x4.extract_lane(sum, 2));
    store<f32>(o3, f32x4.extract_lane(sum, 3));
    x = x3 + xRow;
    out = o3 + outRow;
  }
}

/** out = errors · wᵀ: `rows` rows of `n` (a multiple of 4) floats, from one error each, `errorRow` apart, and a row w. */
export function outer(errors: usize, errorRow: usize, rows: i32, w: usize, n: i32, out: usize): void {
  const bytes = <usize>n << 2;
  for (let i = 0; i < rows; i++) {
    const error = v128.load32_splat(errors);
    for (let j: usize = 0; j < bytes; j += 16) v128.store(out + j, f32x4.mul(error, v128.load(w + j)));
    errors += errorRow;
    out += bytes;
  }
}

/**
 * Sums of `n` columns over `rows` rows (multiples of 4), each row times its error, row after row; a sum is stored every `outStep`
 * bytes. `scratch` has room for n floats.
 */
export function weightedSums(
  values: usize,
  errors: usize,
  errorRow: usize,
  rows: i32,
  n: i32,
  out: usize,
  outStep: usize,
  scratch: usize,
): void {
  const rowBytes = <usize>n << 2;
  memory.fill(scratch, 0, rowBytes);
  for (let i = 0; i < rows; i += 4) {
    const ea = v128.load32_splat(errors);
    const eb = v128.load32_splat(errors + errorRow);
    const ec = v128.load32_splat(errors + 2 * errorRow);
    const ed = v128.load32_splat(errors + 3 * errorRow);
    for (let j: usize = 0; j < rowBytes; j += 16) {
      const at = values + j;
      let sum = f32x4.add(v128.load(scratch + j), f32x4.mul(v128.load(at), ea));
      sum = f32x4.add(sum, f32x4.mul(v128.load(at + rowBytes), eb));
      sum = f32x4.add(sum, f32x4.mul(v128.load(at + 2 * rowBytes), ec));
      v128.store(scratch + j, f32x4.add(sum, f32x4.mul(v128.load(at + 3 * rowBytes), ed)));
    }
    values += rowBytes << 2;
    errors += errorRow << 2;
  }
  for (let j: usize = 0; j < rowBytes; j += 4) {
    store<f32>(out, load<f32>(scratch + j));
    out += outStep;
  }
}

/** The transpose of `m` × `n` floats: rows of n become columns. */
export function transpose(from: usize, m: i32, n: i32, to: usize): void {
  for (let i: usize = 0; i < <usize>m; i++) {
    let at = to + (i << 2);
    for (let j = 0; j < n; j++) {
      store<f32>(at, load<f32>(from));
      from += 4;
      at += <usize>m << 2;
    }
  }
}

/** e^x of four floats, x cut to ±87: Cody-Waite reduction and the Taylor polynomial, as in kernels/gbdt.ts. */
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

/** In place, `count` (a multiple of 4) floats: max(x, 0), or tanh as 1 − 2 / (e^2x + 1). */
export function activate(values: usize, count: i32, isTanh: i32): void {
  const one = f32x4.splat(1);
  const two = f32x4.splat(2);
  for (let at = values; at < values + (<usize>count << 2); at += 16) {
    const x = v128.load(at);
    if (isTanh) {
      const e = exp4(f32x4.mul(two, x));
      v128.store(at, f32x4.sub(one, f32x4.div(two, f32x4.add(e, one))));
    } else v128.store(at, f32x4.max(x, f32x4.splat(0)));
  }
}

/** Multiplies `gradients` by the derivative of the activation whose results are `values`. */
export function activationGradient(gradients: usize, values: usize, count: i32, isTanh: i32): void {
  const one = f32x4.splat(1);
  for (let i: usize = 0; i < <usize>count << 2; i += 16) {
    const y = v128.load(values + i);
    const g = v128.load(gradients + i);
    if (isTanh) v128.store(gradients + i, f32x4.mul(g, f32x4.sub(one, f32x4.mul(y, y))));
    else v128.store(gradients + i, v128.and(g, f32x4.gt(y, f32x4.splat(0))));
  }
}

/** A mask of dropout: `scale` where the draw reaches `threshold`, else 0. */
export function drawMask(mask: usize, count: i32, threshold: u32, scale: f32, state: usize): void {
  for (let at = mask; at < mask + (<usize>count << 2); at += 4) {
    store<f32>(at, nextWord(state) >= threshold ? scale : 0);
  }
}

/** out = left × right, element by element; `count` is a multiple of 4. */
export function scaleBy(left: usize, right: usize, out: usize, count: i32): void {
  for (let i: usize = 0; i < <usize>count << 2; i += 16) {
    v128.store(out + i, f32x4.mul(v128.load(left + i), v128.load(right + i)));
  }
}

/**
 * Scores become gradients of the loss, row by row (`rowBytes` apart), for the rows `order[from .. from + count)`: by softmax over
 * `outputs` (kind 2), the logistic function (1), or squared loss (0), times the row's weight (`weights` 0: one) and `scale`.
 */
export function lossGradient(
  scores: usize,
  rowBytes: usize,
  outputs: i32,
  kind: i32,
  order: usize,
  from: i32,
  count: i32,
  target: usize,
  weights: usize,
  scale: f32,
): void {
  for (let i = from; i < from + count; i++) {
    const row = <usize>load<u32>(order + (<usize>i << 2));
    const label = load<f32>(target + (row << 2));
    const factor = weights == 0 ? scale : scale * load<f32>(weights + (row << 2));
    if (kind == 2) softmaxGradient(scores, outputs, <i32>label, factor);
    else {
      const z = load<f32>(scores);
      const p = kind == 1 ? <f32>1 / (<f32>1 + expOne(-z)) : z;
      store<f32>(scores, (p - label) * factor);
    }
    scores += rowBytes;
  }
}

// @ts-ignore: decorator
@inline
function expOne(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}

function softmaxGradient(scores: usize, outputs: i32, label: i32, factor: f32): void {
  const end = scores + (<usize>outputs << 2);
  let largest = load<f32>(scores);
  for (let at = scores + 4; at < end; at += 4) largest = max(largest, load<f32>(at));
  let total: f32 = 0;
  for (let at = scores; at < end; at += 4) {
    const e = expOne(load<f32>(at) - largest);
    store<f32>(at, e);
    total += e;
  }
  let number = 0;
  for (let at = scores; at < end; at += 4) {
    const p = load<f32>(at) / total;
    store<f32>(at, (p - (number == label ? <f32>1 : <f32>0)) * factor);
    number++;
  }
}

/** Sums of `n` columns over `rows` rows (multiples of 4), row after row. */
export function columnSums(values: usize, rows: i32, n: i32, out: usize): void {
  const rowBytes = <usize>n << 2;
  memory.fill(out, 0, rowBytes);
  for (let i = 0; i < rows; i += 4) {
    for (let j: usize = 0; j < rowBytes; j += 16) {
      const at = values + j;
      let sum = f32x4.add(v128.load(out + j), v128.load(at));
      sum = f32x4.add(sum, v128.load(at + rowBytes));
      sum = f32x4.add(sum, v128.load(at + 2 * rowBytes));
      v128.store(out + j, f32x4.add(sum, v128.load(at + 3 * rowBytes)));
    }
    values += rowBytes << 2;
  }
}

/**
 * One step of Adam (D. Kingma and J. Ba 2015) over `count` (a multiple of 4) parameters, with the penalty l2 · w added to the
 * gradient. `firstBound` = 1 / (1 − β₁ᵗ), `secondBound` = 1 / (1 − β₂ᵗ).
 */
export function adam(
  weights: usize,
  gradients: usize,
  first: usize,
  second: usize,
  count: i32,
  rate: f32,
  l2: f32,
  firstBound: f32,
  secondBound: f32,
): void {
  const l2s = f32x4.splat(l2);
  const keepFirst = f32x4.splat(0.9);
  const addFirst = f32x4.splat(0.1);
  const keepSecond = f32x4.splat(0.999);
  const addSecond = f32x4.splat(0.001);
  const step = f32x4.splat(rate * firstBound);
  const bound = f32x4.splat(secondBound);
  const small = f32x4.splat(1e-8);
  for (let i: usize = 0; i < <usize>count << 2; i += 16) {
    const w = v128.load(weights + i);
    const g = f32x4.add(v128.load(gradients + i), f32x4.mul(l2s, w));
    const m = f32x4.add(f32x4.mul(keepFirst, v128.load(first + i)), f32x4.mul(addFirst, g));
    const v = f32x4.add(f32x4.mul(keepSecond, v128.load(second + i)), f32x4.mul(addSecond, f32x4.mul(g, g)));
    v128.store(first + i, m);
    v128.store(second + i, v);
    const size = f32x4.add(f32x4.sqrt(f32x4.mul(v, bound)), small);
    v128.store(weights + i, f32x4.sub(w, f32x4.div(f32x4.mul(step, m), size)));
  }
}
