/**
 * Always-valid inference for a difference with an estimated standard error: the asymptotic confidence sequence of I. Waudby-Smith
 * et al. ("Time-uniform central limit theory and asymptotic confidence sequences", 2024) and the mixture sequential probability
 * ratio test of R. Johari et al. (2017). Both are the normal mixture in other clothes (tau² = 1/ρ).
 *
 * Asymptotic: show nothing before about 100 conversions an arm (or 1,000 rows).
 */
import { expDeterministic, logDeterministic } from "../exp.ts";

/** Sample size (both arms) the interval is tightest at; the usual default. */
export const DEFAULT_TUNING_ROWS = 5000;

export interface AlwaysValidInput {
  /** Standard error of the difference. */
  readonly standardError: number;
  /** Rows behind it, both arms. */
  readonly rows: number;
  readonly alpha?: number;
  readonly tuningRows?: number;
}

function tuning(alpha: number, tuningRows: number): number {
  const logAlpha = logDeterministic(alpha);
  return Math.sqrt((-2 * logAlpha + logDeterministic(1 - 2 * logAlpha)) / tuningRows);
}

/** Half-width of the two-sided confidence sequence, valid at every look. Infinity without rows. */
export function alwaysValidHalfWidth(input: AlwaysValidInput): number {
  const { standardError, rows, alpha = 0.05, tuningRows = DEFAULT_TUNING_ROWS } = input;
  if (!(rows > 0)) return Infinity;
  const rho = tuning(alpha, tuningRows);
  const growth = rows * rho * rho + 1;
  const scale = (2 * growth) / (rows * rho * rows * rho);
  return standardError * Math.sqrt(rows * scale * logDeterministic(Math.sqrt(growth) / alpha));
}

/** The margin below (or above) the estimate of the one-sided sequence at error rate alpha. */
export function alwaysValidMarginOneSided(input: AlwaysValidInput): number {
  const { standardError, rows, alpha = 0.05, tuningRows = DEFAULT_TUNING_ROWS } = input;
  if (!(rows > 0)) return Infinity;
  const rho = tuning(2 * alpha, tuningRows);
  const growth = rows * rho * rho + 1;
  const scale = (2 * growth) / (rows * rho * rows * rho);
  return standardError * Math.sqrt(rows * scale * logDeterministic(1 + Math.sqrt(growth) / (2 * alpha)));
}

/** p-value valid at every look; take the smallest so far. 1 without evidence. */
export function alwaysValidP(difference: number, input: AlwaysValidInput): number {
  const { standardError, rows, alpha = 0.05, tuningRows = DEFAULT_TUNING_ROWS } = input;
  if (!(rows > 0)) return 1;
  if (!(standardError > 0)) return difference === 0 ? 1 : 0;
  const rho = tuning(alpha, tuningRows);
  const square = rho * rho * rows;
  const z = difference / standardError;
  return Math.min(1, Math.sqrt(square + 1) * expDeterministic((-square * z * z) / (2 * (square + 1))));
}

/**
 * ln of the mSPRT likelihood ratio of a difference with variance `variance` against 0. `mixtureVariance` (tau²) is the square
 * of the expected effect; ten times off costs about a fifth of the power.
 */
export function msprtLogRatio(difference: number, variance: number, mixtureVariance: number): number {
  const total = variance + mixtureVariance;
  return (
    0.5 * logDeterministic(variance / total) + (mixtureVariance * difference * difference) / (2 * variance * total)
  );
}

/** The always-valid p-value after one more look with the given ln e-value: min(previous, 1/e). */
export function sequentialP(previous: number, logE: number): number {
  return Math.min(previous, expDeterministic(-logE));
}

/** Variance of the difference of two observed shares, unpooled. */
export function shareDifferenceVariance(k1: number, n1: number, k2: number, n2: number): number {
  const a = k1 / n1;
  const b = k2 / n2;
  return (a * (1 - a)) / n1 + (b * (1 - b)) / n2;
}
