/** Every kind of trigger. Adding one is one file, one member of `TriggerSpec` and one line here; the contract suite finds it by itself. */
import { choiceField, type Field, listField, objectField, placeAt, refuse, type Task } from "../core/index.ts";
import { interval } from "./interval.ts";
import { event, manual } from "./on-demand.ts";
import { performanceDrop } from "./performance-drop.ts";
import { schedule } from "./schedule.ts";
import type { TriggerSpec } from "./spec.ts";
import type { LeafSpec, TriggerKind } from "./trigger.ts";
import { newLabels, newRows } from "./volume.ts";

// Each kind is checked against its own spec in its file; here they are used through the common shape, keyed by `kind`.
export const TRIGGERS = [
  schedule,
  interval,
  newRows,
  newLabels,
  performanceDrop,
  event,
  manual,
] as unknown as readonly TriggerKind[];

const KINDS = ["any", "all", ...TRIGGERS.map((trigger) => trigger.kind)] as const;
const DESCRIPTION = "When to retrain.";

export function triggerKind(kind: LeafSpec["kind"]): TriggerKind {
  return TRIGGERS.find((trigger) => trigger.kind === kind) as TriggerKind;
}

/** Reads what a user writes, of any nesting, into the resolved trigger. */
export function triggerField(task: Task): Field<TriggerSpec> {
  const kindField = choiceField(DESCRIPTION, KINDS);
  const field: Field<TriggerSpec> = {
    info: { rule: `a trigger, an object whose \`kind\` is ${kindField.info.rule}`, description: DESCRIPTION },
    read(value, place) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse(place, value, field.info);
      const { kind: given, ...rest } = value as Record<string, unknown>;
      const kind = kindField.read(given, { ...placeAt(place, "kind"), record: () => {} });
      place.record(place.path, place.originOf(place.path));
      const quiet = { ...place, record: () => {} };
      if (kind === "any" || kind === "all") {
        const table = { of: listField("The triggers it combines.", field, { min: 1 }) };
        return { kind, of: objectField(DESCRIPTION, table).read(rest, quiet).of };
      }
      const trigger = triggerKind(kind);
      return trigger.resolve(objectField(trigger.description, trigger.fields(task)).read(rest, quiet), place.path);
    },
  };
  return field;
}
