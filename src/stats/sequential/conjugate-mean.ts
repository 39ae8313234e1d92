/** Conjugate-mixture confidence sequences for the mean of values in [0, 1]: one closed bound per look, tuned to a time. */
import type { ConfidenceSequence, Interval } from "./bounded-mean.ts";
import { mixtureRho, normalMixtureBound } from "./normal-mixture.ts";
import { gammaExponentialMixture } from "./sub-exponential.ts";

function runningSequence(bound: (count: number, squares: number) => number): ConfidenceSequence {
  let current: Interval = [0, 1];
  let count = 0;
  let sum = 0;
  let squares = 0;
  return {
    update(value) {
      const gap = value - (count === 0 ? 0.5 : sum / count);
      count += 1;
      sum += value;
      squares += gap * gap;
      const margin = bound(count, squares) / count;
      current = [Math.max(0, sum / count - margin), Math.min(1, sum / count + margin)];
      return current;
    },
    interval: () => current,
  };
}

/** Normal mixture with Hoeffding's variance bound 1/4, tightest at `optimalRows`. */
export function createConjugateHoeffdingSequence(optimalRows: number, alpha = 0.05): ConfidenceSequence {
  const rho = mixtureRho(optimalRows / 4, alpha);
  return runningSequence((count) => normalMixtureBound(count / 4, alpha, rho));
}

/** Gamma-exponential mixture over running squared deviations, tightest at `optimalTime` of their sum. */
export function createConjugateBernsteinSequence(optimalTime: number, alpha = 0.05): ConfidenceSequence {
  const mixture = gammaExponentialMixture(optimalTime, alpha / 2);
  return runningSequence((_count, squares) => mixture.bound(squares, alpha / 2));
}
