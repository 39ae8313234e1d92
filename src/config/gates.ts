/** `gate`: what a candidate must prove. Judged by `evaluate/gate.ts`. */
import { choiceField, type Field, numberField, optional, type Task, variantField } from "../core/index.ts";
import type { GateSpec } from "../evaluate/spec.ts";
import { type MetricName, metricsFor } from "../stats/index.ts";

export type GateConfig<M extends MetricName = MetricName> =
  | { readonly kind: "atLeast"; readonly metric: M; readonly value: number }
  | { readonly kind: "noWorseThanChampion"; readonly metric: M; readonly margin?: number }
  | { readonly kind: "betterThanBaseline"; readonly metric: M };
type Gate<K extends GateConfig["kind"], M extends MetricName> = Extract<GateConfig<M>, { readonly kind: K }>;

export const gate = {
  /** The one-sided 95 % bound of the metric reaches the value (for errors: stays at or below it). */
  atLeast: <const M extends MetricName>(metric: M, value: number): Gate<"atLeast", M> => ({
    kind: "atLeast",
    metric,
    value,
  }),
  /** Not worse than the champion on the same rows by more than the margin (default: derived from the holdout size). */
  noWorseThanChampion: <const M extends MetricName>(
    metric: M,
    options: { readonly margin?: number } = {},
  ): Gate<"noWorseThanChampion", M> => ({ kind: "noWorseThanChampion", metric, ...options }),
  /** Better than always answering the majority class (regression: the mean). */
  betterThanBaseline: <const M extends MetricName>(metric: M): Gate<"betterThanBaseline", M> => ({
    kind: "betterThanBaseline",
    metric,
  }),
} as const;

/** Reads a gate for a model of the task. */
export function gateField(task: Task): Field<GateSpec> {
  const metric = choiceField("The metric to judge by.", metricsFor(task));
  const field = variantField("What a candidate must prove.", "kind", {
    atLeast: { metric, value: numberField("The bar, in the metric's unit.") },
    noWorseThanChampion: {
      metric,
      margin: optional(numberField("How much worse it may be, in the metric's unit.", { min: 0 })),
    },
    betterThanBaseline: { metric },
  });
  return {
    info: field.info,
    read(value, place) {
      const read = field.read(value, place);
      if (read.kind !== "noWorseThanChampion") return read;
      const { kind, metric: name, margin } = read;
      return { kind, metric: name, ...(margin === undefined ? {} : { margin }) };
    },
  };
}
