/**
 * What gates know beyond metrics: the evidence they judge, what people approved, and how often a holdout was looked at. Numbers
 * that were measured with the machine's clock (latency) never decide on a virtual clock.
 */

/** Candidate against champion on one slice. */
export interface SliceDifference {
  readonly slice: string;
  readonly metric: string;
  readonly rows: number;
  readonly candidate: number;
  readonly champion: number;
  /** Candidate minus champion, in the metric's unit. */
  readonly difference: number;
  readonly standardError: number;
  /** The difference drawn towards the mean of all slices by as much as its own noise says (empirical Bayes). */
  readonly shrunken: number;
  /** One-sided: how surprising this is unless the candidate is worse here by more than the margin. */
  readonly p: number;
  /** The same, adjusted for the number of slices (Benjamini-Hochberg). */
  readonly adjusted: number;
}
export interface SliceEvidence {
  readonly metric: string;
  readonly margin: number;
  readonly minRows: number;
  readonly differences: readonly SliceDifference[];
  /** Slices too small to be compared. */
  readonly tooSmall: number;
}

/** Expected calibration error over ten equal-width bins, and what a perfectly calibrated model would show on as many rows. */
export interface CalibrationEvidence {
  readonly error: number;
  /** 90 % two-sided bootstrap interval. */
  readonly interval: readonly [number, number];
  readonly expectedIfCalibrated: number;
  readonly rows: number;
}

/** Single predictions timed one by one in the training process, in microseconds. */
export interface LatencyEvidence {
  readonly calls: number;
  readonly p50Us: number;
  readonly p95Us: number;
  readonly p99Us: number;
  /** One-sided 95 % upper bound of the 99 % quantile, by order statistics. */
  readonly p99UpperUs: number;
}

/** One behavior that was asked of the candidate. */
export interface ProbeFinding {
  readonly kind: "golden" | "invariance" | "direction";
  /** `row 1`, `age by any of 20, 60`, `balance + 1000: up`. */
  readonly probe: string;
  readonly tried: number;
  readonly passed: number;
  /** Share of tries that must pass. */
  readonly required: number;
  /** The worst of the failures, in words. */
  readonly worst?: string;
}

/** A part of the held-out rows, reported beside the whole. */
export interface HoldoutPart {
  readonly part: "older" | "recent";
  readonly from: number | null;
  readonly to: number | null;
  readonly rows: number;
  readonly candidate: Readonly<Record<string, number | null>>;
  readonly champion?: Readonly<Record<string, number | null>>;
}

/** How often these held-out rows have served against this champion. */
export interface HoldoutLooks {
  /** 1: the first look. */
  readonly look: number;
  /** One-sided error rate this look may spend. */
  readonly alpha: number;
  /** Share of the rows that the earlier looks saw; the largest. */
  readonly seenShare: number;
}

/** A judged run: the rows it looked at are those known at `asOf`. */
export interface GateLook {
  readonly model: string;
  readonly runId: string;
  readonly champion: string | null;
  readonly asOf: number;
  readonly rows: number;
}

/** Rows decided true at each threshold, by what was true; the thresholds rise in equal steps from 0 to 1. */
export interface ThresholdCounts {
  readonly truePositives: readonly number[];
  readonly falsePositives: readonly number[];
}

export interface GateEvidence {
  readonly sliceDifferences?: readonly SliceEvidence[];
  readonly calibrationError?: CalibrationEvidence;
  readonly latency?: LatencyEvidence;
  /** All files of the artifact. */
  readonly sizeBytes?: number;
  readonly probes?: readonly ProbeFinding[];
  readonly holdoutParts?: readonly HoldoutPart[];
  readonly looks?: HoldoutLooks;
  /** Binary: the champion's calibration curve, on the same rows as the candidate's. */
  readonly championCalibration?: readonly {
    readonly meanScore: number;
    readonly share: number;
    readonly count: number;
  }[];
  /** Binary: what both decide at thresholds 0, 0.01, …, 1. */
  readonly decisions?: {
    readonly positives: number;
    readonly negatives: number;
    readonly candidate: ThresholdCounts;
    readonly champion?: ThresholdCounts;
  };
  /** Binary and multiclass: rows by true class (first) and decided class, in class order. */
  readonly confusion?: {
    readonly classes: readonly string[];
    readonly candidate: readonly (readonly number[])[];
    readonly champion?: readonly (readonly number[])[];
  };
}

/** A person's word about a version. The newest of a person counts, until it expires. */
export interface ApprovalRecord {
  readonly id: string;
  readonly model: string;
  readonly version: string;
  readonly verdict: "approve" | "refuse";
  readonly person: string;
  readonly role: "viewer" | "labeler" | "operator" | "admin";
  readonly reason: string;
  readonly at: number;
}

export interface GateStore {
  addApproval(approval: ApprovalRecord): Promise<void>;
  /** Oldest first. */
  approvals(model: string, version: string): Promise<readonly ApprovalRecord[]>;
  /** Idempotent by run. */
  addLook(look: GateLook): Promise<void>;
  /** Looks against the same champion, newest first, at most 1,000. */
  looks(model: string, champion: string | null): Promise<readonly GateLook[]>;
}
