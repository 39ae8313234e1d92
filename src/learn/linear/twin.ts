/**
 * The kernels of the linear trainer in TypeScript: the fallback where WebAssembly is missing, and the oracle the tests hold
 * kernels/linear.ts against. Four running sums (columns 0, 4, 8, ... and so on) stand for the four lanes of the other; what is
 * float32 there is rounded here after each operation, which gives the same bits.
 */
import type { LinearKernels } from "./kernel-contract.ts";

const SETTLE_ROWS = 16;
const BATCH_ROWS = 8;
const LARGEST_NORM = 1e30;
const EXP_MINIMUM = -87;
/** float32 behind the columns of a row: target, norm, weight, free. */
const TAIL = 4;
const f32 = Math.fround;

interface Views {
  readonly words: Uint32Array;
  readonly floats: Float32Array;
  readonly doubles: Float64Array;
}

/** A batch: where its rows start in `floats` and what a residual of each is multiplied by. */
interface Batch {
  readonly places: Uint32Array;
  readonly scales: Float32Array;
}

/** One output's weights, their mean and their float32 copy, as indices. */
interface Output {
  readonly weights: number;
  readonly sums: number;
  readonly singles: number;
  readonly columns: number;
}

export function createTwin(bytes: number): LinearKernels {
  const buffer = new ArrayBuffer(bytes);
  const views = {
    words: new Uint32Array(buffer),
    floats: new Float32Array(buffer),
    doubles: new Float64Array(buffer),
  };
  const batch = { places: new Uint32Array(BATCH_ROWS), scales: new Float32Array(BATCH_ROWS) };
  const { floats } = views;
  return {
    buffer,
    shuffle: (order, count, state) => shuffle(views.words, order / 4, count, state / 4),
    shuffleBlocks: (order, count, blocks, blockRows, state) =>
      shuffleBlocks(views.words, { order: order / 4, count, blocks: blocks / 4, blockRows, state: state / 4 }),
    placeRows: (rows, count, columns, targets, rowWeights, slots, values, bytes, total) =>
      placeRows(views, { rows, count, columns, targets, rowWeights, slots, values, bytes, total }),
    passSingle(values, bytes, order, from, to, weights, sums, singles, state, scratch, isLogistic) {
      const columns = bytes / 4;
      const out = scratch / 4;
      const one = { weights: weights / 8, sums: sums / 8, singles: singles / 4, columns };
      copyWeights(views, one);
      runBatches(
        views,
        { from, to, state },
        (i, rate) => {
          openBatch(views, batch, { values, bytes, order, i, to, rate, state });
          scoreBatch(views, batch, one, out);
          for (let r = 0; r < BATCH_ROWS; r++) {
            const score = floats[out + r] as number;
            const answer = isLogistic === 1 ? sigmoid(score) : score;
            floats[out + r] = f32(targetOf(views, batch, r, columns) - answer) * (batch.scales[r] as number);
          }
          moveBatch(views, batch, one, out);
        },
        (shrink, threshold) => settle(views, one, shrink, threshold),
      );
    },
    passSoftmax(values, bytes, order, from, to, weights, sums, singles, state, scratch, classes) {
      const columns = bytes / 4;
      const width = columns + 2;
      const out = scratch / 4;
      const outputs = Array.from({ length: classes }, (_, c) => ({
        weights: weights / 8 + c * width,
        sums: sums / 8 + c * width,
        singles: singles / 4 + c * (columns + TAIL),
        columns,
      }));
      for (const one of outputs) copyWeights(views, one);
      runBatches(
        views,
        { from, to, state },
        (i, rate) => {
          openBatch(views, batch, { values, bytes, order, i, to, rate, state });
          outputs.forEach((one, c) => scoreBatch(views, batch, one, out + c * BATCH_ROWS));
          for (let r = 0; r < BATCH_ROWS; r++) residuals(views, batch, r, { columns, out, classes });
          outputs.forEach((one, c) => moveBatch(views, batch, one, out + c * BATCH_ROWS));
        },
        (shrink, threshold) => {
          for (const one of outputs) settle(views, one, shrink, threshold);
        },
      );
    },
  };
}

/** One row's column of `out`: scores become (is the class − probability) × scale. */
function residuals(
  views: Views,
  batch: Batch,
  r: number,
  { columns, out, classes }: { readonly columns: number; readonly out: number; readonly classes: number },
): void {
  const { floats } = views;
  let largest = -Infinity;
  for (let c = 0; c < classes; c++) largest = Math.max(largest, floats[out + c * BATCH_ROWS + r] as number);
  let total = 0;
  for (let c = 0; c < classes; c++) {
    const value = expBelow(f32((floats[out + c * BATCH_ROWS + r] as number) - largest));
    floats[out + c * BATCH_ROWS + r] = value;
    total = f32(total + value);
  }
  const label = targetOf(views, batch, r, columns);
  for (let c = 0; c < classes; c++) {
    const share = f32((floats[out + c * BATCH_ROWS + r] as number) / total);
    floats[out + c * BATCH_ROWS + r] = f32((label === c ? 1 : 0) - share) * (batch.scales[r] as number);
  }
}

const INVERSE_LN2 = f32(1.4426950408889634);
const LN2_HIGH = f32(0.693359375);
const LN2_LOW = f32(-2.1219444e-4);
const POLYNOMIAL = Float32Array.of(
  5.0000001201e-1,
  1.6666665459e-1,
  4.1665795894e-2,
  8.3334519073e-3,
  1.3981999507e-3,
  1.98756915e-4,
);
const powerBits = new Int32Array(1);
const power = new Float32Array(powerBits.buffer);

/** `exp4` of the kernels: e^x for x ≤ 0 in float32. */
function expBelow(given: number): number {
  const x = Math.max(given, EXP_MINIMUM);
  const k = Math.floor(f32(f32(x * INVERSE_LN2) + 0.5));
  const r = f32(f32(x - f32(k * LN2_HIGH)) - f32(k * LN2_LOW));
  const square = f32(r * r);
  const line = (at: number) => f32(f32((POLYNOMIAL[at + 1] as number) * r) + (POLYNOMIAL[at] as number));
  const p = f32(f32(line(0) + f32(line(2) * square)) + f32(line(4) * f32(square * square)));
  const value = f32(f32(1 + r) + f32(p * square));
  powerBits[0] = (k + 127) << 23;
  return f32(value * (power[0] as number));
}

function sigmoid(x: number): number {
  const e = expBelow(-Math.abs(x));
  return f32((x >= 0 ? 1 : e) / f32(1 + e));
}

function drawBelow(limit: number, words: Uint32Array, state: number): number {
  const a = words[state] as number;
  const b = words[state + 1] as number;
  const c = (words[state + 2] as number) ^ a;
  const d = (words[state + 3] as number) ^ b;
  const five = Math.imul(b, 5);
  const draw = Math.imul((five << 7) | (five >>> 25), 9) >>> 0;
  words[state] = a ^ d;
  words[state + 1] = b ^ c;
  words[state + 2] = c ^ (b << 9);
  words[state + 3] = (d << 11) | (d >>> 21);
  // 32 bits times at most 2^21 rows of 53: beyond, the halves are multiplied apart.
  return highProduct(draw, limit);
}

function shuffle(words: Uint32Array, order: number, count: number, state: number): void {
  for (let i = count - 1; i > 0; i--) {
    const j = drawBelow(i + 1, words, state);
    const kept = words[order + i] as number;
    words[order + i] = words[order + j] as number;
    words[order + j] = kept;
  }
}

/** floor(left × right / 2^32) of two 32-bit numbers, exactly. */
function highProduct(left: number, right: number): number {
  const low = (left & 0xffff) * right;
  const high = (left >>> 16) * right;
  return Math.floor((high + Math.floor(low / 65_536)) / 65_536);
}

interface BlockOrder {
  readonly order: number;
  readonly count: number;
  readonly blocks: number;
  readonly blockRows: number;
  readonly state: number;
}

function shuffleBlocks(words: Uint32Array, { order, count, blocks, blockRows, state }: BlockOrder): void {
  const blockCount = Math.ceil(count / blockRows);
  for (let i = 0; i < blockCount; i++) words[blocks + i] = i;
  shuffle(words, blocks, blockCount, state);
  let at = order;
  for (let i = 0; i < blockCount; i++) {
    const first = (words[blocks + i] as number) * blockRows;
    const end = Math.min(first + blockRows, count);
    const start = first + drawBelow(end - first, words, state);
    for (let row = start; row < end; row++) words[at++] = row;
    for (let row = first; row < start; row++) words[at++] = row;
  }
}

interface Placement {
  readonly rows: number;
  readonly count: number;
  readonly columns: number;
  readonly targets: number;
  readonly rowWeights: number;
  readonly slots: number;
  readonly values: number;
  readonly bytes: number;
  readonly total: number;
}

function placeRows({ words, floats, doubles }: Views, part: Placement): number {
  const { rows, count, columns, targets, rowWeights, slots, values, bytes } = part;
  let { total } = part;
  for (let i = 0; i < count; i++) {
    const from = rows / 4 + i * columns;
    const to = values / 4 + (words[slots / 4 + i] as number) * (bytes / 4 + TAIL);
    let even = 0;
    let odd = 0;
    for (let j = 0; j < columns; j++) {
      const value = floats[from + j] as number;
      floats[to + j] = value;
      if (j % 2 === 0) even += value * value;
      else odd += value * value;
    }
    const norm = 1 + (even + odd);
    const tail = to + bytes / 4;
    floats[tail] = doubles[targets / 8 + i] as number;
    floats[tail + 1] = Math.min(norm, LARGEST_NORM);
    floats[tail + 2] = doubles[rowWeights / 8 + i] as number;
    total += norm;
  }
  return total;
}

function runBatches(
  { doubles }: Views,
  { from, to, state }: { readonly from: number; readonly to: number; readonly state: number },
  step: (i: number, rate: number) => void,
  penalize: (shrink: number, threshold: number) => void,
): void {
  const at = state / 8;
  const field = (index: number) => doubles[at + index] as number;
  const rateNow = () => field(2) / (1 + field(0) / field(3));
  let rate = rateNow();
  let settled = from;
  for (let i = from; i < to; i += BATCH_ROWS) {
    step(i, rate);
    const stop = Math.min(i + BATCH_ROWS, to);
    if (stop !== to && stop - settled !== SETTLE_ROWS) continue;
    const count = stop - settled;
    const reach = count * rate;
    penalize(1 / (1 + reach * field(4)), reach * field(5));
    settled = stop;
    doubles[at] = field(0) + count;
    doubles[at + 1] = field(1) + 1;
    rate = rateNow();
  }
}

interface BatchRequest {
  readonly values: number;
  readonly bytes: number;
  readonly order: number;
  readonly i: number;
  readonly to: number;
  readonly rate: number;
  readonly state: number;
}

/**
 * The rows of a batch and their scales: rate × weight / (1 + curvature · Σ rate × weight × norm). The sum is over
 * each half of the batch; see memory.ts for why. Missing rows repeat the first.
 */
function openBatch({ words, floats, doubles }: Views, { places, scales }: Batch, request: BatchRequest): void {
  const { values, bytes, order, i, to, rate, state } = request;
  for (let r = 0; r < BATCH_ROWS; r++) {
    const row = words[order / 4 + (i + r < to ? i + r : i)] as number;
    const place = values / 4 + row * (bytes / 4 + TAIL);
    places[r] = place;
    scales[r] = i + r >= to ? 0 : f32(rate) * (floats[place + bytes / 4 + 2] as number);
  }
  const curvature = f32(doubles[state / 8 + 6] as number);
  for (const half of [0, BATCH_ROWS / 2]) {
    const reach = sumOfFour(half, (r) =>
      f32((scales[r] as number) * (floats[(places[r] as number) + bytes / 4 + 1] as number)),
    );
    const bound = f32(1 + f32(curvature * reach));
    for (let r = half; r < half + BATCH_ROWS / 2; r++) scales[r] = (scales[r] as number) / bound;
  }
}

/** Sums over four rows and over a batch, in the order of the kernels. */
function sumOfFour(first: number, value: (r: number) => number): number {
  return f32(f32(value(first) + value(first + 1)) + f32(value(first + 2) + value(first + 3)));
}

function sumOf(value: (r: number) => number): number {
  return f32(sumOfFour(0, value) + sumOfFour(4, value));
}

function targetOf({ floats }: Views, { places }: Batch, r: number, columns: number): number {
  return floats[(places[r] as number) + columns] as number;
}

function scoreBatch({ floats }: Views, { places }: Batch, { singles, columns }: Output, out: number): void {
  const intercept = floats[singles + columns] as number;
  for (let r = 0; r < BATCH_ROWS; r++) {
    const place = places[r] as number;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let j = 0; j < columns; j += 4) {
      a = f32(a + f32((floats[singles + j] as number) * (floats[place + j] as number)));
      b = f32(b + f32((floats[singles + j + 1] as number) * (floats[place + j + 1] as number)));
      c = f32(c + f32((floats[singles + j + 2] as number) * (floats[place + j + 2] as number)));
      d = f32(d + f32((floats[singles + j + 3] as number) * (floats[place + j + 3] as number)));
    }
    floats[out + r] = intercept + f32(f32(a + c) + f32(b + d));
  }
}

function moveBatch({ floats, doubles }: Views, { places }: Batch, one: Output, moves: number): void {
  const { weights, singles, columns } = one;
  for (let j = 0; j < columns; j++) {
    const step = sumOf((r) => f32((floats[moves + r] as number) * (floats[(places[r] as number) + j] as number)));
    floats[singles + j] = (floats[singles + j] as number) + step;
    doubles[weights + j] = (doubles[weights + j] as number) + step;
  }
  const step = sumOf((r) => floats[moves + r] as number);
  floats[singles + columns] = (floats[singles + columns] as number) + step;
  doubles[weights + columns] = (doubles[weights + columns] as number) + step;
}

function copyWeights({ floats, doubles }: Views, { weights, singles, columns }: Output): void {
  for (let j = 0; j <= columns; j++) floats[singles + j] = doubles[weights + j] as number;
}

function settle(views: Views, one: Output, shrink: number, threshold: number): void {
  const { doubles } = views;
  const { weights, sums, columns } = one;
  for (let j = 0; j < columns; j++) {
    let w = (doubles[weights + j] as number) * shrink;
    if (threshold > 0) {
      const size = Math.max(Math.abs(w) - threshold, 0);
      w = w < 0 ? -size : size;
    }
    doubles[weights + j] = w;
    doubles[sums + j] = (doubles[sums + j] as number) + w;
  }
  doubles[sums + columns] = (doubles[sums + columns] as number) + (doubles[weights + columns] as number);
  copyWeights(views, one);
}
