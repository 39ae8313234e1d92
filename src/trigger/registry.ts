/** Every kind of trigger. Adding one is one file, one member of `TriggerSpec` and one line here; the contract suite finds it by itself. */
import {
  choiceField,
  durationField,
  type Field,
  type FieldPlace,
  listField,
  numberField,
  objectField,
  placeAt,
  refuse,
  type Task,
} from "../core/index.ts";
import { conceptDrift, dataDrift, predictionDrift } from "./drift.ts";
import { interval } from "./interval.ts";
import { event, manual } from "./on-demand.ts";
import { performanceDrop } from "./performance-drop.ts";
import { schedule } from "./schedule.ts";
import type { CombinedSpec, TriggerSpec } from "./spec.ts";
import { staleness } from "./staleness.ts";
import { COMBINERS, type LeafSpec, type TriggerKind } from "./trigger.ts";
import { newLabels, newRows } from "./volume.ts";
import { worthIt } from "./worth-it.ts";

// Each kind is checked against its own spec in its file; here they are used through the common shape, keyed by `kind`.
export const TRIGGERS = [
  schedule,
  interval,
  newRows,
  newLabels,
  performanceDrop,
  dataDrift,
  predictionDrift,
  conceptDrift,
  staleness,
  worthIt,
  event,
  manual,
] as unknown as readonly TriggerKind[];

const KINDS = [...COMBINERS, ...TRIGGERS.map((trigger) => trigger.kind)] as const;
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
      const combiner = COMBINERS.find((one) => one === kind);
      if (combiner !== undefined) return readCombined(combiner, rest, { place: quiet, item: field });
      const trigger = triggerKind(kind as LeafSpec["kind"]);
      return trigger.resolve(objectField(trigger.description, trigger.fields(task)).read(rest, quiet), place.path);
    },
  };
  return field;
}

/** What combines triggers, and the keys it has beside them. */
function readCombined(
  kind: CombinedSpec["kind"],
  rest: Readonly<Record<string, unknown>>,
  at: { readonly place: FieldPlace; readonly item: Field<TriggerSpec> },
): CombinedSpec {
  const { place } = at;
  const of = listField("The triggers it combines.", at.item, { min: 1 });
  const one = (read: readonly TriggerSpec[]) => {
    if (read.length !== 1)
      throw refuse(placeAt(place, "of"), rest["of"], {
        rule: `a list of one trigger: ${kind} judges one`,
        description: "",
      });
    return [read[0] as TriggerSpec] as const;
  };
  if (kind === "any" || kind === "all") return { kind, of: objectField(DESCRIPTION, { of }).read(rest, place).of };
  if (kind === "not") return { kind, of: one(objectField(DESCRIPTION, { of }).read(rest, place).of) };
  if (kind === "debounce") {
    const table = { of, for: durationField("How long it must have fired without a break.", { min: "1m" }) };
    const read = objectField(DESCRIPTION, table).read(rest, place);
    return { kind, forMs: read.for, of: one(read.of) };
  }
  const count = numberField("How many of the triggers must fire.", { min: 1, max: 100, integer: true });
  const read = objectField(DESCRIPTION, { of, count }).read(rest, place);
  if (read.count > read.of.length)
    throw refuse(placeAt(place, "count"), read.count, {
      rule: `at most ${read.of.length}, the number of triggers it combines`,
      description: "",
    });
  return { kind, count: read.count, of: read.of };
}
