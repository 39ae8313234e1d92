/** Resolved gates: plain JSON, judged by `evaluate/gate.ts`. */
export type GateSpec =
  | { readonly kind: "atLeast"; readonly metric: string; readonly value: number }
  | {
      readonly kind: "noWorseThanChampion";
      readonly metric: string;
      /** In the metric's unit; absent: derived from the holdout size and printed. */
      readonly margin?: number;
    }
  | { readonly kind: "betterThanBaseline"; readonly metric: string };
