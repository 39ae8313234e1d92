/** When to retrain: trigger expressions, schedules and guards, all pure functions of what is known. */
export * from "./evaluate.ts";
export * from "./guards.ts";
export { TRIGGERS, triggerField, triggerKind } from "./registry.ts";
export { dueSchedule, nextOccurrence, type ScheduleState } from "./schedule.ts";
export type * from "./spec.ts";
export * from "./state.ts";
export { isCombined, type LeafJudgement, type LeafSpec, type TriggerKind } from "./trigger.ts";
export { MIN_LOSSES_SEEN } from "./drift.ts";
export * from "./quiet-hours.ts";
