/**
 * The port of the event log, which `storage/` implements. What it acknowledges survives kill -9; what it returns is committed.
 */
import { RetrainError } from "./errors.ts";
import type {
  BatchRecord,
  EventKind,
  ExampleEvent,
  Instant,
  Json,
  LabelEvent,
  LoggedEvent,
  ObservationEvent,
  PredictionEvent,
  QuarantinedRow,
  SourcePosition,
} from "./records.ts";

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
/** A row of a request that the log cannot hold. `index` counts from 0 in its events. */
export interface RefusedRow {
  readonly index: number;
  readonly code: string;
  readonly message: string;
}
/** The rows an error of `append` names; undefined for any other error. */
export function refusedRowsOf(error: unknown): readonly RefusedRow[] | undefined {
  if (!(error instanceof RetrainError) || error.code !== "ROW_INVALID") return undefined;
  return error.details["rows"] as unknown as readonly RefusedRow[] | undefined;
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
  /**
   * Resolves after the commit that holds the events. Rows that cannot be stored fail no other request, and their own by a ROW_INVALID
   * that names them (`refusedRowsOf`), so that the caller can put them aside and append the others.
   * @throws ROW_INVALID, STORE_UNAVAILABLE, STORE_FULL, TOO_MANY_REQUESTS, IDEMPOTENCY_MISMATCH
   */
  append(request: AppendRequest): Promise<AppendResult>;
  /**
   * As `append`, told by a call instead of a promise: a prediction pays half a microsecond for each of them on Node 20. One of the
   * two is called, once, outside the caller's async context; neither may throw.
   */
  submit(request: AppendRequest, onWritten: (result: AppendResult) => void, onFailed: (error: unknown) => void): void;
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
  /** Runs a step of work in the background, which gives way to events that are being written: see `Turns`. */
  inTurn<T>(step: () => Promise<T>): Promise<T>;
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
