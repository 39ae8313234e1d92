/**
 * Page-Hinkley test (E. Page, "Continuous inspection schemes", 1954): adds up deviations from the running mean, less a tolerance,
 * and signals when the sum has moved `threshold` away from its extreme. The threshold is in the unit of the values, so scale
 * it; on error bits 50 makes few false alarms.
 */
import type { JsonObject } from "../../core/records.ts";
import {
  addToMeanInPlace,
  type Detection,
  type DriftDetector,
  driftTowards,
  requireNumber,
  type RunningMean,
  STABLE,
} from "./detector.ts";

export interface PageHinkleyOptions {
  /** λ of the test, in the unit of the values. */
  readonly threshold?: number;
  /** δ: changes of the mean up to this size are tolerated. */
  readonly delta?: number;
  /** Forgetting factor α of the sum. */
  readonly alpha?: number;
  /** No drift before so many values. */
  readonly minInstances?: number;
  readonly mode?: "both" | "up" | "down";
  /**
   * `extreme`: distance of the sum from its own extreme (current River). `one-sided`: the older form, a sum held at zero or above
   * that fires upward at `threshold` and ignores `mode`.
   */
  readonly form?: "extreme" | "one-sided";
}

type Settings = Required<PageHinkleyOptions>;

const DEFAULTS: Settings = {
  threshold: 50,
  delta: 0.005,
  alpha: 0.9999,
  minInstances: 30,
  mode: "both",
  form: "extreme",
};

interface Sums {
  mean: RunningMean;
  up: number;
  /** Null before the first value, where it stands for infinity. */
  smallestUp: number | null;
  down: number;
  largestDown: number;
}

/** River starts the largest downward sum at −1, not at −∞; published results depend on it. */
const emptySums = (): Sums => ({ mean: { n: 0, mean: 0 }, up: 0, smallestUp: null, down: 0, largestDown: -1 });

/** Cost O(1) in time and memory. */
export function createPageHinkley(options: PageHinkleyOptions = {}): DriftDetector {
  return resume({ ...DEFAULTS, ...options }, emptySums(), false);
}

/** Resumes from `toState()`. */
export function pageHinkleyFromState(state: JsonObject): DriftDetector {
  const { settings, sums, drifted } = state as unknown as { settings: Settings; sums: Sums; drifted: boolean };
  return resume(settings, structuredClone(sums), drifted);
}

function resume(settings: Settings, start: Sums, startDrifted: boolean): DriftDetector {
  let sums = start;
  let drifted = startDrifted;
  return {
    update(value) {
      requireNumber("Page-Hinkley", value);
      if (drifted) sums = emptySums();
      addToMeanInPlace(sums.mean, value);
      const detection =
        settings.form === "extreme" ? testExtremes(sums, settings, value) : testOneSided(sums, settings, value);
      drifted = detection.driftDetected;
      return detection;
    },
    toState: () => structuredClone({ settings, sums, drifted }) as unknown as JsonObject,
  };
}

function testExtremes(sums: Sums, settings: Settings, value: number): Detection {
  const { alpha, delta, threshold, mode } = settings;
  const deviation = value - sums.mean.mean;
  sums.up = alpha * sums.up + deviation - delta;
  sums.down = alpha * sums.down + deviation + delta;
  if (sums.smallestUp === null || sums.up < sums.smallestUp) sums.smallestUp = sums.up;
  if (sums.down > sums.largestDown) sums.largestDown = sums.down;
  if (sums.mean.n < settings.minInstances) return STABLE;
  if (mode !== "down" && sums.up - sums.smallestUp > threshold) return driftTowards("up");
  if (mode !== "up" && sums.largestDown - sums.down > threshold) return driftTowards("down");
  return STABLE;
}

function testOneSided(sums: Sums, settings: Settings, value: number): Detection {
  sums.up = Math.max(0, settings.alpha * sums.up + (value - sums.mean.mean - settings.delta));
  const enough = sums.mean.n + 1 >= settings.minInstances;
  return enough && sums.up >= settings.threshold ? driftTowards("up") : STABLE;
}
