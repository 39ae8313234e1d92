/**
 * What the loop needs from the world. `storage/` and `engine/` implement these ports; only the composition roots know which.
 * Everything a port returns is as of a committed state; everything it acknowledges survives kill -9.
 */
import type { AuditLog } from "./audit.ts";
import type { EventLog, LogCursor } from "./event-log.ts";
import type { LabelingStore } from "./labeling.ts";
import type { GateStore } from "./gates.ts";
import type { ProfileStore } from "./profiles.ts";
import type {
  AlertRecord,
  BatchRecord,
  DecisionRecord,
  DefinitionRevision,
  GateResult,
  Instant,
  Json,
  JsonObject,
  LabelEvent,
  LoggedEvent,
  NewAlert,
  NewDecision,
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
  /** Whether any label of the model waits for its prediction. */
  hasPending(model: string): Promise<boolean>;
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
  /** Names of all models that have versions, those that no configuration names any more included. */
  models(): Promise<readonly string[]>;
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
  /**
   * Each as `record` would, in their order, all or none where each is of another rule.
   * @param settings written with them, or after them: never without them
   */
  recordAll(
    decisions: readonly NewDecision[],
    settings?: Readonly<Record<string, Json>>,
  ): Promise<readonly DecisionRecord[]>;
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

export interface Logger {
  debug(fields: JsonObject, message: string): void;
  info(fields: JsonObject, message: string): void;
  warn(fields: JsonObject, message: string): void;
  error(fields: JsonObject, message: string): void;
}
export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
