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
type Bucket = [sum: number, squares: number];

interface Window {
  tick: number;
  width: number;
  total: number;
  squares: number;
  /** Row i holds buckets of 2^i values, oldest first. */
  rows: Bucket[][];
}

const emptyWindow = (): Window => ({ tick: 0, width: 0, total: 0, squares: 0, rows: [] });

/** @param options see `AdwinOptions`; defaults as published. Cost O(M log W) a cut search, O(1) else; memory O(M log W). */
export function createAdwin(options: AdwinOptions = {}): DriftDetector {
  return resume({ ...DEFAULTS, ...options }, emptyWindow(), false);
}

/** Resumes from `toState()`. */
export function adwinFromState(state: JsonObject): DriftDetector {
  const { settings, window, drifted } = state as unknown as { settings: Settings; window: Window; drifted: boolean };
  return resume(settings, structuredClone(window), drifted);
}

function resume(settings: Settings, start: Window, startDrifted: boolean): DriftDetector {
  let window = start;
  let drifted = startDrifted;
  return {
    update(value) {
      requireNumber("ADWIN", value);
      if (drifted) window = emptyWindow();
      insertInPlace(window, value, settings.maxBuckets);
      const direction = shrinkInPlace(window, settings);
      drifted = direction !== null;
      return direction === null ? STABLE : driftTowards(direction);
    },
    toState: () => structuredClone({ settings, window, drifted }) as unknown as JsonObject,
  };
}

function insertInPlace(window: Window, value: number, maxBuckets: number): void {
  window.width += 1;
  if (window.width > 1) {
    const gap = value - window.total / (window.width - 1);
    window.squares += ((window.width - 1) * gap * gap) / window.width;
  }
  window.total += value;
  rowOf(window, 0).push([value, 0]);
  for (let row = 0; row < window.rows.length; row++) {
    const buckets = rowOf(window, row);
    if (buckets.length <= maxBuckets) break;
    const [[sumA, squaresA], [sumB, squaresB]] = buckets.splice(0, 2) as [Bucket, Bucket];
    const size = powerOfTwo(row);
    const gap = sumA / size - sumB / size;
    rowOf(window, row + 1).push([sumA + sumB, squaresA + squaresB + (size / 2) * gap * gap]);
  }
}

function rowOf(window: Window, row: number): Bucket[] {
  let buckets = window.rows[row];
  if (buckets === undefined) {
    buckets = [];
    window.rows.push(buckets);
  }
  return buckets;
}

function powerOfTwo(row: number): number {
  let size = 1;
  for (let i = 0; i < row; i++) size *= 2;
  return size;
}

/** Drops oldest buckets until no cut fires; the direction of the first cut that fired, or null. */
function shrinkInPlace(window: Window, settings: Settings): DriftDirection | null {
  window.tick += 1;
  if (window.tick % settings.clock !== 0 || window.width <= settings.gracePeriod) return null;
  let first: DriftDirection | null = null;
  for (;;) {
    const direction = findCut(window, settings);
    if (direction === null) return first;
    first ??= direction;
    dropOldestInPlace(window);
  }
}

/** Walks cuts from the oldest bucket on; the direction of the first whose halves differ by more than the bound. */
function findCut(window: Window, settings: Settings): DriftDirection | null {
  const { minWindowLength, delta } = settings;
  const confidence = logDeterministic((2 * logDeterministic(window.width)) / delta);
  let oldCount = 0;
  let oldTotal = 0;
  for (let row = window.rows.length - 1; row >= 0; row--) {
    const buckets = window.rows[row] as Bucket[];
    const size = powerOfTwo(row);
    for (let k = 0; k < buckets.length; k++) {
      if (row === 0 && k === buckets.length - 1) return null;
      oldCount += size;
      oldTotal += (buckets[k] as Bucket)[0];
      const newCount = window.width - oldCount;
      if (oldCount < minWindowLength || newCount < minWindowLength) continue;
      const gap = (window.total - oldTotal) / newCount - oldTotal / oldCount;
      const reciprocal = 1 / (oldCount - minWindowLength + 1) + 1 / (newCount - minWindowLength + 1);
      const variance = window.squares / window.width;
      const bound = Math.sqrt(2 * reciprocal * variance * confidence) + (2 / 3) * confidence * reciprocal;
      if (Math.abs(gap) > bound) return gap > 0 ? "up" : "down";
    }
  }
  return null;
}

function dropOldestInPlace(window: Window): void {
  const row = window.rows.length - 1;
  const buckets = window.rows[row] as Bucket[];
  const [sum, squares] = buckets.shift() as Bucket;
  const size = powerOfTwo(row);
  window.width -= size;
  window.total -= sum;
  const gap = sum / size - window.total / window.width;
  window.squares -= squares + (size * window.width * gap * gap) / (size + window.width);
  while (window.rows.length > 0 && (window.rows[window.rows.length - 1] as Bucket[]).length === 0) window.rows.pop();
}
