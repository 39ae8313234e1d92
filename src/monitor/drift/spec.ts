/** Resolved settings of the drift monitors: plain JSON. */
import type { DriftReference } from "../../core/index.ts";

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
