/**
 * Behavior that must hold whatever the metrics say: golden rows with known answers, features that must not matter, features that
 * must push the score one way (M. Ribeiro et al., "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList", ACL 2020).
 * The model is deterministic, so a probe passes or fails; no statistics are needed.
 */
import {
  choiceField,
  fail,
  type Field,
  type GateCheck,
  type Json,
  jsonField,
  type LabelValue,
  listField,
  numberField,
  objectField,
  optional,
  plural,
  refuse,
  textField,
  withDefault,
} from "../../core/index.ts";
import type { DirectionProbe, GateSpec, GoldenProbe, InvarianceProbe } from "../spec.ts";
import { type GateContext, type GateKind, sampleContext } from "./gate.ts";

export type ProbesSpec = Extract<GateSpec, { kind: "probes" }>;

const rowInfo = { rule: "a row, an object of features", description: "" };
const rowField: Field<Readonly<Record<string, Json>>> = {
  info: rowInfo,
  read(value, place) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse(place, value, rowInfo);
    return value as Readonly<Record<string, Json>>;
  },
};
const scalarInfo = { rule: "a text, a number, true or false", description: "" };
const scalarField: Field<string | number | boolean> = {
  info: scalarInfo,
  read(value, place) {
    const isScalar = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    if (!isScalar) throw refuse(place, value, scalarInfo);
    return value;
  },
};
const shareField = withDefault(numberField("Share of the tries that must pass.", { min: 0, max: 1 }), 1);
const feature = textField("A feature.");
const fields = {
  golden: withDefault(
    listField(
      "Rows with known answers.",
      objectField("A row and what must be answered.", {
        row: rowField,
        decision: optional(jsonField("The decision.")),
        min: optional(numberField("Smallest score.")),
        max: optional(numberField("Largest score.")),
      }),
    ),
    [],
  ),
  invariances: withDefault(
    listField(
      "Features that must not matter.",
      objectField("A feature and the values to exchange.", {
        feature,
        values: listField("The values.", scalarField, { min: 1 }),
        maxChange: numberField("Largest change of the score.", { min: 0 }),
        share: shareField,
      }),
    ),
    [],
  ),
  directions: withDefault(
    listField(
      "Features that push the score one way.",
      objectField("A number feature and what adding to it must do.", {
        feature,
        add: numberField("What is added."),
        expect: choiceField("Where the score must not move against.", ["up", "down"]),
        share: shareField,
      }),
    ),
    [],
  ),
};

function judge(_spec: ProbesSpec, { report }: GateContext): GateCheck {
  const gate = "probes";
  const found = report.probes ?? [];
  const tried = found.reduce((sum, one) => sum + one.tried, 0);
  if (tried === 0)
    return { gate, outcome: "cannot-tell", rows: 0, reason: "No probe could be tried: there is no held-out row." };
  const failed = found.filter((one) => one.passed < one.required * one.tried);
  if (failed.length === 0) {
    return {
      gate,
      outcome: "yes",
      rows: tried,
      reason: `${found.length === 1 ? "The only probe passes" : `All ${plural(found.length, "probe")} pass`}, over ${plural(tried, "try", "tries")}.`,
    };
  }
  const list = failed.map(
    (one) => `${one.probe}: ${one.passed} of ${one.tried}${one.worst === undefined ? "" : ` (${one.worst})`}`,
  );
  return {
    gate,
    outcome: "no",
    value: failed.length,
    rows: tried,
    reason: `${failed.length} of ${plural(found.length, "probe")} ${failed.length === 1 ? "fails" : "fail"}: ${list.slice(0, 5).join("; ")}.`,
  };
}

export const probes: GateKind<ProbesSpec, typeof fields> = {
  kind: "probes",
  description: "Golden rows, features that must not matter, and features that must push the score one way.",
  fields: () => fields,
  resolve({ golden, invariances, directions }, path) {
    if (golden.length + invariances.length + directions.length === 0) {
      throw fail("CONFIG_INVALID", {
        message: `\`${path}\` lists no probe.`,
        remedy: "Give at least one of golden, invariances and directions.",
        details: { path },
      });
    }
    const without = golden.findIndex(
      (one) => one.decision === undefined && one.min === undefined && one.max === undefined,
    );
    if (without >= 0) {
      throw fail("CONFIG_INVALID", {
        message: `\`${path}.golden[${without}]\` states no answer.`,
        remedy: "Give a decision, or min and max of the score.",
        details: { path: `${path}.golden[${without}]` },
      });
    }
    return {
      kind: "probes",
      golden: golden.map(
        ({ row, decision, min, max }): GoldenProbe => ({
          row,
          ...(decision === undefined ? {} : { decision: decision as LabelValue }),
          ...(min === undefined ? {} : { min }),
          ...(max === undefined ? {} : { max }),
        }),
      ),
      invariances: invariances as readonly InvarianceProbe[],
      directions: directions as readonly DirectionProbe[],
    };
  },
  subject: () => "probes",
  rule: ({ golden, invariances, directions }) =>
    `${plural(golden.length, "golden row")}, ${plural(invariances.length, "invariance")} and ${plural(directions.length, "direction")} hold.`,
  metrics: () => [],
  judge,
  samples: [
    {
      spec: { kind: "probes", golden: [{ row: { x: 1 }, decision: true }], invariances: [], directions: [] },
      passes: sampleContext({ probes: [{ kind: "golden", probe: "row 1", tried: 1, passed: 1, required: 1 }] }),
      refuses: sampleContext({ probes: [{ kind: "golden", probe: "row 1", tried: 1, passed: 0, required: 1 }] }),
    },
  ],
};
