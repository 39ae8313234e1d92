/** Who did what, over HTTP. */
import type { AuditRecord, Instant } from "../../core/records.ts";
import type { Page } from "./page.ts";

/** GET /audit */
export interface AuditQuery {
  readonly limit?: number;
  readonly cursor?: string;
  readonly actor?: string;
  /** A whole action, or the word before its dot: `rollout` finds `rollout.pause`. */
  readonly action?: string;
  readonly model?: string;
  readonly from?: Instant;
  /** Exclusive. */
  readonly to?: Instant;
}
export interface AuditApi {
  readonly "GET /audit": Page<AuditRecord>;
}
