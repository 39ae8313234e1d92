/**
 * The kernels of the linear trainer in TypeScript: the fallback where WebAssembly is missing, and the oracle the tests hold
 * kernels/linear.ts against. Two running sums (even and odd columns) stand for the two lanes of the other.
 */
import { expDeterministic } from "../../stats/index.ts";
import type { LinearKernels } from "./kernel-contract.ts";

const SETTLE_ROWS = 16;
const EXP_MINIMUM = -700;
const BATCH = 4;

interface Views {
  readonly words: Uint32Array;
  readonly floats: Float32Array;
  readonly doubles: Float64Array;
}

/** A batch: where its rows start in `floats` and what a residual of each is multiplied by. */
interface Batch {
  readonly places: Float64Array;
  readonly scales: Float64Array;
}

export function createTwin(bytes: number): LinearKernels {
  const buffer = new ArrayBuffer(bytes);
  const views = {
    words: new Uint32Array(buffer),
    floats: new Float32Array(buffer),
    doubles: new Float64Array(buffer),
  };
  const batch = { places: new Float64Array(BATCH), scales: new Float64Array(BATCH) };
  return {
    buffer,
    shuffle: (order, count, state) => shuffle(views.words, order / 4, count, state / 4),
    passSingle(values, bytes, rowWeights, order, from, to, weights, sums, state, scratch, isLogistic) {
      const { doubles } = views;
      const columns = bytes / 4;
      const out = scratch / 8;
      runBatches(
        views,
        { from, to, state },
        (i, rate) => {
          openBatch(views, batch, { values, bytes, rowWeights, order, i, to, rate, state });
          scoreBatch(views, batch, weights / 8, columns, out);
          for (let r = 0; r < BATCH; r++) {
            const score = doubles[out + r] as number;
            const answer = isLogistic === 1 ? sigmoid(score) : score;
            doubles[out + r] = targetOf(views, batch, r, columns) - answer;
            doubles[out + r] = (doubles[out + r] as number) * (batch.scales[r] as number);
          }
          moveBatch(views, batch, weights / 8, columns, out);
        },
        (shrink, threshold) => settle(doubles, weights / 8, sums / 8, columns, shrink, threshold),
      );
    },
    passSoftmax(values, bytes, rowWeights, order, from, to, weights, sums, state, scratch, classes) {
      const { doubles } = views;
      const columns = bytes / 4;
      const width = columns + 2;
      const out = scratch / 8;
      runBatches(
        views,
        { from, to, state },
        (i, rate) => {
          openBatch(views, batch, { values, bytes, rowWeights, order, i, to, rate, state });
          for (let c = 0; c < classes; c++) scoreBatch(views, batch, weights / 8 + c * width, columns, out + c * BATCH);
          for (let r = 0; r < BATCH; r++) residuals(views, batch, r, { columns, out, classes });
          for (let c = 0; c < classes; c++) moveBatch(views, batch, weights / 8 + c * width, columns, out + c * BATCH);
        },
        (shrink, threshold) => {
          for (let c = 0; c < classes; c++) {
            settle(doubles, weights / 8 + c * width, sums / 8 + c * width, columns, shrink, threshold);
          }
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
  const { doubles } = views;
  let largest = -Infinity;
  for (let c = 0; c < classes; c++) largest = Math.max(largest, doubles[out + c * BATCH + r] as number);
  let total = 0;
  for (let c = 0; c < classes; c++) {
    const value = expBelow((doubles[out + c * BATCH + r] as number) - largest);
    doubles[out + c * BATCH + r] = value;
    total += value;
  }
  const label = targetOf(views, batch, r, columns);
  for (let c = 0; c < classes; c++) {
    const share = (doubles[out + c * BATCH + r] as number) / total;
    doubles[out + c * BATCH + r] = ((label === c ? 1 : 0) - share) * (batch.scales[r] as number);
  }
}

function expBelow(x: number): number {
  return expDeterministic(Math.max(x, EXP_MINIMUM));
}

function sigmoid(x: number): number {
  const e = expBelow(-Math.abs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

function shuffle(words: Uint32Array, order: number, count: number, state: number): void {
  let a = words[state] as number;
  let b = words[state + 1] as number;
  let c = words[state + 2] as number;
  let d = words[state + 3] as number;
  for (let i = count - 1; i > 0; i--) {
    const five = Math.imul(b, 5);
    const draw = Math.imul((five << 7) | (five >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    // 32 bits times at most 2^21 rows of 53: beyond, the halves are multiplied apart.
    const j = highProduct(draw, i + 1);
    const kept = words[order + i] as number;
    words[order + i] = words[order + j] as number;
    words[order + j] = kept;
  }
  words[state] = a;
  words[state + 1] = b;
  words[state + 2] = c;
  words[state + 3] = d;
}

/** floor(left × right / 2^32) of two 32-bit numbers, exactly. */
function highProduct(left: number, right: number): number {
  const low = (left & 0xffff) * right;
  const high = (left >>> 16) * right;
  return Math.floor((high + Math.floor(low / 65_536)) / 65_536);
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
  for (let i = from; i < to; i += BATCH) {
    step(i, rate);
    const stop = Math.min(i + BATCH, to);
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
  readonly rowWeights: number;
  readonly order: number;
  readonly i: number;
  readonly to: number;
  readonly rate: number;
  readonly state: number;
}

/**
 * The rows of a batch and their scales: rate × weight / (1 + curvature · Σ rate × weight × norm). The sum of norms bounds the
 * curvature of the batch's loss, so the step cannot overshoot for any rate; see `LinearPass`. Missing rows repeat the first.
 */
function openBatch(views: Views, batch: Batch, request: BatchRequest): void {
  const { words, doubles } = views;
  const { values, bytes, rowWeights, order, i, to, rate, state } = request;
  const { places, scales } = batch;
  for (let r = 0; r < BATCH; r++) {
    const row = words[order / 4 + (i + r < to ? i + r : i)] as number;
    places[r] = (values + row * (bytes + 16)) / 4;
    scales[r] = i + r >= to ? 0 : rowWeights === 0 ? rate : rate * (doubles[rowWeights / 8 + row] as number);
  }
  const reach = (r: number) => (scales[r] as number) * (doubles[(places[r] as number) / 2 + bytes / 8 + 1] as number);
  const bound = 1 + (doubles[state / 8 + 6] as number) * (reach(0) + reach(1) + (reach(2) + reach(3)));
  for (let r = 0; r < BATCH; r++) scales[r] = (scales[r] as number) / bound;
}

function targetOf({ doubles }: Views, { places }: Batch, r: number, columns: number): number {
  return doubles[((places[r] as number) + columns) / 2] as number;
}

function scoreBatch({ floats, doubles }: Views, { places }: Batch, weights: number, columns: number, out: number) {
  const intercept = doubles[weights + columns] as number;
  for (let r = 0; r < BATCH; r++) {
    const place = places[r] as number;
    let even = 0;
    let odd = 0;
    for (let j = 0; j < columns; j += 2) {
      even += (doubles[weights + j] as number) * (floats[place + j] as number);
      odd += (doubles[weights + j + 1] as number) * (floats[place + j + 1] as number);
    }
    doubles[out + r] = intercept + (even + odd);
  }
}

function moveBatch({ floats, doubles }: Views, { places }: Batch, weights: number, columns: number, moves: number) {
  const [a, b, c, d] = doubles.subarray(moves, moves + BATCH) as unknown as [number, number, number, number];
  const [p, q, r, s] = places as unknown as [number, number, number, number];
  for (let j = 0; j < columns; j++) {
    const left = a * (floats[p + j] as number) + b * (floats[q + j] as number);
    const right = c * (floats[r + j] as number) + d * (floats[s + j] as number);
    doubles[weights + j] = (doubles[weights + j] as number) + (left + right);
  }
  doubles[weights + columns] = (doubles[weights + columns] as number) + (a + b + (c + d));
}

function settle(
  doubles: Float64Array,
  weights: number,
  sums: number,
  columns: number,
  shrink: number,
  threshold: number,
): void {
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
}
