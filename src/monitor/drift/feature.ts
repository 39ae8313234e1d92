/**
 * One feature, reference against current window. Three things can move: the distribution of the values (PSI), the share of
 * missing ones, and the share of values the reference never had. Each is an effect size that must exceed the greatest of a minimum
 * effect, the noise of its sample sizes, and what the model's own history shows; none is a bare p-value, which mostly measures
 * the number of rows.
 */
import type { FeatureGrid, FeatureProfile } from "../../data/index.ts";
import type { DriftBin, DriftComponent, DriftDistances, FeatureDrift } from "../../core/index.ts";
import {
  binomialSf,
  chi2Contingency,
  chi2Isf,
  hellinger,
  jsDistance,
  kolmogorovSf,
  ksFromCounts,
  normalIsf,
  psi,
  psiParts,
  totalVariation,
  twoProportionZ,
} from "../../stats/index.ts";
import { type Bins, binsOf, closedCounts, comparedCounts, type PresentCounts, presentOf, sum } from "./bins.ts";
import type { DriftOptions } from "./options.ts";
import { normedWasserstein } from "./wasserstein.ts";

/** What is known before the p-values of all features are adjusted together. */
export type Measured = Omit<FeatureDrift, "verdict" | "reason" | "pAdjusted" | "importance"> & {
  /** Enough rows, but too few of them with a value to compare the values by. */
  readonly sparse?: { readonly side: "reference" | "current window"; readonly values: number };
};

export interface FeatureSides {
  readonly grid: FeatureGrid;
  readonly reference: FeatureProfile;
  readonly current: FeatureProfile;
  /** Categories the reference had beyond the listed ones. */
  readonly rareCount: number;
}

/** @param tail probability of exceeding a noise floor by chance */
export function measureFeature(sides: FeatureSides, options: DriftOptions, tail: number): Measured {
  const { grid, reference, current } = sides;
  const before = presentOf(reference);
  const now = presentOf(current);
  const bins = binsOf(grid, reference, current);
  const enough = before.present >= options.minRows && now.present >= options.minRows;
  const components: DriftComponent[] = [];
  if (enough) {
    const distribution = distributionOf(bins, { options, tail, feature: grid.name });
    if (distribution !== undefined) components.push(distribution);
    components.push(unseenOf(sides, bins, now.present, { options, tail }));
  }
  const rowsBefore = before.present + before.absent;
  const rowsNow = now.present + now.absent;
  if (rowsBefore >= options.minRows && rowsNow >= options.minRows) {
    components.push(missingOf([before.absent, rowsBefore], [now.absent, rowsNow], { options, tail }));
  }
  const nearest = components.reduce<DriftComponent | undefined>(
    (best, one) => (best === undefined || one.value / one.threshold > best.value / best.threshold ? one : best),
    undefined,
  );
  const p =
    components.length === 0 ? null : Math.min(1, components.length * Math.min(...components.map((one) => one.p)));
  const needed = rowsNeeded({ components, bins, options, tail, present: now.present, rows: rowsNow });
  const sparse = components.length === 0 ? undefined : sparseSide(before, now, options.minRows);
  const share = (count: number, rows: number) => (rows > 0 ? count / rows : 0);
  return {
    feature: grid.name,
    ...(grid.kind === "boolean" || grid.part === undefined ? {} : { of: grid.part.of }),
    kind: grid.kind,
    statistic: nearest?.statistic ?? "psi",
    value: nearest?.value ?? null,
    threshold: nearest?.threshold ?? null,
    ratio: nearest === undefined ? null : nearest.value / nearest.threshold,
    components,
    p,
    ...(needed === undefined ? {} : { rowsNeeded: needed }),
    ...(sparse === undefined ? {} : { sparse }),
    referenceRows: rowsBefore,
    currentRows: rowsNow,
    missing: { reference: share(before.absent, rowsBefore), current: share(now.absent, rowsNow) },
    unseen: {
      reference: share(bins.unseenReference, before.present),
      current: share(bins.unseenCurrent, now.present),
    },
    outOfRange: grid.kind === "number" ? share(current.below + current.above, now.present) : 0,
    distances: distancesOf(sides, bins),
    bins: plottedBins(bins),
    ...(bins.edges === undefined ? {} : { edges: bins.edges }),
  };
}

/** The side with too few values; a side without any has nothing to compare, which the missing share tells. */
function sparseSide(before: PresentCounts, now: PresentCounts, minRows: number): Measured["sparse"] {
  if (before.present === 0 || now.present === 0) return undefined;
  if (before.present < minRows) return { side: "reference", values: before.present };
  return now.present < minRows ? { side: "current window", values: now.present } : undefined;
}

interface Judging {
  readonly options: DriftOptions;
  readonly tail: number;
}

/** Thresholds of the same size are asked for again and again. */
const quantiles = new Map<string, number>();
function chi2Quantile(tail: number, dof: number): number {
  const key = `${tail} ${dof}`;
  let value = quantiles.get(key);
  if (value === undefined) {
    if (quantiles.size > 10_000) quantiles.clear();
    value = chi2Isf(tail, dof);
    quantiles.set(key, value);
  }
  return value;
}

function component(
  one: Pick<DriftComponent, "statistic" | "value" | "minimumEffect" | "noiseFloor" | "history" | "p">,
): DriftComponent {
  const { minimumEffect, noiseFloor, history } = one;
  const threshold = Math.max(minimumEffect, noiseFloor, history ?? 0);
  const thresholdFrom =
    threshold === minimumEffect ? "minimum effect" : threshold === noiseFloor ? "sampling noise" : "history";
  return { ...one, threshold: Math.max(threshold, Number.MIN_VALUE), thresholdFrom };
}

function distributionOf(bins: Bins, judging: Judging & { readonly feature: string }): DriftComponent | undefined {
  const { options, tail, feature } = judging;
  const [reference, current] = comparedCounts(bins);
  const test = chi2Contingency(reference, current);
  if (test === null) return undefined;
  return component({
    statistic: "psi",
    value: psi(reference, current),
    minimumEffect: options.minimumEffect,
    noiseFloor: chi2Quantile(tail, Math.max(1, reference.length - 1)) * (1 / sum(reference) + 1 / sum(current)),
    history: options.history[feature] ?? null,
    p: test.p,
  });
}

/**
 * Values the reference never had. Some are expected: about as many as the reference had values that occurred once
 * (I. J. Good 1953, "The population frequencies of species", eq. 9).
 */
function expectedUnseenOf({ grid, reference, rareCount }: FeatureSides, bins: Bins): number {
  const isNamed = grid.kind === "category" || (grid.kind === "number" && grid.values !== undefined);
  const once = isNamed ? reference.counts.reduce((count, rows) => count + (rows === 1 ? 1 : 0), rareCount) : 0;
  const n = presentOf(reference).present;
  return Math.min(1, (once + 1) / (n + 1) + bins.unseenReference / Math.max(1, n));
}

function unseenOf(sides: FeatureSides, bins: Bins, present: number, { options, tail }: Judging): DriftComponent {
  const expected = expectedUnseenOf(sides, bins);
  const before = Math.max(1, presentOf(sides.reference).present);
  const value = bins.unseenCurrent / present;
  const z = normalIsf(tail);
  return component({
    statistic: "unseenRate",
    value,
    // What nobody would expect of a reference of such values.
    minimumEffect: expected + options.minimumUnseenShare,
    noiseFloor:
      expected + z * Math.sqrt(expected * (1 - expected) * (1 / present + 1 / before)) + (z * z) / (2 * present),
    history: null,
    p: bins.unseenCurrent === 0 ? 1 : binomialSf(bins.unseenCurrent - 1, present, expected),
  });
}

function missingOf(
  [missingBefore, before]: readonly [number, number],
  [missingNow, now]: readonly [number, number],
  { options, tail }: Judging,
): DriftComponent {
  const pooled = (missingBefore + missingNow) / (before + now);
  const test = twoProportionZ(missingNow, now, missingBefore, before);
  return component({
    statistic: "missingRate",
    value: Math.abs(missingNow / now - missingBefore / before),
    minimumEffect: options.minimumMissingChange,
    noiseFloor: normalIsf(tail / 2) * Math.sqrt(pooled * (1 - pooled) * (1 / before + 1 / now)),
    history: null,
    p: test?.pTwoSided ?? 1,
  });
}

/**
 * Rows the current window lacks: up to the minimum, or up to where the noise floor is down at the minimum effect, when the
 * statistic lies between the two and so could be either.
 */
function rowsNeeded(state: {
  readonly components: readonly DriftComponent[];
  readonly bins: Bins;
  readonly options: DriftOptions;
  readonly tail: number;
  readonly present: number;
  readonly rows: number;
}): number | undefined {
  const { components, bins, options, tail, present, rows } = state;
  if (present < options.minRows && !(rows >= options.minRows && present === 0)) {
    const values = Math.max(1, options.minRows - present);
    // Where most rows lack the value, so many of them are needed for each.
    return rows >= options.minRows ? Math.ceil((values * rows) / present) : values;
  }
  const unsure = components.find(
    (one) => one.statistic === "psi" && one.thresholdFrom === "sampling noise" && isBetween(one),
  );
  if (unsure === undefined) return undefined;
  const quantile = chi2Quantile(tail, Math.max(1, bins.reference.length - 1));
  const rest = options.minimumEffect - quantile / sum(bins.reference);
  return rest > 0 ? Math.max(1, Math.ceil(quantile / rest) - present) : undefined;
}

/** Beyond the minimum effect, yet within what chance alone gives so few rows. */
export function isBetween(one: DriftComponent): boolean {
  return one.value > one.minimumEffect && one.value <= one.noiseFloor;
}

function plottedBins(bins: Bins): DriftBin[] {
  const hasUnseen = bins.unseenReference + bins.unseenCurrent > 0;
  const reference = hasUnseen ? Float64Array.from([...bins.reference, bins.unseenReference]) : bins.reference;
  const current = hasUnseen ? Float64Array.from([...bins.current, bins.unseenCurrent]) : bins.current;
  const labels = hasUnseen ? [...bins.labels, "(unseen)"] : bins.labels;
  const isBoth = sum(reference) > 0 && sum(current) > 0;
  const parts = isBoth ? psiParts(reference, current) : new Float64Array(labels.length);
  return labels.map((label, i) => ({
    label,
    reference: reference[i] as number,
    current: current[i] as number,
    contribution: parts[i] as number,
  }));
}

function distancesOf(sides: FeatureSides, bins: Bins): DriftDistances {
  const shown = plottedBins(bins);
  const reference = Float64Array.from(shown, (bin) => bin.reference);
  const current = Float64Array.from(shown, (bin) => bin.current);
  const n = sum(reference);
  const m = sum(current);
  if (n === 0 || m === 0) {
    const none = { psi: null, jsDistance: null, hellinger: null, totalVariation: null, ks: null, ksP: null };
    return { ...none, wasserstein: null, chi2: null, chi2P: null, cramersV: null };
  }
  const test = chi2Contingency(reference, current);
  const isOrdered = sides.grid.kind === "number" && bins.unseenReference + bins.unseenCurrent === 0;
  const ks = isOrdered ? ksFromCounts(closedCounts(sides.reference), closedCounts(sides.current)) : null;
  return {
    psi: psi(reference, current),
    jsDistance: jsDistance(reference, current),
    hellinger: hellinger(reference, current),
    totalVariation: totalVariation(reference, current),
    ks,
    ksP: ks === null ? null : kolmogorovSf(Math.sqrt((n * m) / (n + m)) * ks),
    wasserstein:
      isOrdered && sides.grid.kind === "number" ? normedWasserstein(sides.grid, sides.reference, sides.current) : null,
    chi2: test?.statistic ?? null,
    chi2P: test?.p ?? null,
    cramersV: test?.cramersV ?? null,
  };
}
