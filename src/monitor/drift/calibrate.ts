/**
 * Thresholds from the model's own history. The rows a version learned from are cut into windows in time order, and each is
 * compared with the whole: how far they lie apart by season, week and chance is how far a window may lie without anything having
 * changed. Time order matters: windows drawn at random from the same rows would know of no season.
 */
import type { DriftCalibration } from "../../core/index.ts";
import type { FeatureProfile, Profile, ReferenceProfile } from "../../data/index.ts";
import { normalIsf } from "../../stats/index.ts";
import { measureFeature } from "./feature.ts";
import { type DriftOptions, driftOptions } from "./options.ts";

/** Fewer windows say too little about their spread. */
export const MIN_CHUNKS = 5;

/**
 * @param windows the version's training time in windows of the length that is judged later
 * The number of standard deviations follows from the level: a normal statistic exceeds it in a window with the probability that
 * each feature has of the level. Windows that drifted themselves raise it: the rows a version learned from are its normal.
 */
export function calibrateDrift(
  reference: ReferenceProfile,
  windows: readonly Profile[],
  given: Partial<DriftOptions> = {},
): DriftCalibration {
  const options = driftOptions({ ...given, history: {} });
  const features = Math.max(1, reference.grid.length);
  const tail = options.level / features;
  const deviations = normalIsf(tail);
  const usable = windows.filter((window) => window.rows >= options.minRows);
  const thresholds: Record<string, number> = {};
  if (usable.length < MIN_CHUNKS) return { windows: usable.length, deviations, thresholds };
  reference.grid.forEach((grid, i) => {
    const values = usable.flatMap((window) => {
      const sides = {
        grid,
        reference: reference.reference.features[i] as FeatureProfile,
        current: window.features[i] as FeatureProfile,
        rareCount: reference.rare[grid.name]?.length ?? 0,
      };
      const { components } = measureFeature(sides, options, tail);
      return components.filter((one) => one.statistic === "psi").map((one) => one.value);
    });
    if (values.length < MIN_CHUNKS) return;
    const mean = values.reduce((total, value) => total + value, 0) / values.length;
    const squares = values.reduce((total, value) => total + (value - mean) * (value - mean), 0);
    thresholds[grid.name] = mean + deviations * Math.sqrt(squares / (values.length - 1));
  });
  return { windows: usable.length, deviations, thresholds };
}
