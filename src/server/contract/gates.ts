/** Gates and comparisons, over HTTP. */
import type { ApprovalRecord } from "../../core/gates.ts";
import type { VersionComparison } from "../../loop/compare-surface.ts";

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
/** GET /models/{model}/compare */
export interface CompareQuery {
  readonly a: string;
  readonly b: string;
  /** What slices are compared by; default: the model's main metric. */
  readonly metric?: string;
}
export type CompareAnswer = VersionComparison;
export type { ApprovalRecord };
