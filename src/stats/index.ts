/** Pure mathematics: special functions, metrics, intervals, tests, distances. Imports nothing but core. */
export * from "./eigen.ts";
export * from "./exp.ts";
export * from "./special/index.ts";
export * from "./metrics/index.ts";
export * from "./binned-scores.ts";
export * from "./fixed-point.ts";
export * from "./inference/index.ts";
export * from "./distances/index.ts";
export * from "./sequential/index.ts";
export * from "./agreement.ts";
export * from "./calibration/index.ts";
export * from "./acquisition/index.ts";
export * from "./annotators.ts";
