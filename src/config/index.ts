/** Describing models, resolving what was written, loading it from files. */
export type { AlertConfig } from "./alerts.ts";
export type {
  AnswerOf,
  ConfigDefinition,
  DataConfig,
  FeatureMap,
  LabelledRowOf,
  LabelOf,
  MetricOf,
  MetricsByTask,
  Model,
  ModelDefinition,
  RetrainConfig,
  RowOf,
} from "./define.ts";
export { type Environment, type Flags, OVERRIDES, parseDotEnv } from "./environment.ts";
export type { FeatureConfig } from "./features.ts";
export type { GateConfig } from "./gates.ts";
export { type InitOptions, type InitPlan, initFromCsv, modelNameOf, writeInit } from "./init/index.ts";
export type { ReviewConfig } from "./review.ts";
export { type LabelingConfig, labelingDefaults } from "./labeling.ts";
export { CONFIG_NAMES, findConfig, type LoadedConfig, type LoadOptions, loadConfig } from "./load.ts";
export type { DataDriftConfig } from "./data-drift.ts";
export type { ConceptDriftConfig, MonitorsConfig } from "./monitors.ts";
export { primaryMetricOf, watchedMetricOf } from "./model-fields.ts";
export { configReference, type ReferenceEntry } from "./reference.ts";
export { CONFIG_INFO, type ResolveOptions, resolveConfig, sourceName } from "./resolve.ts";
export { definitionRevision } from "./revision.ts";
export type { SourceConfig } from "./sources.ts";
export type * from "./spec.ts";
export type { StageConfig } from "./stages.ts";
export type { StrategyConfig } from "./strategies.ts";
export type { TrainerConfig } from "./trainers.ts";
export type { TriggerConfig } from "./triggers.ts";
export * from "./surface.ts";
export { type ConfigWatcher, watchConfig } from "./watch.ts";
