/** Labeling over HTTP: batches, claims, answers, statistics. */
import type { AnnotationKind, LabelingBatch, LabelingTask, TaskState } from "../../core/labeling.ts";
import type { Instant, LabelValue } from "../../core/records.ts";
import type { StudioTask } from "../../feedback/label-studio.ts";
import type { QueueStrategy } from "../../feedback/spec.ts";
import type {
  Answered,
  LabelHistory,
  LabelingSession,
  LabelingStats,
  LearningCurve,
  StudioImport,
  TaskDetail,
  TaskView,
} from "../../loop/labeling/surface.ts";
import type { Page, PageQuery } from "./page.ts";

/** GET /models/{model}/tasks */
export interface TasksQuery extends PageQuery {
  readonly state?: TaskState;
  readonly batch?: string;
}
/** POST /models/{model}/tasks/build */
export interface BuildBody {
  /** Default: the policy's `perDay`. */
  readonly count?: number;
  readonly strategy?: QueueStrategy;
}
/** POST /models/{model}/tasks/claim */
export interface ClaimBody {
  /** Tasks held afterwards, 1 to 50; default 6: one on the screen and five behind it. */
  readonly count?: number;
  /** `reviews`: only answers that wait for a decision. */
  readonly only?: "reviews";
  /** In the name of this person: operators only. */
  readonly as?: string;
}
/** POST /models/{model}/tasks/release; without ids: all one holds. */
export interface ReleaseBody {
  readonly ids?: readonly string[];
  readonly as?: string;
}
/** POST /models/{model}/tasks/{id}/answer */
export interface AnswerBody {
  /** Default `answer`. A skip is no answer; a flag asks an adjudicator. */
  readonly kind?: Exclude<AnnotationKind, "adjudication">;
  readonly value?: LabelValue;
  readonly comment?: string;
  readonly durationMs?: number;
  readonly as?: string;
}
/** POST /models/{model}/tasks/undo: the last answer, or the one named. */
export interface UndoBody {
  readonly annotationId?: string;
  readonly as?: string;
}
export interface UndoAnswer extends Answered {
  /** In one's hands again. */
  readonly task: TaskView;
}
/** POST /models/{model}/tasks/{id}/adjudicate */
export interface AdjudicateBody {
  readonly value: LabelValue;
  readonly comment?: string;
}
/** POST /models/{model}/tasks/{id}/discard */
export interface DiscardBody {
  /** Why there is no answer: a broken picture, an empty text. */
  readonly comment?: string;
}
/** POST /models/{model}/tasks/gold */
export interface GoldBody {
  readonly items: readonly { readonly exampleId: string; readonly value: LabelValue }[];
}
/** POST /models/{model}/tasks/relabel: overrules settled answers that share what is stated. */
export interface RelabelBody {
  readonly labeler?: string;
  readonly batchId?: string;
  readonly value?: LabelValue;
  readonly since?: Instant;
  /** The new label; null takes the labels back. */
  readonly to: LabelValue | null;
  readonly reason: string;
  /** Count only; default true. */
  readonly dryRun?: boolean;
}

export interface LabelingApi {
  readonly "GET /models/:model/tasks": Page<LabelingTask>;
  readonly "GET /models/:model/tasks/stats": LabelingStats;
  readonly "GET /models/:model/tasks/:id": TaskDetail;
  readonly "GET /models/:model/examples/:id/labels": LabelHistory;
  readonly "GET /models/:model/tasks/label-studio": readonly StudioTask[];
  readonly "GET /models/:model/tasks/label-studio/config": { readonly config: string };
  readonly "POST /models/:model/tasks/label-studio": StudioImport;
  readonly "POST /models/:model/tasks/build": LabelingBatch;
  readonly "POST /models/:model/tasks/claim": LabelingSession;
  readonly "POST /models/:model/tasks/release": { readonly released: number };
  readonly "POST /models/:model/tasks/:id/answer": Answered;
  readonly "POST /models/:model/tasks/undo": UndoAnswer;
  readonly "POST /models/:model/tasks/:id/adjudicate": Answered;
  readonly "POST /models/:model/tasks/:id/discard": { readonly discarded: true };
  readonly "POST /models/:model/tasks/curve": LearningCurve;
  readonly "POST /models/:model/tasks/gold": { readonly added: number };
  readonly "POST /models/:model/tasks/relabel": { readonly matched: number; readonly changed: number };
}

export type {
  Answered,
  LabelHistory,
  LabelingBatch,
  LabelingSession,
  LabelingStats,
  LabelingTask,
  LearningCurve,
  StudioImport,
  StudioTask,
  TaskDetail,
  TaskState,
  TaskView,
};
