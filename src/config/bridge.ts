/**
 * What the name `retrain` means inside a configuration file. The loader's compiler evaluates this file only: it hands over the
 * builders of the running program, instead of compiling the package a second time for every load.
 */
import type * as Surface from "./surface.ts";

const surface = (globalThis as unknown as Record<symbol, typeof Surface>)[
  Symbol.for("retrain.config.surface")
] as typeof Surface;

export const {
  alert,
  best,
  command,
  defineConfig,
  defineModel,
  f,
  forecast,
  gate,
  gbdt,
  lastValue,
  linear,
  majority,
  matrixFactorization,
  mean,
  mlp,
  onnx,
  popularity,
  seasonalNaive,
  source,
  stage,
  transfer,
  when,
} = surface;
