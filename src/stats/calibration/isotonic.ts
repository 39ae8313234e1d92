/**
 * Isotonic calibration: the non-decreasing step function closest to the outcomes in squares, by pooling adjacent violators
 * (M. Ayer et al. 1955), applied with linear interpolation between its corners. Assumes nothing but monotony; needs about
 * 1,000 rows.
 */
import { sortedOrder } from "../metrics/metric.ts";

/** Corners of the function, ascending in both; constant outside. Plain data, stored with a version. */
export interface IsotonicCurve {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

interface Block {
  sum: number;
  weight: number;
  first: number;
  last: number;
}

/** Fits outcomes (0/1 or any numbers) to scores. Equal scores are averaged first. Cost O(n log n). */
export function fitIsotonic(scores: ArrayLike<number>, outcomes: ArrayLike<number>): IsotonicCurve {
  const blocks: Block[] = [];
  const order = sortedOrder(scores);
  for (let i = 0; i < order.length; i++) {
    const row = order[i] as number;
    const score = scores[row] as number;
    const outcome = outcomes[row] as number;
    const top = blocks[blocks.length - 1];
    if (top !== undefined && top.last === score && top.first === score) {
      top.sum += outcome;
      top.weight += 1;
    } else {
      blocks.push({ sum: outcome, weight: 1, first: score, last: score });
    }
    const next = order[i + 1];
    // Pool only once a group of equal scores is complete, so that its own mean is what gets compared.
    if (next === undefined || scores[next] !== score) poolInPlace(blocks);
  }
  const x: number[] = [];
  const y: number[] = [];
  for (const block of blocks) {
    const mean = block.sum / block.weight;
    x.push(block.first);
    y.push(mean);
    if (block.last > block.first) {
      x.push(block.last);
      y.push(mean);
    }
  }
  return dropInner(x, y);
}

function poolInPlace(blocks: Block[]): void {
  while (blocks.length > 1) {
    const above = blocks[blocks.length - 1] as Block;
    const below = blocks[blocks.length - 2] as Block;
    if (below.sum * above.weight < above.sum * below.weight) return;
    below.sum += above.sum;
    below.weight += above.weight;
    below.last = above.last;
    blocks.pop();
  }
}

/** Corners inside a flat stretch carry no information. */
function dropInner(x: readonly number[], y: readonly number[]): IsotonicCurve {
  const keep = x.map((_, i) => i === 0 || i === x.length - 1 || y[i] !== y[i - 1] || y[i] !== y[i + 1]);
  return { x: x.filter((_, i) => keep[i]), y: y.filter((_, i) => keep[i]) };
}

/** The calibrated value of one score: linear between corners, constant beyond them. NaN for an empty curve. */
export function applyIsotonic(curve: IsotonicCurve, score: number): number {
  const { x, y } = curve;
  if (x.length === 0 || score !== score) return NaN;
  if (score <= (x[0] as number)) return y[0] as number;
  if (score >= (x[x.length - 1] as number)) return y[y.length - 1] as number;
  let low = 0;
  let high = x.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((x[middle] as number) <= score) low = middle;
    else high = middle;
  }
  const share = (score - (x[low] as number)) / ((x[high] as number) - (x[low] as number));
  return (y[low] as number) + share * ((y[high] as number) - (y[low] as number));
}
