/** The HTTP contract of monitors and triggers. */
import type { Instant } from "../../core/index.ts";

export type {
  Diagnosis,
  DiagnosisRow,
  DiagnosisSlice,
  SlicePerformance,
  SliceRow,
  TriggerExplanation,
} from "../../loop/monitor-contract.ts";
export type { FeatureMove } from "../../monitor/diagnosis.ts";
export type { GuardStanding, TriggerJudgement } from "../../trigger/index.ts";

/** GET /models/{model}/slices */
export interface SlicesQuery {
  readonly metric?: string;
  /** Default: the champion. */
  readonly version?: string;
  readonly from?: Instant;
  readonly to?: Instant;
}
