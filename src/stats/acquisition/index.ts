export * from "./diversity.ts";
export * from "./lure.ts";
export * from "./uncertainty.ts";
