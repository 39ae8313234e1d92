/**
 * One error class. A code is stable; the message says what happened (with the value and its place) and why (the rule it met);
 * the remedy says what to do. docs/errors.md lists the same codes; a test compares both ways.
 */
import type { JsonObject } from "./records.ts";

interface CodeInfo {
  /** HTTP status when it reaches the API. */
  readonly status: number;
  /** Exit code when it ends a command: 1 failure, 2 usage, 5 not found, 6 auth, 7 conflict or lock, 8 unreachable. */
  readonly exit: number;
  readonly meaning: string;
}

export const ERROR_CODES = {
  // store
  STORE_UNAVAILABLE: {
    status: 503,
    exit: 1,
    meaning: "The database cannot answer right now; nothing was acknowledged. Retry.",
  },
  STORE_NOT_DURABLE: {
    status: 500,
    exit: 1,
    meaning: "The embedded database does not reach the disk on commit; the server refuses to run.",
  },
  STORE_FULL: { status: 507, exit: 1, meaning: "The disk is full; writes are refused, predictions go on." },
  STORE_CORRUPT: { status: 500, exit: 1, meaning: "A stored file does not match its hash." },
  DIRECTORY_LOCKED: { status: 409, exit: 7, meaning: "Another server uses the data directory." },
  TRANSACTION_NESTED: { status: 500, exit: 1, meaning: "Code inside a transaction used the pool again." },
  TRANSACTION_TOO_LONG: {
    status: 500,
    exit: 1,
    meaning: "A transaction was idle or open too long and was rolled back.",
  },
  STATEMENT_REFUSED: {
    status: 500,
    exit: 1,
    meaning: "A statement that one shared session cannot keep apart (SET, advisory lock, temp table).",
  },
  MIGRATION_FAILED: {
    status: 500,
    exit: 1,
    meaning: "The schema of the data directory could not be brought up to date.",
  },
  DATABASE_UNSUPPORTED: { status: 500, exit: 1, meaning: "The PostgreSQL server is older than 15." },
  // values
  NAME_INVALID: { status: 400, exit: 2, meaning: "A name breaks the naming rule." },
  DURATION_INVALID: { status: 400, exit: 2, meaning: "A duration is not a number with a unit." },
  NUMBER_NOT_FINITE: { status: 400, exit: 2, meaning: "NaN or an infinity where a number was expected." },
  ROW_INVALID: { status: 422, exit: 1, meaning: "A row breaks the schema of its model." },
  SERIES_UNKNOWN: { status: 404, exit: 5, meaning: "A forecast names a series without a known value." },
  BODY_INVALID: { status: 400, exit: 2, meaning: "The request body or query breaks the schema of the route." },
  BODY_TOO_LARGE: { status: 413, exit: 2, meaning: "The request body is larger than the limit." },
  FORMAT_UNSUPPORTED: { status: 415, exit: 2, meaning: "The content type or file format is not one we read." },
  FILE_INVALID: { status: 400, exit: 2, meaning: "A CSV, NDJSON, JSON or Parquet file cannot be read." },
  COLUMN_UNKNOWN: { status: 422, exit: 2, meaning: "A column that the schema does not list." },
  COLUMN_MISSING: { status: 422, exit: 2, meaning: "A required column is absent." },
  HEADER_DUPLICATE: { status: 400, exit: 2, meaning: "A CSV header names a column twice." },
  KNOWN_AT_INVALID: { status: 422, exit: 2, meaning: "`knownAt` is missing, unreadable or in the future." },
  // configuration
  CONFIG_INVALID: { status: 422, exit: 2, meaning: "The configuration breaks a rule; the running one is kept." },
  CONFIG_KEY_UNKNOWN: { status: 422, exit: 2, meaning: "The configuration has a key nobody reads." },
  CONFIG_NOT_FOUND: { status: 404, exit: 2, meaning: "There is no retrain.config.ts here." },
  CONFIG_LOAD_FAILED: { status: 422, exit: 2, meaning: "The configuration file threw an error or does not compile." },
  FILE_EXISTS: { status: 409, exit: 7, meaning: "A file would be overwritten; pass --force." },
  COLUMN_TYPE_UNDECIDED: { status: 422, exit: 2, meaning: "`init` cannot tell what a column holds." },
  // lookups and conflicts
  MODEL_UNKNOWN: { status: 404, exit: 5, meaning: "No model of that name." },
  VERSION_UNKNOWN: { status: 404, exit: 5, meaning: "No version of that name." },
  RUN_UNKNOWN: { status: 404, exit: 5, meaning: "No run with that id." },
  NOT_FOUND: { status: 404, exit: 5, meaning: "No such thing at this address." },
  MODEL_NOT_READY: { status: 409, exit: 7, meaning: "The model has no live version yet." },
  REVIEW_PENDING: { status: 409, exit: 7, meaning: "The answer is held until a person has decided on it." },
  RUN_ACTIVE: { status: 409, exit: 7, meaning: "The model already has a run under way." },
  RUN_FINISHED: { status: 409, exit: 7, meaning: "The run has ended and cannot be canceled." },
  ROLLBACK_IMPOSSIBLE: { status: 409, exit: 7, meaning: "There is no earlier live version to go back to." },
  PROMOTION_CONFLICT: {
    status: 409,
    exit: 7,
    meaning: "The champion changed meanwhile, or a newer attempt took over.",
  },
  ROLLOUT_UNKNOWN: { status: 404, exit: 5, meaning: "The model has no rollout, or none with that id." },
  ROLLOUT_CONFLICT: {
    status: 409,
    exit: 7,
    meaning: "The rollout's state does not allow that, or it moved meanwhile.",
  },
  CONFLICT: { status: 409, exit: 7, meaning: "The state of the thing does not allow that." },
  IDEMPOTENCY_MISMATCH: { status: 422, exit: 7, meaning: "The idempotency key was used with another payload." },
  IDEMPOTENCY_IN_FLIGHT: { status: 409, exit: 7, meaning: "A request with this idempotency key is still under way." },
  TOO_MANY_REQUESTS: { status: 429, exit: 1, meaning: "The queue is full; retry after the stated time." },
  REPLAY_ONLY: { status: 404, exit: 5, meaning: "Only a server in replay mode has this route." },
  CLOCK_BACKWARD: { status: 409, exit: 7, meaning: "The virtual clock was asked to go back." },
  // access
  UNAUTHENTICATED: { status: 401, exit: 6, meaning: "A valid token is needed." },
  FORBIDDEN: { status: 403, exit: 6, meaning: "The token's role or scopes do not allow that." },
  HOST_REFUSED: { status: 421, exit: 6, meaning: "The Host or Origin header is not one this server answers to." },
  BIND_REFUSED: { status: 500, exit: 6, meaning: "Listening beyond loopback needs at least one token." },
  // training
  DATASET_EMPTY: { status: 422, exit: 1, meaning: "The data window holds no usable labelled row." },
  DATASET_TOO_SMALL: { status: 422, exit: 1, meaning: "Too few rows or labels for a run." },
  SPLIT_EMPTY: { status: 422, exit: 1, meaning: "A split has no rows." },
  CLASS_MISSING: { status: 422, exit: 1, meaning: "A split lacks a class of the label." },
  DATA_BROKEN: { status: 422, exit: 1, meaning: "The assessment found a blocking anomaly." },
  TRAINER_FAILED: { status: 500, exit: 1, meaning: "The trainer threw an error." },
  EXTERNAL_TRAINER_FAILED: {
    status: 500,
    exit: 1,
    meaning: "The command of an external trainer ended with an error, or left no usable result.",
  },
  TRANSFER_BASE_UNFIT: {
    status: 422,
    exit: 1,
    meaning: "The version that a transfer starts from is not there, or its layers do not fit the model.",
  },
  TRAINER_DIVERGED: { status: 500, exit: 1, meaning: "The loss became NaN or infinite." },
  TRAINER_CRASHED: { status: 500, exit: 1, meaning: "The training process died." },
  TRAINER_TIMEOUT: { status: 500, exit: 1, meaning: "The training process passed its time limit and was killed." },
  TRAINER_OUT_OF_MEMORY: {
    status: 500,
    exit: 1,
    meaning: "The training process passed its memory limit and was killed.",
  },
  TRAINER_CANCELED: { status: 409, exit: 1, meaning: "The run was canceled." },
  OUTPUT_INVALID: {
    status: 500,
    exit: 1,
    meaning: "The model answers with NaN, a wrong shape, or not the same twice.",
  },
  ARTIFACT_CORRUPT: { status: 500, exit: 1, meaning: "A file of an artifact does not match its hash." },
  ARTIFACT_UNSUPPORTED: { status: 500, exit: 1, meaning: "The artifact was written by a newer format." },
  IMPORT_INVALID: { status: 422, exit: 1, meaning: "An exported version is damaged or was altered." },
  IMPORT_UNTRUSTED: {
    status: 403,
    exit: 6,
    meaning: "An exported version is signed by a key this server does not trust.",
  },
  IMPORT_REFUSED: { status: 422, exit: 1, meaning: "An exported version does not fit this server or its definition." },
  MODEL_INVALID: {
    status: 422,
    exit: 2,
    meaning: "An ONNX file is broken, unsafe, or does not fit the model's signature.",
  },
  MODEL_HOST_FAILED: {
    status: 503,
    exit: 1,
    meaning: "The process that runs an ONNX model hung, crashed or refused the rows; the model is loaded anew.",
  },
  PREDICTIONS_ONLY: {
    status: 409,
    exit: 7,
    meaning: "The version is a list of recorded predictions, which can be compared and never served.",
  },
  EXPORT_UNSUPPORTED: { status: 422, exit: 2, meaning: "A version cannot be written in the format asked for." },
  PROBE_MISMATCH: { status: 500, exit: 1, meaning: "A loaded model does not reproduce its recorded answers." },
  REPRODUCTION_DIFFERS: { status: 500, exit: 1, meaning: "Retraining from the manifest gave another hash." },
  STATISTIC_UNDEFINED: { status: 500, exit: 1, meaning: "A statistic was asked of values it is not defined for." },
  // engine
  ENGINE_STOPPED: { status: 503, exit: 1, meaning: "The engine is shutting down." },
  ENGINE_GAVE_UP: {
    status: 500,
    exit: 1,
    meaning: "Every process that ran the workflow died; it is not started again.",
  },
  ATTEMPT_STALE: { status: 409, exit: 7, meaning: "A newer attempt of this run exists; this one must not write." },
  // client and command line
  SERVER_UNREACHABLE: { status: 502, exit: 8, meaning: "No server answers at that address." },
  PORT_IN_USE: { status: 500, exit: 7, meaning: "The port is taken." },
  USAGE: { status: 400, exit: 2, meaning: "The command was called with wrong words." },
  DEPENDENCY_MISSING: { status: 500, exit: 1, meaning: "An optional package is not installed." },
  WEBHOOK_REFUSED: { status: 422, exit: 2, meaning: "A webhook address is private or malformed." },
  INTERNAL: { status: 500, exit: 1, meaning: "A mistake of ours; the log has the details." },
} as const satisfies Record<string, CodeInfo>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorParts {
  /** What happened and why, in full sentences. */
  readonly message: string;
  /** How to fix it: the exact key or command. */
  readonly remedy: string;
  readonly details?: JsonObject;
  readonly cause?: unknown;
  readonly retryable?: boolean;
}

export class RetrainError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string;
  readonly details: JsonObject;
  readonly retryable: boolean;

  constructor(code: ErrorCode, parts: ErrorParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = "RetrainError";
    this.code = code;
    this.remedy = parts.remedy;
    this.details = parts.details ?? {};
    this.retryable = parts.retryable ?? false;
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }
}

/** The error to throw: `throw fail("MODEL_UNKNOWN", { message, remedy })`. */
export function fail(code: ErrorCode, parts: ErrorParts): RetrainError {
  return new RetrainError(code, parts);
}

/** Any thrown thing as a RetrainError; a foreign one becomes INTERNAL with its cause kept. */
export function asRetrainError(error: unknown): RetrainError {
  if (error instanceof RetrainError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new RetrainError("INTERNAL", {
    message: `Something unexpected happened: ${message}`,
    remedy: "Look in the log for the request id, and report it if it repeats.",
    cause: error,
  });
}

/** The nearest of the allowed words by edit distance, when it is near enough to be meant. Cost O(n·len²). */
export function nearestWord(word: string, allowed: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of allowed) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(left: string, right: string): number {
  const row = Array.from({ length: right.length + 1 }, (_, j) => j);
  for (let i = 1; i <= left.length; i++) {
    let diagonal = row[0] as number;
    row[0] = i;
    for (let j = 1; j <= right.length; j++) {
      const above = row[j] as number;
      const change = left[i - 1] === right[j - 1] ? 0 : 1;
      row[j] = Math.min(above + 1, (row[j - 1] as number) + 1, diagonal + change);
      diagonal = above;
    }
  }
  return row[right.length] as number;
}
