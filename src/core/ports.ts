/**
 * What the loop needs from the world. `storage/` and `engine/` implement these ports; only the composition roots know which.
 * Everything a port returns is as of a committed state; everything it acknowledges survives kill -9.
 */
import type { AuditLog } from "./audit.ts";
import type { LabelingStore } from "./labeling.ts";
import type { GateStore } from "./gates.ts";
import type { ProfileStore } from "./profiles.ts";
import type {
  AlertRecord,
  BatchRecord,
  DecisionRecord,
  DefinitionRevision,
  EventKind,
  ExampleEvent,
  GateResult,
  Instant,
  Json,
  JsonObject,
  LabelEvent,
  LoggedEvent,
  NewAlert,
  NewDecision,
  ObservationEvent,
  PredictionEvent,
  QuarantinedRow,
  RunRecord,
  RunState,
  RunStepRecord,
  SignalRecord,
  SourcePosition,
  TokenRecord,
  TracePoint,
  VersionRecord,
} from "./records.ts";
import type { RolloutStore, Routing } from "./rollouts.ts";

/** Where a fold stands in the log: rows are read in the order (transactionId, seq). */
export interface LogCursor {
  readonly transactionId: bigint;
  readonly seq: bigint;
}
export const LOG_START: LogCursor = { transactionId: 0n, seq: 0n };

export interface AppendRequest {
  readonly model: string;
  readonly events: readonly ExampleEvent[];
  /** For imports of history: when each event was known; same length as `events`, each in the past. */
  readonly knownAt?: readonly Instant[];
  /** Records written in the same transaction as the events. */
  readonly batch?: BatchRecord;
  readonly quarantined?: readonly QuarantinedRow[];
  readonly source?: SourcePosition;
  /** A key seen before with the same hash returns the stored response and writes nothing; another hash throws IDEMPOTENCY_MISMATCH. */
  readonly idempotency?: { readonly key: string; readonly hash: string; readonly response: Json };
}
export interface AppendResult {
  readonly receivedAt: Instant;
  /** Set when the idempotency key had been used: the response of the first time. */
  readonly replayed?: Json;
}

/** A typed column of a segment or dataset file. */
export interface ColumnType {
  readonly name: string;
  readonly type: "number" | "category" | "boolean";
}
/** What storage must know of a model to write typed columns. */
export interface LogSchema {
  readonly model: string;
  readonly task: "binary" | "multiclass" | "regression";
  readonly columns: readonly ColumnType[];
}

/** The rows of a run: which examples, known when, and where the frozen file goes. */
export interface DatasetRequest {
  readonly schema: LogSchema;
  /** Only what was received at or before this instant is seen. */
  readonly asOf: Instant;
  /** Event-time window [from, to); either may be open. */
  readonly from?: Instant;
  readonly to?: Instant;
  /** Newest rows only. */
  readonly maxRows?: number;
  /** Features of the newest observation where there is one, also if a prediction came before the label (forecasts). */
  readonly featuresFrom?: "observation";
  /** Absolute path of the Parquet file to write (temporary name and rename are the implementation's duty). */
  readonly path: string;
}
/**
 * The frozen file has the columns `example_id VARCHAR, at BIGINT, received_at BIGINT, label_at BIGINT, label_received_at BIGINT,
 * label <DOUBLE for regression | BOOLEAN | VARCHAR>, label_source VARCHAR, selective BOOLEAN` then one column `f_<feature>` (DOUBLE, VARCHAR or BOOLEAN) per feature,
 * ordered by (at, example_id); one row per labelled example with its effective label as of `asOf`. Features are those logged
 * with the last prediction before the label, else those of the newest observation.
 */
export interface DatasetFile {
  readonly rows: number;
  readonly minAt: Instant | null;
  readonly maxAt: Instant | null;
}

/**
 * Unlabelled examples as a file: `example_id VARCHAR, prediction_id VARCHAR (null for one that was never predicted), at BIGINT`
 * then one column `f_<feature>` per feature, one row per example: its newest prediction, else its newest observation.
 */
export interface PoolRequest {
  readonly schema: LogSchema;
  readonly asOf: Instant;
  /** Event time from which examples are candidates. */
  readonly from: Instant;
  readonly maxRows: number;
  readonly path: string;
}

export interface SegmentRecord {
  readonly id: string;
  readonly model: string;
  readonly kind: EventKind;
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  readonly minAt: Instant;
  readonly maxAt: Instant;
  readonly minReceivedAt: Instant;
  readonly maxReceivedAt: Instant;
  readonly minTransactionId: bigint;
  readonly maxTransactionId: bigint;
}

export interface LogCounts {
  /** Events received in (since, until]; by kind (mirrored answers are no predictions), and labelled examples (labels, labelled observations). */
  readonly events: Readonly<Record<EventKind, number>>;
  readonly labelled: number;
  readonly lastReceivedAt: Instant | null;
}

/** The append-only log: group commit into the tail, Parquet segments behind it; readers see both. */
export interface EventLog {
  /** Resolves after the commit that holds the events. @throws STORE_UNAVAILABLE, STORE_FULL, TOO_MANY_REQUESTS, IDEMPOTENCY_MISMATCH */
  append(request: AppendRequest): Promise<AppendResult>;
  /** Events of a model after the cursor, committed before every open transaction, at most `limit`, in cursor order. */
  readAfter(
    model: string,
    cursor: LogCursor,
    options: { limit: number; kinds?: readonly EventKind[] },
  ): Promise<{
    readonly events: readonly LoggedEvent[];
    readonly cursor: LogCursor;
    readonly more: boolean;
  }>;
  /** True when there is something after the cursor; one cheap query. */
  hasAfter(model: string, cursor: LogCursor): Promise<boolean>;
  counts(model: string, range: { since?: Instant; until?: Instant }): Promise<LogCounts>;
  /** All logged predictions of the given prediction ids and example ids received at or before `asOf`. */
  findPredictions(
    model: string,
    keys: { predictionIds?: readonly string[]; exampleIds?: readonly string[]; asOf?: Instant },
  ): Promise<readonly LoggedEvent<PredictionEvent>[]>;
  /** All label statements (label events, and observations that carry a label, as label events of source `system`) for the given examples or predictions. */
  findLabels(
    model: string,
    keys: { predictionIds?: readonly string[]; exampleIds?: readonly string[]; asOf?: Instant },
  ): Promise<readonly LoggedEvent<LabelEvent>[]>;
  /** The newest observation of each given example received at or before `asOf`. */
  findObservations(
    model: string,
    keys: { exampleIds: readonly string[]; asOf?: Instant },
  ): Promise<readonly LoggedEvent<ObservationEvent>[]>;
  /** Events newest first, for the API and the console. */
  recent(model: string, options: { kind: EventKind; limit: number; before?: string }): Promise<readonly LoggedEvent[]>;
  writeDataset(request: DatasetRequest): Promise<DatasetFile>;
  /** The examples without a label, newest first up to `maxRows`: what people could be asked about. */
  writePool(request: PoolRequest): Promise<DatasetFile>;
  /** Moves the idle tail into segments. Called by a timer, and before `writeDataset` by itself. */
  compact(): Promise<{ readonly segments: number; readonly rows: number }>;
  /** Merges small segments of a model and drops orphan files. */
  maintain(): Promise<void>;
  /** Deletes whole segments whose newest event is older. */
  deleteBefore(model: string, kinds: readonly EventKind[], before: Instant): Promise<number>;
  segments(model: string): Promise<readonly SegmentRecord[]>;
  /** Compares every segment of the model with the hash it was written with; reads all its bytes. */
  damagedSegments(
    model: string,
  ): Promise<readonly { readonly path: string; readonly problem: "missing" | "changed" }[]>;
}

/** Counter values are fixed-point or plain integers: exact under merge and order. */
export type CounterValues = Readonly<Record<string, bigint>>;
export interface CounterDelta {
  /** `performance`, `predictions`, `volume`, … */
  readonly counter: string;
  /** Version name, or "" where it belongs to the model. */
  readonly version: string;
  /** Start of the UTC hour of the event time. */
  readonly bucket: Instant;
  readonly values: CounterValues;
}
export interface CounterRow extends CounterDelta {
  readonly foldSeq: number;
  /** The latest `receivedAt` the fold had seen when it wrote this. */
  readonly knownThrough: Instant;
}
export interface PendingLabel {
  /** `example:<id>` or `prediction:<id>`. */
  readonly key: string;
  readonly label: LoggedEvent<LabelEvent>;
}
export interface FoldState {
  readonly cursor: LogCursor;
  readonly foldSeq: number;
  readonly knownThrough: Instant;
  readonly state: Json;
}
export interface FoldStore {
  read(model: string, fold: string): Promise<FoldState>;
  /** One transaction: compare-and-set on foldSeq, cursor, state, counters, pending labels. False when another folder was first. */
  commit(
    model: string,
    fold: string,
    change: {
      readonly expectedFoldSeq: number;
      readonly cursor: LogCursor;
      readonly knownThrough: Instant;
      readonly state: Json;
      readonly counters: readonly CounterDelta[];
      readonly addPending?: readonly PendingLabel[];
      readonly removePending?: readonly string[];
    },
  ): Promise<boolean>;
  /** Sums over folds, one row per (counter, version, bucket); with `asOf` only folds whose knownThrough ≤ asOf, and `exact` says whether a fold straddles it. */
  counters(query: {
    model: string;
    counter: string;
    version?: string;
    from?: Instant;
    to?: Instant;
    asOf?: Instant;
  }): Promise<{
    readonly rows: readonly CounterDelta[];
    readonly exact: boolean;
  }>;
  pendingLabels(model: string, keys: readonly string[]): Promise<readonly PendingLabel[]>;
  pendingCount(model: string): Promise<number>;
  /** Sums deltas of folds older than the instant into one. */
  collapse(model: string, before: Instant): Promise<void>;
}

export interface RunStore {
  /** Idempotent by id. `false` when the model already has an open run (queued or running): the caller coalesces. */
  create(run: RunRecord): Promise<boolean>;
  get(id: string): Promise<RunRecord | undefined>;
  list(filter: {
    model?: string;
    states?: readonly RunState[];
    limit: number;
    before?: string;
  }): Promise<readonly RunRecord[]>;
  active(model: string): Promise<RunRecord | undefined>;
  /** The newest run; with `training`, the newest that was to train: gating a held version again is none. */
  last(model: string, options?: { readonly training?: boolean }): Promise<RunRecord | undefined>;
  /** Takes the run over: the attempt grows and all writes of older attempts fail with ATTEMPT_STALE. */
  beginAttempt(id: string, at: Instant): Promise<number>;
  update(
    id: string,
    attempt: number,
    change: Partial<Omit<RunRecord, "id" | "model" | "steps" | "attempt">>,
  ): Promise<void>;
  recordStep(id: string, attempt: number, step: RunStepRecord): Promise<void>;
  /** Idempotent by (run, epoch). */
  appendTrace(id: string, attempt: number, points: readonly TracePoint[]): Promise<void>;
  trace(id: string, options?: { afterEpoch?: number }): Promise<readonly TracePoint[]>;
  /** Runs that were to train. */
  countSince(model: string, since: Instant): Promise<number>;
}

export interface RegistryStore {
  /** Numbers the version inside the transaction; idempotent by runId: the second call returns the first's record. */
  register(
    version: Omit<VersionRecord, "name" | "number" | "role" | "state" | "promotedAt" | "retiredAt">,
    attempt: number,
  ): Promise<VersionRecord>;
  get(model: string, name: string): Promise<VersionRecord | undefined>;
  list(model: string): Promise<readonly VersionRecord[]>;
  champion(model: string): Promise<VersionRecord | undefined>;
  /**
   * One transaction: champion (unique index), states, routing number, audit record, decision. Idempotent: promoting the
   * champion again changes nothing. With `runId`/`attempt`, a stale attempt fails with ATTEMPT_STALE.
   * @throws PROMOTION_CONFLICT when `expectedChampion` is given and is not the champion any more.
   */
  promote(change: {
    readonly model: string;
    readonly version: string;
    readonly expectedChampion?: string | null;
    readonly reason: string;
    readonly actor: string;
    readonly action: "promotion" | "rollback";
    readonly at: Instant;
    readonly runId?: string;
    readonly attempt?: number;
  }): Promise<{ readonly routing: Routing; readonly changed: boolean }>;
  setState(model: string, version: string, state: VersionRecord["state"]): Promise<void>;
  /** The judgement of a held version that was gated again. Fenced by the attempt of that run. */
  setGate(model: string, version: string, gate: GateResult, run: { id: string; attempt: number }): Promise<void>;
  routing(model: string): Promise<Routing>;
  /** Called after every committed routing change, in this process and others (LISTEN plus polling). */
  onRouting(listener: (routing: Routing) => void): () => void;
  saveDefinition(revision: DefinitionRevision): Promise<void>;
  definition(model: string, revision: string): Promise<DefinitionRevision | undefined>;
}

export interface DecisionStore {
  /** Equal consecutive decisions (same model, kind, subject, outcome, reason) extend the last record. Returns it. */
  record(decision: NewDecision): Promise<DecisionRecord>;
  list(filter: {
    model?: string;
    kind?: DecisionRecord["kind"];
    runId?: string;
    limit: number;
    before?: string;
  }): Promise<readonly DecisionRecord[]>;
  /** Deletes decisions last made before the instant; returns how many. */
  deleteBefore(before: Instant): Promise<number>;
}

export interface AlertStore {
  /** One open alert per key: raising it again counts up. `isNew` when it opened now; deliveries are queued in the same transaction. */
  raise(alert: NewAlert): Promise<{ readonly alert: AlertRecord; readonly isNew: boolean }>;
  resolve(key: string, at: Instant, message: string): Promise<AlertRecord | undefined>;
  list(filter: {
    model?: string;
    state?: "open" | "resolved";
    limit: number;
    before?: string;
  }): Promise<readonly AlertRecord[]>;
  /** Deliveries waiting to be sent, claimed for `leaseMs` on the system clock. */
  claimDeliveries(limit: number, leaseMs: number): Promise<readonly AlertDelivery[]>;
  finishDelivery(id: string, result: { ok: boolean; error?: string; retryAt?: Instant }): Promise<void>;
}
export interface AlertDelivery {
  /** Constant over retries: the webhook-id. */
  readonly id: string;
  readonly alert: AlertRecord;
  readonly event: "opened" | "resolved";
  readonly attempt: number;
  readonly createdAt: Instant;
}

export interface QuarantineStore {
  list(filter: {
    model: string;
    state?: QuarantinedRow["state"];
    limit: number;
    before?: string;
  }): Promise<readonly QuarantinedRow[]>;
  count(model: string): Promise<number>;
  mark(ids: readonly string[], state: "replayed" | "dropped"): Promise<void>;
  batches(filter: { model: string; limit: number; before?: string }): Promise<readonly BatchRecord[]>;
}

export interface SettingsStore extends AuditLog {
  sourcePosition(source: string): Promise<SourcePosition | undefined>;
  saveSourcePosition(position: SourcePosition): Promise<void>;
  /** Small named values: lastEvaluatedAt of a trigger, tick instants, routing heartbeats. */
  get(key: string): Promise<Json | undefined>;
  set(key: string, value: Json): Promise<void>;
  /** Several keys in one transaction. */
  setAll(values: Readonly<Record<string, Json>>): Promise<void>;
  entries(prefix: string): Promise<Readonly<Record<string, Json>>>;
  signals(filter: { model: string; limit: number }): Promise<readonly SignalRecord[]>;
  saveSignals(signals: readonly SignalRecord[]): Promise<void>;
  saveToken(token: TokenRecord): Promise<void>;
  tokens(): Promise<readonly TokenRecord[]>;
  revokeToken(id: string, at: Instant): Promise<boolean>;
  idempotent(key: string): Promise<{ hash: string; response: Json } | undefined>;
  saveIdempotent(key: string, hash: string, response: Json): Promise<void>;
  pruneIdempotent(before: Instant): Promise<void>;
  /** Takes or renews a named lease by the database's clock; false while another owner's has not run out. */
  takeLease(name: string, owner: string, forMs: number): Promise<boolean>;
  dropLease(name: string, owner: string): Promise<void>;
}

export interface StoreHealth {
  readonly state: "up" | "down" | "full";
  readonly reason?: string;
}

export interface Store {
  readonly log: EventLog;
  readonly folds: FoldStore;
  readonly runs: RunStore;
  readonly registry: RegistryStore;
  readonly rollouts: RolloutStore;
  readonly decisions: DecisionStore;
  readonly alerts: AlertStore;
  readonly quarantine: QuarantineStore;
  readonly settings: SettingsStore;
  readonly gates: GateStore;
  readonly labeling: LabelingStore;
  readonly profiles: ProfileStore;
  health(): StoreHealth;
  onHealth(listener: (health: StoreHealth) => void): () => void;
  close(): Promise<void>;
}

/** Immutable files by key: `artifacts/<hash>/model.json`. Keys are made of ids and hashes, never of input. */
export interface ObjectStore {
  put(key: string, content: Uint8Array): Promise<{ readonly sha256: string; readonly sizeBytes: number }>;
  /** Moves a finished local folder in, file by file, durably, the marker `complete.json` last. Idempotent. */
  putFolder(prefix: string, folder: string): Promise<void>;
  get(key: string): Promise<Uint8Array>;
  exists(key: string): Promise<boolean>;
  list(prefix: string): Promise<readonly string[]>;
  deletePrefix(prefix: string): Promise<void>;
}

/** One step's context inside a workflow. */
export interface StepControl {
  readonly attempt: number;
  /** Aborted when the run is canceled or the process shuts down. */
  readonly signal: AbortSignal;
}
export interface WorkflowContext {
  readonly workflowId: string;
  /** Runs the function once and records its JSON result; after a crash a recorded step is not run again, an unfinished one is. */
  step<T extends Json>(
    name: string,
    run: (control: StepControl) => Promise<T>,
    options?: { maxAttempts?: number },
  ): Promise<T>;
  readonly signal: AbortSignal;
}
export type Workflow = (context: WorkflowContext, input: Json) => Promise<Json>;

export interface WorkflowStatus {
  readonly id: string;
  readonly state: "queued" | "running" | "done" | "failed" | "canceled";
  readonly error?: string;
  readonly output?: Json;
}
/** Durable execution. The DBOS engine and the in-process virtual engine implement it; one contract suite runs over both. */
export interface Engine {
  /** Registers workflows before `start`. */
  register(name: string, workflow: Workflow): void;
  start(): Promise<void>;
  /** Waits for steps under way up to the grace time, then aborts them; unfinished workflows resume at the next start. */
  stop(graceMs?: number): Promise<void>;
  /** Idempotent by id. Workflows of one queue and partition run one at a time, different partitions up to the queue's limit. */
  enqueue(request: { workflow: string; id: string; queue: string; partition?: string; input: Json }): Promise<void>;
  cancel(id: string): Promise<boolean>;
  status(id: string): Promise<WorkflowStatus | undefined>;
  /** Resolves when the workflow has ended; rejects on abort. */
  wait(id: string, signal?: AbortSignal): Promise<WorkflowStatus>;
  steps(id: string): Promise<
    readonly {
      readonly name: string;
      readonly startedAt: Instant | null;
      readonly endedAt: Instant | null;
      readonly error?: string;
    }[]
  >;
  /** Durable cron on the system clock; a missed tick after downtime fires once. */
  schedule(name: string, cron: string, timeZone: string, run: (scheduledAt: Instant) => Promise<void>): void;
  /** Deletes finished workflows older than the instant. */
  prune(before: Instant): Promise<number>;
}

/** Work for a killable child process; `type` picks the handler in `job/`, `input` is plain JSON. */
export interface JobRequest {
  readonly type: string;
  /** Requests with the same affinity go to the same child while it lives, so that a loaded dataset is reused. */
  readonly affinity: string;
  readonly input: JsonObject;
}
export interface JobLimits {
  readonly timeoutMs: number;
  /** Resident memory, sampled by the parent. */
  readonly memoryBytes: number;
}
export interface JobOptions {
  readonly signal?: AbortSignal;
  readonly limits?: JobLimits;
  readonly onProgress?: (message: JsonObject) => void;
}
/** Pre-started killable children. A dead, hung, canceled or over-limit child is replaced; its last output lines are in the error. */
export interface JobPool {
  /** @throws TRAINER_CRASHED, TRAINER_TIMEOUT, TRAINER_OUT_OF_MEMORY, TRAINER_CANCELED, or the error the job threw */
  run(request: JobRequest, options?: JobOptions): Promise<JsonObject>;
  warm(): Promise<void>;
  close(): Promise<void>;
}

export interface Logger {
  debug(fields: JsonObject, message: string): void;
  info(fields: JsonObject, message: string): void;
  warn(fields: JsonObject, message: string): void;
  error(fields: JsonObject, message: string): void;
}
export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
