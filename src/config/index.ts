/** Describing models, resolving what was written, loading it from files. */
export { type AlertConfig, alert } from "./alerts.ts";
export {
  type AnswerOf,
  type ConfigDefinition,
  type DataConfig,
  defineConfig,
  defineModel,
  type FeatureMap,
  type LabelledRowOf,
  type LabelOf,
  type MetricOf,
  type MetricsByTask,
  type Model,
  type ModelDefinition,
  type RetrainConfig,
  type RowOf,
} from "./define.ts";
export { type Environment, type Flags, OVERRIDES, parseDotEnv } from "./environment.ts";
export { type FeatureConfig, f } from "./features.ts";
export { type GateConfig, gate } from "./gates.ts";
export { type InitOptions, type InitPlan, initFromCsv, modelNameOf, writeInit } from "./init/index.ts";
export type { ReviewConfig } from "./review.ts";
export { LABELING_DEFAULTS, type LabelingConfig } from "./labeling.ts";
export { CONFIG_NAMES, findConfig, type LoadedConfig, type LoadOptions, loadConfig } from "./load.ts";
export type { DataDriftConfig } from "./data-drift.ts";
export type { ConceptDriftConfig, MonitorsConfig } from "./monitors.ts";
export { primaryMetricOf, watchedMetricOf } from "./model-fields.ts";
export { configReference, type ReferenceEntry } from "./reference.ts";
export { CONFIG_INFO, type ResolveOptions, resolveConfig, sourceName } from "./resolve.ts";
export { definitionRevision } from "./revision.ts";
export { type SourceConfig, source } from "./sources.ts";
export type * from "./spec.ts";
export { type StageConfig, stage } from "./stages.ts";
export { best, type StrategyConfig, transfer } from "./strategies.ts";
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
  type TrainerConfig,
} from "./trainers.ts";
export { type TriggerConfig, when } from "./triggers.ts";
export { type ConfigWatcher, watchConfig } from "./watch.ts";
