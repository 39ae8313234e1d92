/** Label shift P(y): labels of a window against those of the training rows. */
import type { CounterValues, Task } from "../../core/index.ts";
import type { FeatureProfile, ReferenceColumn } from "../../data/index.ts";
import { fromFixedPoint, normalIsf, normalSf } from "../../stats/index.ts";
import { sum } from "./bins.ts";
import { cellMiddles } from "./wasserstein.ts";

const EMPTY = { below: 0, above: 0, other: 0, unseen: 0, missing: 0, nonFinite: 0 };
const whole = (values: CounterValues, key: string) => Number(values[key] ?? 0n);

/** Labels by class from the counters of realised performance, over the grid of the reference. Not for regression. */
export function labelCounts(task: Task, reference: ReferenceColumn, values: CounterValues): FeatureProfile {
  const { grid } = reference;
  if (task === "binary") {
    const counts = [whole(values, "tn") + whole(values, "fp"), whole(values, "tp") + whole(values, "fn")];
    return { name: grid.name, counts, ...EMPTY };
  }
  const size = grid.kind === "category" ? grid.categories.length : 0;
  const counts = new Array<number>(size).fill(0);
  let unseen = 0;
  for (const [key, n] of Object.entries(values)) {
    const match = /^c(-?\d+)_/.exec(key);
    if (match === null) continue;
    const truth = Number(match[1]);
    if (truth >= 0 && truth < size) counts[truth] = (counts[truth] as number) + Number(n);
    else unseen += Number(n);
  }
  return { name: grid.name, counts, ...EMPTY, unseen };
}

export interface MeanShift {
  /** Change of the mean in standard deviations of the reference labels. */
  readonly value: number;
  readonly threshold: number;
  readonly p: number;
  readonly rows: number;
}

/**
 * Shift of the mean label of a regression, in standard deviations. Null without labels or spread.
 * @param options `minimumEffect` in PSI; a normal label whose mean moves by s standard deviations has a PSI of about s²
 */
export function labelMeanShift(
  reference: ReferenceColumn,
  values: CounterValues,
  options: { readonly minimumEffect: number; readonly level: number },
): MeanShift | null {
  const { grid, profile } = reference;
  const rows = whole(values, "n");
  if (grid.kind !== "number" || rows < 2) return null;
  const middles = cellMiddles(grid);
  const n = sum(profile.counts);
  let mean = 0;
  for (let i = 0; i < middles.length; i++) mean += (middles[i] as number) * (profile.counts[i] as number);
  mean /= n;
  let squares = 0;
  for (let i = 0; i < middles.length; i++) {
    const gap = (middles[i] as number) - mean;
    squares += (profile.counts[i] as number) * gap * gap;
  }
  const deviation = Math.sqrt(squares / n);
  if (!(deviation > 0)) return null;
  const now = fromFixedPoint(values["y"] ?? 0n) / rows;
  const value = Math.abs(now - mean) / deviation;
  const noise = Math.sqrt(1 / n + 1 / rows);
  const minimum = Math.sqrt(options.minimumEffect);
  return {
    value,
    threshold: Math.max(minimum, normalIsf(options.level / 2) * noise),
    p: Math.min(1, 2 * normalSf(value / noise)),
    rows,
  };
}
