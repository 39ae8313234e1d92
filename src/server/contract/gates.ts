/** Gates and comparisons, over HTTP. */
import type { ApprovalRecord } from "../../core/gates.ts";

/** POST /models/{model}/versions/{version}/approvals */
export interface ApprovalBody {
  /** Default `approve`. */
  readonly verdict?: "approve" | "refuse";
  readonly reason: string;
}
export interface ApprovalAnswer {
  readonly approval: ApprovalRecord;
  /** The run that judges the version again, when it was held for this. */
  readonly runId: string | null;
}
export interface ApprovalList {
  readonly items: readonly ApprovalRecord[];
}
export type { ApprovalRecord };
