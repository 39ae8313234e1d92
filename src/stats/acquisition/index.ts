export * from "./diversity.ts";
export * from "./lure.ts";
export * from "./scores.ts";
export * from "./uncertainty.ts";
