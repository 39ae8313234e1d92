/** Data drift: one window of a profile against another. */
export type { DriftBin, DriftComponent, DriftDistances, DriftStatistic, FeatureDrift } from "./feature.ts";
export { type DriftOptions, DRIFT_DEFAULTS, driftOptions, IMPORTANT_SHARE, levelOf } from "./options.ts";
export { compareProfiles, type DriftReport, findingsOf } from "./report.ts";
export { labelCounts, labelMeanShift, type MeanShift } from "./label-shift.ts";
export { type DataDriftSpec, DRIFT_REFERENCES, type DriftReference } from "./spec.ts";
export { calibrateDrift, type DriftCalibration, MIN_CHUNKS } from "./calibrate.ts";
