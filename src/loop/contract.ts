/**
 * What the loop offers to its callers: the HTTP server, the command line, the library and the tests all use this one surface.
 * `createLoop` in `loop/index.ts` builds it over a Store, an Engine, an ObjectStore, a JobPool and two clocks.
 */
import type {
  Anomaly,
  DecisionRecord,
  EvaluationReport,
  ForecastDetails,
  Instant,
  JsonObject,
  LabelSource,
  RecommendDetails,
  LabelValue,
  Marker,
  QuarantinedRow,
  ReviewState,
  Routing,
  RunRecord,
  RunState,
  RunStepName,
  SourcePosition,
  Store,
  TrainingStrategy,
  VirtualWorldClock,
  WorldClock,
} from "../core/index.ts";
import type { ModelSpec, RetrainSpec } from "../config/spec.ts";
import type { CompareSurface } from "./compare-surface.ts";
import type { GateSurface } from "./gate-surface.ts";
import type { ImportanceSurface } from "./importance-surface.ts";
import type { RollbackSurface } from "./rollback-surface.ts";
import type { Reproduction, TransferSurface } from "./transfer-surface.ts";
import type { DriftSurface } from "./drift-contract.ts";
import type { MonitorSurface } from "./monitor-contract.ts";
import type { FeedbackSurface } from "./feedback/surface.ts";
import type { LabelingSurface } from "./labeling/surface.ts";
import type { ReviewSurface } from "./reviews/surface.ts";
import type { RolloutSurface } from "./rollouts/contract.ts";
import type { RowReading } from "./row-reading.ts";

export type { RowReading } from "./row-reading.ts";

export interface IngestRequest {
  readonly model: string;
  readonly rows: AsyncIterable<RowReading> | Iterable<RowReading>;
  /** Observations (features, with or without label) or labels by id. */
  readonly form: "observation" | "label";
  /** `http`, `cli`, `file:<name>`, `replay`. */
  readonly origin: string;
  readonly idempotencyKey?: string;
  readonly payloadHash?: string;
  /** Imports of history: a column that states when a row was known, or event time plus label delay. */
  readonly knownAt?: { readonly column: string } | "at+labelDelay";
  readonly labelSource?: LabelSource;
  /** Texts that mean missing in CSV rows, besides blank and NA. */
  readonly missing?: readonly string[];
  readonly source?: Omit<SourcePosition, "updatedAt">;
  /** The file of a source that has several: names rows that have no id, together with their place. */
  readonly part?: string;
  /** Rows that the log holds as they are count once: they are left out and counted as duplicates. */
  readonly mayBeKnown?: boolean;
  /** What the source itself found, such as a rewritten file. */
  readonly anomalies?: readonly Anomaly[];
}

export interface IngestResult {
  readonly batchId: string;
  readonly received: number;
  readonly accepted: number;
  readonly quarantined: number;
  readonly labelled: number;
  /** The first few reasons, for the answer. */
  readonly problems: readonly { readonly rowNumber: number; readonly reasons: QuarantinedRow["reasons"] }[];
  readonly anomalies: readonly Anomaly[];
}

export interface PredictRequest {
  readonly model: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly trace?: boolean;
  /** Pins a version; pinned answers are not logged unless `log` says so. */
  readonly version?: string;
  readonly log?: boolean;
  /** For tests during a rollout: this variant answers, and the request takes part in no experiment. */
  readonly variant?: "champion" | "challenger";
}

export interface PredictionTrace {
  readonly prepared: readonly {
    readonly column: string;
    readonly from: string;
    readonly raw: number | string | boolean | null;
    readonly filled: number | string | boolean;
    readonly scaled: number;
    /** Where one line stands for several columns (a vector, an image): how many; `scaled` is then their length. */
    readonly columns?: number;
    /** What the column adds to the score before the link function, for linear models and trees. */
    readonly contribution?: number;
  }[];
  /** The part of the score that no column adds. */
  readonly intercept?: number;
  readonly link?: string;
  readonly raw?: readonly number[];
  readonly scores: readonly number[];
  readonly threshold?: number;
  readonly decision: LabelValue;
}

export interface PredictedRow {
  /** Absent when the answer was not logged. */
  readonly predictionId?: string;
  readonly exampleId: string;
  readonly logged: boolean;
  /** Null while the answer is held for review, and where it is withheld. */
  readonly decision: LabelValue | null;
  /** Probability per class by its name, absent for regression. */
  readonly probabilities?: Readonly<Record<string, number>>;
  /** Binary: probability of true; regression: the value. */
  readonly score?: number;
  readonly trace?: PredictionTrace;
  /** An answer the model is not sure of: where its review stands. */
  readonly review?: { readonly state: ReviewState; readonly dueAt?: Instant; readonly reason?: string };
  /** Task forecast: which period of which series, with its interval. */
  readonly forecast?: ForecastDetails;
  /** Task recommend: the slate. */
  readonly recommend?: RecommendDetails;
  /** During a rollout: the version that answered this row, and what the row counts for. */
  readonly version?: string;
  readonly variant?: "champion" | "challenger";
}
export interface PredictAnswer {
  readonly model: string;
  readonly version: string;
  readonly predictions: readonly PredictedRow[];
}

export interface PerformancePoint {
  readonly from: Instant;
  readonly to: Instant;
  readonly version: string;
  /** Predictions made in the bucket, and how many of them have a label by now. */
  readonly predictions: number;
  readonly labelled: number;
  readonly value: number | null;
  /** 90 % two-sided, where the counters hold enough. */
  readonly interval?: readonly [number, number];
  readonly mature: boolean;
  /** What the version's scores say of it, labels or not; the band is three deviations of sampling and calibration. */
  readonly estimated?: {
    readonly value: number;
    readonly rows: number;
    readonly low: number | null;
    readonly high: number | null;
  };
}
export interface EstimateSummary {
  readonly method: string;
  /** Mature buckets with labels enough to compare with. */
  readonly comparedBuckets: number;
  /** Mean |estimated − realised| over them. */
  readonly meanAbsoluteError: number | null;
  /** In how many of them the realised value left the band. */
  readonly outsideBand: number;
  readonly blindSpots: readonly string[];
}
export interface PerformanceSeries {
  readonly model: string;
  readonly metric: string;
  readonly higherIsBetter: boolean;
  readonly points: readonly PerformancePoint[];
  /** The value the champion had on its holdout, with its interval. */
  readonly reference: {
    readonly value: number;
    readonly low: number;
    readonly high: number;
    readonly version: string;
  } | null;
  readonly markers: readonly Marker[];
  /** Null where the version or the metric has no estimate. */
  readonly estimate: EstimateSummary | null;
}

export interface StatusRow {
  readonly step: RunStepName | "collect" | "monitor" | "trigger" | "serve";
  readonly state: "done" | "running" | "waiting" | "stopped" | "failed" | "skipped";
  readonly action: string;
  readonly input: string;
  readonly output: string;
  readonly next: string;
}
/** The latest cycle: one line a step, and how model, data and performance changed over it. */
export interface StatusTable {
  readonly model: string;
  readonly sentence: string;
  readonly run: { readonly id: string; readonly state: RunState; readonly cause: string } | null;
  readonly rows: readonly StatusRow[];
  readonly tracker: readonly {
    readonly what: "model" | "data" | "performance" | "learning";
    readonly before: string;
    readonly after: string;
  }[];
}

export interface ModelSummary {
  readonly name: string;
  readonly task: ModelSpec["schema"]["task"];
  readonly champion: string | null;
  readonly state: "waiting-for-data" | "healthy" | "retraining" | "worse" | "not-ready" | "blocked";
  readonly sentence: string;
  readonly metric: string;
  readonly sparkline: readonly (number | null)[];
  readonly lastRun: { readonly id: string; readonly state: RunState; readonly at: Instant } | null;
  readonly nextScheduledAt: Instant | null;
  readonly openAlerts: number;
  readonly quarantined: number;
  readonly events: { readonly observations: number; readonly predictions: number; readonly labels: number };
}

export interface LoopEvent {
  /** run.updated, run.trace, version.registered, version.promoted, rollout.updated, decision, alert.opened, alert.resolved, ingest, tick, config.changed */
  readonly type: string;
  readonly model: string | null;
  readonly at: Instant;
  readonly data: JsonObject;
}

export interface Loop
  extends CompareSurface,
    TransferSurface,
    GateSurface,
    ImportanceSurface,
    MonitorSurface,
    RollbackSurface,
    RolloutSurface,
    DriftSurface {
  readonly spec: RetrainSpec;
  readonly store: Store;
  readonly worldClock: WorldClock | VirtualWorldClock;
  /** Loads champions, starts timers (ticks, compaction, deliveries, sources) unless the clock is virtual. */
  start(): Promise<void>;
  stop(): Promise<void>;
  ready(): { readonly ready: boolean; readonly reasons: readonly string[] };

  model(name: string): ModelSpec;
  summaries(): Promise<readonly ModelSummary[]>;
  status(model: string): Promise<StatusTable>;
  performance(query: {
    model: string;
    metric?: string;
    from?: Instant;
    to?: Instant;
    bucketMs?: number;
    version?: string;
    asOf?: Instant;
  }): Promise<PerformanceSeries>;

  ingest(request: IngestRequest): Promise<IngestResult>;
  predict(request: PredictRequest): Promise<PredictAnswer>;
  /** As `predict`, told by a call of one of the two, neither of which may throw: a promise costs a request half a microsecond on Node 20. */
  answer(request: PredictRequest, give: (answer: PredictAnswer) => void, refuse: (error: unknown) => void): void;
  /** Which examples people are asked about, and what they answered. */
  readonly labeling: LabelingSurface;
  /** What users of an application say about single answers. */
  readonly feedback: FeedbackSurface;
  /** Uncertain answers a person decides. */
  readonly reviews: ReviewSurface;
  replayQuarantine(
    model: string,
    ids?: readonly string[],
  ): Promise<{ readonly replayed: number; readonly stillWaiting: number }>;

  requestRun(
    model: string,
    options: { reason: string; actor: string; strategy?: TrainingStrategy },
  ): Promise<{ readonly run: RunRecord; readonly coalesced: boolean }>;
  cancelRun(id: string, actor: string): Promise<RunRecord>;
  evaluation(runId: string): Promise<EvaluationReport | undefined>;
  promote(model: string, version: string, actor: string, reason: string): Promise<Routing>;
  rollback(model: string, actor: string, reason: string): Promise<Routing>;
  reproduce(model: string, version: string): Promise<Reproduction>;
  raiseEvent(
    name: string,
    model: string | undefined,
    details: JsonObject,
  ): Promise<{ readonly models: readonly string[] }>;

  /** One tick of a model at the aligned instant. `skipped` when nothing could have changed. */
  tick(
    model: string,
    at: Instant,
  ): Promise<{ readonly skipped: boolean; readonly decisions: readonly DecisionRecord[]; readonly runId?: string }>;
  /** Replay only: moves the virtual clock tick by tick and waits for the runs the ticks queued. @throws REPLAY_ONLY */
  advance(to: Instant): Promise<{ readonly now: Instant; readonly ticks: number; readonly runs: readonly string[] }>;
  /** Replaces the running configuration after validation; a bad one throws and changes nothing. */
  reconfigure(spec: RetrainSpec): Promise<void>;
  subscribe(listener: (event: LoopEvent) => void): () => void;
}
