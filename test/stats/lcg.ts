/** The linear congruential generator in which the reference streams are stated: s = 1664525 s + 1013904223 mod 2^32, u = s / 2^32. */
export interface Lcg {
  nextUint32(): number;
  next(): number;
}

export function createLcg(seed: number): Lcg {
  let state = seed >>> 0;
  const nextUint32 = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  return { nextUint32, next: () => nextUint32() / 4294967296 };
}
