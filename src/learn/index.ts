/** Built-in trainers as pure functions on prepared matrices. */
export * from "./baselines.ts";
export { gbdtContributions, gbdtImportance } from "./gbdt/explain.ts";
export * from "./linear.ts";
export * from "./registry.ts";
export * from "./trainer.ts";
