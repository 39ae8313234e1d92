export * from "./calibration-error.ts";
export * from "./decision.ts";
export * from "./metric.ts";
export * from "./ranking.ts";
export * from "./registry.ts";
export * from "./regression.ts";
export * from "./row-losses.ts";
export * from "./recommend.ts";
