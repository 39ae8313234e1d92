import { expDeterministic } from "../stats/index.ts";

/** Probabilities from scores; the largest is subtracted first, so nothing overflows. */
export function softmaxInPlace(scores: Float64Array): void {
  let largest = -Infinity;
  for (let c = 0; c < scores.length; c++) if ((scores[c] as number) > largest) largest = scores[c] as number;
  let total = 0;
  for (let c = 0; c < scores.length; c++) {
    const value = expDeterministic((scores[c] as number) - largest);
    scores[c] = value;
    total += value;
  }
  for (let c = 0; c < scores.length; c++) scores[c] = (scores[c] as number) / total;
}
