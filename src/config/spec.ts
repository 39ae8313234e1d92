/**
 * A model's complete, resolved description: every default filled in, durations in ms, nothing but JSON. Its canonical hash is
 * the definition revision. `origins` says for each path where the value came from.
 */
import type { AlertChannelSpec } from "../alert/spec.ts";
import type { TrainingStrategy } from "../core/index.ts";
import type { RowWeightsSpec } from "../data/row-weights.ts";
import type { DataSchema } from "../data/schema.ts";
import type { StageSpec } from "../deploy/spec.ts";
import type { GateSpec } from "../evaluate/spec.ts";
import type { MonitorsSpec } from "../monitor/spec.ts";
import type { LabelingSpec, ReviewSpec } from "../feedback/spec.ts";
import type { QuietHours } from "../trigger/quiet-hours.ts";
import type { BestSpec, TrainerSpec, TransferSpec } from "../train/spec.ts";
import type { TriggerSpec } from "../trigger/spec.ts";

export interface ModelSpec {
  readonly name: string;
  readonly schema: DataSchema;
  readonly labelDelayMs: number;
  /** A number, or fitted on validation to maximize a metric. Binary only. */
  readonly threshold: number | { readonly maximize: "f1" | "accuracy" };
  readonly trainer: TrainerSpec;
  readonly data: {
    /** Event-time window; absent: all. */
    readonly windowMs?: number;
    readonly windowRows?: number;
    readonly holdout: { readonly share: number; readonly minRows: number; readonly maxRows: number };
    readonly validationShare: number;
    /** Absent: every row weighs the same. */
    readonly weights?: RowWeightsSpec;
    readonly minRows: number;
    readonly refit: boolean;
  };
  readonly retrain: {
    readonly when: TriggerSpec;
    readonly how: TrainingStrategy;
    readonly transfer?: TransferSpec;
    readonly best?: BestSpec;
    /** Versions in a row that may start from the one before; absent in definitions of earlier releases: no limit. */
    readonly maxChain?: number;
    readonly cooldownMs: number;
    readonly maxPerDay: number;
    readonly stopAfterRejections: number;
    /** In which no run starts by itself. */
    readonly quietHours?: QuietHours;
    /** How long a run lasts on a virtual clock. */
    readonly runDurationMs: number;
  };
  readonly monitors: MonitorsSpec;
  readonly gates: readonly GateSpec[];
  readonly slices: readonly string[];
  readonly rollout: readonly StageSpec[];
  /** Absent: nobody is asked unless somebody wants a batch. */
  readonly labeling?: LabelingSpec;
  /** Absent: every answer is released at once. */
  readonly review?: ReviewSpec;
  /** Anomalies of these codes stop training. */
  readonly limits: { readonly trainTimeoutMs: number; readonly trainMemoryBytes: number };
  readonly seed: number;
}

export interface SourceSpec {
  readonly name: string;
  readonly model: string;
  readonly kind: "file" | "folder";
  /** As written in the config, resolved against its folder. */
  readonly path: string;
  readonly format?: "csv" | "ndjson" | "json" | "parquet";
  readonly pollMs: number;
  /** Text values that mean missing, besides blank and NA. */
  readonly missing: readonly string[];
}

export type { AlertChannelSpec };

export interface ServerSpec {
  readonly host: string;
  readonly port: number;
  readonly logWaitMs: number;
  readonly tickEveryMs: number;
  readonly allowedHosts: readonly string[];
}

export interface StorageSpec {
  readonly directory: string;
  readonly databaseUrl?: string;
  readonly keep: {
    readonly eventsMs: number;
    readonly predictionsMs: number;
    readonly versions: number;
    readonly decisionsMs: number;
  };
}

export interface RetrainSpec {
  readonly models: readonly ModelSpec[];
  readonly sources: readonly SourceSpec[];
  readonly alerts: readonly AlertChannelSpec[];
  readonly server: ServerSpec;
  readonly storage: StorageSpec;
  readonly imports: {
    /** Public keys, `ed25519:<base64>`, of servers whose versions may be imported. */
    readonly trust: readonly string[];
  };
  /** Where the files of backbones lay when this was read, by hash; absent where there are none. */
  readonly backboneFiles?: Readonly<Record<string, string>>;
  /** Dotted path → default | file | environment | flag | derived: <why>. */
  readonly origins: Readonly<Record<string, string>>;
}
