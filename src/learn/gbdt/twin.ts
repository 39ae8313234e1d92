/**
 * The kernels of kernels/gbdt.ts in plain TypeScript: what runs where WebAssembly or its file is missing, and the oracle its
 * tests compare with. Every function gives the same bits as its namesake, over a memory laid out alike. Single-precision steps
 * are written with `Math.fround`, which rounds like the wasm instructions do.
 */
import { expDeterministic } from "../../stats/index.ts";
import type { Kernels } from "./kernel-contract.ts";

const MISSING_BIN = 255;
const COLUMN_WORDS = 512;
const f = Math.fround;

const INVERSE_LN2 = f(1.44269504);
const LN2_HIGH = f(0.693359375);
const LN2_LOW = f(-0.00021219444);
const TAYLOR = [0.0013888889, 0.008333334, 0.041666668, 0.16666667, 0.5, 1, 1].map(f);

const word = new Int32Array(1);
const wordAsFloat = new Float32Array(word.buffer);

/** e^x in single precision, x cut to ±87: `exp4` of the kernel for one lane. */
export function expSingle(x: number): number {
  const cut = x > 87 ? 87 : x < -87 ? -87 : x;
  const k = Math.floor(f(f(cut * INVERSE_LN2) + f(0.5)));
  let r = f(cut - f(k * LN2_HIGH));
  r = f(r - f(k * LN2_LOW));
  let p = TAYLOR[0] as number;
  for (let i = 1; i < 7; i++) p = f(f(p * r) + (TAYLOR[i] as number));
  word[0] = (k + 127) << 23;
  return f(p * (wordAsFloat[0] as number));
}

const add = (sum: number, value: number) => sum + value;

/** Kernels over an ordinary buffer of `bytes` bytes. */
export function createTwin(bytes: number): Kernels {
  const buffer = new ArrayBuffer(bytes);
  const bytesOf = new Uint8Array(buffer);
  const ints = new Int32Array(buffer);
  const floats = new Float32Array(buffer);
  const doubles = new Float64Array(buffer);

  const accumulate = (histogram: number, row: number, stride: number, h: number, g: number) => {
    let column = histogram;
    for (let c = 0; c < stride; c++) {
      const at = column + (bytesOf[row + c] as number) * 2;
      ints[at] = (ints[at] as number) + h;
      ints[at + 1] = (ints[at + 1] as number) + g;
      column += COLUMN_WORDS;
    }
  };

  return {
    kind: "twin",
    buffer,
    sortFloats: (values, _scratch, _counts, count) => void floats.subarray(values >>> 2, (values >>> 2) + count).sort(),
    binColumn(values, rows, valueStride, edges, byRow, stride, byColumn) {
      const edge = floats.subarray(edges >>> 2, (edges >>> 2) + 256);
      for (let i = 0; i < rows; i++) {
        const x = floats[(values >>> 2) + i * valueStride] as number;
        let at = 0;
        for (let step = 128; step > 0; step >>= 1) if ((edge[at + step - 1] as number) < x) at += step;
        const bin = x === x ? at : MISSING_BIN;
        bytesOf[byRow + i * stride] = bin;
        bytesOf[byColumn + i] = bin;
      }
    },
    logisticGradients(scores, labels, weights, gradients, hessians, rows, sums) {
      const [s, y, w, gs, hs] = [scores >>> 2, labels >>> 2, weights >>> 2, gradients >>> 2, hessians >>> 2];
      const laneG = new Float32Array(4);
      const laneH = new Float32Array(4);
      for (let from = 0; from < rows; from += 4096) {
        const to = Math.min(rows, from + 4096);
        laneG.fill(0);
        laneH.fill(0);
        for (let i = from; i < to; i++) {
          const p = f(1 / f(1 + expSingle(-(floats[s + i] as number))));
          let g = f(p - (floats[y + i] as number));
          let h = f(p * f(1 - p));
          if (weights !== 0) {
            g = f(g * (floats[w + i] as number));
            h = f(h * (floats[w + i] as number));
          }
          floats[gs + i] = g;
          floats[hs + i] = h;
          laneG[i & 3] = (laneG[i & 3] as number) + Math.abs(g);
          laneH[i & 3] = (laneH[i & 3] as number) + h;
        }
        const at = (sums >>> 3) + (from / 4096) * 2;
        doubles[at] = laneG.reduce(add, 0);
        doubles[at + 1] = laneH.reduce(add, 0);
      }
    },
    quantize(gradients, hessians, packed, rows, scaleG, scaleH) {
      const to = packed >>> 2;
      for (let i = 0; i < rows; i++) {
        ints[to + 2 * i] = Math.floor((floats[(hessians >>> 2) + i] as number) * scaleH + 0.5);
        ints[to + 2 * i + 1] = Math.floor((floats[(gradients >>> 2) + i] as number) * scaleG + 0.5);
      }
    },
    histogramRows(histogram, bins, stride, packed, index, begin, end) {
      const to = histogram >>> 2;
      ints.fill(0, to, to + stride * COLUMN_WORDS);
      for (let i = begin; i < end; i++) {
        const row = ints[(index >>> 2) + i] as number;
        const pair = (packed >>> 2) + 2 * row;
        accumulate(to, bins + row * stride, stride, ints[pair] as number, ints[pair + 1] as number);
      }
    },
    histogramAll(histogram, bins, stride, packed, rows) {
      const to = histogram >>> 2;
      ints.fill(0, to, to + stride * COLUMN_WORDS);
      for (let row = 0; row < rows; row++) {
        const pair = (packed >>> 2) + 2 * row;
        accumulate(to, bins + row * stride, stride, ints[pair] as number, ints[pair + 1] as number);
      }
    },
    addHistogram(histogram, other, stride) {
      const [to, from] = [histogram >>> 2, other >>> 2];
      const words = stride * COLUMN_WORDS;
      for (let i = 0; i < words; i++) ints[to + i] = (ints[to + i] as number) + (ints[from + i] as number);
    },
    subtractHistogram(histogram, other, stride) {
      const [to, from] = [histogram >>> 2, other >>> 2];
      const words = stride * COLUMN_WORDS;
      for (let i = 0; i < words; i++) ints[to + i] = (ints[to + i] as number) - (ints[from + i] as number);
    },
    scanColumns: (...request) => scanColumns(ints, doubles, request),
    countUp(index, begin, end) {
      for (let i = begin; i < end; i++) ints[(index >>> 2) + i] = i;
    },
    partition(index, begin, end, columnBins, goesLeft, scratch) {
      const at = index >>> 2;
      const spare = scratch >>> 2;
      let left = at + begin;
      let right = 0;
      for (let i = at + begin; i < at + end; i++) {
        const row = ints[i] as number;
        if (bytesOf[goesLeft + (bytesOf[columnBins + row] as number)] === 1) ints[left++] = row;
        else ints[spare + right++] = row;
      }
      ints.copyWithin(left, spare, spare + right);
      return left - at - begin;
    },
    logisticLosses(scores, labels, step, count, out) {
      let [loss, product, hits] = [doubles[out >>> 3] as number, 1, 0];
      for (let i = 0; i < count * step; i += step) {
        const score = floats[(scores >>> 2) + i] as number;
        const isPositive = floats[(labels >>> 2) + i] === 1;
        const margin = isPositive ? -score : score;
        if (margin > 0) loss += margin;
        product *= 1 + expDeterministic(margin > 0 ? -margin : margin);
        if (score >= 0 === isPositive) hits++;
      }
      doubles[out >>> 3] = loss;
      doubles[(out >>> 3) + 1] = product;
      return hits;
    },
    addLeaves(scores, index, ranges, rangeStride, values, leaves) {
      for (let leaf = 0; leaf < leaves; leaf++) {
        const range = (ranges + leaf * rangeStride) >>> 2;
        const value = floats[(values >>> 2) + leaf] as number;
        for (let i = ints[range] as number; i < (ints[range + 1] as number); i++) {
          const at = (scores >>> 2) + (ints[(index >>> 2) + i] as number);
          floats[at] = (floats[at] as number) + value;
        }
      }
    },
  };
}

/** `scanColumns` of the kernel: see there for the rule of ties. */
function scanColumns(ints: Int32Array, doubles: Float64Array, request: Parameters<Kernels["scanColumns"]>): number {
  const [histogram, binCounts, columns, sumG, sumH, inverseG, inverseH, l2, minChild, leastScore, , out] = request;
  let best = leastScore;
  const found = [-1, 0, 0, 0, 0];
  const consider = (column: number, bin: number, missing: number, g: number, h: number) => {
    const left = h * inverseH;
    const right = (sumH - h) * inverseH;
    if (left < minChild || right < minChild) return;
    const leftG = g * inverseG;
    const rightG = (sumG - g) * inverseG;
    const score = (leftG * leftG) / (left + l2) + (rightG * rightG) / (right + l2);
    if (!(score > best)) return;
    best = score;
    found.splice(0, 5, column, bin, missing, g, h);
  };
  for (let c = 0; c < columns; c++) {
    const count = ints[(binCounts >>> 2) + c] as number;
    const column = (histogram >>> 2) + c * COLUMN_WORDS;
    const missingH = ints[column + MISSING_BIN * 2] as number;
    const missingG = ints[column + MISSING_BIN * 2 + 1] as number;
    const hasMissing = missingH !== 0 || missingG !== 0;
    let g = 0;
    let h = 0;
    for (let b = 0; b < count; b++) {
      const binH = ints[column + b * 2] as number;
      const binG = ints[column + b * 2 + 1] as number;
      if (binH === 0 && binG === 0) continue;
      g += binG;
      h += binH;
      consider(c, b, 0, g, h);
      if (hasMissing) consider(c, b, 1, g + missingG, h + missingH);
    }
  }
  doubles[out >>> 3] = best;
  ints.set(found, (out >>> 2) + 2);
  return (found[0] as number) >= 0 ? 1 : 0;
}
