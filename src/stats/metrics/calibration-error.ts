/** Expected calibration error and the reliability table behind it, for the probability of class 1. */
import { checkInput, type MetricEvaluator, type MetricInput, type Numbers } from "./metric.ts";

/** Bins of `ece`, the field's usual 10. ECE is biased upward on small samples; gate on log loss or Brier instead. */
export const DEFAULT_ECE_BINS = 10;

export interface ReliabilityBin {
  readonly bin: number;
  readonly weight: number;
  readonly meanScore: number;
  readonly positiveShare: number;
}

/** Bin of a probability among `binCount` equal widths; 1 belongs to the last one, values outside [0, 1] to the nearest. */
export function probabilityBin(score: number, binCount: number): number {
  return Math.min(Math.max(Math.floor(score * binCount), 0), binCount - 1);
}

interface BinSums {
  readonly weight: Float64Array;
  readonly score: Float64Array;
  readonly positive: Float64Array;
}

function sumBins(input: MetricInput, bins: Int32Array, weights: Numbers | null): BinSums {
  const binCount = bins.reduce((largest, bin) => Math.max(largest, bin), 0) + 1;
  const sums = {
    weight: new Float64Array(binCount),
    score: new Float64Array(binCount),
    positive: new Float64Array(binCount),
  };
  for (let i = 0; i < bins.length; i++) {
    const bin = bins[i] as number;
    const weight = weights === null ? 1 : (weights[i] as number);
    sums.weight[bin] = (sums.weight[bin] as number) + weight;
    sums.score[bin] = (sums.score[bin] as number) + weight * (input.scores[i] as number);
    sums.positive[bin] = (sums.positive[bin] as number) + weight * (input.labels[i] as number);
  }
  return sums;
}

const binRows = (input: MetricInput, binCount: number): Int32Array =>
  Int32Array.from({ length: input.labels.length }, (_, i) => probabilityBin(input.scores[i] as number, binCount));

/** Σ over bins of (bin weight / total) · |mean score − share of positives|; equal-width bins. */
export function eceEvaluator(input: MetricInput, binCount = DEFAULT_ECE_BINS): MetricEvaluator {
  checkInput("ece", input);
  const bins = binRows(input, binCount);
  return (weights) => {
    const sums = sumBins(input, bins, weights);
    let total = 0;
    let error = 0;
    for (let bin = 0; bin < sums.weight.length; bin++) {
      total += sums.weight[bin] as number;
      error += Math.abs((sums.score[bin] as number) - (sums.positive[bin] as number));
    }
    return total > 0 ? error / total : null;
  };
}

/** One row per non-empty equal-width bin: what the model said and what happened. */
export function reliabilityTable(input: MetricInput, binCount = DEFAULT_ECE_BINS): readonly ReliabilityBin[] {
  checkInput("reliability", input);
  const sums = sumBins(input, binRows(input, binCount), null);
  const table: ReliabilityBin[] = [];
  for (let bin = 0; bin < sums.weight.length; bin++) {
    const weight = sums.weight[bin] as number;
    if (weight === 0) continue;
    const meanScore = (sums.score[bin] as number) / weight;
    table.push({ bin, weight, meanScore, positiveShare: (sums.positive[bin] as number) / weight });
  }
  return table;
}
