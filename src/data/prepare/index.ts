export * from "./apply.ts";
export * from "./fit.ts";
export * from "./preparation.ts";
