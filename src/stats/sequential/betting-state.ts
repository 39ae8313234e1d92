/**
 * The hedged betting sequence of `bounded-mean.ts` as plain data, so that it can be stored and taken up again: the log capital
 * against every mean of a grid. Means are left out for good once they are rejected, which makes the interval the running
 * intersection and the state small: it starts with 1,001 means and keeps those inside the interval.
 * (I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024, section 4.3.)
 */
import { logDeterministic } from "../exp.ts";
import { hedgedLogE, type Interval, updateCapital } from "./bounded-mean.ts";

/** Steps of the grid between 0 and 1; the interval is widened by one. */
const GRID = 1000;

export interface BettingState {
  readonly n: number;
  readonly sum: number;
  /** Σ (y_i − shrunken mean up to i)². */
  readonly squares: number;
  /** Place of the lowest mean that is not rejected. */
  readonly from: number;
  /** Log capital of betting that the mean is above, and below, each mean kept. */
  readonly up: readonly number[];
  readonly down: readonly number[];
}

const ZEROS: readonly number[] = new Array<number>(GRID + 1).fill(0);
export const BETTING_START: BettingState = { n: 0, sum: 0, squares: 0, from: 0, up: ZEROS, down: ZEROS };

/** @param value in [0, 1]; @param alpha the same for every value of a sequence. Cost: two logarithms a mean kept. */
export function updateBetting(state: BettingState, value: number, alpha: number): BettingState {
  const n = state.n + 1;
  const variance = (0.25 + state.squares) / n;
  const size = Math.sqrt((-2 * logDeterministic(alpha)) / (n * logDeterministic(n + 1) * variance));
  const threshold = -logDeterministic(alpha);
  const { length } = state.up;
  const up = new Array<number>(length);
  const down = new Array<number>(length);
  const capital = { up: 0, down: 0 };
  let first = -1;
  let last = -1;
  for (let i = 0; i < length; i++) {
    capital.up = state.up[i] as number;
    capital.down = state.down[i] as number;
    updateCapital(capital, { size, value, mean: (state.from + i) / GRID });
    up[i] = capital.up;
    down[i] = capital.down;
    if (hedgedLogE(capital) >= threshold) continue;
    if (first < 0) first = i;
    last = i;
  }
  const sum = state.sum + value;
  const gap = value - (0.5 + sum) / (n + 1);
  const moments = { n, sum, squares: state.squares + gap * gap };
  // Everything rejected happens with probability below alpha; the last interval then stays.
  if (first < 0) return { ...state, ...moments };
  return {
    ...moments,
    from: state.from + first,
    up: up.slice(first, last + 1),
    down: down.slice(first, last + 1),
  };
}

/** Interval of the mean, valid at every look. */
export function bettingInterval(state: BettingState): Interval {
  const last = state.from + state.up.length - 1;
  return [Math.max(0, (state.from - 1) / GRID), Math.min(1, (last + 1) / GRID)];
}
