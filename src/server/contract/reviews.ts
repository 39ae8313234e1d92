/** Review before release over HTTP: where an uncertain answer stands, and a person's decision. */
import type { TaskState } from "../../core/labeling.ts";
import type { LabelValue } from "../../core/records.ts";
import type { ReviewRecord, ReviewState } from "../../core/reviews.ts";
import type { Page, PageQuery } from "./page.ts";

/** GET /models/{model}/reviews, newest first */
export interface ReviewsQuery extends PageQuery {
  /** By the state of the task behind them: `open` and `adjudicate` wait, `done` was decided, `discarded` was not. */
  readonly state?: TaskState;
}
/** GET /models/{model}/reviews/{predictionId} */
export interface ReviewQuery {
  /** Seconds, up to 60: answers once it is decided, or as it is by then. */
  readonly wait?: number;
}
/** POST /models/{model}/reviews/{predictionId}/decide */
export interface ReviewDecisionBody {
  readonly action: "approve" | "correct" | "withhold";
  /** With `correct` alone. */
  readonly value?: LabelValue;
  readonly comment?: string;
}

export interface ReviewApi {
  readonly "GET /models/:model/reviews": Page<ReviewRecord>;
  readonly "GET /models/:model/reviews/:predictionId": ReviewRecord;
  readonly "POST /models/:model/reviews/:predictionId/decide": ReviewRecord;
}

export type { ReviewRecord, ReviewState };
