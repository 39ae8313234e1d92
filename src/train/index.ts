/** Training strategies. */
export * from "./backbone.ts";
export * from "./best.ts";
export * from "./run-command.ts";
export * from "./online-fold.ts";
export * from "./spec.ts";
export * from "./strategies.ts";
export * from "./threshold.ts";
