/** How much arrived since the snapshot of the last run. */
import { numberField, plural, type TableValue } from "../core/index.ts";
import type { TriggerSpec } from "./spec.ts";
import type { TriggerState } from "./state.ts";
import { QUIET_STATE, showCount, type TriggerKind } from "./trigger.ts";

export type NewRowsSpec = Extract<TriggerSpec, { kind: "newRows" }>;
export type NewLabelsSpec = Extract<TriggerSpec, { kind: "newLabels" }>;

const fields = {
  count: numberField("How many must have arrived since the snapshot of the last run.", {
    min: 1,
    max: 1e12,
    integer: true,
  }),
};

function judgeCount(count: number, threshold: number, noun: string) {
  const judged = { inputs: { [`${noun}s`]: count }, threshold };
  return count >= threshold
    ? {
        outcome: "yes" as const,
        reason: `${plural(count, `new ${noun} has`, `new ${noun}s have`)} arrived, ${showCount(threshold)} ${threshold === 1 ? "is" : "are"} asked for.`,
        ...judged,
      }
    : {
        outcome: "no" as const,
        reason: `Fewer than ${plural(threshold, `new ${noun} has`, `new ${noun}s have`)} arrived.`,
        ...judged,
      };
}

const common = (noun: string) => ({
  fields: () => fields,
  subject: (spec: NewRowsSpec | NewLabelsSpec) => `${spec.kind}(${spec.count})`,
  rule: (spec: NewRowsSpec | NewLabelsSpec) =>
    `Retrain at ${plural(spec.count, noun)} newer than the last run's snapshot.`,
});
const after = (change: Partial<TriggerState>): TriggerState => ({ ...QUIET_STATE, ...change });

export const newRows: TriggerKind<NewRowsSpec, typeof fields> = {
  kind: "newRows",
  description: "After a number of new rows, labelled or not.",
  ...common("row"),
  resolve: (values: TableValue<typeof fields>) => ({ kind: "newRows", ...values }),
  judge: (spec, state) => judgeCount(state.rowsSince, spec.count, "row"),
  samples: [
    { spec: { kind: "newRows", count: 200 }, fires: after({ rowsSince: 200 }), rests: after({ rowsSince: 199 }) },
  ],
};

export const newLabels: TriggerKind<NewLabelsSpec, typeof fields> = {
  kind: "newLabels",
  description: "After a number of new labels; a corrected label counts again.",
  ...common("label"),
  resolve: (values: TableValue<typeof fields>) => ({ kind: "newLabels", ...values }),
  judge: (spec, state) => judgeCount(state.labelsSince, spec.count, "label"),
  samples: [
    { spec: { kind: "newLabels", count: 200 }, fires: after({ labelsSince: 200 }), rests: after({ labelsSince: 199 }) },
  ],
};
