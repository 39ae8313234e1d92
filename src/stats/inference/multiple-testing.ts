/**
 * Adjusted p-values for many tests at once: Bonferroni and Holm (any false alarm), Benjamini-Hochberg 1995 (share of false
 * alarms, independent or positively dependent tests) and Benjamini-Yekutieli 2001 (any dependence). Reject where adjusted ≤ level.
 */
import { sortedOrder } from "../metrics/metric.ts";

export type Correction = "bonferroni" | "holm" | "benjamini-hochberg" | "benjamini-yekutieli";

/** Adjusted p-values in the order given, each in [0, 1]. Cost O(n log n). */
export function adjustPValues(pValues: ArrayLike<number>, correction: Correction = "benjamini-hochberg"): Float64Array {
  const n = pValues.length;
  if (correction === "bonferroni") return Float64Array.from(pValues, (p) => Math.min(1, p * n));
  const order = sortedOrder(pValues);
  const adjusted = new Float64Array(n);
  if (correction === "holm") {
    let largest = 0;
    for (let i = 0; i < n; i++) {
      largest = Math.max(largest, (pValues[order[i] as number] as number) * (n - i));
      adjusted[order[i] as number] = Math.min(1, largest);
    }
    return adjusted;
  }
  let factor = n;
  if (correction === "benjamini-yekutieli") {
    let harmonic = 0;
    for (let i = 1; i <= n; i++) harmonic += 1 / i;
    factor = n * harmonic;
  }
  let smallest = 1;
  for (let i = n - 1; i >= 0; i--) {
    smallest = Math.min(smallest, ((pValues[order[i] as number] as number) * factor) / (i + 1));
    adjusted[order[i] as number] = smallest;
  }
  return adjusted;
}
