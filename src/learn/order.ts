/** The rows of a matrix in the order they came, which every epoch shuffles anew. */

/** 0 to count − 1. A plain loop: making the array by a function per element takes as long as shuffling it. */
export function rowOrder(count: number): Uint32Array {
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  return order;
}
