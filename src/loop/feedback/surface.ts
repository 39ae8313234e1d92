/** What users of an application say about single answers, as the loop offers it. */
import type { FeedbackCounts, FeedbackFilter, FeedbackRecord, Instant } from "../../core/index.ts";
import type { RowReading } from "../row-reading.ts";

/** One row that was not taken, and why. */
export interface RefusedFeedback {
  /** 1-based place in the delivery. */
  readonly rowNumber: number;
  readonly code: string;
  readonly message: string;
}
export interface FeedbackAnswer {
  readonly accepted: number;
  /** How many of them became labels of the source `user`. */
  readonly labels: number;
  readonly refusedCount: number;
  /** The first of those that were refused. */
  readonly refused: readonly RefusedFeedback[];
}
export interface FeedbackSummary {
  readonly versions: readonly FeedbackCounts[];
  /** What a thumb means for this model, in words. */
  readonly thumbs: string;
}

export interface FeedbackSurface {
  /**
   * Takes rows `{ predictionId, thumb?, value?, comment?, user? }`; a bad one is refused, the others are kept. Acknowledged when
   * the labels that follow are in the log.
   * @throws MODEL_UNKNOWN
   */
  give(model: string, rows: AsyncIterable<RowReading> | Iterable<RowReading>, actor: string): Promise<FeedbackAnswer>;
  list(filter: FeedbackFilter): Promise<readonly FeedbackRecord[]>;
  summary(model: string, since?: Instant): Promise<FeedbackSummary>;
}
