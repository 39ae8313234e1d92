/** Resolved gates: plain JSON, judged by the kinds in `evaluate/gates/`. */
import type { Json, LabelValue, Role } from "../core/index.ts";

/** A row and what must be answered to it. */
export interface GoldenProbe {
  readonly row: Readonly<Record<string, Json>>;
  /** The decision, or bounds of the score (binary: the probability of true; regression: the value). */
  readonly decision?: LabelValue;
  readonly min?: number;
  readonly max?: number;
}
/** Putting any of the values in the place of a feature must not move the score by more than `maxChange`. */
export interface InvarianceProbe {
  readonly feature: string;
  readonly values: readonly (string | number | boolean)[];
  readonly maxChange: number;
  readonly share: number;
}
/** Adding `add` to a number feature must move the score up (or down), or leave it. */
export interface DirectionProbe {
  readonly feature: string;
  readonly add: number;
  readonly expect: "up" | "down";
  readonly share: number;
}

export type GateSpec =
  | { readonly kind: "atLeast"; readonly metric: string; readonly value: number }
  | {
      readonly kind: "noWorseThanChampion";
      readonly metric: string;
      /** In the metric's unit; absent: derived from the holdout size and printed. */
      readonly margin?: number;
    }
  | { readonly kind: "betterThanChampion"; readonly metric: string; readonly by: number }
  | { readonly kind: "betterThanBaseline"; readonly metric: string }
  | {
      readonly kind: "slices";
      /** Features whose values are the slices; absent: every feature, and pairs of the most common values. */
      readonly features?: readonly string[];
      readonly metric: string;
      readonly margin: number;
      readonly minRows: number;
    }
  | { readonly kind: "calibration"; readonly max: number }
  | { readonly kind: "latency"; readonly maxMs: number }
  | { readonly kind: "size"; readonly maxBytes: number }
  | {
      readonly kind: "probes";
      readonly golden: readonly GoldenProbe[];
      readonly invariances: readonly InvarianceProbe[];
      readonly directions: readonly DirectionProbe[];
    }
  | {
      readonly kind: "custom";
      readonly name: string;
      /** Names the function in this process: 12 hex digits of the SHA-256 of its source. */
      readonly source: string;
    }
  | { readonly kind: "approval"; readonly role: Role; readonly people: number; readonly validMs: number };
