/**
 * The kernels of the mlp trainer in TypeScript: the fallback where WebAssembly is missing, and the oracle the tests hold
 * kernels/mlp.ts against. Every operation is rounded to 32 bits, as the lanes of the other are.
 */
import { expSingle } from "../gbdt/twin.ts";
import type { MlpKernels } from "./kernel-contract.ts";

const f = Math.fround;
const KEEP_FIRST = f(0.9);
const ADD_FIRST = f(0.1);
const KEEP_SECOND = f(0.999);
const ADD_SECOND = f(0.001);
const SMALL = f(1e-8);

export function createTwin(bytes: number): MlpKernels {
  const buffer = new ArrayBuffer(bytes);
  const words = new Uint32Array(buffer);
  const floats = new Float32Array(buffer);
  const at = (index: number) => floats[index] as number;

  const nextWord = (state: number) => {
    const a = words[state] as number;
    const b = words[state + 1] as number;
    const five = Math.imul(b, 5);
    const draw = Math.imul((five << 7) | (five >>> 25), 9) >>> 0;
    const c = (words[state + 2] as number) ^ a;
    const d = (words[state + 3] as number) ^ b;
    words[state] = a ^ d;
    words[state + 1] = b ^ c;
    words[state + 2] = c ^ (b << 9);
    words[state + 3] = (d << 11) | (d >>> 21);
    return draw;
  };

  return {
    buffer,
    shuffle(order, count, state) {
      for (let i = count - 1; i > 0; i--) {
        const j = order / 4 + highProduct(nextWord(state / 4), i + 1);
        const kept = words[order / 4 + i] as number;
        words[order / 4 + i] = words[j] as number;
        words[j] = kept;
      }
    },
    gather(order, from, count, values, rowBytes, out) {
      const width = rowBytes / 4;
      for (let i = 0; i < count; i++) {
        const row = values / 4 + (words[order / 4 + from + i] as number) * width;
        floats.copyWithin(out / 4 + i * width, row, row + width);
      }
    },
    fillRows(out, count, row, rowBytes) {
      const width = rowBytes / 4;
      for (let i = 0; i < count; i++) floats.copyWithin(out / 4 + i * width, row / 4, row / 4 + width);
    },
    multiply(m, n, k, a, aRow, aColumn, b, bRow, c, cRow) {
      for (let i = 0; i < m; i++) {
        const to = (c + i * cRow) / 4;
        for (let l = 0; l < k; l++) {
          const x = at((a + i * aRow + l * aColumn) / 4);
          const from = (b + l * bRow) / 4;
          for (let j = 0; j < n; j++) floats[to + j] = at(to + j) + f(x * at(from + j));
        }
      }
    },
    multiplyOne(m, k, x, xRow, w, wStep, out, outRow) {
      for (let i = 0; i < m; i++) {
        const [row, to] = [(x + i * xRow) / 4, (out + i * outRow) / 4];
        for (let l = 0; l < k; l++) floats[to] = at(to) + f(at(row + l) * at((w + l * wStep) / 4));
      }
    },
    outer(errors, errorRow, rows, w, n, out) {
      for (let i = 0; i < rows; i++) {
        const error = at((errors + i * errorRow) / 4);
        for (let j = 0; j < n; j++) floats[out / 4 + i * n + j] = error * at(w / 4 + j);
      }
    },
    weightedSums(values, errors, errorRow, rows, n, out, outStep) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let i = 0; i < rows; i++) sum = f(sum + f(at(values / 4 + i * n + j) * at((errors + i * errorRow) / 4)));
        floats[(out + j * outStep) / 4] = sum;
      }
    },
    transpose(from, m, n, to) {
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) floats[to / 4 + j * m + i] = at(from / 4 + i * n + j);
      }
    },
    activate(values, count, isTanh) {
      const start = values / 4;
      for (let i = start; i < start + count; i++) {
        const x = at(i);
        if (isTanh === 0) floats[i] = x > 0 ? x : 0;
        else floats[i] = f(1 - f(2 / f(expSingle(f(2 * x)) + 1)));
      }
    },
    activationGradient(gradients, values, count, isTanh) {
      for (let i = 0; i < count; i++) {
        const y = at(values / 4 + i);
        const g = at(gradients / 4 + i);
        floats[gradients / 4 + i] = isTanh === 0 ? (y > 0 ? g : 0) : g * f(1 - f(y * y));
      }
    },
    drawMask(mask, count, threshold, scale, state) {
      for (let i = 0; i < count; i++) floats[mask / 4 + i] = nextWord(state / 4) >= threshold >>> 0 ? scale : 0;
    },
    scaleBy(left, right, out, count) {
      for (let i = 0; i < count; i++) floats[out / 4 + i] = at(left / 4 + i) * at(right / 4 + i);
    },
    lossGradient(scores, rowBytes, outputs, kind, order, from, count, target, weights, scale) {
      for (let i = 0; i < count; i++) {
        const row = words[order / 4 + from + i] as number;
        const label = at(target / 4 + row);
        const factor = weights === 0 ? f(scale) : f(f(scale) * at(weights / 4 + row));
        const place = (scores + i * rowBytes) / 4;
        if (kind === 2) softmaxGradient(floats, place, { outputs, label, factor });
        else {
          const z = at(place);
          const p = kind === 1 ? f(1 / f(1 + expSingle(-z))) : z;
          floats[place] = f(p - label) * factor;
        }
      }
    },
    columnSums(values, rows, n, out) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let i = 0; i < rows; i++) sum = f(sum + at(values / 4 + i * n + j));
        floats[out / 4 + j] = sum;
      }
    },
    adam(weights, gradients, first, second, count, rate, l2, firstBound, secondBound) {
      const step = f(f(rate) * f(firstBound));
      for (let i = 0; i < count; i++) {
        const w = at(weights / 4 + i);
        const g = f(at(gradients / 4 + i) + f(f(l2) * w));
        const m = f(f(KEEP_FIRST * at(first / 4 + i)) + f(ADD_FIRST * g));
        const v = f(f(KEEP_SECOND * at(second / 4 + i)) + f(ADD_SECOND * f(g * g)));
        floats[first / 4 + i] = m;
        floats[second / 4 + i] = v;
        const size = f(f(Math.sqrt(f(v * f(secondBound)))) + SMALL);
        floats[weights / 4 + i] = w - f(f(step * m) / size);
      }
    },
  };
}

function softmaxGradient(
  floats: Float32Array,
  place: number,
  { outputs, label, factor }: { readonly outputs: number; readonly label: number; readonly factor: number },
): void {
  let largest = floats[place] as number;
  for (let c = 1; c < outputs; c++) largest = Math.max(largest, floats[place + c] as number);
  let total = 0;
  for (let c = 0; c < outputs; c++) {
    const e = expSingle(f((floats[place + c] as number) - largest));
    floats[place + c] = e;
    total = f(total + e);
  }
  for (let c = 0; c < outputs; c++) {
    const p = f((floats[place + c] as number) / total);
    floats[place + c] = f(p - (c === label ? 1 : 0)) * factor;
  }
}

/** floor(left × right / 2^32) of two 32-bit numbers, exactly. */
function highProduct(left: number, right: number): number {
  const low = (left & 0xffff) * right;
  const high = (left >>> 16) * right;
  return Math.floor((high + Math.floor(low / 65_536)) / 65_536);
}
