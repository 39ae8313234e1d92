/**
 * What an estimate of several classes owes to its calibration. Without a histogram of every class's scores, each prediction adds how
 * much its expected loss moves when the log-odds of a class are turned: by a constant, and in proportion to themselves (the delta
 * method). With the covariance the held-out rows leave open for a class, the sums give the deviation of the estimate.
 */
import type { CounterValues } from "../core/index.ts";
import { fromFixedPoint, logit, toFixedPoint } from "../stats/index.ts";
import type { CurveUncertainty } from "./score-calibration.ts";

/** More classes would add more counters to every prediction than the answer is worth. */
const MAX_CLASSES = 12;
/** As where the uncertainty was measured: calibrated probabilities this close to 0 or 1 count as this. */
const CLIP = 1e-3;

const METRICS = ["accuracy", "logLoss", "brier"] as const;
export type ClassMetric = (typeof METRICS)[number];

/** By metric, the loss a row has where each class is its label. */
export type ClassLosses = Readonly<Record<ClassMetric, readonly number[]>>;

/**
 * What one prediction adds. A class cannot gain without the others losing, so that turns of several classes are not independent: the
 * factor √(1 − p) instead of 1 − p makes the sum of independent ones the variance of a multinomial share.
 * @param expected calibrated probabilities by class
 */
export function classTurns(expected: readonly number[], losses: ClassLosses): CounterValues {
  if (expected.length > MAX_CLASSES) return {};
  const turns: Record<string, bigint> = { turned: 1n };
  for (const metric of METRICS) {
    const own = losses[metric];
    const mean = expected.reduce((sum, p, k) => sum + p * (own[k] as number), 0);
    expected.forEach((p, k) => {
      const turn = p * Math.sqrt(Math.max(0, 1 - p)) * ((own[k] as number) - mean);
      turns[`${metric}Turn${k}`] = toFixedPoint(turn);
      turns[`${metric}Slope${k}`] = toFixedPoint(turn * logit(Math.min(Math.max(p, CLIP), 1 - CLIP)));
    });
  }
  return turns;
}

/** Null where nothing was added, or a class is not known. */
export function classDeviationOf(
  metric: string,
  values: CounterValues,
  uncertainty: readonly (CurveUncertainty | null)[],
): number | null {
  const rows = Number(values["turned"] ?? 0n);
  if (rows === 0 || !METRICS.some((one) => one === metric)) return null;
  const mean = (key: string) => fromFixedPoint(values[key] ?? 0n) / rows;
  let sum = 0;
  for (const [k, known] of uncertainty.entries()) {
    if (known === null) return null;
    const [variance, covariance, slopeVariance] = known;
    const turn = mean(`${metric}Turn${k}`);
    const slope = mean(`${metric}Slope${k}`);
    sum += turn * turn * variance + 2 * turn * slope * covariance + slope * slope * slopeVariance;
  }
  return Math.sqrt(Math.max(0, sum));
}
