/**
 * Non-inferiority: is a candidate worse by no more than a margin? Differences here are "higher is better"; flip the sign of
 * losses. Small holdouts cannot certify small margins, so the number of rows it would take belongs to every answer.
 */
import { normalIsf, normalSf } from "../special/normal.ts";

export interface NonInferiorityInput {
  /** Candidate minus champion, higher is better. */
  readonly difference: number;
  readonly standardError: number;
  /** Largest tolerable loss, > 0, in the unit of the difference. */
  readonly margin: number;
  /** One-sided error rate; default 0.05. */
  readonly alpha?: number;
}

export interface NonInferiorityResult {
  readonly z: number;
  readonly pNonInferior: number;
  /** One-sided lower confidence bound of the difference. */
  readonly lowerBound: number;
  readonly nonInferior: boolean;
  readonly pSuperior: number;
}

/** Tests difference > −margin by the normal approximation. A zero standard error decides by the difference alone. */
export function nonInferiority(input: NonInferiorityInput): NonInferiorityResult {
  const { difference, standardError, margin, alpha = 0.05 } = input;
  const shifted = difference + margin;
  const z = standardError > 0 ? shifted / standardError : shifted > 0 ? Infinity : -Infinity;
  const superiority = standardError > 0 ? difference / standardError : difference > 0 ? Infinity : -Infinity;
  const lowerBound = difference - normalIsf(alpha) * standardError;
  return {
    z,
    pNonInferior: normalSf(z),
    lowerBound,
    nonInferior: lowerBound > -margin,
    pSuperior: normalSf(superiority),
  };
}

export interface SampleSizeInput {
  /** Standard deviation of the difference of one row (candidate minus champion). */
  readonly rowDeviation: number;
  readonly margin: number;
  /** True difference to plan for, higher is better; default 0 (equal models). */
  readonly difference?: number;
  /** One-sided error rate; default 0.05. */
  readonly alpha?: number;
  /** Chance to succeed when the plan holds; default 0.8. */
  readonly power?: number;
}

/** Rows needed to show non-inferiority: ((z_α + z_β)·sd / (difference + margin))², rounded up. Infinity when no number would do. */
export function rowsForNonInferiority(input: SampleSizeInput): number {
  const { rowDeviation, margin, difference = 0, alpha = 0.05, power = 0.8 } = input;
  const distance = difference + margin;
  if (!(distance > 0)) return Infinity;
  const ratio = ((normalIsf(alpha) + normalIsf(1 - power)) * rowDeviation) / distance;
  return Math.ceil(ratio * ratio);
}

/** The same for accuracy, whose row difference is ±1 on the share of rows where exactly one model is right. */
export function rowsForAccuracyMargin(
  input: Omit<SampleSizeInput, "rowDeviation"> & { discordantShare: number },
): number {
  return rowsForNonInferiority({ ...input, rowDeviation: Math.sqrt(input.discordantShare) });
}

/** Rows after which a share is known within ± `halfWidth` at `level`, in the worst case of a share of one half. */
export function rowsForShare(halfWidth: number, level = 0.95): number {
  const ratio = normalIsf((1 - level) / 2) / (2 * halfWidth);
  return Math.ceil(ratio * ratio);
}
