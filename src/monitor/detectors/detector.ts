/**
 * What every concept-drift detector is: a small machine fed one number at a time (an error bit or a loss, in label-arrival order)
 * that says when their distribution has changed. A detector belongs to one model version and one metric and starts anew at a
 * promotion.
 *
 * Semantics shared by all, those of River: flags describe the value just consumed; after a flagged drift the *next* update first
 * starts over, then consumes its value. State is plain JSON, so saving mid-stream and resuming equals never stopping.
 */
import type { JsonObject } from "../../core/records.ts";
import { RetrainError } from "../../core/errors.ts";

/** `up`: the values grew (an error got worse); `down`: they fell. */
export type DriftDirection = "up" | "down";

export interface Detection {
  readonly driftDetected: boolean;
  readonly warningDetected: boolean;
  /** Which way the values moved, when drift is detected. A fall of an error is good news and seldom a reason to retrain. */
  readonly direction: DriftDirection | null;
}

export interface DriftDetector {
  /** Consumes one value. NaN throws STATISTIC_UNDEFINED and changes nothing. */
  update(value: number): Detection;
  /** Everything needed to go on, as JSON. */
  toState(): JsonObject;
}

export interface DetectorKind {
  readonly description: string;
  /** `bits`: 0 and 1 only (1 = error). `numbers`: any finite values. */
  readonly input: "bits" | "numbers";
  /** The one number that trades false alarms for delay; others keep their published values. */
  readonly setting: {
    readonly name: string;
    readonly default: number;
    readonly min: number;
    readonly max: number;
    /** Values tried when a budget of false alarms is calibrated, the most sensitive first. */
    readonly ladder: readonly number[];
  };
  /** Values it may be fed in one simulation of false alarms, where it is slower than most. */
  readonly simulatedRows?: number;
  /** @param setting value of the setting above; its default when left out */
  readonly create: (setting?: number) => DriftDetector;
  readonly fromState: (state: JsonObject) => DriftDetector;
}

export const STABLE: Detection = { driftDetected: false, warningDetected: false, direction: null };
export const WARNING: Detection = { driftDetected: false, warningDetected: true, direction: null };

/** The detection of a drift in the given direction. */
export function driftTowards(direction: DriftDirection): Detection {
  return { driftDetected: true, warningDetected: false, direction };
}

export function requireNumber(detector: string, value: number): void {
  if (Number.isFinite(value)) return;
  throw new RetrainError("STATISTIC_UNDEFINED", {
    message: `${detector} got ${value}; a detector compares finite numbers only.`,
    remedy: "Leave rows without a finite loss out of the stream.",
  });
}

/** Running mean as River keeps it; the order of operations is part of the published results. */
export interface RunningMean {
  n: number;
  mean: number;
}

export function addToMeanInPlace(running: RunningMean, value: number): void {
  running.n += 1;
  running.mean += (1 / running.n) * (value - running.mean);
}
