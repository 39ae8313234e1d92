/** Who did what: kept with the settings, written in the transaction of what was done where there is one. */
import type { AuditRecord, Instant } from "./records.ts";

/** What a list of the audit log is narrowed by. */
export interface AuditFilter {
  readonly limit: number;
  /** Records older than the one with this id. */
  readonly before?: string;
  readonly actor?: string;
  /** A whole action, or the word before its dot: `rollout` finds `rollout.pause`. */
  readonly action?: string;
  /** Records about this model, its versions, runs, rollouts and tasks. */
  readonly model?: string;
  readonly from?: Instant;
  /** Exclusive. */
  readonly to?: Instant;
}

export interface AuditLog {
  audit(record: Omit<AuditRecord, "id">): Promise<void>;
  /** Newest first. Cost: one pass over the log where few records fit. */
  auditLog(filter: AuditFilter): Promise<readonly AuditRecord[]>;
}
