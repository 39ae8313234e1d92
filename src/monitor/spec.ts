/** Resolved settings of a model's monitors: plain JSON. */
import type { DetectorName } from "./detectors/index.ts";
import type { DataDriftSpec } from "./drift/spec.ts";

export interface ConceptDriftSpec {
  readonly detector: DetectorName;
  /** The loss it watches, named by the metric it is the row part of. */
  readonly metric: LossMetric;
  /** The detector's setting; absent: calibrated on the version's own held-out losses to the budget of false alarms. */
  readonly threshold?: number;
}

/** Metrics that are a mean of one loss a row. */
export const LOSS_METRICS = ["accuracy", "logLoss", "brier", "mae", "rmse", "hitShare"] as const;
export type LossMetric = (typeof LOSS_METRICS)[number];

export interface MonitorsSpec {
  /** False alarms in 90 days that all monitors together may make on a model that is as it was; see `budgetShares`. */
  readonly falseAlarms: number;
  /** Null: off. */
  readonly conceptDrift: ConceptDriftSpec | null;
  /** Null: off. */
  readonly dataDrift: DataDriftSpec | null;
}
