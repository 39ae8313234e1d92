/** Resolved settings of the drift monitors: plain JSON. */
export const DRIFT_REFERENCES = ["training", "trailing", "same-season"] as const;
/** training: the rows the champion learned from. trailing: the windows before. same-season: the same part of earlier seasons. */
export type DriftReference = (typeof DRIFT_REFERENCES)[number];

export interface DataDriftSpec {
  readonly reference: DriftReference;
  /** Length of the current window. */
  readonly windowMs: number;
  /** How often it is compared. */
  readonly everyMs: number;
  /** Length of a season, for `same-season`. */
  readonly seasonMs: number;
  readonly minimumEffect: number;
  readonly minRows: number;
  /** Absent: 0.1 where the importance of features is known, else any drifted feature. */
  readonly share?: number;
}
