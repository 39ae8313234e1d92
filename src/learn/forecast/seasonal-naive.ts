/**
 * Seasonal naive: the value of the same place in the last season. The baseline every forecaster must beat, and a hard one where
 * seasons repeat.
 */
import type { SeriesView } from "./panel.ts";

/** One value per step. A missing value is looked for one season earlier; a series with no value at all answers 0. */
export function seasonalNaive(view: SeriesView, season: number, steps: number): Float64Array {
  const { values } = view;
  const out = new Float64Array(steps);
  const last = lastKnown(values);
  for (let step = 1; step <= steps; step++) {
    let at = values.length - 1 + step - season * Math.ceil(step / season);
    while (at >= 0 && Number.isNaN(values[at])) at -= season;
    out[step - 1] = at >= 0 ? (values[at] as number) : last;
  }
  return out;
}

function lastKnown(values: Float64Array): number {
  for (let i = values.length - 1; i >= 0; i--) if (!Number.isNaN(values[i])) return values[i] as number;
  return 0;
}
