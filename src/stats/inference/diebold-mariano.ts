/**
 * Diebold-Mariano test (1995) for two forecasters' losses in time order, with the small-sample correction of D. Harvey,
 * S. Leybourne and P. Newbold (1997). Errors of h-step forecasts overlap, so h − 1 autocovariances enter the variance.
 */
import { studentSf } from "../special/distributions.ts";

export interface DieboldMarianoResult {
  /** Mean of first minus second loss: positive when the second forecaster is better. */
  readonly meanDifference: number;
  readonly statistic: number;
  readonly correctedStatistic: number;
  /** Of the mean difference, with the small-sample correction: mean / corrected statistic. */
  readonly standardError: number;
  /** Two-sided, Student t with n − 1 degrees of freedom on the corrected statistic. */
  readonly pTwoSided: number;
}

/** Null below 3 rows, for unequal lengths' shorter part, or when the estimated variance is not positive. */
export function dieboldMariano(
  firstLosses: ArrayLike<number>,
  secondLosses: ArrayLike<number>,
  horizon = 1,
): DieboldMarianoResult | null {
  const n = Math.min(firstLosses.length, secondLosses.length);
  if (n < 3) return null;
  const differences = Float64Array.from(
    { length: n },
    (_, i) => (firstLosses[i] as number) - (secondLosses[i] as number),
  );
  const meanDifference = differences.reduce((sum, value) => sum + value, 0) / n;
  let variance = 0;
  for (let lag = 0; lag < horizon; lag++) {
    let sum = 0;
    for (let i = lag; i < n; i++) {
      sum += ((differences[i] as number) - meanDifference) * ((differences[i - lag] as number) - meanDifference);
    }
    variance += (lag === 0 ? 1 : 2) * (sum / n);
  }
  if (!(variance > 0)) return null;
  const statistic = meanDifference / Math.sqrt(variance / n);
  const factor = (n + 1 - 2 * horizon + (horizon * (horizon - 1)) / n) / n;
  if (!(factor > 0)) return null;
  const correctedStatistic = statistic * Math.sqrt(factor);
  return {
    meanDifference,
    statistic,
    correctedStatistic,
    standardError: Math.sqrt(variance / n) / Math.sqrt(factor),
    pTwoSided: 2 * studentSf(Math.abs(correctedStatistic), n - 1),
  };
}
