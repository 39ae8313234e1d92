/**
 * Performance before labels, as counters. Every prediction adds what its version expects of it, so a metric of any window is a
 * sum, like the realised one it stands beside.
 *
 * Classes: confidence-based performance estimation (CBPE, NannyML), each row counted as right and wrong by its calibrated
 * probability. Numbers: direct loss estimation (DLE), the loss a small model of the version's own held-out errors expects.
 * Both take the version's word for P(y|x).
 */
import type { CounterValues, LabelValue, Task } from "../core/index.ts";
import { calibrationDeviationOf, decidedShares, type ScoreMass, scoreMass } from "./calibration-error.ts";
import { classDeviationOf, classTurns } from "./class-turns.ts";
import type { CalibrationUncertainty } from "./score-calibration.ts";
import {
  binnedRocAuc,
  FixedTotals,
  fromFixedPoint,
  LOG_LOSS_CLIP,
  logDeterministic,
  SCORE_BIN_COUNT,
  scoreBin,
} from "../stats/index.ts";

/** Said wherever an estimate is shown. */
export const BLIND_SPOTS = [
  "Blind to concept drift P(y|x): where the same rows now get other answers, the estimate does not move.",
  "Blind in regions the held-out rows of the version did not reach: its calibration was never measured there.",
] as const;
/** A binary model that decides at its own probability of one half. */
export const ACCURACY_FLOOR =
  "An estimated accuracy of calibrated scores decided at 0.5 cannot fall below 0.5, whatever happens.";

export interface EstimatedPrediction {
  readonly task: Task;
  /** In score order; binary [false, true]. */
  readonly classes: readonly LabelValue[];
  readonly scores: readonly number[];
  readonly decision: LabelValue;
  /** Classes: calibrated probabilities in score order. Numbers: [expected |error|, expected error²]. */
  readonly expected: readonly number[];
}

/** What one prediction adds. */
export function estimateOf(one: EstimatedPrediction): CounterValues {
  const totals = new FixedTotals();
  addEstimate(totals, one);
  return totals.values();
}

/** Adds what one prediction adds. */
export function addEstimate(totals: FixedTotals, one: EstimatedPrediction): void {
  totals.count("n");
  if (one.task === "regression") addErrors(totals, one);
  else addDecision(totals, one);
}

const clip = (p: number) => Math.min(Math.max(p, LOG_LOSS_CLIP), 1 - LOG_LOSS_CLIP);

function addErrors(totals: FixedTotals, { expected }: EstimatedPrediction): void {
  const absolute = Math.max(0, expected[0] as number);
  // By Jensen's inequality the mean square is at least the squared mean; two separately fitted models need not know.
  const squared = Math.max(absolute * absolute, expected[1] as number);
  totals.add("mae", absolute);
  totals.add("maeVariance", squared - absolute * absolute);
  totals.add("squaredError", squared);
}

/** Names of the counts of a histogram by bin, made once. */
const binNames = (prefix: string) => Array.from({ length: SCORE_BIN_COUNT }, (_, bin) => `${prefix}${bin}`);
const ROWS_OF_BIN = binNames("s");
const MASS_OF_BIN = binNames("m");

function addDecision(totals: FixedTotals, one: EstimatedPrediction): void {
  const { task, classes, scores, decision, expected } = one;
  const decided = classes.indexOf(decision);
  const right = expected[decided] ?? 0;
  const own = task === "binary" ? (scores[1] as number) : 0;
  const { losses, briers } = task === "binary" ? binaryLosses(scores[0] as number, own) : classLosses(scores);
  totals.add("accuracy", right);
  totals.add("accuracyVariance", right * (1 - right));
  addMoments(totals, "logLoss", "logLossVariance", { expected, losses });
  addMoments(totals, "brier", "brierVariance", { expected, losses: briers });
  if (task === "binary") {
    const q = expected[1] as number;
    const bin = scoreBin(own);
    totals.add(decided === 1 ? "tp" : "fn", q);
    totals.add(decided === 1 ? "fp" : "tn", 1 - q);
    totals.count(ROWS_OF_BIN[bin] as string);
    totals.add(MASS_OF_BIN[bin] as string, q);
    return;
  }
  const turns = classTurns(expected, {
    accuracy: classes.map((_, k) => Number(k === decided)),
    logLoss: losses,
    brier: briers,
  });
  for (const name of Object.keys(turns)) totals.addInteger(name, turns[name] as bigint);
}

interface LossesByTruth {
  /** Log loss and Brier score, by the class that comes true. */
  readonly losses: readonly number[];
  readonly briers: readonly number[];
}

/** Every request of a binary model passes here, so nothing is made but what is returned. */
function binaryLosses(other: number, own: number): LossesByTruth {
  return {
    losses: [-logDeterministic(clip(other)), -logDeterministic(clip(own))],
    briers: [own * own, (1 - own) * (1 - own)],
  };
}

function classLosses(scores: readonly number[]): LossesByTruth {
  const clipped = scores.map(clip);
  const total = clipped.reduce((sum, score) => sum + score, 0);
  const errorOf = (score: number, isTrue: boolean) => (score - Number(isTrue)) * (score - Number(isTrue));
  return {
    losses: clipped.map((score) => -logDeterministic(score / total)),
    briers: scores.map((_, k) => scores.reduce((sum, score, j) => sum + errorOf(score, j === k), 0)),
  };
}

/** Adds mean and variance of a loss that takes `losses[k]` with probability `expected[k]`. */
function addMoments(
  totals: FixedTotals,
  name: string,
  varianceName: string,
  { expected, losses }: { readonly expected: readonly number[]; readonly losses: readonly number[] },
): void {
  let mean = 0;
  let second = 0;
  for (let k = 0; k < losses.length; k++) {
    const loss = losses[k] as number;
    mean += (expected[k] as number) * loss;
    second += (expected[k] as number) * loss * loss;
  }
  totals.add(name, mean);
  totals.add(varianceName, Math.max(0, second - mean * mean));
}

export interface PerformanceEstimate {
  readonly value: number | null;
  readonly rows: number;
  /**
   * One standard deviation of the realised metric around the estimate: of sampling and, where it is known, of the calibration it was
   * made with; null where it is not known.
   */
  readonly deviation: number | null;
  /** The part of the calibration; null where it is not known (numbers, many classes, versions made before it was kept). */
  readonly calibrationDeviation: number | null;
}

/**
 * A metric of summed estimates. Null where it is not defined or cannot be estimated.
 * @param uncertainty what the version's held-out rows leave open about its calibration; it widens the deviation
 */
export function estimateFromCounters(
  metric: string,
  values: CounterValues,
  uncertainty?: CalibrationUncertainty | null,
): PerformanceEstimate {
  const sampled = sampledEstimate(metric, values);
  const calibrationDeviation = ofCalibration(metric, values, uncertainty ?? []);
  const { deviation } = sampled;
  if (deviation === null || calibrationDeviation === null) return { ...sampled, calibrationDeviation };
  return { ...sampled, deviation: Math.hypot(deviation, calibrationDeviation), calibrationDeviation };
}

function ofCalibration(metric: string, values: CounterValues, uncertainty: CalibrationUncertainty): number | null {
  const [first] = uncertainty;
  if (first === undefined) return null;
  if (uncertainty.length > 1) return classDeviationOf(metric, values, uncertainty);
  return first === null ? null : calibrationDeviationOf(metric, values, first);
}

type Sampled = Omit<PerformanceEstimate, "calibrationDeviation">;

function sampledEstimate(metric: string, values: CounterValues): Sampled {
  const n = Number(values.n ?? 0n);
  const nothing = { value: null, rows: n, deviation: null };
  if (n === 0) return nothing;
  const mean = (key: string) => fromFixedPoint(values[key] ?? 0n) / n;
  switch (metric) {
    case "accuracy":
    case "logLoss":
    case "brier":
    case "mae":
      if (values[metric] === undefined) return nothing;
      return { value: mean(metric), rows: n, deviation: Math.sqrt(mean(`${metric}Variance`) / n) };
    case "rmse":
      return values.squaredError === undefined ? nothing : { ...nothing, value: Math.sqrt(mean("squaredError")) };
    case "f1":
      return estimatedF1(values, n);
    case "rocAuc":
      return estimatedAuc(values, n);
    default:
      return nothing;
  }
}

/** Labels vary around the calibrated probabilities among the rows decided true and among the others (delta method). */
function estimatedF1(values: CounterValues, n: number): Sampled {
  const [tp, fp, fn] = ["tp", "fp", "fn"].map((key) => fromFixedPoint(values[key] ?? 0n)) as [number, number, number];
  const both = 2 * tp + fp + fn;
  if (both === 0) return { value: null, rows: n, deviation: null };
  const mass = scoreMass(values);
  if (!mass.positives.some((one) => one > 0)) return { value: (2 * tp) / both, rows: n, deviation: null };
  const [decided, others] = labelVariances(mass, decidedShares(mass, tp + fp));
  const ifDecided = (2 * (fp + fn + tp)) / (both * both);
  const ifNot = (2 * tp) / (both * both);
  const deviation = Math.sqrt(ifDecided * ifDecided * decided + ifNot * ifNot * others);
  return { value: (2 * tp) / both, rows: n, deviation };
}

/** Variances of the positives among the rows decided true and among the others. */
function labelVariances({ positives, negatives }: ScoreMass, shares: Float64Array): readonly [number, number] {
  let decided = 0;
  let others = 0;
  for (let bin = 0; bin < shares.length; bin++) {
    const [up, down] = [positives[bin] as number, negatives[bin] as number];
    if (up + down === 0) continue;
    const variance = (up * down) / (up + down);
    decided += (shares[bin] as number) * variance;
    others += (1 - (shares[bin] as number)) * variance;
  }
  return [decided, others];
}

function estimatedAuc(values: CounterValues, n: number): Sampled {
  const { positives, negatives } = scoreMass(values);
  const mass = positives.reduce((sum, one) => sum + one, 0);
  const auc = binnedRocAuc(positives, negatives);
  if (auc === null) return { value: null, rows: n, deviation: null };
  return { value: auc, rows: n, deviation: aucDeviation(auc, mass, n - mass) };
}

/** Standard error of an AUC (J. Hanley and B. McNeil 1982, equations 1 and 2). */
function aucDeviation(auc: number, positives: number, negatives: number): number | null {
  if (positives < 2 || negatives < 2) return null;
  const q1 = auc / (2 - auc);
  const q2 = (2 * auc * auc) / (1 + auc);
  const variance = auc * (1 - auc) + (positives - 1) * (q1 - auc * auc) + (negatives - 1) * (q2 - auc * auc);
  return Math.sqrt(Math.max(0, variance) / (positives * negatives));
}
