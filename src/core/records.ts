/**
 * The records every part of Retrain speaks in. They are plain readonly data with a `kind`, written once by the part that
 * owns them, handed over by `loop/`, stored by `storage/`, and read by the console, the alerts and the tests.
 *
 * Terms (kept identical to docs/glossary.md by a test):
 * GLOSSARY-BEGIN
 * model: what a team describes once and Retrain keeps fresh; has a name, a schema, a label, a trainer and a policy
 * version: one immutable trained artifact of a model (`v1`, `v2`)
 * champion: the version that answers requests
 * challenger: the version in a rollout, compared with the champion
 * candidate: a version that was evaluated and registered but is not live
 * example: one thing the model is asked about; has an id; features, predictions and labels about it arrive in any order
 * event: one fact about an example, known at a time: observation, prediction, label or outcome
 * observation: features of an example that arrived without asking for a prediction, with or without its label
 * batch: one delivery of rows
 * quarantine: where rows that break the schema wait, with the reason, until they are replayed or dropped
 * segment: an immutable Parquet file that holds compacted events of one model and kind
 * fold: a reader of the log that turns events after its cursor into counters, in one transaction
 * dataset version: the frozen, content-hashed rows of one run
 * profile: mergeable counters that describe a column or a score
 * reference window: the rows a monitor compares with
 * current window: the rows a monitor judges
 * signal: the finding of a monitor
 * trigger: a rule that says when to retrain
 * run: one pass of snapshot, assess, prepare, train, evaluate, gate, register and rollout
 * step: one recorded, resumable part of a run
 * trace: metrics of one training, point by point
 * gate: the judgement of a candidate: promote, hold or reject
 * rollout: how a version goes live, in stages
 * stage: one part of a rollout: shadow, canary, ab or full
 * label: the true answer for an example
 * label delay: how long after the event a label counts as mature
 * correction: a later label for the same example; appended, never overwritten
 * holdout: rows kept from training, on which candidate and champion are compared
 * decision: one automatic judgement with its inputs, rule, threshold, outcome and reason
 * alert: a decision or failure somebody should know of
 * policy: triggers, data window, strategy, gates, rollout and guards of a model
 * lineage: which data, definition and code made a version
 * series: the values of one thing (a store, a product) period by period, which a forecast continues
 * interaction: a user took an item at a time; its label says how much that says for the item, 1 where not stated
 * slate: the items a recommender offers a user, best first
 * fold-in: solving a user or an item from its interactions with the rest of a trained recommender held still
 * forecast origin: the last period whose value was known when a forecast was made
 * entity state: what the log says of one series, user or card right now; a fold keyed by it
 * GLOSSARY-END
 */

import type { GateEvidence } from "./gates.ts";
import type { ForecastEvaluation } from "./forecasts.ts";
import type { RecommendEvaluation } from "./recommendations.ts";

/** Milliseconds since the epoch, UTC. */
export type Instant = number;
export type Task = "binary" | "multiclass" | "regression" | "forecast" | "recommend";

/** A raw feature value as it arrived. `null` means missing. Numbers are finite. */
export type FeatureValue = number | string | boolean | null;
export type Features = Readonly<Record<string, FeatureValue>>;
/** A label as the user states it; binary labels are booleans, multiclass labels strings, regression labels finite numbers. */
export type LabelValue = number | string | boolean;

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** Who states a label. Order of precedence, strongest first: system (ground truth), expert, user, rule. */
export type LabelSource = "system" | "expert" | "user" | "rule";
export const LABEL_PRECEDENCE: readonly LabelSource[] = ["system", "expert", "user", "rule"];

/** Features of an example that arrived without asking for a prediction; `label` when the row carried it. */
export interface ObservationEvent {
  readonly kind: "observation";
  readonly exampleId: string;
  readonly at: Instant;
  readonly unit?: string;
  readonly features: Features;
  readonly label?: LabelValue;
}

export interface PredictionEvent {
  readonly kind: "prediction";
  /** UUIDv7: the id tells the time of the prediction. */
  readonly predictionId: string;
  readonly exampleId: string;
  readonly at: Instant;
  readonly unit?: string;
  readonly version: string;
  readonly features: Features;
  /**
   * Probability per class in the model's class order (binary: [p(false), p(true)]), [value] for regression, [value, low, high,
   * scale] for a forecast, the items' scores for a slate, and the item's place in it (0: missing) for an interaction.
   */
  readonly scores: readonly number[];
  /** The version's class order, for multiclass only: labels may name classes it has never seen. */
  readonly classes?: readonly LabelValue[];
  readonly decision: LabelValue;
  /** live: a request; system: a labelled observation scored by the champion before it could train; shadow: invisible. */
  readonly origin: "live" | "system" | "shadow";
  /** Forecasts: the start of the last period that was known. `at` is the target's. */
  readonly originAt?: Instant;
  /** Recommendations: the items, best first. */
  readonly slate?: readonly string[];
  /** Aggregates: the sequence of the entity state they were read at. */
  readonly stateSequence?: number;
  /** The part of a rollout the request was assigned to. */
  readonly variant?: "champion" | "challenger";
}

/** The true answer. Exactly one of exampleId and predictionId names the example. `value: null` retracts earlier labels of the source. */
export interface LabelEvent {
  readonly kind: "label";
  readonly exampleId?: string;
  readonly predictionId?: string;
  /** When the answer became true in the world. */
  readonly at: Instant;
  readonly value: LabelValue | null;
  readonly labelSource: LabelSource;
  readonly comment?: string;
  /** Somebody was asked because of the model's score: it may train, but says nothing fair about performance. */
  readonly selective?: true;
}

/** A business event about an example or unit, for experiments. */
export interface OutcomeEvent {
  readonly kind: "outcome";
  readonly exampleId?: string;
  readonly predictionId?: string;
  readonly at: Instant;
  readonly name: string;
  readonly value: number;
}

export type EventKind = "observation" | "prediction" | "label" | "outcome";
export type ExampleEvent = ObservationEvent | PredictionEvent | LabelEvent | OutcomeEvent;

/** What the log knows about an event beyond its content. */
export interface LogPosition {
  /** Transaction id (xid8) of the write; with `seq` the order in which folds read. */
  readonly transactionId: bigint;
  readonly seq: bigint;
  /** When we knew it. Imports of history state it (`knownAt`); it is then in the past and `importedAt` keeps the truth. */
  readonly receivedAt: Instant;
  readonly importedAt?: Instant;
}
export type LoggedEvent<E extends ExampleEvent = ExampleEvent> = E & LogPosition;

export interface BatchRecord {
  readonly id: string;
  readonly model: string;
  readonly receivedAt: Instant;
  /** `http`, `cli`, `file:<name>`, `replay`. */
  readonly origin: string;
  readonly rowCount: number;
  readonly acceptedCount: number;
  readonly quarantinedCount: number;
  readonly duplicateCount: number;
  readonly anomalies: readonly Anomaly[];
}

/** A named anomaly of a batch or a dataset; `blocking` ones stop training but never drop data. */
export interface Anomaly {
  readonly code: string;
  readonly column?: string;
  readonly message: string;
  readonly blocking: boolean;
  readonly details?: JsonObject;
}

export interface QuarantinedRow {
  readonly id: string;
  readonly model: string;
  readonly batchId: string;
  /** 1-based position in the batch. */
  readonly rowNumber: number;
  readonly receivedAt: Instant;
  /** The row as it arrived, as JSON text (or the raw line where it was no row). */
  readonly raw: string;
  /** Set where the values are texts of a CSV file, which a replay converts again; `missing` is what its source takes for missing. */
  readonly csv?: { readonly missing: readonly string[] };
  readonly form: "observation" | "label" | "prediction-request";
  readonly reasons: readonly { readonly code: string; readonly column?: string; readonly message: string }[];
  readonly state: "waiting" | "replayed" | "dropped";
}

export type Outcome = "yes" | "no" | "cannot-tell";

/** One automatic judgement. Equal consecutive decisions of the same subject extend one record (count, lastAt). */
export interface DecisionRecord {
  readonly id: string;
  readonly model: string;
  readonly kind: "trigger" | "guard" | "gate" | "rollout" | "assessment" | "monitor" | "promotion" | "review";
  /** What was judged: `schedule`, `noWorseThanChampion(logLoss)`, `full`. */
  readonly subject: string;
  readonly outcome: Outcome;
  /** The rule in words with its threshold. */
  readonly rule: string;
  /** The values it was judged on. */
  readonly inputs: JsonObject;
  readonly threshold?: number;
  /** One sentence a person can read. */
  readonly reason: string;
  readonly runId?: string;
  readonly version?: string;
  readonly firstAt: Instant;
  readonly lastAt: Instant;
  readonly count: number;
}
export type NewDecision = Omit<DecisionRecord, "id" | "firstAt" | "lastAt" | "count"> & { readonly at: Instant };

export const RUN_STEPS = ["snapshot", "assess", "prepare", "train", "evaluate", "gate", "register", "rollout"] as const;
export type RunStepName = (typeof RUN_STEPS)[number];

/**
 * | state | meaning | moves on by |
 * |---|---|---|
 * | queued | waiting for the one run slot of its model | the engine starts it |
 * | running | a step is being done | the last step, a failure, a cancel |
 * | promoted | its version went live (or its rollout began) | final |
 * | held | the gate could not tell, or saw another champion; the candidate waits | final for the run; the candidate may be gated again |
 * | rejected | the gate said no | final |
 * | stopped | a step found too little or broken data; nothing was trained | final |
 * | failed | a step failed after its attempts | final |
 * | canceled | somebody canceled it | final |
 */
export const RUN_STATES = [
  "queued",
  "running",
  "promoted",
  "held",
  "rejected",
  "stopped",
  "failed",
  "canceled",
] as const;
export type RunState = (typeof RUN_STATES)[number];

export interface RunStepRecord {
  readonly step: RunStepName;
  readonly state: "waiting" | "running" | "done" | "stopped" | "failed" | "skipped";
  readonly attempt: number;
  readonly startedAt?: Instant;
  readonly endedAt?: Instant;
  /** Measured on the system clock. */
  readonly durationMs?: number;
  /** Short text for the status table: `1,200 × 10, champion v1`. */
  readonly input?: string;
  /** Short text for the status table: `v2`, `0.85 > 0.80`. */
  readonly output?: string;
  readonly details?: JsonObject;
}

/** Why a run was started. */
export interface TriggerCause {
  /** schedule | interval | newRows | newLabels | performanceDrop | event | manual | first | held | import */
  readonly trigger: string;
  readonly reason: string;
  readonly decisionIds: readonly string[];
}

export const TRAINING_STRATEGIES = ["full", "warm-start", "incremental", "transfer", "best"] as const;
export type TrainingStrategy = (typeof TRAINING_STRATEGIES)[number];

export interface RunRecord {
  readonly id: string;
  readonly model: string;
  readonly definitionRevision: string;
  readonly state: RunState;
  readonly strategy: TrainingStrategy;
  readonly cause: TriggerCause;
  readonly queuedAt: Instant;
  readonly startedAt?: Instant;
  readonly endedAt?: Instant;
  /** Measured on the system clock. */
  readonly durationMs?: number;
  /** The instant the dataset was frozen as of. */
  readonly asOf: Instant;
  readonly seed: number;
  readonly champion?: string;
  /** The version it registered. */
  readonly version?: string;
  /** Set when it gates a held version again instead of training: which, and whose evaluation it judges when no row was missing. */
  readonly regate?: { readonly version: string; readonly evidence?: string };
  readonly gate?: GateResult;
  readonly steps: readonly RunStepRecord[];
  /** Trainer progress in [0,1] and the expected rest in ms. */
  readonly progress?: { readonly share: number; readonly etaMs?: number };
  readonly error?: { readonly code: string; readonly message: string; readonly remedy: string };
  /** Fences side effects: only the newest attempt may write. */
  readonly attempt: number;
}

export interface TracePoint {
  readonly runId: string;
  readonly epoch: number;
  /** `trainLoss`, `validationLoss`, `trainLogLoss`, `validationRocAuc`, … */
  readonly metrics: Readonly<Record<string, number>>;
  readonly elapsedMs: number;
}

export interface MetricValue {
  readonly metric: string;
  readonly value: number | null;
  readonly interval?: readonly [number, number];
}

export interface PairedDifference {
  readonly metric: string;
  readonly candidate: number;
  readonly champion: number;
  /** Candidate minus champion, in the metric's unit. */
  readonly difference: number;
  /** 90 % two-sided, so each end is a one-sided 95 % bound. */
  readonly interval: readonly [number, number];
  /** Standard error of the champion's (or baseline's) own metric on these rows. */
  readonly championStandardError: number;
  readonly rows: number;
  readonly method: string;
}

/** What the evaluate step found on the holdout. */
export interface EvaluationReport extends GateEvidence {
  readonly rows: number;
  readonly candidate: Readonly<Record<string, number | null>>;
  readonly candidateIntervals: Readonly<Record<string, readonly [number, number]>>;
  readonly champion?: Readonly<Record<string, number | null>>;
  readonly championVersion?: string;
  readonly baseline: { readonly trainer: string; readonly metrics: Readonly<Record<string, number | null>> };
  readonly differences: readonly PairedDifference[];
  readonly baselineDifferences: readonly PairedDifference[];
  readonly slices: readonly {
    readonly slice: string;
    readonly rows: number;
    readonly candidate: Readonly<Record<string, number | null>>;
    readonly champion?: Readonly<Record<string, number | null>>;
  }[];
  readonly calibration?: readonly { readonly meanScore: number; readonly share: number; readonly count: number }[];
  readonly predictMicroseconds?: number;
  readonly threshold?: number;
  readonly holdout: { readonly from?: Instant; readonly to?: Instant; readonly rows: number };
  /** Task forecast only. */
  readonly forecast?: ForecastEvaluation;
  /** Task recommend only. */
  readonly recommend?: RecommendEvaluation;
}

export type GateOutcome = "promote" | "hold" | "reject";
export interface GateCheck {
  readonly gate: string;
  readonly outcome: Outcome;
  readonly value?: number;
  readonly threshold?: number;
  readonly interval?: readonly [number, number];
  readonly rows: number;
  /** When it cannot tell: how many rows it would take. */
  readonly rowsNeeded?: number;
  /** Not measured on this clock: it is shown and decides nothing. */
  readonly notMeasured?: boolean;
  readonly reason: string;
}
export interface GateResult {
  readonly outcome: GateOutcome;
  readonly reason: string;
  readonly checks: readonly GateCheck[];
  /** What a person should know although it did not decide: a holdout that was looked at often. */
  readonly warnings?: readonly string[];
}

/**
 * | state | means | moves on when |
 * |---|---|---|
 * | candidate | registered, not live yet: its run held it, or its rollout goes on | it goes live, is rejected or rolled back |
 * | live | the champion | another version takes its place |
 * | retired | was the champion, until a newer version replaced it | it is made champion again |
 * | rolled-back | taken back: by its rollout, or as champion in favor of an earlier version | another rollout, or a person, takes it |
 * | rejected | the gate said no | a person makes it champion all the same |
 */
export const VERSION_STATES = ["candidate", "live", "retired", "rolled-back", "rejected"] as const;
export type VersionState = (typeof VERSION_STATES)[number];
export interface VersionRecord {
  readonly model: string;
  /** `v1`, `v2`, … */
  readonly name: string;
  readonly number: number;
  readonly runId: string;
  readonly createdAt: Instant;
  /** SHA-256 of the manifest: names the artifact folder in the object store. */
  readonly artifact: string;
  readonly definitionRevision: string;
  readonly trainer: string;
  readonly strategy: TrainingStrategy;
  readonly datasetHash: string;
  readonly datasetRows: number;
  /** The `asOf` of its dataset: what was received up to here may have trained it. */
  readonly trainedThrough: Instant;
  readonly gate: GateResult;
  /** The run whose gate that is, when the version was held and gated again; else `runId`. */
  readonly gateRunId?: string;
  /** Where it comes from, when another server made it. */
  readonly imported?: {
    readonly model: string;
    readonly version: string;
    readonly signedBy: string;
    readonly at: Instant;
  };
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly role: "champion" | "challenger" | null;
  readonly state: VersionState;
  readonly promotedAt?: Instant;
  readonly retiredAt?: Instant;
}

export type AlertSeverity = "info" | "warning" | "critical";
export interface AlertRecord {
  readonly id: string;
  readonly model: string | null;
  /** De-duplication key: one open alert per key. */
  readonly key: string;
  /** `gate.rejected`, `run.failed`, `store.down`, … */
  readonly type: string;
  readonly severity: AlertSeverity;
  readonly title: string;
  readonly message: string;
  readonly evidence: JsonObject;
  readonly state: "open" | "resolved";
  readonly firstAt: Instant;
  readonly lastAt: Instant;
  readonly count: number;
  readonly resolvedAt?: Instant;
}
export type NewAlert = Pick<AlertRecord, "model" | "key" | "type" | "severity" | "title" | "message" | "evidence"> & {
  readonly at: Instant;
};

/** A finding of a monitor, as of a tick. */
export interface SignalRecord {
  readonly model: string;
  readonly monitor: string;
  readonly subject: string;
  readonly at: Instant;
  readonly verdict: Outcome;
  readonly value: number | null;
  readonly threshold: number | null;
  readonly details: JsonObject;
}

/** One revision of a model's description, frozen with every version made under it. */
export interface DefinitionRevision {
  readonly model: string;
  /** SHA-256 of the canonical resolved definition, 12 hex digits. */
  readonly revision: string;
  readonly definition: Json;
  readonly createdAt: Instant;
}

/** A mark on a time chart. */
export interface Marker {
  readonly at: Instant;
  readonly kind: "retrain" | "promotion" | "rollback" | "rejected" | "held" | "alert";
  readonly label: string;
  readonly runId?: string;
  readonly version?: string;
}

export interface AuditRecord {
  readonly id: string;
  readonly at: Instant;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly details: JsonObject;
}

export type Role = "viewer" | "labeler" | "operator" | "admin";
export const ROLES: readonly Role[] = ["viewer", "labeler", "operator", "admin"];
export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly scopes: readonly string[];
  readonly hash: string;
  readonly createdAt: Instant;
  readonly expiresAt?: Instant;
  readonly revokedAt?: Instant;
}

/** Where a source has read to. */
export interface SourcePosition {
  readonly source: string;
  readonly model: string;
  readonly position: JsonObject;
  readonly updatedAt: Instant;
}
