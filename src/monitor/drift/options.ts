/** What a comparison of two windows is judged by. Every default is a judgement with its reason beside it. */
import { fail } from "../../core/index.ts";

export interface DriftOptions {
  /**
   * Population stability index a feature must exceed, whatever its significance. Default 0.1, the convention of the field: a
   * mean shift of a third of a standard deviation.
   */
  readonly minimumEffect: number;
  /** Change of the missing share, in [0, 1], that matters. Default 0.05: below it, imputation hardly notices. */
  readonly minimumMissingChange: number;
  /** Share of values the reference never had that matters, in [0, 1]. Default 0.05. */
  readonly minimumUnseenShare: number;
  /** Rows with a value below which nothing is said. Default 200: ten bins of twenty. */
  readonly minRows: number;
  /**
   * Probability of any false alarm in one comparison without drift: the level of the tests over all features, and, divided
   * by their number, the tail of each noise floor. Default 0.05. `levelOf` derives it from a budget of false alarms.
   */
  readonly level: number;
  /** Importance-weighted share of drifted features from which the whole drifts; 0: any drifted feature. */
  readonly share: number;
  /** Thresholds learned from the model's own history, by feature, in the unit of the PSI. */
  readonly history: Readonly<Record<string, number>>;
}

export const DRIFT_DEFAULTS: DriftOptions = {
  minimumEffect: 0.1,
  minimumMissingChange: 0.05,
  minimumUnseenShare: 0.05,
  minRows: 200,
  level: 0.05,
  share: 0,
  history: {},
};

/**
 * Where the importance of features is known, one with a tenth of it is enough for the whole to drift; a feature the model hardly
 * looks at is not.
 */
export const IMPORTANT_SHARE = 0.1;

/** Whoever tolerates more than one false alarm in 20 comparisons is better served by a larger minimum effect. */
const GREATEST_LEVEL = 0.05;
export const BUDGET_DAYS = 90;
const DAY_MS = 86_400_000;

/** The level of one comparison, so that comparisons every `everyMs` give at most `falseAlarms` in 90 days without drift. */
export function levelOf(falseAlarms: number, everyMs: number): number {
  const comparisons = Math.max(1, (BUDGET_DAYS * DAY_MS) / everyMs);
  return Math.min(GREATEST_LEVEL, falseAlarms / comparisons);
}

/** Options with defaults. @throws CONFIG_INVALID for a value out of its range. */
export function driftOptions(given: Partial<DriftOptions> = {}): DriftOptions {
  const options = { ...DRIFT_DEFAULTS, ...given };
  const check = (key: keyof DriftOptions, isRight: boolean, rule: string) => {
    if (isRight) return;
    throw fail("CONFIG_INVALID", {
      message: `\`${key}\` of the drift comparison is ${JSON.stringify(options[key])}; it must be ${rule}.`,
      remedy: `Give ${rule}.`,
      details: { path: key },
    });
  };
  check("minimumEffect", options.minimumEffect >= 0, "a number of at least 0");
  check("minimumMissingChange", inUnit(options.minimumMissingChange), "a share in [0, 1]");
  check("minimumUnseenShare", inUnit(options.minimumUnseenShare), "a share in [0, 1]");
  check("minRows", Number.isInteger(options.minRows) && options.minRows >= 1, "a whole number of at least 1");
  check("level", options.level > 0 && options.level < 1, "a probability between 0 and 1");
  check("share", inUnit(options.share), "a share in [0, 1]");
  return options;
}

const inUnit = (value: number) => value >= 0 && value <= 1;
