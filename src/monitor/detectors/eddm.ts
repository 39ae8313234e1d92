/**
 * EDDM, early drift detection method (M. Baena-García et al. 2006): watches the distance between errors, which shrinks when a
 * model gets worse. Sensitive to slow drift and very talkative: 10 to 21 false alarms per 10,000 rows. Offered for comparison, not
 * as a default.
 */
import type { JsonObject } from "../../core/records.ts";
import { type Detection, type DriftDetector, driftTowards, requireNumber, STABLE, WARNING } from "./detector.ts";

export interface EddmOptions {
  /** No drift up to and including so many errors. */
  readonly warmStart?: number;
  /** Warning below this share of the largest distance level; α. */
  readonly warningRatio?: number;
  /** Drift below this share; β. */
  readonly driftRatio?: number;
}

type Settings = Required<EddmOptions>;
const DEFAULTS: Settings = { warmStart: 30, warningRatio: 0.95, driftRatio: 0.9 };

interface Distances {
  rows: number;
  errors: number;
  lastError: number;
  mean: number;
  squares: number;
  largest: number;
  /** A warning lasts from the error that raised it to the next one. */
  warning: boolean;
}

const emptyDistances = (): Distances => ({
  rows: 0,
  errors: 0,
  lastError: 0,
  mean: 0,
  squares: 0,
  largest: -1,
  warning: false,
});

/** Takes error bits (1 = error). Cost O(1). */
export function createEddm(options: EddmOptions = {}): DriftDetector {
  return resume({ ...DEFAULTS, ...options }, emptyDistances(), false);
}

/** Resumes from `toState()`. */
export function eddmFromState(state: JsonObject): DriftDetector {
  const { settings, distances, drifted } = state as unknown as {
    settings: Settings;
    distances: Distances;
    drifted: boolean;
  };
  return resume(settings, structuredClone(distances), drifted);
}

function resume(settings: Settings, start: Distances, startDrifted: boolean): DriftDetector {
  let distances = start;
  let drifted = startDrifted;
  return {
    update(value) {
      requireNumber("EDDM", value);
      if (drifted) distances = emptyDistances();
      const detection = step(distances, settings, value);
      drifted = detection.driftDetected;
      return detection;
    },
    toState: () => structuredClone({ settings, distances, drifted }) as unknown as JsonObject,
  };
}

function step(seen: Distances, settings: Settings, value: number): Detection {
  seen.rows += 1;
  if (value !== 1) return seen.warning ? WARNING : STABLE;
  seen.errors += 1;
  const distance = seen.rows - seen.lastError;
  seen.lastError = seen.rows;
  const gap = distance - seen.mean;
  seen.mean += gap / seen.errors;
  seen.squares += gap * (distance - seen.mean);
  if (seen.rows <= settings.warmStart) return seen.warning ? WARNING : STABLE;
  const variance = seen.errors > 1 ? seen.squares / (seen.errors - 1) : 0;
  const level = seen.mean + 2 * Math.sqrt(variance);
  if (level > seen.largest) {
    seen.largest = level;
    return seen.warning ? WARNING : STABLE;
  }
  if (seen.errors <= settings.warmStart) return seen.warning ? WARNING : STABLE;
  const ratio = level / seen.largest;
  if (ratio < settings.driftRatio) return { ...driftTowards("up"), warningDetected: seen.warning };
  seen.warning = ratio < settings.warningRatio;
  return seen.warning ? WARNING : STABLE;
}
