/** What the loop says of triggers and monitors. */
import type { Instant, RunState } from "../core/index.ts";
import type { GuardStanding, TriggerJudgement } from "../trigger/index.ts";

export interface TriggerExplanation {
  readonly model: string;
  readonly at: Instant;
  /** One sentence: what the next tick would do and why. */
  readonly answer: string;
  readonly wouldStart: boolean;
  /** The whole expression with the values it was judged on. */
  readonly triggers: TriggerJudgement;
  /** The rule of the first version, where there is no champion. */
  readonly first: TriggerJudgement | null;
  readonly guards: readonly GuardStanding[];
  readonly lastRun: {
    readonly id: string;
    readonly state: RunState;
    readonly queuedAt: Instant;
    readonly trigger: string;
    readonly reason: string;
  } | null;
  /** When something changes by the passing of time alone. */
  readonly nextAt: Instant | null;
}

export interface MonitorSurface {
  /** @throws MODEL_UNKNOWN */
  explainTriggers(model: string): Promise<TriggerExplanation>;
}
