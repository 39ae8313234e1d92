/** What is done to targets before a gradient trainer sees them: one unit for numbers, one weight for classes. */
import type { FitRequest, Targets, TrainedWeights } from "./trainer.ts";

/** The unit a numeric target is learned in: (value − mean) / deviation. A constant target has the deviation 0. */
export interface TargetScale {
  readonly mean: number;
  readonly deviation: number;
}

export const NO_SCALE: TargetScale = { mean: 0, deviation: 1 };

/** Weighted mean and deviation. A warm start goes on in the units its weights were learned in. */
export function targetScale(y: Targets, base: TrainedWeights | undefined): TargetScale {
  if (base !== undefined) {
    return { mean: Number(base.shape["targetMean"]), deviation: Number(base.shape["targetDeviation"]) };
  }
  let total = 0;
  let sum = 0;
  for (let i = 0; i < y.values.length; i++) {
    const weight = y.weights === undefined ? 1 : (y.weights[i] as number);
    total += weight;
    sum += weight * (y.values[i] as number);
  }
  const mean = sum / total;
  let squares = 0;
  for (let i = 0; i < y.values.length; i++) {
    const difference = (y.values[i] as number) - mean;
    squares += (y.weights === undefined ? 1 : (y.weights[i] as number)) * difference * difference;
  }
  const deviation = Math.sqrt(squares / total);
  return { mean, deviation: deviation > Math.abs(mean) * 1e-12 ? deviation : 0 };
}

/** Values in the scale's unit; zeros for a constant target. */
export function standardize(values: Float64Array, scale: TargetScale): Float64Array {
  return values.map((value) => (scale.deviation === 0 ? 0 : (value - scale.mean) / scale.deviation));
}

/** Sum of weights per class. */
export function classTotals(y: Targets): Float64Array {
  const totals = new Float64Array(y.classCount);
  for (let i = 0; i < y.values.length; i++) {
    const label = y.values[i] as number;
    totals[label] = (totals[label] as number) + (y.weights === undefined ? 1 : (y.weights[i] as number));
  }
  return totals;
}

/**
 * The request with weights that make every class of training count alike: total / (classes × weight of the class). Validation
 * gets the same factors, so that early stopping judges what is being learned. A class only validation has weighs 1.
 */
export function balanceClasses(request: FitRequest): FitRequest {
  const { train, validation } = request;
  if (train.y.classCount === 0) return request;
  const totals = classTotals(train.y);
  const present = totals.filter((total) => total > 0).length;
  const all = totals.reduce((sum, total) => sum + total, 0);
  const factors = totals.map((total) => (total > 0 ? all / (present * total) : 1));
  const weigh = (y: Targets): Targets => ({
    ...y,
    weights: Float64Array.from(
      y.values,
      (label, i) => (factors[label] as number) * (y.weights === undefined ? 1 : (y.weights[i] as number)),
    ),
  });
  return {
    ...request,
    train: { x: train.x, y: weigh(train.y) },
    validation: { x: validation.x, y: weigh(validation.y) },
  };
}
