/** `retrain`: describing models, and running everything the command line does from a program. */
export {
  type AnswerOf,
  alert,
  best,
  command,
  type ConfigDefinition,
  defineConfig,
  defineModel,
  f,
  forecast,
  gate,
  gbdt,
  type LabelledRowOf,
  type LabelOf,
  lastValue,
  linear,
  loadConfig,
  majority,
  matrixFactorization,
  mean,
  mlp,
  type Model,
  onnx,
  popularity,
  resolveConfig,
  type RetrainSpec,
  type RowOf,
  seasonalNaive,
  source,
  stage,
  transfer,
  when,
} from "./config/index.ts";
export { ERROR_CODES, type ErrorCode, RetrainError } from "./core/index.ts";
export type { Loop } from "./loop/contract.ts";
export type { Server } from "./server/index.ts";
export { createRetrain, type Retrain, type RetrainOptions } from "./cli/create-retrain.ts";
