/**
 * HDDM_W (I. Frías-Blanco et al. 2014): as HDDM_A, but with exponentially weighted means and McDiarmid's bound, so recent values
 * weigh more and gradual drift is seen sooner. Shares the blindness to small absolute changes.
 */
import type { JsonObject } from "../../core/records.ts";
import { logDeterministic } from "../../stats/index.ts";
import { type Detection, type DriftDetector, driftTowards, requireNumber, STABLE, WARNING } from "./detector.ts";

export interface HddmWOptions {
  readonly driftConfidence?: number;
  readonly warningConfidence?: number;
  /** λ: weight of the newest value. */
  readonly newestWeight?: number;
  /** Also watch for improvement. */
  readonly twoSided?: boolean;
}

type Settings = Required<HddmWOptions>;
const DEFAULTS: Settings = { driftConfidence: 0.001, warningConfidence: 0.005, newestWeight: 0.05, twoSided: false };

/** Weighted mean and the sum of squared weights that bounds its error; null mean before the first value. */
interface Weighted {
  mean: number | null;
  bound: number;
}

interface Samples {
  all: Weighted;
  beforeRise: Weighted;
  afterRise: Weighted;
  beforeFall: Weighted;
  afterFall: Weighted;
  riseCut: number | null;
  fallCut: number | null;
}

const fresh = (): Weighted => ({ mean: null, bound: 1 });

const emptySamples = (): Samples => ({
  all: fresh(),
  beforeRise: fresh(),
  afterRise: fresh(),
  beforeFall: fresh(),
  afterFall: fresh(),
  riseCut: null,
  fallCut: null,
});

/** Takes values in [0, 1] (1 = error). Cost O(1). */
export function createHddmW(options: HddmWOptions = {}): DriftDetector {
  return resume({ ...DEFAULTS, ...options }, emptySamples(), false);
}

/** Resumes from `toState()`. */
export function hddmWFromState(state: JsonObject): DriftDetector {
  const { settings, samples, drifted } = state as unknown as { settings: Settings; samples: Samples; drifted: boolean };
  return resume(settings, structuredClone(samples), drifted);
}

function resume(settings: Settings, start: Samples, startDrifted: boolean): DriftDetector {
  let samples = start;
  let drifted = startDrifted;
  return {
    update(value) {
      requireNumber("HDDM_W", value);
      if (drifted) samples = emptySamples();
      const detection = step(samples, settings, value);
      drifted = detection.driftDetected;
      return detection;
    },
    toState: () => structuredClone({ settings, samples, drifted }) as unknown as JsonObject,
  };
}

function addInPlace(weighted: Weighted, value: number, weight: number): void {
  weighted.mean = weighted.mean === null ? value : weight * value + (1 - weight) * weighted.mean;
  weighted.bound = weight * weight + (1 - weight) * (1 - weight) * weighted.bound;
}

const mcDiarmid = (bound: number, confidence: number): number =>
  Math.sqrt((bound * logDeterministic(1 / confidence)) / 2);

/** Later mean exceeds earlier by more than chance allows. */
function exceeds(earlier: Weighted, later: Weighted, confidence: number): boolean {
  if (earlier.mean === null || later.mean === null) return false;
  return later.mean - earlier.mean > mcDiarmid(earlier.bound + later.bound, confidence);
}

function step(samples: Samples, settings: Settings, value: number): Detection {
  const { driftConfidence, warningConfidence, newestWeight } = settings;
  addInPlace(samples.all, value, newestWeight);
  const mean = samples.all.mean as number;
  const margin = mcDiarmid(samples.all.bound, driftConfidence);
  if (samples.riseCut === null || mean + margin < samples.riseCut) {
    samples.riseCut = mean + margin;
    samples.beforeRise = { ...samples.all };
    samples.afterRise = fresh();
  } else {
    addInPlace(samples.afterRise, value, newestWeight);
  }
  if (samples.fallCut === null || mean - margin > samples.fallCut) {
    samples.fallCut = mean - margin;
    samples.beforeFall = { ...samples.all };
    samples.afterFall = fresh();
  } else {
    addInPlace(samples.afterFall, value, newestWeight);
  }
  if (exceeds(samples.beforeRise, samples.afterRise, driftConfidence)) return driftTowards("up");
  const warned = exceeds(samples.beforeRise, samples.afterRise, warningConfidence);
  if (settings.twoSided) {
    const fell = (confidence: number): boolean => exceeds(samples.afterFall, samples.beforeFall, confidence);
    if (fell(driftConfidence)) return { ...driftTowards("down"), warningDetected: warned };
    if (fell(warningConfidence)) return WARNING;
  }
  return warned ? WARNING : STABLE;
}
