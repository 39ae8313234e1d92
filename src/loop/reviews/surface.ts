/** Review before release, as the loop offers it. */
import type { LabelValue, ReviewRecord, TaskState } from "../../core/index.ts";

export interface ReviewDecision {
  /** Exactly one of: let the model's answer stand, state another value, give no answer. */
  readonly action: "approve" | "correct" | "withhold";
  readonly value?: LabelValue;
  readonly comment?: string;
  readonly actor: string;
}

export interface ReviewSurface {
  /** @throws NOT_FOUND where no review was asked for about that answer */
  get(model: string, predictionId: string): Promise<ReviewRecord>;
  /** The same, once it is decided, or as it is after `waitMs` of real time, or when nobody waits any more. */
  wait(model: string, predictionId: string, waitMs: number, isOver?: () => boolean): Promise<ReviewRecord>;
  /** Newest first, by the state of the task behind them; paged by the review's id. */
  list(
    model: string,
    filter: { readonly state?: TaskState; readonly limit: number; readonly before?: string },
  ): Promise<readonly ReviewRecord[]>;
  /** @throws NOT_FOUND, CONFLICT once it is closed, ROW_INVALID for a value that is no label */
  decide(model: string, predictionId: string, decision: ReviewDecision): Promise<ReviewRecord>;
}
