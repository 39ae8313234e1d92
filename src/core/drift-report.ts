/** The record of one comparison of two windows: every feature with its statistics, thresholds, distances and bins. */
import type { DriftVerdict } from "./drift.ts";

export const DRIFT_REFERENCES = ["training", "trailing", "same-season"] as const;
/** training: the rows the champion learned from. trailing: the windows before. same-season: the same part of earlier seasons. */
export type DriftReference = (typeof DRIFT_REFERENCES)[number];

export type DriftStatistic = "psi" | "missingRate" | "unseenRate";

/** One of the three things that can move. */
export interface DriftComponent {
  readonly statistic: DriftStatistic;
  readonly value: number;
  /** The value must exceed it. */
  readonly threshold: number;
  /** Which of the three made the threshold. */
  readonly thresholdFrom: "minimum effect" | "sampling noise" | "history";
  readonly minimumEffect: number;
  readonly noiseFloor: number;
  readonly history: number | null;
  readonly p: number;
}

export interface DriftBin {
  readonly label: string;
  readonly reference: number;
  readonly current: number;
  /** What the bin adds to the PSI. */
  readonly contribution: number;
}

/** Distances of the two distributions, for those who think in another one than the PSI. Null where not defined. */
export interface DriftDistances {
  readonly psi: number | null;
  /** Base 2, in [0, 1]. */
  readonly jsDistance: number | null;
  readonly hellinger: number | null;
  readonly totalVariation: number | null;
  /** Numbers only. Over the cells of the grid: at most 0.4 % below the value of the raw rows. */
  readonly ks: number | null;
  readonly ksP: number | null;
  /** Wasserstein-1 in standard deviations of the reference. Numbers only. */
  readonly wasserstein: number | null;
  readonly chi2: number | null;
  readonly chi2P: number | null;
  readonly cramersV: number | null;
}

export interface FeatureDrift {
  readonly feature: string;
  /** The wide feature (text, vector, image) it is a part of. */
  readonly of?: string;
  readonly kind: "number" | "category" | "boolean";
  readonly verdict: DriftVerdict;
  readonly reason: string;
  readonly importance?: number;
  /** The component nearest to (or furthest beyond) its threshold. */
  readonly statistic: DriftStatistic;
  readonly value: number | null;
  readonly threshold: number | null;
  readonly ratio: number | null;
  readonly components: readonly DriftComponent[];
  /** Smallest p-value of the components, times their number, before and after adjusting for the number of features. */
  readonly p: number | null;
  readonly pAdjusted: number | null;
  /** With `cannot-tell`: rows of the current window that are missing. */
  readonly rowsNeeded?: number;
  readonly referenceRows: number;
  readonly currentRows: number;
  readonly missing: { readonly reference: number; readonly current: number };
  readonly unseen: { readonly reference: number; readonly current: number };
  /** Share of the current numbers beyond the range of the reference. */
  readonly outOfRange: number;
  readonly distances: DriftDistances;
  readonly bins: readonly DriftBin[];
  readonly edges?: readonly number[];
}

export interface DriftReport {
  readonly verdict: DriftVerdict;
  readonly reason: string;
  /** Importance-weighted share of drifted features, in [0, 1]; null when nothing could be told. */
  readonly share: number | null;
  readonly shareThreshold: number;
  readonly referenceRows: number;
  readonly currentRows: number;
  readonly rowsNeeded?: number;
  /** Level of the tests over all features. */
  readonly level: number;
  /** Largest ratio to its threshold first. */
  readonly features: readonly FeatureDrift[];
}

export interface DriftCalibration {
  /** Windows that had enough rows. */
  readonly windows: number;
  /** Mean plus so many standard deviations of the windows' statistics. */
  readonly deviations: number;
  /** Threshold by feature, in the unit of the PSI. Empty when there were too few windows. */
  readonly thresholds: Readonly<Record<string, number>>;
}
