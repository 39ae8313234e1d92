/**
 * Prediction intervals from the forecaster's own errors on validation: split conformal prediction (V. Vovk, A. Gammerman,
 * G. Shafer 2005), per step ahead, on errors in units of how much their series moves at the time (normalized scores: J. Lei,
 * M. G'Sell, A. Rinaldo, R. Tibshirani, L. Wasserman, "Distribution-free predictive inference for regression", 2018, §5.2).
 *
 * Errors of time series are not exchangeable, so two things are done about it. Their unit follows the series: prices that swing
 * twice as far as on validation get intervals twice as wide. And overlapping forecasts of one series are one draw, not many, so
 * the finite-sample correction counts series × stretches of one horizon. What no past error can tell, a break right after
 * training, stays outside.
 */
import { logDeterministic } from "../../stats/index.ts";
import type { SeriesView } from "./panel.ts";

/** Quantiles of an answer beside its interval. */
export const QUANTILES = [0.1, 0.25, 0.5, 0.75, 0.9] as const;
/** Per step: low and high of the interval, then `QUANTILES`, all in units of `spreadAt`. */
export const BAND_WIDTH = 2 + QUANTILES.length;

/** Seasons of the newest changes in the unit of errors: one alone is noise where a season is four quarters. */
export const RECENT_SEASONS = 2;
/** Fewer errors than this at one step borrow from its neighbors: a 95 % quantile of 20 errors is the largest of them. */
const ERRORS_PER_STEP = 100;

/**
 * The unit of a forecast's errors: midway between what the series changes from season to season over all of training
 * (`scale`) and what it did in its last two seasons. The newest alone would follow every calm fortnight.
 */
export function spreadAt(view: SeriesView, season: number, scale: number): number {
  const recent = view.values.subarray(Math.max(0, view.values.length - (RECENT_SEASONS + 1) * season));
  const changes = seasonalChange(recent, season);
  return changes === undefined ? scale : (scale + changes) / 2;
}

/** Mean |y(t) − y(t−m)|; undefined where no pair is known, 0 where nothing moves. */
function seasonalChange(values: Float64Array, season: number): number | undefined {
  let sum = 0;
  let count = 0;
  for (let i = season; i < values.length; i++) {
    const change = (values[i] as number) - (values[i - season] as number);
    if (change !== change) continue;
    sum += Math.abs(change);
    count++;
  }
  return count === 0 ? undefined : sum / count;
}

/** Errors of forecasts whose targets are known, in units of their spread. */
export class ErrorRecord {
  readonly #byStep: readonly number[][];
  readonly #draws = new Set<string>();

  constructor(horizon: number) {
    this.#byStep = Array.from({ length: horizon }, () => []);
  }

  /** @param draw names the series and the stretch of one horizon: what shares it counts once in the correction. */
  add(step: number, error: number, draw: string): void {
    this.#byStep[step - 1]?.push(error);
    this.#draws.add(draw);
  }

  /** `horizon` × `BAND_WIDTH`, step by step. Cost: a sort per step. */
  bands(level: number): Float64Array {
    const horizon = this.#byStep.length;
    const bands = new Float64Array(horizon * BAND_WIDTH);
    for (let step = 0; step < horizon; step++) {
      const sorted = Float64Array.from(this.#poolOf(step)).sort();
      const reach = reachOf(sorted.map(Math.abs).sort(), level, this.#draws.size);
      bands.set([-reach, reach, ...QUANTILES.map((share) => quantileOf(sorted, share))], step * BAND_WIDTH);
    }
    return bands;
  }

  #poolOf(step: number): number[] {
    let pool: number[] = [];
    for (let reach = 0; reach < this.#byStep.length; reach++) {
      pool = this.#byStep.slice(Math.max(0, step - reach), step + reach + 1).flat();
      if (pool.length >= ERRORS_PER_STEP) break;
    }
    return pool;
  }
}

/**
 * Half the width that holds `level` of the targets: the ⌈(1 + 1/draws) · level · n⌉-th of the sorted |errors|. The sign is left
 * out, since what rose all through validation may fall afterwards. Where the draws are too few for any of them to reach so far,
 * the largest one is stretched as a tail that falls exponentially would be: by ln(1/(1 − level)) / ln(draws + 1). Without one,
 * the mean error is taken to be the unit.
 */
export function reachOf(sizes: Float64Array, level: number, draws: number): number {
  const n = sizes.length;
  const tail = -logDeterministic(1 - level);
  if (n === 0 || draws === 0) return tail;
  const rank = Math.ceil(level * (1 + 1 / draws) * n);
  if (rank <= n) return sizes[rank - 1] as number;
  return (sizes[n - 1] as number) * Math.max(1, tail / logDeterministic(draws + 1));
}

/** The median stays the median; the tails are moved outward by one place of n + 1. Laplace's quantile where there is nothing. */
function quantileOf(sorted: Float64Array, share: number): number {
  const n = sorted.length;
  if (n === 0) return share < 0.5 ? logDeterministic(2 * share) : -logDeterministic(2 * (1 - share));
  const rank = share < 0.5 ? Math.floor((n + 1) * share) : Math.ceil((n + 1) * share);
  return sorted[Math.max(0, Math.min(n - 1, rank - 1))] as number;
}
