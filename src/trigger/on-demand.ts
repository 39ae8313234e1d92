/** Somebody or something outside says so: a named event of the API, or a person. */
import { textField } from "../core/index.ts";
import type { TriggerSpec } from "./spec.ts";
import { QUIET_STATE, showInstant, type TriggerKind } from "./trigger.ts";

export type EventSpec = Extract<TriggerSpec, { kind: "event" }>;
export type ManualSpec = Extract<TriggerSpec, { kind: "manual" }>;

const fields = {
  name: textField("Name of the event, as posted to the API.", {
    // Types of CloudEvents are names of other people: `Microsoft.Storage.BlobCreated`.
    pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    rule: "a name of [A-Za-z0-9._-], starting with a letter or digit, at most 128 long",
  }),
};

export const event: TriggerKind<EventSpec, typeof fields> = {
  kind: "event",
  description: "When an external event of that name is posted to the API.",
  fields: () => fields,
  resolve: (values) => ({ kind: "event", name: values.name }),
  subject: (spec) => `event(${spec.name})`,
  rule: (spec) => `Retrain when the event "${spec.name}" arrives.`,
  judge(spec, state) {
    const seen = state.events.find((one) => one.name === spec.name);
    return seen === undefined
      ? { outcome: "no", reason: `The event "${spec.name}" has not arrived.`, inputs: { at: null } }
      : {
          outcome: "yes",
          reason: `The event "${spec.name}" arrived at ${showInstant(seen.at)}.`,
          inputs: { at: seen.at },
        };
  },
  samples: [
    {
      spec: { kind: "event", name: "catalog-changed" },
      fires: { ...QUIET_STATE, events: [{ name: "catalog-changed", at: QUIET_STATE.now }] },
      rests: { ...QUIET_STATE, events: [{ name: "catalog-moved", at: QUIET_STATE.now }] },
    },
  ],
};

const noFields = {};

/** A person's request does not pass through the tick: it starts a run at once, so at a tick nobody has asked. */
export const manual: TriggerKind<ManualSpec, typeof noFields> = {
  kind: "manual",
  description: "Only when a person asks. A person may always ask; this kind says that nothing else retrains.",
  fields: () => noFields,
  resolve: () => ({ kind: "manual" }),
  subject: () => "manual",
  rule: () => "Retrain when a person asks for it.",
  judge: () => ({ outcome: "no", reason: "Nobody asked.", inputs: {} }),
  samples: [],
};
