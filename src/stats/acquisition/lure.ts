/**
 * An honest mean loss from labels that were chosen, not drawn evenly: the LURE weights of S. Farquhar, Y. Gal and T. Rainforth, "On
 * statistical bias in active learning", 2021. Without them the chosen, harder rows bias any estimate.
 */
import { RetrainError } from "../../core/errors.ts";

/**
 * Weights of M labelled rows in the order they were picked, without replacement, from a pool of `poolSize`.
 * @param probabilities chance with which each was picked among the rows then left, > 0
 */
export function lureWeights(probabilities: ArrayLike<number>, poolSize: number): Float64Array {
  const picked = probabilities.length;
  return Float64Array.from({ length: picked }, (_, i) => {
    const m = i + 1;
    const probability = probabilities[i] as number;
    if (!(probability > 0) || picked > poolSize) {
      throw new RetrainError("STATISTIC_UNDEFINED", {
        message: `Pick ${m} of ${picked} from ${poolSize} rows has selection probability ${probability}; it must be above 0.`,
        remedy: "Keep the probability with which each row was picked, and estimate from those picks only.",
      });
    }
    if (m === poolSize) return 1;
    return 1 + ((poolSize - picked) / (poolSize - m)) * (1 / ((poolSize - m + 1) * probability) - 1);
  });
}

/** The estimated mean loss over the pool; null without picks. */
export function lureMean(losses: ArrayLike<number>, weights: ArrayLike<number>): number | null {
  if (losses.length === 0) return null;
  let sum = 0;
  for (let i = 0; i < losses.length; i++) sum += (weights[i] as number) * (losses[i] as number);
  return sum / losses.length;
}
