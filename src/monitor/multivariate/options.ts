/** What a comparison of whole rows is judged by. Every default is a judgement with its reason beside it. */
import { fail } from "../../core/index.ts";

export interface MultivariateOptions {
  /** Rows of each side below which nothing is said. Default 200, as for single columns. */
  readonly minRows: number;
  /** Rows of each side looked at, evenly spaced. Default 2,000: the AUC is then known within ±0.02. */
  readonly maxRows: number;
  /** Probability of a false alarm of the two tests together. Default 0.05. */
  readonly level: number;
  /**
   * AUC the classifier must exceed, whatever its significance. Default 0.55: what one bell-shaped column gives away that moved by 0.18
   * standard deviations, less than any single column may move, because many small moves add up.
   */
  readonly minimumAuc: number;
  /** Change of the mean reconstruction error, in standard deviations, that matters. Default 0.2, a small effect (J. Cohen 1988). */
  readonly minimumShift: number;
  /** Of the folds, the trees and the shuffles. */
  readonly seed: number;
}

export const MULTIVARIATE_DEFAULTS: MultivariateOptions = {
  minRows: 200,
  maxRows: 2_000,
  level: 0.05,
  minimumAuc: 0.55,
  minimumShift: 0.2,
  seed: 1,
};

/** Options with defaults. @throws CONFIG_INVALID for a value out of its range */
export function multivariateOptions(given: Partial<MultivariateOptions>): MultivariateOptions {
  const options = { ...MULTIVARIATE_DEFAULTS, ...given };
  const check = (key: keyof MultivariateOptions, isRight: boolean, rule: string) => {
    if (isRight) return;
    throw fail("CONFIG_INVALID", {
      message: `\`${key}\` of the comparison of whole rows is ${JSON.stringify(options[key])}; it must be ${rule}.`,
      remedy: `Give ${rule}.`,
      details: { path: key },
    });
  };
  // Five folds, a fifth of each kept aside for early stopping.
  check("minRows", Number.isInteger(options.minRows) && options.minRows >= 50, "a whole number of at least 50");
  check(
    "maxRows",
    Number.isInteger(options.maxRows) && options.maxRows >= options.minRows,
    "a whole number of at least `minRows`",
  );
  check("level", options.level > 0 && options.level < 1, "a probability between 0 and 1");
  check("minimumAuc", options.minimumAuc >= 0.5 && options.minimumAuc < 1, "a number in [0.5, 1)");
  check("minimumShift", options.minimumShift >= 0, "a number of at least 0");
  return options;
}
