/** What the users of an application say about single answers: a thumb, a corrected value, a comment. Appended, never changed. */
import type { Instant, LabelValue } from "./records.ts";

export const THUMBS = ["up", "down"] as const;
export type Thumb = (typeof THUMBS)[number];

export interface FeedbackRecord {
  readonly id: string;
  readonly model: string;
  readonly predictionId: string;
  readonly exampleId: string;
  /** The version that answered, and what it answered. */
  readonly version: string;
  readonly decision: LabelValue;
  /** When it arrived. */
  readonly at: Instant;
  readonly thumb?: Thumb;
  /** The corrected value; null takes an earlier one back. */
  readonly value?: LabelValue | null;
  readonly comment?: string;
  /** The person in the application, as it names them. */
  readonly user?: string;
  /** Who sent it: the name of the token. */
  readonly actor: string;
  /** What was stated as a label of the source `user`; absent where feedback does not tell the answer. */
  readonly label?: LabelValue | null;
}

export interface FeedbackFilter {
  readonly model: string;
  readonly thumb?: Thumb;
  /** Only with a corrected value, only with a comment. */
  readonly has?: "value" | "comment";
  readonly predictionId?: string;
  readonly exampleId?: string;
  readonly version?: string;
  readonly limit: number;
  readonly before?: string;
}

/** How often the answers of a version were liked, disliked, corrected, commented. */
export interface FeedbackCounts {
  readonly version: string;
  readonly up: number;
  readonly down: number;
  readonly corrected: number;
  readonly commented: number;
  readonly labels: number;
  readonly lastAt: Instant;
}

export interface FeedbackStore {
  /** One transaction: the records, and the labels that follow from them on their way to the log. */
  add(records: readonly FeedbackRecord[]): Promise<void>;
  /** Newest first. */
  list(filter: FeedbackFilter): Promise<readonly FeedbackRecord[]>;
  /** Newest version first. */
  counts(model: string, since?: Instant): Promise<readonly FeedbackCounts[]>;
}
