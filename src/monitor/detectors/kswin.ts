/**
 * KSWIN (C. Raab, M. Heusinger, F.-M. Schleif 2020): a two-sample Kolmogorov-Smirnov test of the newest values of a sliding window
 * against the older ones. Notices changes of shape that leave the mean alone. Deterministic form: all older values are used, where
 * the original draws some at random. It tests at every value, so it alarms falsely at `alpha` far more often than alpha says.
 */
import type { JsonObject } from "../../core/records.ts";
import { kolmogorovSmirnov } from "../../stats/index.ts";
import { type Detection, type DriftDetector, driftTowards, requireNumber, STABLE } from "./detector.ts";

export interface KswinOptions {
  /** p-value at or below which drift is called. */
  readonly alpha?: number;
  /** Values in the window. */
  readonly windowSize?: number;
  /** Newest values of the window that are compared with the rest. */
  readonly newestSize?: number;
}

type Settings = Required<KswinOptions>;
const DEFAULTS: Settings = { alpha: 0.005, windowSize: 100, newestSize: 30 };
/** Smaller distances are never drift, whatever their p-value. */
const SMALLEST_DISTANCE = 0.1;

/** Cost O(windowSize²) a value: about 30 µs at 100. Memory O(windowSize). */
export function createKswin(options: KswinOptions = {}): DriftDetector {
  return resume({ ...DEFAULTS, ...options }, [], false);
}

/** Resumes from `toState()`. */
export function kswinFromState(state: JsonObject): DriftDetector {
  const { settings, window, drifted } = state as unknown as { settings: Settings; window: number[]; drifted: boolean };
  return resume(settings, [...window], drifted);
}

function resume(settings: Settings, start: number[], startDrifted: boolean): DriftDetector {
  let window = start;
  let drifted = startDrifted;
  return {
    update(value) {
      requireNumber("KSWIN", value);
      if (drifted) window = [];
      window.push(value);
      if (window.length > settings.windowSize) window.shift();
      const detection = window.length < settings.windowSize ? STABLE : compare(window, settings);
      drifted = detection.driftDetected;
      return detection;
    },
    toState: () => ({ settings: { ...settings }, window: [...window], drifted }),
  };
}

function compare(window: readonly number[], settings: Settings): Detection {
  const split = settings.windowSize - settings.newestSize;
  const older = window.slice(0, split);
  const newest = window.slice(split);
  const result = kolmogorovSmirnov(older, newest);
  if (result === null || result.p > settings.alpha || result.statistic <= SMALLEST_DISTANCE) return STABLE;
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return driftTowards(mean(newest) >= mean(older) ? "up" : "down");
}
