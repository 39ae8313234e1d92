/**
 * What a version knows about its own mistakes, measured on its holdout when it was evaluated and kept in the artifact
 * (`calibration.json`): monitors read it for as long as the version lives, so they never compare with another version's past.
 */
import type { Json } from "../core/index.ts";
import type { FalseAlarmCalibration } from "./false-alarms.ts";
import type { FeatureNote } from "./feature-notes.ts";
import type { LossModel } from "./loss-model.ts";
import type { ScoreCalibration } from "./score-calibration.ts";
import type { ConceptDriftSpec, LossMetric } from "./spec.ts";

export interface VersionCalibration {
  readonly format: 1;
  /** Binary: score against share of true labels, in ten bins. */
  readonly curve: readonly { readonly meanScore: number; readonly share: number; readonly count: number }[];
  readonly losses?: LossCalibration;
  /** Classes: scores to probabilities, for estimates before labels. */
  readonly scores?: ScoreCalibration;
  /** Numbers: what errors to expect. */
  readonly errors?: LossModel;
  /** Mean held-out loss of the model's main metric, by feature. */
  readonly features?: readonly FeatureNote[];
  /** The loss in `features`. */
  readonly featureMetric?: LossMetric;
}

/** The held-out losses the concept-drift detector was set up with. */
export interface LossCalibration {
  readonly metric: ConceptDriftSpec["metric"];
  readonly detector: ConceptDriftSpec["detector"];
  readonly rows: number;
  readonly mean: number;
  readonly deviation: number;
  readonly scale: number;
  /** Null with too few rows. */
  readonly falseAlarms: FalseAlarmCalibration | null;
}

/** Undefined for artifacts made before there was one. */
export function parseCalibration(stored: Json): VersionCalibration | undefined {
  if (typeof stored !== "object" || stored === null || Array.isArray(stored)) return undefined;
  return (stored as { format?: unknown }).format === 1 ? (stored as unknown as VersionCalibration) : undefined;
}
