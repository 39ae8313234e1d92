/** How well scores rank positives above negatives: ROC AUC and average precision, for binary labels. */
import { checkInput, type MetricEvaluator, type MetricInput, type Numbers, sortedOrder } from "./metric.ts";

interface RankedRows {
  /** Row indices by ascending score. */
  readonly order: Uint32Array;
  /** 1 at position i when the score at i + 1 is larger: the last row of a group of equal scores. */
  readonly endsGroup: Uint8Array;
  /** 1 at position i when that row's label is positive. */
  readonly positive: Uint8Array;
}

function rankRows(input: MetricInput): RankedRows {
  const order = sortedOrder(input.scores);
  const endsGroup = new Uint8Array(order.length);
  const positive = new Uint8Array(order.length);
  for (let i = 0; i < order.length; i++) {
    const row = order[i] as number;
    positive[i] = (input.labels[row] as number) > 0 ? 1 : 0;
    endsGroup[i] = i + 1 === order.length || input.scores[order[i + 1] as number] !== input.scores[row] ? 1 : 0;
  }
  return { order, endsGroup, positive };
}

const weightAt = (weights: Numbers | null, row: number): number => (weights === null ? 1 : (weights[row] as number));

/**
 * Area under the ROC curve: the probability that a positive scores above a negative, ties counting one half (midranks).
 * Null when one class has no weight. Exact for integer weights. Cost O(n log n) once, O(n) per evaluation.
 */
export function rocAucEvaluator(input: MetricInput): MetricEvaluator {
  checkInput("rocAuc", input);
  const { order, endsGroup, positive } = rankRows(input);
  return (weights) => {
    let negativesBelow = 0;
    let wins = 0;
    let groupPositive = 0;
    let groupNegative = 0;
    let positives = 0;
    for (let i = 0; i < order.length; i++) {
      const weight = weightAt(weights, order[i] as number);
      if (positive[i] === 1) groupPositive += weight;
      else groupNegative += weight;
      if (endsGroup[i] === 0) continue;
      wins += groupPositive * (negativesBelow + 0.5 * groupNegative);
      negativesBelow += groupNegative;
      positives += groupPositive;
      groupPositive = 0;
      groupNegative = 0;
    }
    return positives > 0 && negativesBelow > 0 ? wins / (positives * negativesBelow) : null;
  };
}

/**
 * Average precision: Σ (recall step) · precision over distinct scores from the top, without interpolation.
 * Null without positives. Cost as `rocAucEvaluator`.
 */
export function averagePrecisionEvaluator(input: MetricInput): MetricEvaluator {
  checkInput("averagePrecision", input);
  const { order, endsGroup, positive } = rankRows(input);
  return (weights) => {
    let positivesAbove = 0;
    let allAbove = 0;
    let sum = 0;
    let groupPositive = 0;
    let groupAll = 0;
    for (let i = order.length - 1; i >= 0; i--) {
      const weight = weightAt(weights, order[i] as number);
      if (positive[i] === 1) groupPositive += weight;
      groupAll += weight;
      if (i > 0 && endsGroup[i - 1] === 0) continue;
      positivesAbove += groupPositive;
      allAbove += groupAll;
      if (groupPositive > 0) sum += groupPositive * (positivesAbove / allAbove);
      groupPositive = 0;
      groupAll = 0;
    }
    return positivesAbove > 0 ? sum / positivesAbove : null;
  };
}
