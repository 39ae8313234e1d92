/** Every kind of gate. Adding one is one file, one member of `GateSpec` and one line here; the contract suite finds it by itself. */
import { choiceField, type Field, objectField, placeAt, refuse, type Task } from "../../core/index.ts";
import type { GateSpec } from "../spec.ts";
import { approval } from "./approval.ts";
import { atLeast } from "./at-least.ts";
import { calibration } from "./calibration.ts";
import { custom } from "./custom.ts";
import { betterThanBaseline, betterThanChampion, noWorseThanChampion } from "./difference.ts";
import type { GateKind } from "./gate.ts";
import { probes } from "./probes.ts";
import { latency, size } from "./resources.ts";
import { slices } from "./slices.ts";

// Each kind is checked against its own spec in its file; here they are used through the common shape, keyed by `kind`.
export const GATES = [
  atLeast,
  noWorseThanChampion,
  betterThanChampion,
  betterThanBaseline,
  slices,
  calibration,
  latency,
  size,
  probes,
  custom,
  approval,
] as unknown as readonly GateKind[];

const DESCRIPTION = "What a candidate must prove.";

export function gateKind(kind: GateSpec["kind"]): GateKind {
  return GATES.find((gate) => gate.kind === kind) as GateKind;
}

/** Reads what a user writes into the resolved gate. */
export function gateField(task: Task): Field<GateSpec> {
  const kindField = choiceField(
    DESCRIPTION,
    GATES.map(({ kind }) => kind),
  );
  const info = { rule: `a gate, an object whose \`kind\` is ${kindField.info.rule}`, description: DESCRIPTION };
  return {
    info,
    read(value, place) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse(place, value, info);
      const { kind: given, ...rest } = value as Record<string, unknown>;
      const gate = gateKind(kindField.read(given, { ...placeAt(place, "kind"), record: () => {} }));
      place.record(place.path, place.originOf(place.path));
      const quiet = { ...place, record: () => {} };
      return gate.resolve(objectField(gate.description, gate.fields(task)).read(rest, quiet), place.path, task);
    },
  };
}

/** Metrics the gates judge, the first one first: they get intervals, and the first is named where one number is shown. */
export function gateMetrics(gates: readonly GateSpec[]): readonly string[] {
  return [...new Set(gates.flatMap((gate) => gateKind(gate.kind).metrics(gate)))];
}
