/**
 * What the drift monitors find, in one shape: written as a signal at every evaluation, read by triggers, the console, the
 * alerts and the metrics. Each names which distribution moved: data drift P(x), prediction drift P(ŷ), label shift P(y), or
 * training-serving skew (the same example described differently to trainer and server).
 */
import type { Instant, JsonObject, Outcome, SignalRecord } from "./records.ts";

export const DRIFT_MONITORS = ["data-drift", "prediction-drift", "label-shift", "training-serving-skew"] as const;
export type DriftMonitor = (typeof DRIFT_MONITORS)[number];
export const DRIFT_VERDICTS = ["drift", "no-drift", "cannot-tell"] as const;
export type DriftVerdict = (typeof DRIFT_VERDICTS)[number];

/** One feature, score or label in a signal. The full report (bins, every distance) is computed from the profiles on demand. */
export interface DriftFinding {
  /** Name of the feature; `prediction` or `label` for the other monitors. */
  readonly feature: string;
  readonly verdict: DriftVerdict;
  /** The distance that decided: population stability index, the change of a rate in [0, 1], or a mean's shift in standard deviations. */
  readonly statistic: "psi" | "missingRate" | "unseenRate" | "meanShift";
  readonly value: number | null;
  /** The value must exceed it: the greatest of minimum effect, noise floor and what the model's own history shows. */
  readonly threshold: number | null;
  /** Which of them that was; absent for what has one threshold only, and in signals written before it was kept. */
  readonly thresholdFrom?: "minimum effect" | "sampling noise" | "history";
  /** value / threshold; 1 means "at the threshold", for any statistic. */
  readonly ratio: number | null;
  /** Share of the model's answers that rests on the feature, in [0, 1]; absent where it is not known. */
  readonly importance?: number;
}

/** One evaluation of one monitor over one current window. */
export interface DriftSignal {
  readonly monitor: DriftMonitor;
  readonly model: string;
  /** The champion whose reference was compared with. */
  readonly version: string;
  /** When it was evaluated. */
  readonly at: Instant;
  /** Current window [from, to), event time. */
  readonly from: Instant;
  readonly to: Instant;
  readonly reference: "training" | "trailing" | "same-season";
  readonly verdict: DriftVerdict;
  /** Importance-weighted share of features that drifted, in [0, 1]; null when nothing could be told. */
  readonly share: number | null;
  /** The share from which the whole is called drift. */
  readonly shareThreshold: number;
  readonly rows: number;
  readonly referenceRows: number;
  /** With `cannot-tell`: rows that are missing in the current window. */
  readonly rowsNeeded?: number;
  /** Largest ratio first. */
  readonly findings: readonly DriftFinding[];
  /** One sentence a person can read. */
  readonly reason: string;
}

const OUTCOME_OF: Readonly<Record<DriftVerdict, Outcome>> = {
  drift: "yes",
  "no-drift": "no",
  "cannot-tell": "cannot-tell",
};

/** As it is stored: verdict `yes` means drift; the details hold the whole signal. */
export function driftSignalRecord(signal: DriftSignal): SignalRecord {
  return {
    model: signal.model,
    monitor: signal.monitor,
    subject: "dataset",
    at: signal.at,
    verdict: OUTCOME_OF[signal.verdict],
    value: signal.share,
    threshold: signal.shareThreshold,
    details: signal as unknown as JsonObject,
  };
}

/** The drift signal of a stored record; undefined for records of other monitors. */
export function readDriftSignal(record: SignalRecord): DriftSignal | undefined {
  const isDrift = (DRIFT_MONITORS as readonly string[]).includes(record.monitor);
  return isDrift ? (record.details as unknown as DriftSignal) : undefined;
}

/** The newest signal of a monitor among records that come newest first. */
export function latestDriftSignal(records: readonly SignalRecord[], monitor: DriftMonitor): DriftSignal | undefined {
  for (const record of records) if (record.monitor === monitor) return readDriftSignal(record);
  return undefined;
}
