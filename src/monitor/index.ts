/** Monitors: realised performance from counters, data drift between windows, detectors of concept drift, and what a version knows of its own mistakes. */
export * from "./budget.ts";
export * from "./calibration.ts";
export * from "./concept-drift.ts";
export * from "./detectors/index.ts";
export * from "./diagnosis.ts";
export * from "./estimate.ts";
export * from "./drift/index.ts";
export * from "./false-alarms.ts";
export * from "./feature-notes.ts";
export * from "./loss-model.ts";
export * from "./losses.ts";
export * from "./multivariate/index.ts";
export * from "./performance.ts";
export * from "./score-calibration.ts";
export * from "./spec.ts";
