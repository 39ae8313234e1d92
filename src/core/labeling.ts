/** Records of the labeling queue: what is asked of people, what they answered, and the port that keeps both. */
import type { FeedbackStore } from "./feedback.ts";
import type { ReviewTerms } from "./reviews.ts";
import type { Features, Instant, LabelEvent, LabelValue } from "./records.ts";

/**
 * Why an example was put before people. `random` tasks are an even draw from the pool and may estimate performance; `strategy`
 * tasks teach most and may not; `gold` ones have a known answer and measure people; `review` and `audit` ones are answers a
 * person approves before (or after) they are released.
 */
export const TASK_ORIGINS = ["strategy", "random", "gold", "review", "audit"] as const;
export type TaskOrigin = (typeof TASK_ORIGINS)[number];

/**
 * | state | meaning | moves on by |
 * |---|---|---|
 * | open | waits for answers | enough answers that agree; a flag; a ground truth that arrives |
 * | adjudicate | people disagree, flagged it or could not tell | an adjudicator |
 * | done | has its answer | an undo, an adjudicator |
 * | discarded | needs no answer any more | final |
 */
export const TASK_STATES = ["open", "adjudicate", "done", "discarded"] as const;
export type TaskState = (typeof TASK_STATES)[number];

export type ClosedBy = "answers" | "adjudication" | "deadline" | "elsewhere";

export interface LabelingTask {
  readonly id: string;
  readonly model: string;
  readonly exampleId: string;
  readonly predictionId?: string;
  /** Event time of the example. */
  readonly at: Instant;
  readonly features: Features;
  readonly batchId: string;
  readonly origin: TaskOrigin;
  /** The strategy that was used, after fallbacks. */
  readonly strategy: string;
  /** The value it was chosen by; larger tells more. Null where it was drawn. */
  readonly acquisition: number | null;
  /** 1-based place in the order of picks of its batch. */
  readonly pick: number;
  /** Chance with which it was picked at its turn among the rows then left; 1 for a certain pick. */
  readonly selectionProbability: number;
  readonly poolSize: number;
  readonly version?: string;
  /** As logged: a probability per class, or the value. */
  readonly scores?: readonly number[];
  readonly classes?: readonly LabelValue[];
  readonly decision?: LabelValue;
  /** How many people are asked. */
  readonly needed: number;
  readonly state: TaskState;
  readonly createdAt: Instant;
  /** Reviews: when the default action is taken. */
  readonly dueAt?: Instant;
  readonly review?: ReviewTerms;
  readonly closedAt?: Instant;
  readonly answer?: LabelValue;
  readonly closedBy?: ClosedBy;
}

export interface LabelingBatch {
  readonly id: string;
  readonly model: string;
  readonly createdAt: Instant;
  readonly strategy: string;
  /** Why it is another strategy than the configured one. */
  readonly note?: string;
  readonly version?: string;
  readonly poolSize: number;
  readonly picked: number;
  readonly random: number;
  readonly gold: number;
  /** Measured on the system clock, in the training process. */
  readonly durationMs: number;
}

export const ANNOTATION_KINDS = ["answer", "skip", "flag", "adjudication"] as const;
export type AnnotationKind = (typeof ANNOTATION_KINDS)[number];

export interface Annotation {
  readonly id: string;
  readonly taskId: string;
  readonly model: string;
  readonly exampleId: string;
  readonly origin: TaskOrigin;
  readonly labeler: string;
  readonly kind: AnnotationKind;
  readonly value?: LabelValue;
  readonly comment?: string;
  readonly at: Instant;
  /** How long the person looked at it. */
  readonly durationMs?: number;
  readonly undone: boolean;
}
export type NewAnnotation = Pick<Annotation, "taskId" | "labeler" | "kind" | "at"> &
  Partial<Pick<Annotation, "value" | "comment" | "durationMs">> & {
    /** Where it is given, a task of another model is as unknown as none. */
    readonly model?: string;
  };

/** What the answers so far mean for a task; `label` is stated to the log, `null` takes an earlier one back. */
export interface Settlement {
  readonly state: TaskState;
  readonly needed: number;
  readonly answer?: LabelValue;
  readonly closedBy?: ClosedBy;
  readonly label?: LabelValue | null;
}
export type Settle = (task: LabelingTask, annotations: readonly Annotation[]) => Settlement;

/** A label event that follows from an annotation and has not reached the log yet. */
export interface LabelingEffect {
  readonly id: string;
  readonly model: string;
  readonly event: LabelEvent;
}

export interface ClaimRequest {
  readonly model: string;
  readonly labeler: string;
  /** How many tasks the person holds afterwards. */
  readonly count: number;
  /** System clock: leases are about machines and people, not about recorded history. */
  readonly now: Instant;
  readonly leaseMs: number;
  /** Every so many answers of the person a gold question, while there is one they have not answered; 0: never. */
  readonly goldEvery: number;
  /** Only answers that wait for a person's decision. */
  readonly reviewsOnly?: boolean;
}

export interface TaskCounts {
  readonly states: Readonly<Record<TaskState, number>>;
  readonly origins: Readonly<Partial<Record<TaskOrigin, number>>>;
  readonly claimed: number;
  /** Open reviews. */
  readonly reviews: number;
  /** Standing annotations of the person that was named. */
  readonly mine: number;
}

/** What a person holds, and how far everybody is. */
export interface ClaimedTasks {
  readonly tasks: readonly LabelingTask[];
  readonly counts: TaskCounts;
}

/** Tasks, claims and annotations, and feedback beside them. Everything it acknowledges survives kill -9. */
export interface LabelingStore {
  /** What users say about single answers; its labels leave through the same effects. */
  readonly feedback: FeedbackStore;
  /**
   * Idempotent by batch id, and by the ids of the tasks where an earlier try ended in the middle: they are written some hundred at a
   * time, and the batch, last, says that all of them are there. Examples that have an open task already are left out.
   * @returns how many were added by this call
   */
  addBatch(batch: LabelingBatch, tasks: readonly LabelingTask[]): Promise<number>;
  /** Tasks that belong to no batch, such as reviews. One transaction. */
  addTasks(tasks: readonly LabelingTask[]): Promise<void>;
  batches(filter: { model: string; limit: number; before?: string }): Promise<readonly LabelingBatch[]>;
  task(id: string): Promise<LabelingTask | undefined>;
  /** Newest first. */
  tasks(filter: {
    model: string;
    state?: TaskState;
    origins?: readonly TaskOrigin[];
    batchId?: string;
    exampleId?: string;
    predictionId?: string;
    limit: number;
    before?: string;
  }): Promise<readonly LabelingTask[]>;
  /** Sums that are kept, not counted: a handful of rows however many tasks there are. */
  counts(model: string, labeler?: string): Promise<TaskCounts>;
  /** Examples that were asked about before, so that nobody is asked twice. */
  askedExamples(model: string): Promise<readonly string[]>;
  createdSince(model: string, since: Instant): Promise<number>;
  /** Leases tasks to a person, exclusively; those already held come first, their lease renewed. */
  claim(request: ClaimRequest): Promise<ClaimedTasks>;
  release(model: string, labeler: string, taskIds?: readonly string[]): Promise<number>;
  /**
   * One transaction: annotation, slot, settlement, and the label to state. Repeating the same annotation changes nothing.
   * @throws NOT_FOUND, CONFLICT (not held by the person, closed)
   */
  annotate(
    annotation: NewAnnotation,
    settle: Settle,
  ): Promise<{ readonly annotation: Annotation; readonly task: LabelingTask }>;
  /** Takes a person's annotation back (the last, or the one named); the task is theirs again. @throws NOT_FOUND */
  undo(
    request: { model: string; labeler: string; annotationId?: string; now: Instant; leaseMs: number; at: Instant },
    settle: Settle,
  ): Promise<{ readonly annotation: Annotation; readonly task: LabelingTask }>;
  /** Closes open tasks without asking on: a deadline has passed, or the truth arrived from elsewhere. @returns ids of those that were open */
  close(
    ids: readonly string[],
    change: { state: TaskState; closedBy: ClosedBy; at: Instant; answer?: LabelValue },
  ): Promise<readonly string[]>;
  /** Open reviews whose deadline has passed. */
  overdue(model: string, now: Instant): Promise<readonly LabelingTask[]>;
  nextDueAt(model: string): Promise<Instant | undefined>;
  annotations(filter: {
    model: string;
    taskIds?: readonly string[];
    labeler?: string;
    limit: number;
    before?: string;
  }): Promise<readonly Annotation[]>;
  effects(limit: number): Promise<readonly LabelingEffect[]>;
  finishEffects(ids: readonly string[]): Promise<void>;
}
