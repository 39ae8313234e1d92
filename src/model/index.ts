/** Artifacts: the folder that is a version, and the model it becomes in memory. */
export * from "./archive.ts";
export * from "./artifact.ts";
export * from "./manifest.ts";
export * from "./predict.ts";
export * from "./weights.ts";
