/**
 * Intervals for metrics in [0, 1] that hold for any number of rows, from states kept in the order labels arrived. They count rows
 * as independent: units that ask often make them too narrow, where the asymptotic sequence over buckets stays right.
 */
import {
  BETTING_START,
  bettingInterval,
  type BettingState,
  gammaExponentialMixture,
  updateBetting,
} from "../stats/index.ts";

/** Sum of squared deviations the Bernstein interval is tightest at: about 2,000 rows of a metric with deviation 0.3. */
const BOUNDED_TUNING = 200;

export type ExactMethod = "bounded" | "betting";

/** Running moments of a bounded metric. */
export interface BoundedState {
  readonly n: number;
  readonly sum: number;
  /** Σ (y_i − mean of the earlier)². */
  readonly squares: number;
}
export const BOUNDED_START: BoundedState = { n: 0, sum: 0, squares: 0 };

export type ExactState = BoundedState | BettingState;
export interface ExactArms {
  readonly champion: ExactState;
  readonly challenger: ExactState;
}

export const isExact = (method: string | undefined): method is ExactMethod =>
  method === "bounded" || method === "betting";

export const exactStart = (method: ExactMethod): ExactState => (method === "betting" ? BETTING_START : BOUNDED_START);

/** @param value in [0, 1]; @param alpha of this sequence; an unpaired comparison has two of half its error rate */
export function updateExact(state: ExactState, value: number, alpha: number): ExactState {
  if ("up" in state) return updateBetting(state, value, alpha);
  const gap = value - (state.n === 0 ? 0.5 : state.sum / state.n);
  return { n: state.n + 1, sum: state.sum + value, squares: state.squares + gap * gap };
}

/**
 * Two-sided and valid at every look: empirical Bernstein (S. Howard et al. 2021, gamma-exponential mixture), or betting, which
 * has spent its alpha value by value.
 */
export function exactInterval(state: ExactState, alpha: number): readonly [number, number] {
  if ("up" in state) return bettingInterval(state);
  if (state.n === 0) return [0, 1];
  const margin = gammaExponentialMixture(BOUNDED_TUNING, alpha / 2).bound(state.squares, alpha / 2) / state.n;
  const mean = state.sum / state.n;
  return [Math.max(0, mean - margin), Math.min(1, mean + margin)];
}
