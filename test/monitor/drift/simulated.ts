/** Windows of 20 features for the drift simulations: normal, uniform, skewed, whole numbers, categories, booleans, constants. */
import { createRandom, type SeededRandom } from "../../../src/core/index.ts";
import type { Frame, FrameColumn } from "../../../src/data/index.ts";
import { normalPpf } from "../../../src/stats/index.ts";

export const all = (rows: number) => Uint32Array.from({ length: rows }, (_, i) => i);

/** Standard normal quantiles at 4,096 evenly spaced levels: sampling from them is sampling from a fixed normal-like law. */
const NORMAL = Float64Array.from({ length: 4096 }, (_, i) => normalPpf((i + 0.5) / 4096));
export const normal = (random: SeededRandom) =>
  (NORMAL[Math.floor(random.nextFloat() * 4096)] as number) + random.nextFloat() * 1e-3;

/** Shares 0.4, 0.25, 0.15, 0.1, 0.06, 0.03, 0.01. */
const CUMULATIVE = [0.4, 0.65, 0.8, 0.9, 0.96, 0.99, 1];

function column(kind: number, name: string, rows: number, random: SeededRandom, shift: number): FrameColumn {
  if (kind === 5) {
    const codes = Int32Array.from({ length: rows }, () => {
      const u = random.nextFloat();
      return CUMULATIVE.findIndex((end) => u < end);
    });
    return { kind: "category", name, codes, dictionary: ["a", "b", "c", "d", "e", "f", "g"] };
  }
  if (kind === 6) {
    return {
      kind: "boolean",
      name,
      values: Uint8Array.from({ length: rows }, () => (random.nextFloat() < 0.2 ? 1 : 0)),
    };
  }
  const draw = [
    () => normal(random) + shift,
    () => random.nextFloat() + shift * 0.2887,
    () => Math.round(-40 * Math.log(1 - random.nextFloat())),
    () => (random.nextFloat() < 0.6 ? 0 : normal(random) * 10),
    () => Math.floor(random.nextFloat() * 12),
    () => 0,
    () => 0,
    () => (random.nextFloat() < 0.1 ? Number.NaN : normal(random)),
  ][kind] as () => number;
  const values = new Float32Array(rows);
  for (let i = 0; i < rows; i++) values[i] = draw();
  return { kind: "number", name, values };
}

/** `rows` rows of 20 features; the first, a normal, is shifted by `shift` standard deviations. */
export function simulate(rows: number, seed: number, shift = 0): Frame {
  const random = createRandom(seed);
  return {
    rows,
    columns: Array.from({ length: 20 }, (_, i) => column(i % 8, `f${i}`, rows, random, i === 0 ? shift : 0)),
  };
}
