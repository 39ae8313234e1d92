/** Regression metrics that are not plain means of row losses. */
import { checkInput, type MetricEvaluator, type MetricInput, weightedMean } from "./metric.ts";
import { absoluteErrorRows, squaredErrorRows } from "./row-losses.ts";

/** Square root of the mean squared error. */
export function rmseEvaluator(input: MetricInput): MetricEvaluator {
  const squares = squaredErrorRows(input);
  return (weights) => {
    const mean = weightedMean(squares, weights);
    return mean === null ? null : Math.sqrt(mean);
  };
}

/** 1 − (squared error) / (squared deviation of the labels from their mean); null when the labels do not vary. */
export function r2Evaluator(input: MetricInput): MetricEvaluator {
  const squares = squaredErrorRows(input);
  const deviations = new Float64Array(squares.length);
  return (weights) => {
    const center = weightedMean(input.labels, weights);
    const error = weightedMean(squares, weights);
    if (center === null || error === null) return null;
    for (let i = 0; i < deviations.length; i++) {
      const deviation = (input.labels[i] as number) - center;
      deviations[i] = deviation * deviation;
    }
    const variance = weightedMean(deviations, weights) as number;
    return variance > 0 ? 1 - error / variance : null;
  };
}

/**
 * Σ|error| / Σ|label|, the scale-free error to use where MAPE would divide by zero; null when all labels are 0.
 * MAPE itself is left out: one label near 0 decides it.
 */
export function wapeEvaluator(input: MetricInput): MetricEvaluator {
  checkInput("wape", input);
  const errors = absoluteErrorRows(input);
  const sizes = Float64Array.from(input.labels, Math.abs);
  return (weights) => {
    const error = weightedMean(errors, weights);
    const size = weightedMean(sizes, weights);
    return error !== null && size !== null && size > 0 ? error / size : null;
  };
}
