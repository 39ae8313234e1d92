/** The log loss of kept scores, in double precision: the bits of `measureLogistic` in src/learn/gbdt/measure.ts. */

const LN2_HIGH: f64 = 0.69314718036912381649;
const LN2_LOW: f64 = 1.90821492927058770002e-10;
const INVERSE_LN2: f64 = 1.442695040888963387;
const EXP_MINIMUM: f64 = -745.13321910194110842;

// @ts-ignore: decorator
@inline
function term(p: v128, r: v128, next: f64): v128 {
  return f64x2.add(f64x2.mul(p, r), f64x2.splat(next));
}

/** e^x of two x ≤ 0, as `expDeterministic` of src/stats/exp.ts. */
// @ts-ignore: decorator
@inline
function exp2(x: v128): v128 {
  const k = f64x2.floor(f64x2.add(f64x2.mul(x, f64x2.splat(INVERSE_LN2)), f64x2.splat(0.5)));
  const high = f64x2.sub(x, f64x2.mul(k, f64x2.splat(LN2_HIGH)));
  const low = f64x2.mul(k, f64x2.splat(LN2_LOW));
  const r = f64x2.sub(high, low);
  let p = f64x2.splat(1.0 / 6227020800.0);
  p = term(p, r, 1.0 / 479001600.0);
  p = term(p, r, 1.0 / 39916800.0);
  p = term(p, r, 1.0 / 3628800.0);
  p = term(p, r, 1.0 / 362880.0);
  p = term(p, r, 1.0 / 40320.0);
  p = term(p, r, 1.0 / 5040.0);
  p = term(p, r, 1.0 / 720.0);
  p = term(p, r, 1.0 / 120.0);
  p = term(p, r, 1.0 / 24.0);
  p = term(p, r, 1.0 / 6.0);
  p = term(p, r, 0.5);
  const tail = f64x2.sub(f64x2.sub(high, r), low);
  const value = f64x2.add(
    f64x2.splat(1),
    f64x2.add(r, f64x2.add(f64x2.mul(f64x2.mul(p, r), r), tail)),
  );
  // In two steps where the result is subnormal: −1022 is the least exponent.
  const isSmall = f64x2.lt(k, f64x2.splat(-1021));
  const first = v128.bitselect(f64x2.add(k, f64x2.splat(1000)), k, isSmall);
  const exponent = i64x2.extend_low_i32x4_s(i32x4.trunc_sat_f64x2_s_zero(first));
  const scaled = f64x2.mul(value, i64x2.shl(i64x2.add(exponent, i64x2.splat(1023)), 52));
  const rest = v128.bitselect(f64x2.splat(9.332636185032189e-302), f64x2.splat(1), isSmall);
  return v128.andnot(f64x2.mul(scaled, rest), f64x2.lt(x, f64x2.splat(EXP_MINIMUM)));
}

/**
 * One of `count` rows every `step`, with labels 0 or 1, both float32. To the float64 at `out` it adds the margins above 0, and writes
 * the product of the factors 1 + e^−|margin| behind it. Returns how many rows are on the right side.
 */
export function logisticLosses(scores: usize, labels: usize, step: i32, count: i32, out: usize): i32 {
  let loss = load<f64>(out);
  let product: f64 = 1;
  let hits = 0;
  const stride = <usize>step << 2;
  for (let i = 0; i < count; i += 2) {
    const isPair = i + 1 < count;
    const a = <f64>load<f32>(scores);
    const b = isPair ? <f64>load<f32>(scores + stride) : 0;
    const isA = load<f32>(labels) == 1;
    const isB = isPair && load<f32>(labels + stride) == 1;
    const marginA = isA ? -a : a;
    const marginB = isB ? -b : b;
    const e = exp2(f64x2(marginA > 0 ? -marginA : marginA, marginB > 0 ? -marginB : marginB));
    if (marginA > 0) loss += marginA;
    product *= 1 + f64x2.extract_lane(e, 0);
    hits += i32(a >= 0 == isA);
    if (!isPair) break;
    if (marginB > 0) loss += marginB;
    product *= 1 + f64x2.extract_lane(e, 1);
    hits += i32(b >= 0 == isB);
    scores += 2 * stride;
    labels += 2 * stride;
  }
  store<f64>(out, loss);
  store<f64>(out, product, 8);
  return hits;
}
