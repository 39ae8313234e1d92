/**
 * ADWIN, adaptive windowing (A. Bifet and R. Gavaldà, "Learning from time-changing data with adaptive windowing", 2007): keeps
 * the longest recent window whose parts have equal means, as an exponential histogram, and signals when it must drop the old
 * part. Two-sided: it also fires on improvement, which `direction` tells. The default detector: hardly any false alarms, at the
 * price of about 500 rows of delay for an error rate going from 0.20 to 0.30.
 */
import type { JsonObject } from "../../core/records.ts";
import { logDeterministic } from "../../stats/index.ts";
import { type DriftDetector, type DriftDirection, driftTowards, requireNumber, STABLE } from "./detector.ts";

export interface AdwinOptions {
  /** Confidence δ: smaller gives fewer false alarms and longer delays. */
  readonly delta?: number;
  /** A cut is looked for every so many values. */
  readonly clock?: number;
  /** M: buckets of one size before the two oldest are merged. */
  readonly maxBuckets?: number;
  /** Smallest part compared, in values. */
  readonly minWindowLength?: number;
  /** No cut is looked for before so many values. */
  readonly gracePeriod?: number;
}

type Settings = Required<AdwinOptions>;

const DEFAULTS: Settings = { delta: 0.002, clock: 32, maxBuckets: 5, minWindowLength: 5, gracePeriod: 10 };

/** Sum and sum of squared deviations of 2^row values. */
type Bucket = readonly [sum: number, squares: number];

/** As it is stored: row i holds buckets of 2^i values, oldest first. */
interface StoredWindow {
  readonly tick: number;
  readonly width: number;
  readonly total: number;
  readonly squares: number;
  readonly rows: readonly (readonly Bucket[])[];
}

/** Rows a window can have: 2^40 values are more than anybody waits for. */
const MAX_ROWS = 41;

/** Buckets of all rows in two flat arrays: row i is a ring of `capacity` places, its oldest bucket at `heads[i]`. */
interface Window {
  tick: number;
  width: number;
  total: number;
  squares: number;
  rowCount: number;
  /** A power of two above maxBuckets, so that a mask wraps a ring. */
  readonly capacity: number;
  readonly heads: Int32Array;
  readonly counts: Int32Array;
  readonly sums: Float64Array;
  readonly deviations: Float64Array;
}

function emptyWindow(maxBuckets: number): Window {
  let capacity = 2;
  while (capacity <= maxBuckets) capacity *= 2;
  const size = MAX_ROWS * capacity;
  return {
    tick: 0,
    width: 0,
    total: 0,
    squares: 0,
    rowCount: 0,
    capacity,
    heads: new Int32Array(MAX_ROWS),
    counts: new Int32Array(MAX_ROWS),
    sums: new Float64Array(size),
    deviations: new Float64Array(size),
  };
}

function restore(stored: StoredWindow, maxBuckets: number): Window {
  const { tick, width, total, squares, rows } = stored;
  const window = { ...emptyWindow(maxBuckets), tick, width, total, squares, rowCount: rows.length };
  rows.forEach((buckets, row) => {
    window.counts[row] = buckets.length;
    buckets.forEach(([sum, deviation], k) => {
      window.sums[row * window.capacity + k] = sum;
      window.deviations[row * window.capacity + k] = deviation;
    });
  });
  return window;
}

function store(window: Window): StoredWindow {
  const { tick, width, total, squares, rowCount, capacity, heads, counts, sums, deviations } = window;
  const rows = Array.from({ length: rowCount }, (_, row) =>
    Array.from({ length: counts[row] as number }, (_bucket, k): Bucket => {
      const at = row * capacity + (((heads[row] as number) + k) & (capacity - 1));
      return [sums[at] as number, deviations[at] as number];
    }),
  );
  return { tick, width, total, squares, rows };
}

/** @param options see `AdwinOptions`; defaults as published. Cost O(M log W) a cut search, O(1) else; memory O(M log W). */
export function createAdwin(options: AdwinOptions = {}): DriftDetector {
  const settings = { ...DEFAULTS, ...options };
  return resume(settings, emptyWindow(settings.maxBuckets), false);
}

/** Resumes from `toState()`. */
export function adwinFromState(state: JsonObject): DriftDetector {
  const { settings, window, drifted } = state as unknown as {
    settings: Settings;
    window: StoredWindow;
    drifted: boolean;
  };
  return resume(settings, restore(window, settings.maxBuckets), drifted);
}

function resume(settings: Settings, start: Window, startDrifted: boolean): DriftDetector {
  let window = start;
  let drifted = startDrifted;
  return {
    update(value) {
      requireNumber("ADWIN", value);
      if (drifted) {
        window = emptyWindow(settings.maxBuckets);
        drifted = false;
      }
      insertInPlace(window, value, settings.maxBuckets);
      window.tick += 1;
      if (window.tick % settings.clock !== 0 || window.width <= settings.gracePeriod) return STABLE;
      const direction = shrinkInPlace(window, settings);
      drifted = direction !== null;
      return direction === null ? STABLE : driftTowards(direction);
    },
    toState: () => ({ settings: { ...settings }, window: store(window), drifted }) as never,
  };
}

function insertInPlace(window: Window, value: number, maxBuckets: number): void {
  const { capacity, heads, counts, sums, deviations } = window;
  const mask = capacity - 1;
  const before = window.width;
  if (before > 0) {
    const gap = value - window.total / before;
    window.squares += (before * gap * gap) / (before + 1);
  }
  window.width = before + 1;
  window.total += value;
  const count = counts[0] as number;
  sums[((heads[0] as number) + count) & mask] = value;
  counts[0] = count + 1;
  if (count < maxBuckets) {
    if (window.rowCount === 0) window.rowCount = 1;
    return;
  }
  // A row that overflows merges its two oldest buckets into one of the row above.
  let half = 0.5;
  // Halving and doubling are exact, so the reciprocal of a size stands for the division by it.
  let inverse = 1;
  for (let row = 0; (counts[row] as number) > maxBuckets; row++) {
    const base = row * capacity;
    const head = heads[row] as number;
    const a = base + head;
    const b = base + ((head + 1) & mask);
    const sumA = sums[a] as number;
    const sumB = sums[b] as number;
    const gap = sumA * inverse - sumB * inverse;
    const at = base + capacity + (((heads[row + 1] as number) + (counts[row + 1] as number)) & mask);
    sums[at] = sumA + sumB;
    deviations[at] = (deviations[a] as number) + (deviations[b] as number) + half * gap * gap;
    counts[row + 1] = (counts[row + 1] as number) + 1;
    heads[row] = (head + 2) & mask;
    counts[row] = (counts[row] as number) - 2;
    if (row + 1 === window.rowCount) window.rowCount = row + 2;
    half *= 2;
    inverse /= 2;
  }
}

/** Drops oldest buckets until no cut fires; the direction of the first cut that fired, or null. */
function shrinkInPlace(window: Window, settings: Settings): DriftDirection | null {
  let first: DriftDirection | null = null;
  for (;;) {
    const direction = findCut(window, settings);
    if (direction === null) return first;
    first ??= direction;
    dropOldestInPlace(window);
  }
}

/** Margins by which the quick test errs on the side of the exact one: of its level, and of its two rounded products. */
const SURELY_BELOW = 0.999;
const ROUNDING = 1e-14;

/** Walks cuts from the oldest bucket on; the direction of the first whose halves differ by more than the bound. */
function findCut(window: Window, settings: Settings): DriftDirection | null {
  const { minWindowLength, delta } = settings;
  const { width, total, capacity, heads, counts, sums, rowCount } = window;
  const confidence = logDeterministic((2 * logDeterministic(width)) / delta);
  const variance = window.squares / width;
  // Both parts less the smallest one add up to the same at every cut.
  const level = 2 * variance * confidence * SURELY_BELOW * (width - 2 * minWindowLength + 2);
  let oldCount = 0;
  let oldTotal = 0;
  let size = 1;
  for (let row = 1; row < rowCount; row++) size *= 2;
  for (let row = rowCount - 1; row >= 0; row--) {
    const base = row * capacity;
    const head = heads[row] as number;
    // The newest value alone is no part.
    const end = row === 0 ? (counts[0] as number) - 1 : (counts[row] as number);
    for (let k = 0; k < end; k++) {
      oldCount += size;
      oldTotal += sums[base + ((head + k) & (capacity - 1))] as number;
      const newCount = width - oldCount;
      if (oldCount < minWindowLength || newCount < minWindowLength) continue;
      // Most cuts are far from firing, and a form of the first half of the bound without division and root says so.
      const oldPart = oldCount - minWindowLength + 1;
      const newPart = newCount - minWindowLength + 1;
      const left = total * oldCount;
      const right = oldTotal * width;
      const cross = Math.abs(left - right) + ROUNDING * (Math.abs(left) + Math.abs(right));
      const weight = oldCount * newCount;
      if (cross * cross * (oldPart * newPart) < level * weight * weight) continue;
      const gap = (total - oldTotal) / newCount - oldTotal / oldCount;
      const reciprocal = 1 / oldPart + 1 / newPart;
      const bound = Math.sqrt(2 * reciprocal * variance * confidence) + (2 / 3) * confidence * reciprocal;
      if (Math.abs(gap) > bound) return gap > 0 ? "up" : "down";
    }
    size /= 2;
  }
  return null;
}

function dropOldestInPlace(window: Window): void {
  const { capacity, heads, counts, sums, deviations } = window;
  const row = window.rowCount - 1;
  const first = row * capacity + (heads[row] as number);
  let size = 1;
  for (let i = 0; i < row; i++) size *= 2;
  const sum = sums[first] as number;
  window.width -= size;
  window.total -= sum;
  const gap = sum / size - window.total / window.width;
  window.squares -= (deviations[first] as number) + (size * window.width * gap * gap) / (size + window.width);
  heads[row] = ((heads[row] as number) + 1) & (capacity - 1);
  counts[row] = (counts[row] as number) - 1;
  while (window.rowCount > 0 && counts[window.rowCount - 1] === 0) window.rowCount -= 1;
}
