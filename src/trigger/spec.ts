/** Resolved trigger expressions: plain JSON, evaluated by `trigger/` and shown by the console. */
export type TriggerSpec = CombinedSpec | LeafTriggerSpec;

export type CombinedSpec =
  | { readonly kind: "any"; readonly of: readonly TriggerSpec[] }
  | { readonly kind: "all"; readonly of: readonly TriggerSpec[] }
  /** At least `count` of them. */
  | { readonly kind: "atLeast"; readonly count: number; readonly of: readonly TriggerSpec[] }
  | { readonly kind: "not"; readonly of: readonly [TriggerSpec] }
  /** Fires when its trigger has said yes at every tick for so long. */
  | { readonly kind: "debounce"; readonly forMs: number; readonly of: readonly [TriggerSpec] };

type LeafTriggerSpec =
  | { readonly kind: "schedule"; readonly cron: string; readonly timeZone: string }
  | { readonly kind: "interval"; readonly everyMs: number }
  | { readonly kind: "newRows"; readonly count: number }
  | { readonly kind: "newLabels"; readonly count: number }
  | {
      readonly kind: "performanceDrop";
      readonly metric: string;
      /** Share of the reference value it may get worse by, or an absolute amount. */
      readonly relative?: number;
      readonly absolute?: number;
      /** Width of the current window, in event time. */
      readonly windowMs: number;
      /** Fewer rows: cannot tell. */
      readonly minRows: number;
      /** Judged by what the version's scores say of it, before labels arrive. */
      readonly estimated?: true;
    }
  | {
      readonly kind: "dataDrift";
      /** Importance-weighted share of drifted features from which it fires; absent: the monitor's own. */
      readonly share?: number;
      /** Only these features count; any of them that drifts fires. */
      readonly features?: readonly string[];
    }
  | { readonly kind: "predictionDrift" }
  | { readonly kind: "conceptDrift" }
  | { readonly kind: "staleness"; readonly maxAgeMs: number }
  | {
      readonly kind: "worthIt";
      readonly metric: string;
      /** What a prediction costs more when its loss is larger by one unit of the metric. */
      readonly pricePerLoss: number;
      readonly pricePerRun: number;
      readonly pricePerRow: number;
      /** Over which the gain is counted. */
      readonly horizonMs: number;
      readonly windowMs: number;
      readonly minRows: number;
    }
  | { readonly kind: "event"; readonly name: string }
  | { readonly kind: "manual" };
