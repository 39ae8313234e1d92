/** Monitors: realised performance from counters, and detectors of concept drift. */
export * from "./detectors/index.ts";
export * from "./performance.ts";
