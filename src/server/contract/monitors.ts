/** The HTTP contract of monitors and triggers. */
export type { TriggerExplanation } from "../../loop/monitor-contract.ts";
export type { GuardStanding, TriggerJudgement } from "../../trigger/index.ts";
