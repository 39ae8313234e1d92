/**
 * ADWIN, adaptive windowing (A. Bifet and R. Gavaldà, "Learning from time-changing data with adaptive windowing", 2007): keeps
 * the longest recent window whose parts have equal means, as an exponential histogram, and signals when it must drop the old
 * part. Two-sided: it also fires on improvement, which `direction` tells. The default detector: hardly any false alarms, at the
 * price of about 500 rows of delay for an error rate going from 0.20 to 0.30.
 */
import type { JsonObject } from "../../core/records.ts";
import { logDeterministic } from "../../stats/index.ts";
import {
  type Detection,
  type DriftDetector,
  type DriftDirection,
  driftTowards,
  requireNumber,
  STABLE,
} from "./detector.ts";

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

/** As it is stored: row i holds buckets of 2^i values, oldest first; `pending` the newest values, which no bucket holds yet. */
interface StoredWindow {
  readonly tick: number;
  readonly width: number;
  readonly total: number;
  readonly squares: number;
  readonly rows: readonly (readonly Bucket[])[];
  readonly pending?: readonly number[];
}

/** Rows a window can have: 2^40 values are more than anybody waits for. */
const MAX_ROWS = 41;
/** Values put into buckets at once: between two searches nobody looks at the buckets. */
const BLOCK = 32;

/** Buckets of all rows in two flat arrays: row i begins at `i * maxBuckets`, its oldest bucket first. */
interface Window {
  tick: number;
  width: number;
  total: number;
  squares: number;
  rowCount: number;
  readonly counts: Int32Array;
  readonly sums: Float64Array;
  readonly deviations: Float64Array;
  /** Where rows in turn leave the buckets they merged for the next row. */
  readonly merged: readonly [Line, Line];
}

/** Buckets of one size on their way into a row, oldest first. */
interface Line {
  readonly sums: Float64Array;
  readonly deviations: Float64Array;
}

function emptyLine(): Line {
  return { sums: new Float64Array(BLOCK), deviations: new Float64Array(BLOCK) };
}

function emptyWindow(maxBuckets: number): Window {
  const size = MAX_ROWS * maxBuckets;
  return {
    tick: 0,
    width: 0,
    total: 0,
    squares: 0,
    rowCount: 0,
    counts: new Int32Array(MAX_ROWS),
    sums: new Float64Array(size),
    deviations: new Float64Array(size),
    merged: [emptyLine(), emptyLine()],
  };
}

function clearInPlace(window: Window): void {
  window.tick = 0;
  window.width = 0;
  window.total = 0;
  window.squares = 0;
  window.rowCount = 0;
  window.counts.fill(0);
}

function restore(stored: StoredWindow, maxBuckets: number): Window {
  const { tick, width, total, squares, rows } = stored;
  const window = { ...emptyWindow(maxBuckets), tick, width, total, squares, rowCount: rows.length };
  rows.forEach((buckets, row) => {
    window.counts[row] = buckets.length;
    buckets.forEach(([sum, deviation], k) => {
      window.sums[row * maxBuckets + k] = sum;
      window.deviations[row * maxBuckets + k] = deviation;
    });
  });
  return window;
}

function store(window: Window, pending: Float64Array, maxBuckets: number): StoredWindow {
  const { tick, width, total, squares, rowCount, counts, sums, deviations } = window;
  const rows = Array.from({ length: rowCount }, (_, row) =>
    Array.from({ length: counts[row] as number }, (_bucket, k): Bucket => {
      const at = row * maxBuckets + k;
      return [sums[at] as number, deviations[at] as number];
    }),
  );
  return { tick, width, total, squares, rows, pending: [...pending] };
}

/** @param options see `AdwinOptions`; defaults as published. Cost O(M log W) a cut search, O(1) else; memory O(M log W). */
export function createAdwin(options: AdwinOptions = {}): DriftDetector {
  const settings = { ...DEFAULTS, ...options };
  return resume(settings, emptyWindow(settings.maxBuckets), [], false);
}

/** Resumes from `toState()`. */
export function adwinFromState(state: JsonObject): DriftDetector {
  const { settings, window, drifted } = state as unknown as {
    settings: Settings;
    window: StoredWindow;
    drifted: boolean;
  };
  return resume(settings, restore(window, settings.maxBuckets), window.pending ?? [], drifted);
}

function resume(settings: Settings, window: Window, waiting: readonly number[], startDrifted: boolean): DriftDetector {
  const { clock, maxBuckets, gracePeriod } = settings;
  const line = emptyLine();
  const block = line.sums;
  block.set(waiting);
  let pending = waiting.length;
  let drifted = startDrifted;
  // After a drift the next value is the first of a new window.
  let full = drifted ? 1 : blockLength(window.tick);

  /** Values from a given tick on that go into buckets together: up to the next search, or as many as a block holds. */
  function blockLength(tick: number): number {
    return Math.min(BLOCK, clock - (tick % clock));
  }

  function settle(): Detection {
    if (drifted) {
      clearInPlace(window);
      drifted = false;
      full = blockLength(0);
      if (pending < full) return STABLE;
    }
    insertBlockInPlace(window, line, pending, maxBuckets);
    pending = 0;
    full = blockLength(window.tick);
    if (window.tick % clock !== 0 || window.width <= gracePeriod) return STABLE;
    const direction = shrinkInPlace(window, settings);
    if (direction === null) return STABLE;
    drifted = true;
    full = 1;
    return driftTowards(direction);
  }

  return {
    update(value) {
      requireNumber("ADWIN", value);
      block[pending] = value;
      pending += 1;
      return pending < full ? STABLE : settle();
    },
    toState: () =>
      ({ settings: { ...settings }, window: store(window, block.subarray(0, pending), maxBuckets), drifted }) as never,
  };
}

/** Puts values into buckets, row by row: the buckets that value by value gives, as a row always merges its oldest pairs. */
function insertBlockInPlace(window: Window, block: Line, length: number, maxBuckets: number): void {
  addMomentsInPlace(window, block.sums, length);
  let entering = block;
  let count = length;
  let size = 1;
  for (let row = 0; count > 0; row++) {
    if (row === window.rowCount) window.rowCount = row + 1;
    const merged = window.merged[row & 1] as Line;
    count = enterRowInPlace(window, row, size, entering, count, merged, maxBuckets);
    entering = merged;
    size *= 2;
  }
}

/** Adds `count` buckets to a row and moves its overflow to `merged`, the oldest two at a time; how many buckets that makes. */
function enterRowInPlace(
  window: Window,
  row: number,
  size: number,
  entering: Line,
  count: number,
  merged: Line,
  maxBuckets: number,
): number {
  const { counts, sums, deviations } = window;
  const { sums: newSums, deviations: newDeviations } = entering;
  const { sums: mergedSums, deviations: mergedDeviations } = merged;
  const base = row * maxBuckets;
  const end = base + (counts[row] as number);
  const overflow = end - base + count - maxBuckets;
  const pairs = overflow > 0 ? (overflow + 1) >> 1 : 0;
  // Sizes are powers of two, so the product with the reciprocal is the quotient.
  const inverse = 1 / size;
  const half = size / 2;
  let pair = 0;
  let old = base;
  let next = 0;
  for (; pair < pairs && old + 1 < end; pair++) {
    const sumA = sums[old] as number;
    const sumB = sums[old + 1] as number;
    const gap = sumA * inverse - sumB * inverse;
    mergedSums[pair] = sumA + sumB;
    mergedDeviations[pair] = (deviations[old] as number) + (deviations[old + 1] as number) + half * gap * gap;
    old += 2;
  }
  if (pair < pairs && old < end) {
    const sumA = sums[old] as number;
    const sumB = newSums[0] as number;
    const gap = sumA * inverse - sumB * inverse;
    mergedSums[pair] = sumA + sumB;
    mergedDeviations[pair] = (deviations[old] as number) + (newDeviations[0] as number) + half * gap * gap;
    old += 1;
    next = 1;
    pair += 1;
  }
  for (; pair < pairs; pair++) {
    const sumA = newSums[next] as number;
    const sumB = newSums[next + 1] as number;
    const gap = sumA * inverse - sumB * inverse;
    mergedSums[pair] = sumA + sumB;
    mergedDeviations[pair] = (newDeviations[next] as number) + (newDeviations[next + 1] as number) + half * gap * gap;
    next += 2;
  }
  let at = base;
  for (; old < end; old++, at++) {
    sums[at] = sums[old] as number;
    deviations[at] = deviations[old] as number;
  }
  for (; next < count; next++, at++) {
    sums[at] = newSums[next] as number;
    deviations[at] = newDeviations[next] as number;
  }
  counts[row] = at - base;
  return pairs;
}

/** Adds `count` values to the window's width, total and squared deviations (Chan, Golub and LeVeque, 1979). */
function addMomentsInPlace(window: Window, block: Float64Array, count: number): void {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += block[i] as number;
  const mean = sum / count;
  let squares = 0;
  for (let i = 0; i < count; i++) {
    const gap = (block[i] as number) - mean;
    squares += gap * gap;
  }
  const { width } = window;
  if (width > 0) {
    const gap = mean - window.total / width;
    squares += (gap * gap * width * count) / (width + count);
  }
  window.squares += squares;
  window.tick += count;
  window.width = width + count;
  window.total += sum;
}

/** Drops from the oldest end until no cut fires; the direction of the first cut that fired, or null. */
function shrinkInPlace(window: Window, settings: Settings): DriftDirection | null {
  let first: DriftDirection | null = null;
  for (;;) {
    const direction = findCut(window, settings);
    if (direction === null) return first;
    first ??= direction;
    dropOldestInPlace(window, settings.maxBuckets);
  }
}

/** Margins by which the quick test errs on the side of the exact one: of its level, and of its two rounded products. */
const SURELY_BELOW = 0.999;
const ROUNDING = 1e-14;

/** Walks cuts from the oldest bucket on; the direction of the first whose halves differ by more than the bound. */
function findCut(window: Window, settings: Settings): DriftDirection | null {
  const { minWindowLength, delta, maxBuckets } = settings;
  const { width, total, counts, sums, rowCount } = window;
  const confidence = logDeterministic((2 * logDeterministic(width)) / delta);
  const variance = window.squares / width;
  // Both parts less the smallest one add up to the same at every cut.
  const level = 2 * variance * confidence * SURELY_BELOW * (width - 2 * minWindowLength + 2);
  let oldCount = 0;
  let oldTotal = 0;
  let size = 1;
  for (let row = 1; row < rowCount; row++) size *= 2;
  for (let row = rowCount - 1; row >= 0; row--) {
    const base = row * maxBuckets;
    // The newest value alone is no part.
    const end = row === 0 ? (counts[0] as number) - 1 : (counts[row] as number);
    for (let k = 0; k < end; k++) {
      oldCount += size;
      oldTotal += sums[base + k] as number;
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

function dropOldestInPlace(window: Window, maxBuckets: number): void {
  const { counts, sums, deviations } = window;
  const row = window.rowCount - 1;
  const first = row * maxBuckets;
  let size = 1;
  for (let i = 0; i < row; i++) size *= 2;
  const sum = sums[first] as number;
  window.width -= size;
  window.total -= sum;
  const gap = sum / size - window.total / window.width;
  window.squares -= (deviations[first] as number) + (size * window.width * gap * gap) / (size + window.width);
  const end = first + (counts[row] as number);
  sums.copyWithin(first, first + 1, end);
  deviations.copyWithin(first, first + 1, end);
  counts[row] = (counts[row] as number) - 1;
  while (window.rowCount > 0 && counts[window.rowCount - 1] === 0) window.rowCount -= 1;
}
