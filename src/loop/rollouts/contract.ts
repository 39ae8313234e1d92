/** What the loop offers about rollouts. */
import type {
  ExperimentLook,
  Instant,
  PhaseEvidence,
  RolloutRecord,
  Routing,
  ServingCounts,
  StageSpec,
} from "../../core/index.ts";

/** What an A/B needs before it starts, from what the champion's performance showed. */
export interface PowerEstimate {
  /** Effect to find with 80 % probability: the stage's margin. */
  readonly effect: number;
  readonly rowDeviation: number;
  readonly rows: number;
  readonly rowsPerDay: number;
  /** Label delay included; null when nothing arrives. */
  readonly expectedMs: number | null;
}
/** What the next rollout would take. */
export interface RolloutPlan {
  readonly model: string;
  /** Null: the first version goes live directly. */
  readonly champion: string | null;
  readonly stages: readonly StageSpec[];
  /** Stages last so much longer: quality is judged by labels. */
  readonly labelDelayMs: number;
  readonly power: PowerEstimate | null;
  /** Why `power` is null. */
  readonly reason?: string;
}
export interface RolloutDetail {
  readonly rollout: RolloutRecord;
  /** Of every phase, oldest first. */
  readonly evidence: readonly PhaseEvidence[];
  readonly looks: readonly ExperimentLook[];
  readonly serving: readonly ServingCounts[];
  readonly power: PowerEstimate | null;
}
export interface OutcomeInput {
  readonly exampleId?: string;
  readonly predictionId?: string;
  readonly name: string;
  readonly value: number;
  readonly at?: Instant;
}
export type RolloutAction = "pause" | "resume" | "abort" | "promote" | "rollback";

export interface RolloutSurface {
  rollouts(filter: { model: string; limit: number; before?: string }): Promise<readonly RolloutRecord[]>;
  /** @throws ROLLOUT_UNKNOWN */
  rollout(id: string): Promise<RolloutDetail>;
  /** Before it starts: stages, rows and days. @throws MODEL_UNKNOWN */
  planRollout(model: string): Promise<RolloutPlan>;
  /** @throws ROLLOUT_UNKNOWN without an open one, ROLLOUT_CONFLICT */
  changeRollout(model: string, action: RolloutAction, actor: string, reason: string): Promise<RolloutRecord>;
  /**
   * Puts a registered version into the model's stages by hand. `replayMs`: the shadow stage, which must be the first, answers
   * logged requests of so long ago at once. @throws ROLLOUT_CONFLICT, VERSION_UNKNOWN, MODEL_NOT_READY
   */
  startRollout(
    model: string,
    version: string,
    actor: string,
    options?: { readonly replayMs?: number },
  ): Promise<Routing>;
  /** Business events, for guardrails. @throws BODY_INVALID */
  recordOutcomes(model: string, outcomes: readonly OutcomeInput[]): Promise<{ readonly accepted: number }>;
}
