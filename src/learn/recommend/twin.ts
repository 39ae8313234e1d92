/**
 * The kernels of matrix factorization in TypeScript: the fallback where WebAssembly is missing, and the oracle the tests hold
 * kernels/recommend.ts against. Every float32 operation is rounded by itself, and four running sums stand for the four lanes.
 */
import { expDeterministic } from "../../stats/index.ts";
import type { RecommendKernels } from "./kernel-contract.ts";

const GRAM_BLOCK = 64;
const EXP_MINIMUM = -700;
const NO_RESIDUAL = 1e-20;
const MOST_DRAWS = 64;
const round = Math.fround;

export function createTwin(bytes: number): RecommendKernels {
  const buffer = new ArrayBuffer(bytes);
  const floats = new Float32Array(buffer);
  const doubles = new Float64Array(buffer);
  const whole = new Int32Array(buffer);
  const words = new Uint32Array(buffer);

  function dot(left: number, right: number, factors: number): number {
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let j = 0; j < factors; j += 4) {
      a = round(a + round((floats[left + j] as number) * (floats[right + j] as number)));
      b = round(b + round((floats[left + j + 1] as number) * (floats[right + j + 1] as number)));
      c = round(c + round((floats[left + j + 2] as number) * (floats[right + j + 2] as number)));
      d = round(d + round((floats[left + j + 3] as number) * (floats[right + j + 3] as number)));
    }
    return round(round(a + b) + round(c + d));
  }

  function addScaled(out: number, scale: number, y: number, factors: number): void {
    for (let j = 0; j < factors; j++)
      floats[out + j] = (floats[out + j] as number) + round(scale * (floats[y + j] as number));
  }

  function addFour(out: number, scales: readonly number[], rows: readonly number[], factors: number): void {
    const term = (k: number, j: number) => round((scales[k] as number) * (floats[(rows[k] as number) + j] as number));
    for (let j = 0; j < factors; j++) {
      const sum = round(round(term(0, j) + term(1, j)) + round(term(2, j) + term(3, j)));
      floats[out + j] = (floats[out + j] as number) + sum;
    }
  }

  function timesGram(gram: number, x: number, factors: number, out: number): void {
    floats.fill(0, out, out + factors);
    for (let i = 0; i < factors; i += 4) {
      const line = gram + i * factors;
      addFour(
        out,
        [0, 1, 2, 3].map((k) => floats[x + i + k] as number),
        [0, 1, 2, 3].map((k) => line + k * factors),
        factors,
      );
    }
  }

  function holds(from: number, to: number, value: number): boolean {
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >> 1;
      const found = whole[middle] as number;
      if (found === value) return true;
      if (found < value) low = middle + 1;
      else high = middle;
    }
    return false;
  }

  return {
    buffer,
    gram(rows, from, to, factors, out, scratch) {
      const [y, sums, own] = [rows / 4, out / 8, scratch / 4];
      for (let block = from; block < to; block += GRAM_BLOCK) {
        const end = Math.min(to, block + GRAM_BLOCK);
        floats.fill(0, own, own + factors * factors);
        for (let row = block; row < end; row++) {
          const at = y + row * factors;
          for (let i = 0; i < factors; i++) {
            const value = floats[at + i] as number;
            for (let j = i & ~3; j < factors; j++) {
              const place = own + i * factors + j;
              floats[place] = (floats[place] as number) + round(value * (floats[at + j] as number));
            }
          }
        }
        for (let i = 0; i < factors * factors; i++)
          doubles[sums + i] = (doubles[sums + i] as number) + (floats[own + i] as number);
      }
    },

    solveRows(x, y, gram, starts, indices, extra, from, to, factors, steps, scratch, loss) {
      const [list, weights] = [indices / 4, extra / 4];
      const r = scratch / 4;
      const p = r + factors;
      const ap = p + factors;
      const rowOf = (k: number) => y / 4 + (whole[list + k] as number) * factors;
      let cost = doubles[loss / 8] as number;
      for (let row = from; row < to; row++) {
        const own = x / 4 + row * factors;
        const first = whole[starts / 4 + row] as number;
        const last = whole[starts / 4 + row + 1] as number;
        if (first === last) {
          floats.fill(0, own, own + factors);
          continue;
        }
        timesGram(gram / 4, own, factors, r);
        for (let j = 0; j < factors; j++) floats[r + j] = -(floats[r + j] as number);
        let begun = first;
        for (; begun + 4 <= last; begun += 4) {
          const rows = [rowOf(begun), rowOf(begun + 1), rowOf(begun + 2), rowOf(begun + 3)];
          const scores = rows.map((at) => dot(own, at, factors));
          const pulls = scores.map((score, n) => pullOf(floats[weights + begun + n] as number, score));
          addFour(r, pulls, rows, factors);
          scores.forEach((score, n) => (cost += costOf(floats[weights + begun + n] as number, score)));
        }
        for (; begun < last; begun++) {
          const w = floats[weights + begun] as number;
          const score = dot(own, rowOf(begun), factors);
          addScaled(r, pullOf(w, score), rowOf(begun), factors);
          cost += costOf(w, score);
        }
        floats.copyWithin(p, r, r + factors);
        let old = dot(r, r, factors);
        for (let step = 0; step < steps; step++) {
          if (!(old > round(NO_RESIDUAL))) break;
          timesGram(gram / 4, p, factors, ap);
          let k = first;
          for (; k + 4 <= last; k += 4) {
            const rows = [rowOf(k), rowOf(k + 1), rowOf(k + 2), rowOf(k + 3)];
            const scales = rows.map((at, n) => round((floats[weights + k + n] as number) * dot(p, at, factors)));
            addFour(ap, scales, rows, factors);
          }
          for (; k < last; k++)
            addScaled(ap, round((floats[weights + k] as number) * dot(p, rowOf(k), factors)), rowOf(k), factors);
          const alpha = round(old / dot(p, ap, factors));
          addScaled(own, alpha, p, factors);
          addScaled(r, -alpha, ap, factors);
          const fresh = dot(r, r, factors);
          const beta = round(fresh / old);
          for (let j = 0; j < factors; j++)
            floats[p + j] = (floats[r + j] as number) + round(beta * (floats[p + j] as number));
          old = fresh;
        }
      }
      doubles[loss / 8] = cost;
    },

    scoreRows(x, rows, count, factors, out) {
      for (let i = 0; i < count; i++) floats[out / 4 + i] = dot(x / 4, rows / 4 + i * factors, factors);
    },

    rankPairs(
      users,
      items,
      itemCount,
      userOf,
      starts,
      indices,
      count,
      factors,
      samples,
      givenRate,
      givenL2,
      state,
      loss,
    ) {
      const rate = round(givenRate);
      const l2 = round(givenL2);
      const at = state / 4;
      const next = () => {
        const b = words[at + 1] as number;
        const product = Math.imul(b, 5);
        const draw = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
        words[at + 2] = (words[at + 2] as number) ^ (words[at] as number);
        words[at + 3] = (words[at + 3] as number) ^ b;
        words[at + 1] = b ^ (words[at + 2] as number);
        words[at] = (words[at] as number) ^ (words[at + 3] as number);
        words[at + 2] = (words[at + 2] as number) ^ (b << 9);
        const d = words[at + 3] as number;
        words[at + 3] = (d << 11) | (d >>> 21);
        return draw;
      };
      let wrong = doubles[loss / 8] as number;
      for (let sample = 0; sample < samples; sample++) {
        const chosen = below(next(), count);
        const user = whole[userOf / 4 + chosen] as number;
        const from = indices / 4 + (whole[starts / 4 + user] as number);
        const to = indices / 4 + (whole[starts / 4 + user + 1] as number);
        let negative = 0;
        for (let draws = 1; draws < MOST_DRAWS; draws++) {
          negative = below(next(), itemCount);
          if (!holds(from, to, negative)) break;
        }
        const u = users / 4 + user * factors;
        const i = items / 4 + (whole[indices / 4 + chosen] as number) * factors;
        const j = items / 4 + negative * factors;
        const margin = round(dot(u, i, factors) - dot(u, j, factors));
        const e = expDeterministic(Math.max(-Math.abs(margin), EXP_MINIMUM));
        const error = margin >= 0 ? e / (1 + e) : 1 / (1 + e);
        wrong += error;
        const pull = round(error);
        for (let f = 0; f < factors; f++) {
          const own = floats[u + f] as number;
          const liked = floats[i + f] as number;
          const other = floats[j + f] as number;
          floats[u + f] = own + round(rate * round(round(pull * round(liked - other)) - round(l2 * own)));
          floats[i + f] = liked + round(rate * round(round(pull * own) - round(l2 * liked)));
          floats[j + f] = other - round(rate * round(round(pull * own) + round(l2 * other)));
        }
        floats[u + factors - 1] = 1;
      }
      doubles[loss / 8] = wrong;
    },
  };
}

const pullOf = (w: number, score: number) => round(round(w * round(1 - score)) + 1);

function costOf(w: number, score: number): number {
  const missing = round(1 - score);
  return (1 + w) * missing * missing - score * score;
}

/** The high half of draw × n, in two steps: the whole product may have more than 53 bits. */
function below(draw: number, n: number): number {
  const low = Math.floor(((draw & 65_535) * n) / 65_536);
  return Math.floor(((draw >>> 16) * n + low) / 65_536);
}
