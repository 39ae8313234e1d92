/**
 * The kernels of counting in TypeScript: the fallback where WebAssembly is missing, and the oracle the tests hold
 * kernels/profile.ts against.
 */
import { TAILS } from "../../data/index.ts";
import type { ProfileKernels } from "./kernel-contract.ts";

const BELOW = TAILS.indexOf("below");
const ABOVE = TAILS.indexOf("above");
const UNSEEN = TAILS.indexOf("unseen");
const MISSING = TAILS.indexOf("missing");
const NON_FINITE = TAILS.indexOf("nonFinite");

export function createTwin(bytes: number): ProfileKernels {
  const buffer = new ArrayBuffer(bytes);
  const words = new Uint32Array(buffer);
  const floats = new Float32Array(buffer);
  const doubles = new Float64Array(buffer);
  return {
    buffer,
    narrow(from, to, count) {
      for (let i = 0; i < count; i++) {
        const value = doubles[from / 8 + i] as number;
        const short = Math.fround(value);
        floats[to / 4 + i] = Math.abs(short) === Infinity && Math.abs(value) < Infinity ? Number.NaN : short;
      }
    },
    range(values, count, out) {
      let min = Infinity;
      let max = -Infinity;
      for (const value of floats.subarray(values / 4, values / 4 + count)) {
        if (value < min && value > -Infinity) min = value;
        if (value > max && value < Infinity) max = value;
      }
      doubles[out / 8] = min;
      doubles[out / 8 + 1] = max;
    },
    countCells(values, count, slots, edges, counts, cells, isByValue, min, max, slotsPerUnit) {
      const edge = doubles.subarray(edges / 8);
      const size = cells + TAILS.length;
      for (let i = 0; i < count; i++) {
        const value = floats[values / 4 + i] as number;
        let place: number;
        if (value >= min && value <= max) {
          const both = words[slots / 4 + Math.trunc((value - min) * slotsPerUnit)] as number;
          let cell = both & 0xffff;
          while ((edge[cell] as number) < value) cell++;
          place = isByValue !== 0 && edge[cell] !== value ? cells + UNSEEN : cell;
        } else if (value !== value) place = cells + MISSING;
        else if (value - value !== 0) place = cells + NON_FINITE;
        else place = cells + (value < min ? BELOW : ABOVE);
        const at = counts / 4 + (i & 1) * size + place;
        words[at] = (words[at] as number) + 1;
      }
    },
  };
}
