/**
 * Calibrating scores for estimation: curves fitted on rows the model was not trained on, and kept only where they help. A curve
 * that fits noise would make every later estimate worse, so the choice between the scores as they are, a logistic curve (Platt,
 * two parameters) and an isotonic one (any monotone shape, much variance) falls by log loss over five stratified splits,
 * fitted on 80 % and judged on 20 % of the rows. NannyML chooses by calibration error between the first and the last; log loss
 * is a proper score and tells the two curves apart with far fewer rows.
 */
import { createRandom, seedFrom } from "../core/index.ts";
import {
  applyIsotonic,
  applyPlatt,
  binaryLogLossOf,
  fitIsotonic,
  fitPlatt,
  type IsotonicCurve,
  logit,
  type PlattCurve,
} from "../stats/index.ts";

export type ScoreCurve = ({ readonly kind: "isotonic" } & IsotonicCurve) | ({ readonly kind: "platt" } & PlattCurve);

/** One curve a class (binary: one, of the class true); null: the score as it is. */
export interface ScoreCalibration {
  readonly rows: number;
  readonly curves: readonly (ScoreCurve | null)[];
  /** How well each curve is known. Absent in versions made before it was kept. */
  readonly uncertainty?: CalibrationUncertainty;
}

/**
 * Covariance of the intercept and slope by which the calibrated log-odds may still be off (D. R. Cox 1958, "Two further
 * applications of a model for binary regression"): [variance of the intercept, covariance, variance of the slope].
 */
export type CurveUncertainty = readonly [number, number, number];
/** One a curve; null where its log-odds do not vary. */
export type CalibrationUncertainty = readonly (CurveUncertainty | null)[];

const SPLITS = 5;
const TEST_SHARE = 0.2;
/** Rows the choice is made on; the chosen curve is fitted on all. More would cost seconds with many classes. */
const CHOICE_ROWS = 4_000;
/** Fewer held-out rows give no curve worth having. */
const MIN_ROWS = 100;
/** Isotonic curves reach 0 and 1 exactly, where one row of the other class would cost an infinite loss. */
const SCORE_CLIP = 1e-3;

type Fit = (scores: Float64Array, outcomes: Float64Array) => ScoreCurve | null;
const isotonic: Fit = (scores, outcomes) => ({ kind: "isotonic", ...fitIsotonic(scores, outcomes) });
const platt: Fit = (scores, outcomes) => {
  const curve = fitPlatt(scores, outcomes);
  return curve === null ? null : { kind: "platt", ...curve };
};
const asItIs: Fit = () => null;
/** The smoother ones first: a wilder one must be clearly better. */
const FITS: readonly Fit[] = [asItIs, platt, isotonic];

export function applyCurve(curve: ScoreCurve | null | undefined, score: number): number {
  if (curve == null) return score;
  return curve.kind === "platt" ? applyPlatt(curve, score) : applyIsotonic(curve, score);
}

/** @param outcomes 1 where the row is of the class, else 0. Cost O(splits · n log n). */
export function fitScoreCurve(scores: Float64Array, outcomes: Float64Array, seed: number): ScoreCurve | null {
  if (scores.length < MIN_ROWS) return null;
  const step = Math.ceil(scores.length / CHOICE_ROWS);
  const classes = [0, 1].map((one) =>
    Uint32Array.from(outcomes.keys()).filter((row) => row % step === 0 && outcomes[row] === one),
  );
  if (classes.some((rows) => rows.length < 2)) return null;
  const losses = FITS.map(() => new Float64Array(SPLITS));
  for (let split = 0; split < SPLITS; split++) {
    const [fitted, test] = stratified(classes, seedFrom(seed, "calibration", split));
    const pick = (values: Float64Array, rows: Uint32Array) => Float64Array.from(rows, (row) => values[row] as number);
    FITS.forEach((fit, i) => {
      const curve = fit(pick(scores, fitted), pick(outcomes, fitted));
      (losses[i] as Float64Array)[split] = meanLogLoss(curve, pick(scores, test), pick(outcomes, test));
    });
  }
  let best = 0;
  for (let i = 1; i < FITS.length; i++) {
    if (isClearlyLower(losses[i] as Float64Array, losses[best] as Float64Array)) best = i;
  }
  return (FITS[best] as Fit)(scores, outcomes);
}

/**
 * What the rows leave open about a curve, whatever its shape: the inverse information of a line through its own log-odds, and, where that
 * line would rather lie elsewhere (scores kept as they are because nothing was clearly better), the way to it as well. Null where the
 * log-odds do not vary.
 * @param outcomes 1 where the row is of the class, else 0
 */
export function curveUncertainty(
  curve: ScoreCurve | null,
  scores: Float64Array,
  outcomes: Float64Array,
): CurveUncertainty | null {
  let [a, b, c, left, slope] = [0, 0, 0, 0, 0];
  scores.forEach((score, i) => {
    const p = Math.min(Math.max(applyCurve(curve, score), SCORE_CLIP), 1 - SCORE_CLIP);
    const z = logit(p);
    const weight = p * (1 - p);
    const residual = (outcomes[i] as number) - p;
    a += weight;
    b += weight * z;
    c += weight * z * z;
    left += residual;
    slope += residual * z;
  });
  const determinant = a * c - b * b;
  if (!(determinant > 1e-9 * a * c)) return null;
  // One step of Newton's method from "as it is".
  const offIntercept = (c * left - b * slope) / determinant;
  const offSlope = (a * slope - b * left) / determinant;
  return [
    c / determinant + offIntercept * offIntercept,
    -b / determinant + offIntercept * offSlope,
    a / determinant + offSlope * offSlope,
  ];
}

/**
 * Lower by more than a standard error, so that noise never picks the wilder curve. Splits share rows: their variance is corrected
 * as C. Nadeau and Y. Bengio do ("Inference for the generalization error", 2003, equation 9).
 */
function isClearlyLower(one: Float64Array, other: Float64Array): boolean {
  const gaps = other.map((loss, split) => loss - (one[split] as number));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) * (gap - mean), 0) / (gaps.length - 1);
  return mean > Math.sqrt((1 / gaps.length + TEST_SHARE / (1 - TEST_SHARE)) * variance);
}

function meanLogLoss(curve: ScoreCurve | null, scores: Float64Array, outcomes: Float64Array): number {
  let sum = 0;
  scores.forEach((score, i) => {
    const p = Math.min(Math.max(applyCurve(curve, score), SCORE_CLIP), 1 - SCORE_CLIP);
    sum += binaryLogLossOf(outcomes[i] as number, p);
  });
  return sum / scores.length;
}

function stratified(classes: readonly Uint32Array[], seed: number): readonly [Uint32Array, Uint32Array] {
  const random = createRandom(seed);
  const fit: number[] = [];
  const test: number[] = [];
  for (const rows of classes) {
    const shuffled = Uint32Array.from(rows);
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = random.nextInt(i + 1);
      const held = shuffled[i] as number;
      shuffled[i] = shuffled[j] as number;
      shuffled[j] = held;
    }
    const cut = Math.max(1, Math.round(shuffled.length * TEST_SHARE));
    shuffled.forEach((row, i) => (i < cut ? test : fit).push(row));
  }
  return [Uint32Array.from(fit), Uint32Array.from(test)];
}

/** Calibrated probabilities per class of one row, made to sum to one again. Binary rows give [p(false), p(true)]. */
export function calibratedScores(
  calibration: ScoreCalibration | undefined,
  scores: readonly number[],
): readonly number[] {
  const curves = calibration?.curves ?? [];
  if (curves.length <= 1) {
    if (scores.length !== 2) return scores;
    const p = applyCurve(curves[0], scores[1] as number);
    return [1 - p, p];
  }
  const each = scores.map((score, i) => applyCurve(curves[i], score));
  const sum = each.reduce((total, one) => total + one, 0);
  return sum > 0 ? each.map((one) => one / sum) : scores;
}
