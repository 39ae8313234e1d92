/** The age of what the champion has learned from. */
import { durationField, formatDuration } from "../core/index.ts";
import type { TriggerSpec } from "./spec.ts";
import { QUIET_STATE, type TriggerKind } from "./trigger.ts";

export type StalenessSpec = Extract<TriggerSpec, { kind: "staleness" }>;

const fields = { maxAge: durationField("Oldest the newest training row may get.", { min: "1m" }) };
const QUARTER_MS = 7_776_000_000;
const champion = { version: "v1", promotedAt: QUIET_STATE.now, trainedThrough: QUIET_STATE.now - QUARTER_MS };

export const staleness: TriggerKind<StalenessSpec, typeof fields> = {
  kind: "staleness",
  description: "When the champion's training data have reached an age.",
  fields: () => fields,
  resolve: (values) => ({ kind: "staleness", maxAgeMs: values.maxAge }),
  subject: (spec) => `staleness(${formatDuration(spec.maxAgeMs)})`,
  rule: (spec) => `Retrain when the champion knows nothing of the last ${formatDuration(spec.maxAgeMs)}.`,
  judge(spec, state) {
    const threshold = spec.maxAgeMs;
    if (state.champion === null)
      return { outcome: "cannot-tell", reason: "There is no live version.", inputs: {}, threshold };
    const { version, trainedThrough } = state.champion;
    const ageMs = state.now - trainedThrough;
    const inputs = { version, trainedThrough, ageMs };
    const age = formatDuration(spec.maxAgeMs);
    return ageMs >= threshold
      ? { outcome: "yes", reason: `What ${version} was trained on ends ${age} ago or earlier.`, inputs, threshold }
      : { outcome: "no", reason: `${version} was trained on data younger than ${age}.`, inputs, threshold };
  },
  samples: [
    {
      spec: { kind: "staleness", maxAgeMs: QUARTER_MS },
      fires: { ...QUIET_STATE, champion },
      rests: { ...QUIET_STATE, champion: { ...champion, trainedThrough: champion.trainedThrough + 60_000 } },
    },
  ],
};
