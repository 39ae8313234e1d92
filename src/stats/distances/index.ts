export * from "./binning.ts";
export * from "./contingency.ts";
export * from "./proportions.ts";
export * from "./samples.ts";
