/** Resolved trigger expressions: plain JSON, evaluated by `trigger/` and shown by the console. */
export type TriggerSpec =
  | { readonly kind: "any"; readonly of: readonly TriggerSpec[] }
  | { readonly kind: "all"; readonly of: readonly TriggerSpec[] }
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
      /** Width of the current window of mature examples, in event time. */
      readonly windowMs: number;
      /** Fewer labelled rows: cannot tell. */
      readonly minRows: number;
    }
  | { readonly kind: "event"; readonly name: string }
  | { readonly kind: "manual" };
