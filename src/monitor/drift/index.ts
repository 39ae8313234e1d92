/** Data drift: one window of a profile against another. */
export type {
  DriftBin,
  DriftCalibration,
  DriftComponent,
  DriftDistances,
  DriftReference,
  DriftReport,
  DriftStatistic,
  FeatureDrift,
} from "../../core/index.ts";
export { DRIFT_REFERENCES } from "../../core/index.ts";
export { type DriftOptions, DRIFT_DEFAULTS, driftOptions, IMPORTANT_SHARE, levelOf } from "./options.ts";
export { compareProfiles, findingsOf } from "./report.ts";
export { compareRows, framesOfRows, type PlainRow } from "./rows.ts";
export { labelCounts, labelMeanShift, type MeanShift } from "./label-shift.ts";
export type { DataDriftSpec } from "./spec.ts";
export { calibrateDrift, MIN_CHUNKS } from "./calibrate.ts";
