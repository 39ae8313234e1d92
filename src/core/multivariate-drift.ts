/** What is found when rows are compared as wholes: two distributions can differ while every column alone looks the same. */
import type { DriftVerdict } from "./drift.ts";

/** Whether a classifier can tell current rows from reference rows it has not seen. */
export interface DomainClassification {
  readonly verdict: DriftVerdict;
  readonly reason: string;
  /** Area under the ROC curve on rows held out, averaged over the folds: 0.5 means it cannot tell, 1 that every row gives itself away. */
  readonly auc: number | null;
  /** 95 %. */
  readonly interval: readonly [number, number] | null;
  /** The AUC must exceed it. */
  readonly threshold: number | null;
  readonly thresholdFrom: "minimum effect" | "sampling noise" | null;
  readonly p: number | null;
  /** By how much the classifier rests on each feature, largest first; empty where it cannot tell the rows apart. Shares sum to 1. */
  readonly features: readonly {
    readonly feature: string;
    readonly share: number;
    /** AUC lost when the feature's values are shuffled among the held-out rows. */
    readonly aucLost: number;
  }[];
}

/** Whether current rows lie as near to the reference's main directions as its own rows do. */
export interface ReconstructionShift {
  readonly verdict: DriftVerdict;
  readonly reason: string;
  /** Change of the mean reconstruction error in standard deviations of the reference's errors; signed. */
  readonly value: number | null;
  readonly interval: readonly [number, number] | null;
  /** The absolute value must exceed it. */
  readonly threshold: number | null;
  readonly thresholdFrom: "minimum effect" | "sampling noise" | null;
  readonly p: number | null;
  /** Principal components kept, and the share of the variance they hold. */
  readonly components: number;
  readonly explained: number;
}

export interface MultivariateDrift {
  readonly verdict: DriftVerdict;
  readonly reason: string;
  /** Rows looked at, at most some thousands of each side. */
  readonly referenceRows: number;
  readonly currentRows: number;
  /** With `cannot-tell`: rows that are missing in the current window. */
  readonly rowsNeeded?: number;
  /** Probability of a false alarm of the two together. */
  readonly level: number;
  readonly classifier: DomainClassification;
  readonly reconstruction: ReconstructionShift;
}
