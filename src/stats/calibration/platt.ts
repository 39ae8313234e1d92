/**
 * Platt scaling (1999): a logistic curve over the logit of the score, fitted by maximum likelihood. Two parameters, so it needs
 * only some hundred rows, but it can repair nothing but a shift and a stretch.
 */
import { logit, sigmoid } from "../exp.ts";

export interface PlattCurve {
  /** Stretch of the logit; 1 = as it was. */
  readonly slope: number;
  readonly intercept: number;
}

/** Scores are kept this far from 0 and 1, where the logit is infinite. */
const SCORE_CLIP = 1e-6;

const clippedLogit = (score: number): number => logit(Math.min(Math.max(score, SCORE_CLIP), 1 - SCORE_CLIP));

/**
 * Fits by Newton's method with step halving. Null when it does not converge: one class only, or classes that the score separates
 * perfectly (the likelihood then has no maximum).
 */
export function fitPlatt(scores: ArrayLike<number>, outcomes: ArrayLike<number>): PlattCurve | null {
  const x = Float64Array.from(scores, clippedLogit);
  let slope = 1;
  let intercept = 0;
  for (let step = 0; step < 100; step++) {
    let gradientSlope = 0;
    let gradientIntercept = 0;
    let slopeSlope = 0;
    let slopeIntercept = 0;
    let interceptIntercept = 0;
    for (let i = 0; i < x.length; i++) {
      const value = x[i] as number;
      const p = sigmoid(slope * value + intercept);
      const error = (outcomes[i] as number) - p;
      const weight = p * (1 - p);
      gradientSlope += error * value;
      gradientIntercept += error;
      slopeSlope += weight * value * value;
      slopeIntercept += weight * value;
      interceptIntercept += weight;
    }
    const determinant = slopeSlope * interceptIntercept - slopeIntercept * slopeIntercept;
    if (!(determinant > 1e-12)) return null;
    const bySlope = (interceptIntercept * gradientSlope - slopeIntercept * gradientIntercept) / determinant;
    const byIntercept = (slopeSlope * gradientIntercept - slopeIntercept * gradientSlope) / determinant;
    // A Newton step from far away overshoots; a unit of logit at a time is plenty.
    const size = Math.max(Math.abs(bySlope), Math.abs(byIntercept));
    const damping = size > 1 ? 1 / size : 1;
    slope += damping * bySlope;
    intercept += damping * byIntercept;
    if (size < 1e-12 * Math.max(1, Math.abs(slope))) return { slope, intercept };
    if (Math.abs(slope) > 1e3) return null;
  }
  return null;
}

/** The calibrated probability of one score. */
export function applyPlatt(curve: PlattCurve, score: number): number {
  return sigmoid(curve.slope * clippedLogit(score) + curve.intercept);
}
