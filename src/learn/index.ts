/** Built-in trainers as pure functions on prepared matrices. */
export * from "./baselines.ts";
export * from "./command.ts";
export { gbdtContributions, gbdtImportance } from "./gbdt/explain.ts";
export { linear } from "./linear/linear.ts";
export { linearContributions } from "./linear/score.ts";
export { mlp } from "./mlp/mlp.ts";
export { frozenProblem } from "./mlp/transfer.ts";
export * from "./registry.ts";
export * from "./trainer.ts";
export * from "./forecast/index.ts";
export * from "./recommend/index.ts";
