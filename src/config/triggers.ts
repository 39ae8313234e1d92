/** `when`: triggers as a user writes them. Their fields and rules are in `trigger/`. */
import type { DurationText } from "../core/index.ts";
import type { MetricName } from "../stats/index.ts";

export interface PerformanceDropConfig<M extends MetricName> {
  readonly kind: "performanceDrop";
  readonly metric: M;
  readonly relative?: number;
  readonly absolute?: number;
  readonly window?: DurationText;
  readonly minRows?: number;
}
export type TriggerConfig<M extends MetricName = MetricName> =
  | { readonly kind: "any" | "all"; readonly of: readonly TriggerConfig<M>[] }
  | { readonly kind: "schedule"; readonly cron: string; readonly timeZone?: string }
  | { readonly kind: "interval"; readonly every: DurationText }
  | { readonly kind: "newRows" | "newLabels"; readonly count: number }
  | PerformanceDropConfig<M>
  | { readonly kind: "event"; readonly name: string }
  | { readonly kind: "manual" };

type Timeless = TriggerConfig<never>;
type MetricIn<T> =
  T extends PerformanceDropConfig<infer M> ? M : T extends { readonly of: readonly (infer O)[] } ? MetricIn2<O> : never;
// Nesting deeper than two is rare; the third level is checked at run time.
type MetricIn2<T> = T extends PerformanceDropConfig<infer M> ? M : never;

const combine =
  <K extends "any" | "all">(kind: K) =>
  <const T extends readonly [TriggerConfig, ...TriggerConfig[]]>(
    ...of: T
  ): { readonly kind: K; readonly of: readonly TriggerConfig<MetricIn<T[number]>>[] } =>
    ({ kind, of }) as never;

export const when = {
  /** Fires when one of them does. */
  any: combine("any"),
  /** Fires when all of them do, at the same tick. */
  all: combine("all"),
  /** A cron text of five parts; time zone UTC unless said. */
  schedule: (cron: string, options: { readonly timeZone?: string } = {}): Timeless => ({
    kind: "schedule",
    cron,
    ...options,
  }),
  /** A fixed time after the last run. */
  every: (every: DurationText): Timeless => ({ kind: "interval", every }),
  newRows: (count: number): Timeless => ({ kind: "newRows", count }),
  newLabels: (count: number): Timeless => ({ kind: "newLabels", count }),
  /**
   * The champion's realised metric is worse than on its holdout by more than `relative` (a share of it, default 0.1) or
   * `absolute`, over `window` (default "30d") of mature examples and at least `minRows` (default 200) of them.
   */
  performanceDrop: <const M extends MetricName>(
    metric: M,
    options: Omit<PerformanceDropConfig<M>, "kind" | "metric"> = {},
  ): PerformanceDropConfig<M> => ({ kind: "performanceDrop", metric, ...options }),
  /** An external event posted to the API. */
  event: (name: string): Timeless => ({ kind: "event", name }),
  /** Only a person starts runs, the first one included. */
  manual: (): Timeless => ({ kind: "manual" }),
} as const;
