/** What a configuration file imports from `retrain`. */
export { alert } from "./alerts.ts";
export { defineConfig, defineModel } from "./define.ts";
export { f } from "./features.ts";
export { gate } from "./gates.ts";
export { source } from "./sources.ts";
export { onnx } from "./backbone.ts";
export { best, transfer } from "./strategies.ts";
export { stage } from "./stages.ts";
export {
  command,
  forecast,
  gbdt,
  lastValue,
  linear,
  majority,
  matrixFactorization,
  mean,
  mlp,
  popularity,
  seasonalNaive,
} from "./trainers.ts";
export { when } from "./triggers.ts";
