/** Review before release: what happens to an answer the model is not sure of. */
import type { Instant, LabelValue } from "./records.ts";

/**
 * | state | meaning | moves on by |
 * |---|---|---|
 * | pending | a person is asked | a decision, the deadline |
 * | approved | a person agreed with the model | a later correction |
 * | corrected | a person answered otherwise | a later correction |
 * | released | nobody decided in time (or nobody could be asked): the model's answer stands | final |
 * | withheld | there is no answer: a person refused it, or the default after the deadline does | final |
 */
export const REVIEW_STATES = ["pending", "approved", "corrected", "released", "withheld"] as const;
export type ReviewState = (typeof REVIEW_STATES)[number];

/** `hold`: the caller gets no answer until it is decided. `flag`: the caller gets the answer, marked as uncertain. */
export const REVIEW_MODES = ["hold", "flag"] as const;
export type ReviewMode = (typeof REVIEW_MODES)[number];
export const REVIEW_DEFAULTS = ["release", "withhold"] as const;
export type ReviewDefault = (typeof REVIEW_DEFAULTS)[number];

/** What was promised when the answer was asked for; a changed configuration does not change it. */
export interface ReviewTerms {
  readonly mode: ReviewMode;
  /** What is done when the deadline passes without a decision. */
  readonly onDeadline: ReviewDefault;
}

/** A review as the application that waits for it sees it. */
export interface ReviewRecord {
  /** The labeling task people answer. */
  readonly id: string;
  readonly predictionId: string;
  readonly exampleId: string;
  readonly version: string;
  readonly mode: ReviewMode;
  readonly state: ReviewState;
  /** The answer that may be used; null while it is held, and where it is withheld. */
  readonly decision: LabelValue | null;
  readonly createdAt: Instant;
  readonly dueAt: Instant;
  readonly decidedAt: Instant | null;
  /** Who decided; null while pending, and where the deadline did. */
  readonly decidedBy: string | null;
  readonly comment: string | null;
}
