/** A fixed time after the last run was queued. */
import { durationField, formatDuration } from "../core/index.ts";
import type { TriggerSpec } from "./spec.ts";
import { QUIET_STATE, type TriggerKind } from "./trigger.ts";

export type IntervalSpec = Extract<TriggerSpec, { kind: "interval" }>;

const fields = { every: durationField("Time between the starts of two runs.", { min: "1m" }) };
const SIX_HOURS_MS = 21_600_000;

export const interval: TriggerKind<IntervalSpec, typeof fields> = {
  kind: "interval",
  description: "A fixed time after the last run.",
  fields: () => fields,
  resolve: (values) => ({ kind: "interval", everyMs: values.every }),
  subject: (spec) => `every(${formatDuration(spec.everyMs)})`,
  rule: (spec) => `Retrain when ${formatDuration(spec.everyMs)} have passed since the last run.`,
  judge(spec, state) {
    const elapsed = state.lastRunAt === null ? null : state.now - state.lastRunAt;
    const every = formatDuration(spec.everyMs);
    const judged = { inputs: { elapsedMs: elapsed }, threshold: spec.everyMs };
    // Before the first run there is nothing to repeat; the first version is trained by its own rule.
    if (elapsed === null || elapsed < spec.everyMs)
      return { outcome: "no", reason: `Less than ${every} have passed since the last run.`, ...judged };
    return { outcome: "yes", reason: `The last run was ${every} ago or longer.`, ...judged };
  },
  samples: [
    {
      spec: { kind: "interval", everyMs: SIX_HOURS_MS },
      fires: { ...QUIET_STATE, lastRunAt: QUIET_STATE.now - SIX_HOURS_MS },
      rests: { ...QUIET_STATE, lastRunAt: QUIET_STATE.now - SIX_HOURS_MS + 60_000 },
    },
  ],
};
