/**
 * The HTTP contract: the type of every request and answer below `/api/v1`. The console and the typed client import types from
 * here and nothing else of ours, so a change that breaks them is a compile error in one of three places.
 *
 * Conventions: instants are UTC milliseconds; shares are in [0,1]; lists are newest first and paged by an opaque `cursor`;
 * unknown body fields and query parameters are refused; errors are problem+json (RFC 9457, `Problem`).
 */
import type {
  AlertRecord,
  Anomaly,
  AuditRecord,
  BatchRecord,
  DecisionRecord,
  EvaluationReport,
  Instant,
  Json,
  JsonObject,
  LabelSource,
  LabelValue,
  QuarantinedRow,
  Role,
  RunRecord,
  RunState,
  RunStepName,
  RunStepRecord,
  Task,
  TracePoint,
  TrainingStrategy,
  VersionRecord,
} from "../core/records.ts";
import type { Routing } from "../core/rollouts.ts";
import type {
  IngestResult,
  LoopEvent,
  ModelSummary,
  PerformanceSeries,
  PredictAnswer,
  PredictedRow,
  PredictionTrace,
  StatusTable,
} from "../loop/contract.ts";
import type { VersionImportance } from "../loop/importance-surface.ts";
import type { RollbackPlan } from "../loop/rollback-surface.ts";
import type { ApprovalAnswer, ApprovalList, CompareAnswer } from "./contract/gates.ts";
import type { ExportKeyAnswer, ImportAnswer } from "./contract/transfer.ts";
import type { DriftFeatureView, DriftView, MultivariateView } from "./contract/drift.ts";
import type { FeedbackApi } from "./contract/feedback.ts";
import type { ReviewApi } from "./contract/reviews.ts";
import type { LabelingApi } from "./contract/labeling.ts";
import type { Page, PageQuery } from "./contract/page.ts";
import type { AuditApi } from "./contract/audit.ts";
import type { RolloutApi } from "./contract/rollouts.ts";
import type { Diagnosis, SlicePerformance, TriggerExplanation } from "./contract/monitors.ts";

export type * from "./contract/feedback.ts";
export type * from "./contract/labeling.ts";
export type * from "./contract/reviews.ts";
export type * from "./contract/drift.ts";
export type * from "./contract/monitors.ts";
export type * from "./contract/page.ts";
export type * from "./contract/audit.ts";
export type * from "./contract/rollouts.ts";

/** Every error answer, content type `application/problem+json`. */
export interface Problem {
  /** `urn:retrain:error:<CODE>`. */
  readonly type: string;
  /** The stable meaning of the code. */
  readonly title: string;
  readonly status: number;
  /** Upper-snake word, listed in docs/errors.md. */
  readonly code: string;
  /** What happened here, with the value and its place. */
  readonly detail: string;
  /** How to fix it. */
  readonly hint: string;
  readonly requestId: string;
  /** Structured facts: the rows of a batch that broke a rule, the column, the nearest word. */
  readonly details?: JsonObject;
}

/** GET /server */
export interface ServerInfo {
  readonly name: "retrain";
  readonly version: string;
  /** World clock; virtual in replay mode. */
  readonly now: Instant;
  readonly replay: boolean;
  readonly ready: boolean;
  readonly reasons: readonly string[];
  /** Who is asking: null role means the request would be refused. */
  readonly actor: { readonly name: string; readonly role: Role };
  readonly store: { readonly state: "up" | "down" | "full"; readonly reason?: string };
}

/** GET /models */
export interface ModelList {
  readonly items: readonly ModelSummary[];
}

/** GET /models/{model} */
export interface ModelDetail {
  readonly summary: ModelSummary;
  readonly routing: Routing;
  readonly description: ModelDescription;
}
/** What the console shows of a model's definition; plain JSON of the resolved spec. */
export interface ModelDescription {
  readonly name: string;
  readonly task: Task;
  readonly id: string | null;
  readonly time: string | null;
  readonly labelColumn: string;
  readonly labelDelayMs: number;
  readonly features: readonly { readonly name: string; readonly spec: JsonObject }[];
  readonly label: JsonObject;
  readonly trainer: { readonly name: string; readonly params: JsonObject };
  readonly retrain: JsonObject;
  readonly gates: readonly JsonObject[];
  readonly data: JsonObject;
}

/** GET /models/{model}/performance */
export interface PerformanceQuery {
  /** Default: the model's main metric. */
  readonly metric?: string;
  readonly from?: Instant;
  readonly to?: Instant;
  readonly bucketMs?: number;
  readonly version?: string;
  /** Only what was known at this instant. */
  readonly asOf?: Instant;
}

/**
 * POST /models/{model}/examples. Body by content type: `application/json` (one row, an array of rows, or {rows}),
 * `application/x-ndjson`, `text/csv`, `application/vnd.apache.parquet`, or `multipart/form-data` with one file.
 */
export interface ExamplesQuery {
  /** `label`: the rows are labels by id instead of observations. Default `observation`. */
  readonly form?: "observation" | "label";
  /** A column that says when each row was known, or `at+labelDelay`; imports of history only. */
  readonly knownAt?: string;
  /** Texts that mean missing in CSV, comma-separated, besides blank and NA. */
  readonly missing?: string;
  /** Names the sender in the batch record. Default `http`. */
  readonly origin?: string;
}
export type IngestAnswer = IngestResult;

/** POST /models/{model}/predict. One row object, or many as {rows}. */
export type PredictBody = Readonly<Record<string, Json>> | { readonly rows: readonly Readonly<Record<string, Json>>[] };
export interface PredictQuery {
  /** `1`: say how the score came about. */
  readonly trace?: "0" | "1";
  /** Pins a version; pinned answers are not logged unless `log=1`. */
  readonly version?: string;
  /** `0`: do not log. */
  readonly log?: "0" | "1";
}
/**
 * The answer to one row is the row's prediction with its model and version; to many rows it is PredictAnswer. A forecast is
 * asked by {<series>, steps?, until?, future?} and always answers PredictAnswer, one prediction a period. A slate is asked by
 * {<user>, k?, candidates?} and is one prediction, its items under `recommend`.
 */
export type PredictOneAnswer = PredictedRow & { readonly model: string; readonly version: string };
export type PredictManyAnswer = PredictAnswer;

/** One label. Exactly one of exampleId and predictionId. `label: null` retracts the source's earlier answers. */
export interface LabelBody {
  readonly exampleId?: string;
  readonly predictionId?: string;
  readonly label: LabelValue | null;
  /** When it became true; default: when received. Instant or ISO 8601 text. */
  readonly at?: Instant | string;
  /** Default `system`. */
  readonly source?: LabelSource;
  readonly comment?: string;
}
/** POST /models/{model}/labels: one label, {labels}, NDJSON or CSV with the columns above. */
export type LabelsBody = LabelBody | { readonly labels: readonly LabelBody[] };

/** GET /models/{model}/quarantine */
export interface QuarantineQuery extends PageQuery {
  readonly state?: QuarantinedRow["state"];
}
/** POST /models/{model}/quarantine/replay and /drop; without ids: all waiting rows. */
export interface QuarantineIds {
  readonly ids?: readonly string[];
}
export interface QuarantineReplayAnswer {
  readonly replayed: number;
  readonly stillWaiting: number;
}
export interface QuarantineDropAnswer {
  readonly dropped: number;
}

/** GET /models/{model}/runs, and GET /runs over all models */
export interface RunsQuery extends PageQuery {
  /** Comma-separated run states. */
  readonly state?: string;
}
/** POST /models/{model}/runs */
export interface RunBody {
  readonly reason?: string;
  readonly strategy?: TrainingStrategy;
}
export interface RunStarted {
  readonly run: RunRecord;
  /** True when a run was under way or queued already and this request joined it. */
  readonly coalesced: boolean;
}
/** GET /runs/{id}/trace */
export interface TraceAnswer {
  readonly points: readonly TracePoint[];
}
export interface TraceQuery {
  readonly afterEpoch?: number;
}
/** GET /runs/{id}/steps */
export interface StepsAnswer {
  readonly steps: readonly RunStepRecord[];
}

/** POST /models/{model}/versions/{version}/promote and /models/{model}/rollback */
export interface ReasonBody {
  readonly reason: string;
}
/** POST /models/{model}/versions/{version}/reproduce */
export interface ReproduceAnswer {
  readonly equal: boolean;
  readonly expected: string;
  readonly actual: string;
  /** The versions it was continued from by warm starts, nearest first; `equal` is about all of them. */
  readonly bases: readonly { readonly version: string; readonly equal: boolean }[];
}

/** GET /decisions */
export interface DecisionsQuery extends PageQuery {
  readonly model?: string;
  readonly kind?: DecisionRecord["kind"];
  readonly runId?: string;
}
/** GET /alerts */
export interface AlertsQuery extends PageQuery {
  readonly model?: string;
  readonly state?: "open" | "resolved";
}

/** POST /events: our form, or a CloudEvents 1.0 structured event (`application/cloudevents+json`) whose `type` is the name. */
export interface TriggerEventBody {
  readonly name: string;
  /** Default: every model with a trigger of that name. */
  readonly model?: string;
  readonly details?: JsonObject;
}
export interface TriggerEventAnswer {
  /** Models whose trigger will see the event at their next tick. */
  readonly models: readonly string[];
}

/** GET /config: every resolved value with its origin; secrets are masked. */
export interface ConfigAnswer {
  readonly config: Json;
  /** Dotted path → default | file | environment | flag | derived: <why>. */
  readonly origins: Readonly<Record<string, string>>;
}

/** GET /tokens */
export interface TokenView {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly scopes: readonly string[];
  readonly createdAt: Instant;
  readonly expiresAt: Instant | null;
  readonly revokedAt: Instant | null;
}
/** POST /tokens */
export interface TokenBody {
  readonly name: string;
  readonly role: Role;
  /** `predict`, `ingest`, `label`: narrows the token to these routes. Empty: all its role may do. */
  readonly scopes?: readonly TokenScope[];
  /** Days until it ends; absent: never. */
  readonly expiresInDays?: number;
}
export type TokenScope = "predict" | "ingest" | "label";
/** The secret is shown in this answer only. */
export interface TokenCreated {
  readonly token: TokenView;
  readonly secret: string;
}

/** GET /sources */
export interface SourceView {
  readonly name: string;
  readonly model: string;
  readonly kind: "file" | "folder";
  readonly path: string;
  readonly format: string | null;
  /** Position and health as last saved; null before its first read. */
  readonly position: JsonObject | null;
  readonly updatedAt: Instant | null;
}
export interface SourceList {
  readonly items: readonly SourceView[];
}

/** POST /replay/advance: replay mode only. */
export interface AdvanceBody {
  readonly to: Instant;
}
export interface AdvanceAnswer {
  readonly now: Instant;
  readonly ticks: number;
  readonly runs: readonly string[];
}
/** POST /replay/speed: from now on the world clock runs at this speed (1 = real time, 0 = stands still). */
export interface ReplaySpeedBody {
  readonly speed: number;
}

/** GET /stream: server-sent events. `event:` is the type, `data:` the LoopEvent, `id:` a number of this process. */
export type StreamEvent = LoopEvent;

export type {
  ApprovalAnswer,
  ApprovalBody,
  ApprovalList,
  ApprovalRecord,
  CompareAnswer,
  CompareQuery,
} from "./contract/gates.ts";
export type { CandidateChoice, TriedCandidate } from "../core/candidates.ts";
export type { FeatureImportance } from "../core/importance.ts";
export type { RollbackPlan, VersionImportance };
export type { ExportKeyAnswer, ImportAnswer } from "./contract/transfer.ts";
export type {
  AlertRecord,
  Anomaly,
  AuditRecord,
  BatchRecord,
  DecisionRecord,
  EvaluationReport,
  IngestResult,
  Instant,
  Json,
  JsonObject,
  LabelSource,
  LabelValue,
  LoopEvent,
  ModelSummary,
  PerformanceSeries,
  PredictAnswer,
  PredictedRow,
  PredictionTrace,
  QuarantinedRow,
  Role,
  RunRecord,
  RunState,
  RunStepName,
  RunStepRecord,
  StatusTable,
  TracePoint,
  TrainingStrategy,
  VersionRecord,
};

/**
 * Every path below `/api/v1` with the type of its answer; the client and the console are typed by it.
 */
export interface Api extends AuditApi, LabelingApi, FeedbackApi, ReviewApi, RolloutApi {
  readonly "GET /server": ServerInfo;
  readonly "GET /models": ModelList;
  readonly "GET /models/:model": ModelDetail;
  readonly "GET /models/:model/status": StatusTable;
  readonly "GET /models/:model/drift": DriftView;
  readonly "GET /models/:model/drift/feature": DriftFeatureView;
  readonly "GET /models/:model/drift/multivariate": MultivariateView;
  readonly "GET /models/:model/performance": PerformanceSeries;
  readonly "GET /models/:model/triggers": TriggerExplanation;
  readonly "GET /models/:model/slices": SlicePerformance;
  readonly "GET /models/:model/diagnosis": Diagnosis;
  readonly "POST /models/:model/examples": IngestAnswer;
  readonly "POST /models/:model/predict": PredictOneAnswer | PredictManyAnswer;
  readonly "POST /models/:model/labels": IngestAnswer;
  readonly "GET /models/:model/quarantine": Page<QuarantinedRow>;
  readonly "POST /models/:model/quarantine/replay": QuarantineReplayAnswer;
  readonly "POST /models/:model/quarantine/drop": QuarantineDropAnswer;
  readonly "GET /models/:model/batches": Page<BatchRecord>;
  readonly "GET /models/:model/runs": Page<RunRecord>;
  readonly "POST /models/:model/runs": RunStarted;
  readonly "GET /models/:model/versions": { readonly items: readonly VersionRecord[] };
  readonly "GET /models/:model/versions/:version": VersionRecord;
  readonly "GET /models/:model/versions/:version/importance": VersionImportance;
  readonly "POST /models/:model/versions/:version/promote": Routing;
  readonly "POST /models/:model/versions/:version/reproduce": ReproduceAnswer;
  readonly "GET /models/:model/versions/:version/approvals": ApprovalList;
  readonly "POST /models/:model/versions/:version/approvals": ApprovalAnswer;
  readonly "GET /models/:model/compare": CompareAnswer;
  readonly "GET /export-key": ExportKeyAnswer;
  readonly "POST /models/:model/imports": ImportAnswer;
  readonly "GET /models/:model/rollback": RollbackPlan;
  readonly "POST /models/:model/rollback": Routing;
  readonly "GET /runs": Page<RunRecord>;
  readonly "GET /runs/:id": RunRecord;
  readonly "GET /runs/:id/trace": TraceAnswer;
  readonly "GET /runs/:id/steps": StepsAnswer;
  readonly "GET /runs/:id/evaluation": EvaluationReport;
  readonly "POST /runs/:id/cancel": RunRecord;
  readonly "GET /decisions": Page<DecisionRecord>;
  readonly "GET /alerts": Page<AlertRecord>;
  readonly "POST /alerts/:id/resolve": AlertRecord;
  readonly "POST /events": TriggerEventAnswer;
  readonly "GET /config": ConfigAnswer;
  readonly "GET /tokens": { readonly items: readonly TokenView[] };
  readonly "POST /tokens": TokenCreated;
  readonly "DELETE /tokens/:id": TokenView;
  readonly "GET /sources": SourceList;
  readonly "POST /replay/advance": AdvanceAnswer;
  readonly "POST /replay/speed": AdvanceAnswer;
}
