/**
 * Thresholds from the model's own history. The rows a version learned from are cut into windows in time order, and each is
 * compared with the whole: how far they lie apart by season, week and chance is how far a window may lie without anything having
 * changed. Time order matters: windows drawn at random from the same rows would know of no season.
 *
 * A window that wanders has a squared distance, so its index is distributed like a scaled chi-square with few degrees of freedom,
 * far more skewed than a normal law: their number follows from mean and variance of the windows (F. E. Satterthwaite 1946, "An
 * approximate distribution of estimates of variance components"), and the scale is itself known from these windows only, which makes
 * the quantile that of an F law.
 */
import type { DriftCalibration } from "../../core/index.ts";
import type { FeatureProfile, Profile, ReferenceProfile } from "../../data/index.ts";
import { chi2Isf, fisherIsf, normalIsf } from "../../stats/index.ts";
import { type FeatureSides, measureFeature } from "./feature.ts";
import { type DriftOptions, driftOptions } from "./options.ts";

/** Fewer windows say too little about their spread. */
export const MIN_CHUNKS = 5;
/** Level of the test whether windows differ by more than chance: a wrong yes costs power, a wrong no false alarms. */
const VARIES_LEVEL = 0.05;
/**
 * Degrees of freedom are taken as (n − 1) / (n + 9) of what n windows show: few windows seldom hold the one that lies far
 * out, and without it the law looks less skewed than it is. Of 20 features that wander by 0.1 to 0.3 standard deviations from
 * week to week, all of which count, 0.1 to 0.5 false alarms in 90 days are left from 12 windows on; at 4 in the place of 9 up to 0.8,
 * with the full number up to 1.7, and with a normal law 3.4 (simulated; `simulation.test.ts` keeps a part of it).
 */
const FEW_WINDOWS = 10;

/**
 * @param windows the version's training time in windows of the length that is judged later
 * A window of a time like this one exceeds a threshold with the probability that each feature has of the level. Windows that
 * drifted themselves raise it: the rows a version learned from are its normal. Where they differ by chance alone, the noise
 * floor says all there is to say, and their own spread is kept beside it.
 * Cost O(windows × cells).
 */
export function calibrateDrift(
  reference: ReferenceProfile,
  windows: readonly Profile[],
  given: Partial<DriftOptions> = {},
): DriftCalibration {
  const options = driftOptions({ ...given, history: {} });
  const tail = options.level / Math.max(1, reference.grid.length);
  const deviations = normalIsf(tail);
  const usable = windows.filter((window) => window.rows >= options.minRows);
  const thresholds: Record<string, number> = {};
  if (usable.length < MIN_CHUNKS) return { windows: usable.length, deviations, thresholds };
  const all = reference.grid.map((grid, i) => {
    const rareCount = reference.rare[grid.name]?.length ?? 0;
    const whole = reference.reference.features[i] as FeatureProfile;
    const parts = usable.map((window) => window.features[i] as FeatureProfile);
    return historyOf({ grid, reference: whole, rareCount }, parts, options);
  });
  const wander = wanderers(all);
  reference.grid.forEach((grid, i) => {
    const { values } = all[i] as History;
    if (values.length < MIN_CHUNKS) return;
    const { mean, variance } = momentsOf(values);
    thresholds[grid.name] = wander[i]
      ? mean * wanderingQuantile(values.length, { mean, variance, tail })
      : mean + deviations * Math.sqrt(variance);
  });
  return { windows: usable.length, deviations, thresholds };
}

interface History {
  /** Index of each window against the reference. */
  readonly values: readonly number[];
  /** Chi-square of each window against the others, over its degrees of freedom: 1 on average where chance alone divides them. */
  readonly ratios: readonly number[];
  /** Of one window, on average. */
  readonly dof: number;
}

function historyOf(
  sides: Omit<FeatureSides, "current">,
  parts: readonly FeatureProfile[],
  options: DriftOptions,
): History {
  const total = parts.reduce((sum, one) => added(sum, one, 1));
  const values: number[] = [];
  const ratios: number[] = [];
  let dof = 0;
  for (const current of parts) {
    const { components } = measureFeature({ ...sides, current }, options, options.level);
    const index = components.find((one) => one.statistic === "psi");
    if (index === undefined) continue;
    values.push(index.value);
    const others = added(total, current, -1);
    const { distances, bins } = measureFeature({ ...sides, reference: others, current }, options, options.level);
    if (distances.chi2 === null || bins.length < 2) continue;
    ratios.push(distances.chi2 / (bins.length - 1));
    dof += bins.length - 1;
  }
  return { values, ratios, dof: ratios.length === 0 ? 0 : dof / ratios.length };
}

function added(into: FeatureProfile, one: FeatureProfile, by: 1 | -1): FeatureProfile {
  return {
    name: into.name,
    counts: into.counts.map((count, i) => count + by * (one.counts[i] as number)),
    below: into.below + by * one.below,
    above: into.above + by * one.above,
    other: into.other + by * one.other,
    unseen: into.unseen + by * one.unseen,
    missing: into.missing + by * one.missing,
    nonFinite: into.nonFinite + by * one.nonFinite,
  };
}

/**
 * Which features' windows lie further apart than chance puts them. Where the middle one does, all do: a single feature's few
 * windows seldom show it. One that wanders far says nothing of the others.
 */
function wanderers(all: readonly History[]): readonly boolean[] {
  const excess = all.map(({ ratios, dof }) => {
    if (ratios.length < MIN_CHUNKS) return null;
    const total = dof * (ratios.length - 1);
    return (ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length) * (total / chi2Isf(VARIES_LEVEL, total));
  });
  const known = excess.filter((one) => one !== null).sort((left, right) => left - right);
  const middle = known[Math.floor((known.length - 1) / 2)] ?? 0;
  return excess.map((one) => middle > 1 || (one ?? 0) > 1);
}

function momentsOf(values: readonly number[]) {
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  const squares = values.reduce((total, value) => total + (value - mean) * (value - mean), 0);
  return { mean, variance: squares / (values.length - 1) };
}

/** How many times the mean of `n` windows the index of a further one exceeds with the probability `tail`. */
function wanderingQuantile(
  n: number,
  { mean, variance, tail }: { readonly mean: number; readonly variance: number; readonly tail: number },
): number {
  if (!(mean > 0)) return 0;
  const seen = variance > 0 ? (2 * mean * mean) / variance : Number.POSITIVE_INFINITY;
  const dof = Math.max(1, Math.min(seen, MOST_DOF) * ((n - 1) / (n - 1 + FEW_WINDOWS)));
  return fisherIsf(tail, dof, dof * n);
}

/** Ten bins have nine. */
const MOST_DOF = 9;
