/** Artifacts: the folder that is a version, and the model it becomes in memory. */
export * from "./archive.ts";
export * from "./artifact.ts";
export * from "./forecast.ts";
export * from "./importance.ts";
export * from "./manifest.ts";
export { bindBackbone } from "./onnx/bind-backbone.ts";
export {
  embed,
  embedFrame,
  embeddingKey,
  giveEmbedding,
  knownEmbedding,
  withBackbone,
  backboneOf,
} from "./onnx/embed.ts";
export { exportOnnx } from "./onnx/export.ts";
export { inspectOnnx } from "./onnx/inspect.ts";
export { externalOnnx, isOnnx, recordedPredictions } from "./onnx/predictor.ts";
export { bindSignature } from "./onnx/signature.ts";
export * from "./predict.ts";
export * from "./probe.ts";
export * from "./predictor.ts";
export * from "./recommend.ts";
export * from "./weights.ts";
