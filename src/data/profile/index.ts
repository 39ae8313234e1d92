export * from "./counts.ts";
export * from "./free-text.ts";
export * from "./grid.ts";
export { numberIndex } from "./kernel.ts";
export * from "./profile.ts";
export * from "./profiled.ts";
export * from "./sample.ts";
export * from "./scan.ts";
export * from "./scores.ts";
