/**
 * Seeded randomness: SplitMix64-seeded xoshiro128** (Blackman and Vigna, 2018), 32-bit operations only, so every draw is the
 * same on every Node version and processor. Not for secrets: tokens and salts come from `secureBytes`.
 */
import { randomBytes } from "node:crypto";

export interface SeededRandom {
  /** Uniform integer in [0, 2^32). */
  nextUint32(): number;
  /** Uniform in [0, 1) with 53 bits. */
  nextFloat(): number;
  /** Uniform integer in [0, n), without modulo bias. n in 1..2^32. */
  nextInt(n: number): number;
  /** Standard normal by the polar method is left to stats; here only the raw state for checkpoints. */
  state(): readonly [number, number, number, number];
}

/** Bytes nobody can guess. */
export function secureBytes(count: number): Uint8Array {
  return randomBytes(count);
}

function splitMix32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b) >>> 0;
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35) >>> 0;
    return (z ^ (z >>> 16)) >>> 0;
  };
}

/**
 * A generator for one purpose. Derive one per purpose with `seedFrom`, so that adding a draw in one place never shifts another.
 * @param seed integer in [0, 2^32), or a saved state
 */
export function createRandom(seed: number | readonly [number, number, number, number]): SeededRandom {
  let a: number;
  let b: number;
  let c: number;
  let d: number;
  if (typeof seed === "number") {
    const next = splitMix32(seed);
    a = next();
    b = next();
    c = next();
    d = next() | 1;
  } else {
    [a, b, c, d] = seed;
  }
  const nextUint32 = () => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  return {
    nextUint32,
    nextFloat: () => {
      const high = nextUint32() >>> 5;
      const low = nextUint32() >>> 6;
      return (high * 67_108_864 + low) / 9_007_199_254_740_992;
    },
    nextInt(n) {
      const limit = 4_294_967_296 - (4_294_967_296 % n);
      let draw = nextUint32();
      while (draw >= limit) draw = nextUint32();
      return draw % n;
    },
    state: () => [a >>> 0, b >>> 0, c >>> 0, d >>> 0],
  };
}

/** A seed for a named purpose: FNV-1a over the parts, so `seedFrom(run.seed, "shuffle", epoch)` is stable. */
export function seedFrom(...parts: readonly (number | string)[]): number {
  let hash = 0x811c9dc5;
  for (const character of parts.join("\u001f")) {
    hash ^= character.codePointAt(0) ?? 0;
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return hash >>> 0;
}

/** Fisher-Yates; the input is the array it shuffles. */
export function shuffleInPlace(values: Uint32Array | Int32Array | number[], random: SeededRandom): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.nextInt(i + 1);
    const kept = values[i] as number;
    values[i] = values[j] as number;
    values[j] = kept;
  }
}
