/**
 * Performance before labels: what the metrics of a *calibrated* binary model are expected to be, from its scores alone
 * (confidence-based performance estimation, NannyML). Blind to concept drift, since it takes the model's word for P(y|x), and to
 * regions the calibration never saw. Show it beside the realised value, never instead of it.
 */
import { log1pDeterministic, logDeterministic } from "../exp.ts";
import { sortedOrder } from "../metrics/metric.ts";

export interface ExpectedPerformance {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  readonly trueNegatives: number;
  readonly accuracy: number;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly specificity: number | null;
  readonly f1: number | null;
  readonly rocAuc: number | null;
  readonly logLoss: number;
  readonly brier: number;
  /** Sampling noise of the realised accuracy around the expected one, as one standard deviation. */
  readonly accuracyDeviation: number;
}

/** Expected metrics of calibrated probabilities under a decision threshold. Null without rows. Cost O(n log n). */
export function expectedPerformance(probabilities: ArrayLike<number>, threshold = 0.5): ExpectedPerformance | null {
  const n = probabilities.length;
  if (n === 0) return null;
  const cells = { truePositives: 0, falsePositives: 0, falseNegatives: 0, trueNegatives: 0 };
  let logLoss = 0;
  let brier = 0;
  let variance = 0;
  for (let i = 0; i < n; i++) {
    const p = probabilities[i] as number;
    if (p >= threshold) {
      cells.truePositives += p;
      cells.falsePositives += 1 - p;
    } else {
      cells.falseNegatives += p;
      cells.trueNegatives += 1 - p;
    }
    brier += p * (1 - p);
    variance += p * (1 - p);
    if (p > 0) logLoss -= p * logDeterministic(p);
    if (p < 1) logLoss -= (1 - p) * log1pDeterministic(-p);
  }
  const { truePositives, falsePositives, falseNegatives, trueNegatives } = cells;
  return {
    ...cells,
    accuracy: (truePositives + trueNegatives) / n,
    precision: ratio(truePositives, truePositives + falsePositives),
    recall: ratio(truePositives, truePositives + falseNegatives),
    specificity: ratio(trueNegatives, trueNegatives + falsePositives),
    f1: ratio(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives),
    rocAuc: expectedRocAuc(probabilities),
    logLoss: logLoss / n,
    brier: brier / n,
    accuracyDeviation: Math.sqrt(variance) / n,
  };
}

const ratio = (part: number, whole: number): number | null => (whole > 0 ? part / whole : null);

/** AUC with each row counted as a positive by p and as a negative by 1 − p; ties count one half. */
function expectedRocAuc(probabilities: ArrayLike<number>): number | null {
  const order = sortedOrder(probabilities);
  let wins = 0;
  let positives = 0;
  let negatives = 0;
  let groupPositive = 0;
  let groupNegative = 0;
  for (let i = 0; i < order.length; i++) {
    const p = probabilities[order[i] as number] as number;
    groupPositive += p;
    groupNegative += 1 - p;
    if (i + 1 < order.length && probabilities[order[i + 1] as number] === p) continue;
    wins += groupPositive * (negatives + 0.5 * groupNegative);
    positives += groupPositive;
    negatives += groupNegative;
    groupPositive = 0;
    groupNegative = 0;
  }
  return positives > 0 && negatives > 0 ? wins / (positives * negatives) : null;
}
