/**
 * HDDM_A (I. Frías-Blanco et al., "Online and non-parametric drift detection methods based on Hoeffding's bounds", 2014): compares
 * the mean of everything with the best mean so far by Hoeffding's bound. Assumes only values in [0, 1]; blind to small absolute
 * changes, so it misses a doubling of a 5 % error rate for thousands of rows.
 */
import type { JsonObject } from "../../core/records.ts";
import { logDeterministic } from "../../stats/index.ts";
import {
  addToMeanInPlace,
  type Detection,
  type DriftDetector,
  driftTowards,
  requireNumber,
  type RunningMean,
  STABLE,
  WARNING,
} from "./detector.ts";

export interface HddmAOptions {
  readonly driftConfidence?: number;
  readonly warningConfidence?: number;
  /** Also watch for improvement. */
  readonly twoSided?: boolean;
}

type Settings = Required<HddmAOptions>;
const DEFAULTS: Settings = { driftConfidence: 0.001, warningConfidence: 0.005, twoSided: false };

interface Means {
  all: RunningMean;
  /** All values up to where mean plus bound was smallest, and mean minus bound largest. */
  lowest: RunningMean;
  highest: RunningMean;
}

const emptyMeans = (): Means => ({ all: { n: 0, mean: 0 }, lowest: { n: 0, mean: 0 }, highest: { n: 0, mean: 0 } });

/** Takes values in [0, 1] (1 = error). Cost O(1). */
export function createHddmA(options: HddmAOptions = {}): DriftDetector {
  return resume({ ...DEFAULTS, ...options }, emptyMeans(), false);
}

/** Resumes from `toState()`. */
export function hddmAFromState(state: JsonObject): DriftDetector {
  const { settings, means, drifted } = state as unknown as { settings: Settings; means: Means; drifted: boolean };
  return resume(settings, structuredClone(means), drifted);
}

function resume(settings: Settings, start: Means, startDrifted: boolean): DriftDetector {
  let means = start;
  let drifted = startDrifted;
  return {
    update(value) {
      requireNumber("HDDM_A", value);
      if (drifted) means = emptyMeans();
      const detection = step(means, settings, value);
      drifted = detection.driftDetected;
      return detection;
    },
    toState: () => structuredClone({ settings, means, drifted }) as unknown as JsonObject,
  };
}

function step(means: Means, settings: Settings, value: number): Detection {
  addToMeanInPlace(means.all, value);
  const { all } = means;
  if (means.lowest.n === 0) means.lowest = { ...all };
  if (means.highest.n === 0) means.highest = { ...all };
  const bound = (n: number): number => Math.sqrt((1 / (2 * n)) * logDeterministic(1 / settings.driftConfidence));
  if (means.lowest.mean + bound(means.lowest.n) >= all.mean + bound(all.n)) means.lowest = { ...all };
  if (means.highest.mean - bound(means.highest.n) <= all.mean - bound(all.n)) means.highest = { ...all };
  const rose = (confidence: number): boolean => differs(means.lowest, all, all.mean - means.lowest.mean, confidence);
  const fell = (confidence: number): boolean => differs(means.highest, all, means.highest.mean - all.mean, confidence);
  if (rose(settings.driftConfidence)) return driftTowards("up");
  const warned = rose(settings.warningConfidence);
  if (settings.twoSided) {
    if (fell(settings.driftConfidence)) return { ...driftTowards("down"), warningDetected: warned };
    if (fell(settings.warningConfidence)) return WARNING;
  }
  return warned ? WARNING : STABLE;
}

function differs(part: RunningMean, all: RunningMean, gap: number, confidence: number): boolean {
  if (part.n === all.n) return false;
  const m = ((all.n - part.n) / part.n) * (1 / all.n);
  return gap >= Math.sqrt((m / 2) * logDeterministic(2 / confidence));
}
