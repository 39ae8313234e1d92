/**
 * From the fine cells of a profile to the few bins a person looks at and a test can bear. Bins are fixed by the reference and are
 * unions of its cells: deciles of a number (outer ones open), its values where there are few, the most frequent categories. Bins
 * that would hold fewer than five rows of the current window are put together: below that a chi-square law is no law.
 */
import type { FeatureGrid, FeatureProfile } from "../../data/index.ts";

/** Bins of a number at most. */
const MAX_BINS = 10;
/** Rows a bin of a number should hold in the smaller window. */
const ROWS_PER_BIN = 20;
/** Expected rows of the current window below which a category or value is put together with others. */
const LEAST_EXPECTED = 5;
/** Categories shown by name at most; the rest moves as one. */
const MAX_NAMED = 20;

export interface Bins {
  readonly labels: readonly string[];
  /** Upper ends of a number's bins but the last, for plots; absent for values and categories. */
  readonly edges?: readonly number[];
  readonly reference: Float64Array;
  readonly current: Float64Array;
  /** Place of the bin of all values that have none of their own. */
  readonly rest?: number;
  /** Rows with a value the reference never had: in no bin. */
  readonly unseenReference: number;
  readonly unseenCurrent: number;
}

export interface PresentCounts {
  /** Rows with a usable value. */
  readonly present: number;
  /** Missing or infinite. */
  readonly absent: number;
}

export function presentOf(profile: FeatureProfile): PresentCounts {
  let present = profile.below + profile.above + profile.other + profile.unseen;
  for (const count of profile.counts) present += count;
  return { present, absent: profile.missing + profile.nonFinite };
}

export function binsOf(grid: FeatureGrid, reference: FeatureProfile, current: FeatureProfile): Bins {
  if (grid.kind === "number" && grid.values === undefined) return numberBins(grid, reference, current);
  if (grid.kind === "boolean") {
    return {
      labels: ["false", "true"],
      reference: Float64Array.from(reference.counts),
      current: Float64Array.from(current.counts),
      unseenReference: 0,
      unseenCurrent: 0,
    };
  }
  const labels = grid.kind === "category" ? grid.categories : (grid.values ?? []).map(shortNumber);
  return namedBins(labels, reference, current, grid.kind === "number");
}

/** Six significant digits without trailing zeros. */
export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** Counts of a number's cells with what lies beyond the range in the outer ones. */
export function closedCounts(profile: FeatureProfile): Float64Array {
  const counts = Float64Array.from(profile.counts);
  if (counts.length === 0) return counts;
  const last = counts.length - 1;
  counts[0] = (counts[0] as number) + profile.below;
  counts[last] = (counts[last] as number) + profile.above;
  return counts;
}

function numberBins(
  grid: Extract<FeatureGrid, { kind: "number" }>,
  referenceProfile: FeatureProfile,
  currentProfile: FeatureProfile,
): Bins {
  const reference = closedCounts(referenceProfile);
  const current = closedCounts(currentProfile);
  const n = sum(reference);
  const m = sum(current);
  const wanted = Math.max(2, Math.min(MAX_BINS, Math.floor(Math.min(n, m) / ROWS_PER_BIN)));
  const referenceBins: number[] = [];
  const currentBins: number[] = [];
  const edges: number[] = [];
  let mine = 0;
  let theirs = 0;
  let before = 0;
  for (let cell = 0; cell < reference.length; cell++) {
    mine += reference[cell] as number;
    theirs += current[cell] as number;
    before += reference[cell] as number;
    const next = before + ((reference[cell + 1] as number | undefined) ?? 0);
    const goal = ((referenceBins.length + 1) * n) / wanted;
    // Closed where the cumulative count is nearest to the quantile; the last bin takes the rest.
    const isNearest = before >= goal || goal - before < next - goal;
    if (cell + 1 < reference.length && referenceBins.length + 1 < wanted && mine > 0 && isNearest && before < n) {
      referenceBins.push(mine);
      currentBins.push(theirs);
      edges.push(grid.edges[cell] as number);
      mine = 0;
      theirs = 0;
    }
  }
  referenceBins.push(mine);
  currentBins.push(theirs);
  const ends = ["−∞", ...edges.map(shortNumber), "∞"];
  return {
    labels: referenceBins.map((_, i) => `${ends[i]} … ${ends[i + 1]}`),
    edges,
    reference: Float64Array.from(referenceBins),
    current: Float64Array.from(currentBins),
    unseenReference: referenceProfile.unseen,
    unseenCurrent: currentProfile.unseen,
  };
}

function namedBins(
  labels: readonly string[],
  reference: FeatureProfile,
  current: FeatureProfile,
  isNumber: boolean,
): Bins {
  const n = sum(reference.counts) + reference.other;
  const m = sum(current.counts) + current.other;
  const order = labels
    .map((_, i) => i)
    .sort((a, b) => (reference.counts[b] as number) - (reference.counts[a] as number) || a - b);
  const isNamed = (i: number) => n > 0 && ((reference.counts[i] as number) / n) * Math.min(m, n) >= LEAST_EXPECTED;
  const named = order.slice(0, MAX_NAMED).filter(isNamed);
  if (isNumber) named.sort((a, b) => a - b);
  const isIn = new Set(named);
  const rest = order.filter((i) => !isIn.has(i));
  const together = (profile: FeatureProfile) =>
    rest.reduce((total, i) => total + (profile.counts[i] as number), 0) + profile.other;
  const hasRest = rest.length > 0 || reference.other + current.other > 0;
  const bins = (profile: FeatureProfile) =>
    Float64Array.from([...named.map((i) => profile.counts[i] as number), ...(hasRest ? [together(profile)] : [])]);
  return {
    labels: [...named.map((i) => labels[i] as string), ...(hasRest ? ["(all others)"] : [])],
    reference: bins(reference),
    current: bins(current),
    ...(hasRest ? { rest: named.length } : {}),
    unseenReference: unseenOf(reference),
    unseenCurrent: unseenOf(current),
  };
}

/**
 * Counts to be compared: new values belong to the bin of all others, where there is one. Most rare values of a reference do not come
 * again while others as rare do, in their place; the tail they share stays as it was.
 */
export function comparedCounts(bins: Bins): readonly [Float64Array, Float64Array] {
  const { rest } = bins;
  if (rest === undefined) return [bins.reference, bins.current];
  const withNew = (counts: Float64Array, unseen: number) =>
    counts.map((count, i) => (i === rest ? count + unseen : count));
  return [withNew(bins.reference, bins.unseenReference), withNew(bins.current, bins.unseenCurrent)];
}

/** Beside listed values, those beyond their range are as new as those between them. */
const unseenOf = (profile: FeatureProfile) => profile.unseen + profile.below + profile.above;

export function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i] as number;
  return total;
}
