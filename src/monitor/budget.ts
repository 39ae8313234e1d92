/**
 * The budget of false alarms is a model's: whoever is called does not ask by which monitor. It is shared so that the shares sum to
 * it, which bounds the expected number of false alarms of all monitors together, however they depend on each other.
 */
import type { MonitorsSpec } from "./spec.ts";

/** Data drift, prediction drift, label shift and training-serving skew: all are judged whenever a window ends. */
const COMPARISONS = 4;
/**
 * Half goes to the detector of concept drift: it alone sees that the model got worse, and a comparison of windows loses
 * little by a smaller share, as its thresholds grow with the logarithm of it.
 */
const CONCEPT_SHARE = 0.5;

export interface BudgetShares {
  /** False alarms in 90 days of the detector of concept drift; 0 where it is off. */
  readonly conceptDrift: number;
  /** False alarms in 90 days of each comparison of windows; 0 where they are off. */
  readonly comparison: number;
}

/** @returns the shares of `falseAlarms`: what is off leaves its part to the rest */
export function budgetShares(
  monitors: Pick<MonitorsSpec, "falseAlarms"> & { readonly conceptDrift: unknown; readonly dataDrift: unknown },
): BudgetShares {
  const { falseAlarms, conceptDrift, dataDrift } = monitors;
  const concept = conceptDrift === null ? 0 : dataDrift === null ? 1 : CONCEPT_SHARE;
  return {
    conceptDrift: falseAlarms * concept,
    comparison: dataDrift === null ? 0 : (falseAlarms * (1 - concept)) / COMPARISONS,
  };
}
