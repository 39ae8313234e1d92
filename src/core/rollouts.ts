/**
 * Rollouts: how a challenger goes live in stages, and what was judged on the way. A stage passes through one or more phases
 * (a ramp has one per share); traffic and statistics belong to a phase, so that a change of shares never mixes two experiments.
 */
import type { Instant, JsonObject, Outcome } from "./records.ts";

/** Hash buckets units are assigned to; a share is a number of buckets. */
export const ASSIGNMENT_BUCKETS = 10_000;

export type Variant = "champion" | "challenger";
export const STAGE_KINDS = ["shadow", "canary", "ramp", "ab", "full"] as const;
export type StageKind = (typeof STAGE_KINDS)[number];

/** Row metrics an experiment can average: one number per labelled prediction. */
export const EXPERIMENT_METRICS = ["logLoss", "brier", "accuracy", "mae"] as const;
export type ExperimentMetric = (typeof EXPERIMENT_METRICS)[number];

/** When a rollout may move on; going back is never held up. Minutes of the local day, `to` exclusive. */
export interface MaintenanceWindow {
  readonly days: readonly number[];
  readonly fromMinute: number;
  readonly toMinute: number;
  readonly timeZone: string;
}

/** A business measure sent as outcome events, per request. */
export interface OutcomeGuard {
  readonly outcome: string;
  readonly worseWhen: "higher" | "lower";
  /** How much worse per request it may be. */
  readonly margin: number;
}

interface StageBase {
  /** What quality is judged by. */
  readonly metric: ExperimentMetric;
  /** How much worse the challenger may be, in the metric's unit. */
  readonly margin: number;
  readonly guards: readonly OutcomeGuard[];
  readonly within?: MaintenanceWindow;
}
export interface ShadowStage extends StageBase {
  readonly kind: "shadow";
  readonly durationMs: number;
  /** Share of live requests mirrored to the challenger. */
  readonly share: number;
  /** Logged requests of so long ago are answered by the challenger at once; 0: none. */
  readonly replayMs: number;
  readonly minSamples: number;
  readonly maxMs: number;
  /** How the interval of paired differences is made; absent: always-valid. */
  readonly method?: "always-valid" | "bounded" | "betting";
}
export interface CanaryStage extends StageBase {
  readonly kind: "canary";
  readonly share: number;
  readonly durationMs: number;
  readonly minSamples: number;
  readonly maxMs: number;
}
export interface RampStage extends StageBase {
  readonly kind: "ramp";
  readonly shares: readonly number[];
  /** How long each share lasts. */
  readonly eachMs: number;
}
export interface AbStage extends StageBase {
  readonly kind: "ab";
  readonly share: number;
  /** It promotes no earlier, however clear the evidence; going back never waits. */
  readonly minMs?: number;
  readonly maxMs: number;
  /** Labelled rows of both arms before a verdict. */
  readonly minSamples: number;
  readonly rule: "superiority" | "non-inferiority";
  readonly method: "always-valid" | "bounded" | "betting" | "group-sequential";
  readonly spending: "obrien-fleming" | "pocock";
  /** Planned looks of a group-sequential test, equally spaced up to `maxMs`. */
  readonly looks: number;
  /** Rows of both arms at the last planned look. */
  readonly plannedRows?: number;
  readonly alpha: number;
}
export interface FullStage extends StageBase {
  readonly kind: "full";
  /** How long the new champion is compared with the previous one after its promotion; 0: not at all. */
  readonly watchMs: number;
}
export type StageSpec = ShadowStage | CanaryStage | RampStage | AbStage | FullStage;

/**
 * | state | meaning | moves on by |
 * |---|---|---|
 * | open | stages are under way | evidence, time, a person |
 * | paused | traffic stays as it is and nothing moves on; harm still rolls back | resume, roll back, abort |
 * | watching | the challenger was promoted and is compared with the previous champion | the watch ends, harm, the next rollout |
 * | promoted | the challenger is champion for good | final |
 * | rolled-back | harm, or a person, brought the champion back | final |
 * | inconclusive | no evidence after the maximum: the champion stayed | final |
 * | aborted | a person ended it; the champion stayed | final |
 * | superseded | a better candidate took the challenger's place | final |
 */
export const ROLLOUT_STATES = [
  "open",
  "paused",
  "watching",
  "promoted",
  "rolled-back",
  "inconclusive",
  "aborted",
  "superseded",
] as const;
export type RolloutState = (typeof ROLLOUT_STATES)[number];

export interface RolloutPhase {
  /** Position in `stages`; a promoted rollout's watch is a phase of its `full` stage. */
  readonly stage: number;
  readonly kind: StageKind | "watch";
  /** Share of buckets the challenger answers. */
  readonly share: number;
  /** Share of requests mirrored to the challenger. */
  readonly mirror: number;
  readonly enteredAt: Instant;
  readonly firstExposureAt?: Instant;
  readonly exitedAt?: Instant;
  readonly outcome?: Outcome | "skipped";
  /** Why it ended. */
  readonly reason?: string;
  /** Set when a replay of logged requests began: requests from then on are answered. */
  readonly replaySince?: Instant;
  /** Set when that replay was done: how many the challenger answered. */
  readonly replayed?: number;
  /** When that was: what was mirrored up to here came from the replay, not from a request of the stage. */
  readonly replayedAt?: Instant;
  /** Information fractions of the planned looks taken so far. */
  readonly looks?: readonly number[];
}

export interface RolloutRecord {
  readonly id: string;
  readonly model: string;
  readonly champion: string;
  readonly challenger: string;
  readonly runId?: string;
  readonly state: RolloutState;
  /** Makes the assignment of this rollout independent of every other. */
  readonly salt: string;
  readonly stages: readonly StageSpec[];
  readonly phases: readonly RolloutPhase[];
  /** One sentence: where it stands, or how it ended. */
  readonly verdict: string;
  /** A newer candidate that passed its gate and waits for this rollout to end. */
  readonly waiting?: { readonly version: string; readonly runId: string; readonly at: Instant };
  readonly createdAt: Instant;
  readonly endedAt?: Instant;
  /** Grows with every change: two processes cannot both move a rollout on. */
  readonly revision: number;
}

/** What the replicas need of a rollout to route a request. */
export interface RoutePlan {
  readonly rollout: string;
  /** Index of the phase. */
  readonly phase: number;
  readonly kind: StageKind;
  readonly share: number;
  readonly mirror: number;
  readonly salt: string;
}

/** Which versions answer for a model. Numbered; replicas activate it in order. */
export interface Routing {
  readonly model: string;
  readonly number: number;
  readonly champion: string | null;
  readonly challenger: string | null;
  readonly stage: "none" | StageKind;
  readonly at: Instant;
  readonly plan: RoutePlan | null;
  /** False while other replicas are still loading its versions. */
  readonly active: boolean;
}

/** Counts of one replica about the versions of an open rollout. Measured on the system clock. */
export interface ServingCounts {
  readonly rollout: string;
  readonly phase: number;
  readonly answers: number;
  readonly errors: number;
  readonly invalid: number;
  readonly timeouts: number;
  /** Answers of the challenger that took longer than the limit derived from the champion's own. */
  readonly slow: number;
  readonly medianMicros: number | null;
  readonly p99Micros: number | null;
  readonly championMedianMicros: number | null;
  readonly championP99Micros: number | null;
  /** Mirrored requests that were left out because the challenger could not keep up. */
  readonly mirrorDropped: number;
}
export interface ReplicaRecord {
  readonly id: string;
  /** Per model the number of the routing whose versions are in memory. */
  readonly loaded: Readonly<Record<string, number>>;
  readonly serving: Readonly<Record<string, ServingCounts>>;
}

export interface GuardrailFinding {
  readonly guardrail: string;
  /** yes: harm is shown; no: it holds; cannot-tell. */
  readonly harm: Outcome;
  readonly value: number | null;
  readonly limit: number | null;
  readonly interval?: readonly [number, number];
  readonly reason: string;
}

/** The comparison of a phase in the metric's unit, oriented so that positive means the challenger is better. */
export interface Comparison {
  readonly design: "paired" | "unpaired";
  readonly method: string;
  readonly metric: ExperimentMetric;
  /** Labelled rows: per arm, or pairs in both. */
  readonly championRows: number;
  readonly challengerRows: number;
  readonly championMean: number | null;
  readonly challengerMean: number | null;
  readonly difference: number | null;
  readonly interval: readonly [number, number] | null;
  /** Valid at every look. */
  readonly p: number | null;
  readonly standardError: number | null;
  /** Share of variance the champion's score explained away. */
  readonly varianceReduction: number | null;
  /** The same with later corrections of labels; differs from the sequence above only where labels changed. */
  readonly corrected: { readonly difference: number | null; readonly interval: readonly [number, number] | null };
  readonly verdict: "better" | "not-worse" | "worse" | "cannot-tell";
  readonly correctedVerdict: "better" | "not-worse" | "worse" | "cannot-tell";
  /** Total rows at which the maximum information is expected, and how far along it is. */
  readonly plannedRows: number | null;
  /** Set when this is a planned look of a group-sequential test. */
  readonly lookFraction?: number;
}

export interface SampleRatio {
  readonly champion: number;
  readonly challenger: number;
  readonly expectedShare: number;
  readonly p: number | null;
  readonly mismatch: boolean;
}

export interface PhaseEvidence {
  readonly phase: number;
  readonly exposures: { readonly champion: number; readonly challenger: number; readonly mirrored: number };
  /** Assignment buckets that asked: the independent pieces a split is judged by, at most one a unit. */
  readonly buckets: { readonly champion: number; readonly challenger: number };
  readonly firstExposureAt: Instant | null;
  readonly lastExposureAt: Instant | null;
  readonly sampleRatio: SampleRatio | null;
  readonly labelledRatio: SampleRatio | null;
  readonly comparison: Comparison | null;
  readonly guardrails: readonly GuardrailFinding[];
}

/** One look at an experiment, kept for the chart of its confidence sequence. */
export interface ExperimentLook {
  readonly rollout: string;
  readonly phase: number;
  readonly at: Instant;
  readonly rows: number;
  readonly difference: number | null;
  readonly interval: readonly [number, number] | null;
  readonly p: number | null;
}

export interface RolloutChange {
  /** The record after the change; its revision is the expected one plus 1. */
  readonly rollout: RolloutRecord;
  /** Absent: routing stays. */
  readonly routing?: {
    readonly champion: string;
    readonly challenger: string | null;
    readonly plan: RoutePlan | null;
    /** Goes live at once, without waiting for other replicas: going back to versions they all have. */
    readonly urgent: boolean;
  };
  readonly actor: string;
  readonly action: string;
  readonly reason: string;
  readonly at: Instant;
  readonly details?: JsonObject;
}

export interface RolloutStore {
  /** Other processes may use the database: replicas must tell each other what they have loaded. */
  readonly isShared: boolean;
  get(id: string): Promise<RolloutRecord | undefined>;
  /** Newest first. */
  list(filter: { model?: string; limit: number; before?: string }): Promise<readonly RolloutRecord[]>;
  /** The rollout of a model that is open, paused or watching. */
  active(model: string): Promise<RolloutRecord | undefined>;
  /**
   * One transaction: the record (created at revision 1, else compare-and-set on its revision), the roles of its versions, the
   * numbered routing row, the decision and the audit record. `applied` is false, and nothing is written, when another process
   * was first, the model has another rollout that is not over, or a new one names a champion who is none any more.
   */
  change(change: RolloutChange): Promise<{ readonly applied: boolean; readonly routing?: Routing }>;
  /** Compare-and-set of the record alone: what was seen, not what was done. */
  progress(rollout: RolloutRecord): Promise<boolean>;
  addLook(look: ExperimentLook): Promise<void>;
  /** In the order of time. */
  looks(rollout: string): Promise<readonly ExperimentLook[]>;
  /** The routing that answers now; undefined while nothing was ever routed. */
  serving(model: string): Promise<Routing | undefined>;
  /** The number of the serving routing of every model that was ever routed; one query. */
  servingNumbers(): Promise<ReadonlyMap<string, number>>;
  /** Makes the latest routing the serving one when all live replicas have its versions, or when it waited too long. */
  activate(model: string): Promise<Routing | undefined>;
  /** This process is alive and has these versions in memory. */
  heartbeat(state: Omit<ReplicaRecord, "id">): Promise<void>;
  /** Replicas with a heartbeat within the last seconds, this one among them. */
  replicas(): Promise<readonly ReplicaRecord[]>;
  /** This replica serves no more. */
  leave(): Promise<void>;
}
