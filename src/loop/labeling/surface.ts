/** What the labeling queue offers to its callers: the HTTP server, the command line, the library, the tests. */
import type {
  Annotation,
  AnnotationKind,
  Features,
  Instant,
  LabelingBatch,
  LabelingTask,
  LabelSource,
  LabelValue,
  TaskOrigin,
  TaskState,
} from "../../core/index.ts";
import type { StudioTask } from "../../feedback/label-studio.ts";
import type { LabelingSpec, QueueStrategy } from "../../feedback/spec.ts";
import type { LabeledEstimate } from "../../feedback/labeled-estimate.ts";
import type { ReviewedEstimate } from "../../feedback/reviewed-estimate.ts";
import type { AgreementReport, LabelerReport } from "../../feedback/labeler-report.ts";

/** A task as the person who answers it sees it: nothing that gives gold questions or the known answer away. */
export interface TaskView {
  readonly id: string;
  readonly exampleId: string;
  readonly predictionId?: string;
  readonly at: Instant;
  readonly features: Features;
  readonly createdAt: Instant;
  /** Set on reviews: an answer is wanted by then. */
  readonly dueAt?: Instant;
  readonly isReview: boolean;
  /** Absent where the policy hides the model's answer. */
  readonly suggestion?: {
    readonly version: string;
    readonly decision: LabelValue;
    /** Largest probability; absent for regression. */
    readonly confidence?: number;
  };
}
export interface LabelingProgress {
  readonly open: number;
  readonly done: number;
  readonly adjudicate: number;
  readonly claimed: number;
  /** Standing annotations of the person who asks. */
  readonly mine: number;
  /** Answers that wait for a person's decision. */
  readonly reviews: number;
}
/** What a person needs to work: tasks leased to them, the possible answers, the guidelines, how far everybody is. */
export interface LabelingSession {
  readonly tasks: readonly TaskView[];
  /** Null for regression: the answer is a number. */
  readonly choices: readonly LabelValue[] | null;
  /** Whether an answer may be a class that is not among the choices yet. */
  readonly areChoicesOpen: boolean;
  readonly guidelines: string | null;
  readonly leaseMs: number;
  readonly progress: LabelingProgress;
}
export interface AnswerRequest {
  readonly labeler: string;
  readonly taskId: string;
  readonly kind: Exclude<AnnotationKind, "adjudication">;
  readonly value?: LabelValue;
  readonly comment?: string;
  readonly durationMs?: number;
}
export interface Answered {
  /** Without why the example was asked about. */
  readonly annotation: Omit<Annotation, "origin">;
  readonly state: TaskState;
}
export interface TaskDetail {
  readonly task: LabelingTask;
  readonly annotations: readonly Annotation[];
}

export interface CurvePoint {
  readonly labels: number;
  readonly value: number;
}
/** Metric on the rows that may judge against the number of labels trained on, in the order they came. */
export interface LearningCurve {
  readonly at: Instant;
  readonly metric: string;
  readonly higherIsBetter: boolean;
  readonly holdoutRows: number;
  readonly strategy: readonly CurvePoint[];
  readonly random: readonly CurvePoint[];
  /** Gain of the last three steps of the queue's labels: mean improvement per row with its 95 % interval. */
  readonly lastGain: { readonly mean: number; readonly low: number; readonly high: number } | null;
}
export interface LabelingStats {
  readonly policy: LabelingSpec;
  readonly states: Readonly<Record<TaskState, number>>;
  readonly origins: Readonly<Partial<Record<TaskOrigin, number>>>;
  readonly batches: readonly LabelingBatch[];
  readonly labelers: readonly LabelerReport[];
  readonly agreement: AgreementReport;
  /** Per version, from the random share (or weighted draws) alone. */
  readonly performance: readonly (LabeledEstimate & { readonly version: string })[];
  /** Per version, from reviews and audits together, each weighed by the inverse of its probability. */
  readonly reviewed: readonly (ReviewedEstimate & { readonly version: string })[];
  readonly curve: LearningCurve | null;
  readonly advice: { readonly stop: boolean; readonly reason: string };
}

/** One statement about an example, as the log holds it. */
export interface LabelStatement {
  readonly value: LabelValue | null;
  readonly source: LabelSource;
  readonly at: Instant;
  readonly receivedAt: Instant;
  readonly comment: string | null;
  readonly selective: boolean;
  readonly predictionId: string | null;
  /** Whether it is the one that counts now. */
  readonly isEffective: boolean;
}
export interface LabelHistory {
  readonly exampleId: string;
  readonly effective: { readonly value: LabelValue; readonly source: LabelSource } | null;
  readonly statements: readonly LabelStatement[];
  readonly annotations: readonly Annotation[];
}

export interface BuildRequest {
  readonly count?: number;
  readonly strategy?: QueueStrategy;
  readonly actor: string;
}
export interface RelabelRequest {
  /** Answers of this person, of this batch, of this value, given since then: all that are stated must hold. */
  readonly labeler?: string;
  readonly batchId?: string;
  readonly value?: LabelValue;
  readonly since?: Instant;
  /** The new label; null takes the labels back. */
  readonly to: LabelValue | null;
  readonly reason: string;
  readonly actor: string;
  /** Count only. */
  readonly dryRun: boolean;
}

/** What became of tasks that were answered in Label Studio. */
export interface StudioImport {
  readonly tasks: number;
  /** Answers that are labels now. */
  readonly labels: number;
  /** Tasks nobody answered. */
  readonly skipped: number;
  readonly refusedCount: number;
  /** The first that were not taken, and why. */
  readonly refused: readonly { readonly task: string; readonly message: string }[];
}

export interface LabelingSurface {
  /** Tasks in Label Studio's format. Gold questions stay here. */
  exportToStudio(model: string, state: TaskState): Promise<readonly StudioTask[]>;
  /** A labeling interface for the model's rows, to paste into a project. */
  studioConfig(model: string): Promise<string>;
  /** @param project tells tasks of several projects apart that name no example */
  importFromStudio(model: string, tasks: readonly unknown[], project?: string): Promise<StudioImport>;
  policy(model: string): LabelingSpec;
  /** Chooses a batch now and waits for it. @throws CONFLICT when there is nothing to ask about */
  build(model: string, request: BuildRequest): Promise<LabelingBatch>;
  /** Leases tasks to a person and says what they need to work. */
  claim(model: string, labeler: string, count: number, only?: "reviews"): Promise<LabelingSession>;
  release(model: string, labeler: string, taskIds?: readonly string[]): Promise<number>;
  /** @throws NOT_FOUND, CONFLICT, ROW_INVALID for a value that is no label of the model */
  answer(model: string, request: AnswerRequest): Promise<Answered>;
  undo(model: string, labeler: string, annotationId?: string): Promise<Answered & { readonly task: TaskView }>;
  adjudicate(
    model: string,
    request: { taskId: string; value: LabelValue; actor: string; comment?: string },
  ): Promise<Answered>;
  /** Ends a task without an answer. @throws NOT_FOUND, CONFLICT (has an answer, is a review or a gold question) */
  discard(model: string, request: { taskId: string; actor: string; comment?: string }): Promise<void>;
  tasks(
    model: string,
    filter: { state?: TaskState; batchId?: string; limit: number; before?: string },
  ): Promise<readonly LabelingTask[]>;
  task(model: string, id: string): Promise<TaskDetail>;
  /** Questions whose answer is known, asked of everybody in between. @returns how many were added */
  addGold(
    model: string,
    items: readonly { exampleId: string; value: LabelValue }[],
    actor: string,
  ): Promise<{ readonly added: number }>;
  stats(model: string): Promise<LabelingStats>;
  /** Trains on growing parts of the labels; minutes for a slow trainer. */
  drawCurve(model: string): Promise<LearningCurve>;
  /** @param asOf only what was known at this instant */
  history(model: string, exampleId: string, asOf?: Instant): Promise<LabelHistory>;
  relabel(model: string, request: RelabelRequest): Promise<{ readonly matched: number; readonly changed: number }>;
}
