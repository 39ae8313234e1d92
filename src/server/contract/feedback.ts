/** Feedback over HTTP: what users of an application say about single answers. */
import type { FeedbackCounts, FeedbackRecord, Thumb } from "../../core/feedback.ts";
import type { Instant, LabelValue } from "../../core/records.ts";
import type { FeedbackAnswer, FeedbackSummary, RefusedFeedback } from "../../loop/feedback/surface.ts";
import type { Page, PageQuery } from "./page.ts";

/** What one user says about one answer: at least one of thumb, value and comment. */
export interface FeedbackItem {
  readonly predictionId: string;
  readonly thumb?: Thumb;
  /** What would have been right; null takes an earlier value back. */
  readonly value?: LabelValue | null;
  readonly comment?: string;
  /** The person, as the application names them. */
  readonly user?: string;
}
/** POST /models/{model}/feedback: one item, an array, {feedback}, or NDJSON. */
export type FeedbackBody = FeedbackItem | { readonly feedback: readonly FeedbackItem[] };

/** GET /models/{model}/feedback, newest first */
export interface FeedbackQuery extends PageQuery {
  readonly thumb?: Thumb;
  /** Only with a corrected value, only with a comment. */
  readonly has?: "value" | "comment";
  readonly predictionId?: string;
  readonly exampleId?: string;
  readonly version?: string;
}
/** GET /models/{model}/feedback/summary */
export interface FeedbackSummaryQuery {
  readonly since?: Instant;
}

export interface FeedbackApi {
  readonly "GET /models/:model/feedback": Page<FeedbackRecord>;
  readonly "GET /models/:model/feedback/summary": FeedbackSummary;
  readonly "POST /models/:model/feedback": FeedbackAnswer;
}

export type { FeedbackAnswer, FeedbackCounts, FeedbackRecord, FeedbackSummary, RefusedFeedback, Thumb };
