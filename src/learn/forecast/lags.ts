/**
 * A forecast as a row of a table: what is known at the origin about a target some steps ahead. Every lag and window is counted
 * back from the origin, never from the target, so a row can hold nothing that happened after it; the same function serves
 * training, evaluation and live requests. Values are divided by the recent size of their series, so that one model learns from
 * small and large series alike.
 */
import { CALENDAR_COLUMNS, type Frequency, SEASON, writeCalendar } from "../../data/calendar.ts";
import type { ColumnInfo } from "../trainer.ts";
import type { CovariateColumn, SeriesView } from "./panel.ts";
import { originOf } from "./panel.ts";

/** Newest values given as they are. */
export const RECENT = 3;
/** The same place of this many seasons before the target. */
export const SEASONS_BACK = 4;
/** Series told apart by name: the widest categorical split there is. */
export const NAMED_SERIES = 254;

export interface LagLayout {
  readonly frequency: Frequency;
  readonly season: number;
  /** Lengths of the rolling windows, in periods. */
  readonly windows: readonly number[];
  /** Periods of a year where the season is shorter; 0: none. */
  readonly year: number;
  readonly columns: readonly ColumnInfo[];
  readonly codes: ReadonlyMap<string, number>;
  readonly covariates: number;
}

export function lagLayout(
  frequency: Frequency,
  seriesNames: readonly string[],
  covariates: readonly CovariateColumn[],
): LagLayout {
  const season = SEASON[frequency];
  const windows = [season, 4 * season, ...(frequency === "daily" ? [13 * season] : [])];
  const year = frequency === "daily" ? 364 : 0;
  const number = (name: string): ColumnInfo => ({ name, kind: "number" });
  const columns: ColumnInfo[] = [
    { name: "series", kind: "category" },
    number("step"),
    ...Array.from({ length: RECENT }, (_, i) => number(`value ${i} before origin`)),
    ...Array.from({ length: SEASONS_BACK }, (_, i) => number(`${i + 1} seasons before target`)),
    number("mean of these seasons"),
    ...windows.flatMap((length) => [number(`mean of ${length}`), number(`deviation of ${length}`)]),
    number("change of the season"),
    ...(year === 0 ? [] : [number("a year before target"), number("growth over the year")]),
    ...CALENDAR_COLUMNS[frequency].map(number),
    ...covariates.map(({ name, kind }): ColumnInfo => ({ name, kind })),
  ];
  const codes = new Map(seriesNames.map((name, i) => [name, i < NAMED_SERIES ? i + 1 : NAMED_SERIES + 1]));
  return { frequency, season, windows, year, columns, codes, covariates: covariates.length };
}

/** What is the same for all steps of one origin. */
export interface OriginFacts {
  /** Recent size of the series: what values are divided by, > 0. */
  readonly size: number;
  readonly means: Float64Array;
  readonly deviations: Float64Array;
  readonly change: number;
  readonly growth: number;
}

/** @returns undefined where nothing is known yet. Cost: one pass over the longest window. */
export function factsAt(view: SeriesView, layout: LagLayout): OriginFacts | undefined {
  const { values } = view;
  const { windows, season, year } = layout;
  const end = values.length;
  const size = sizeOf(values, end - 4 * season, end) ?? sizeOf(values, 0, end);
  if (size === undefined) return undefined;
  const means = new Float64Array(windows.length);
  const deviations = new Float64Array(windows.length);
  windows.forEach((length, i) => {
    const { mean, deviation } = momentsOf(values, end - length, end);
    means[i] = mean / size;
    deviations[i] = deviation / size;
  });
  const before = momentsOf(values, end - 2 * season, end - season).mean;
  const monthAgo = momentsOf(values, end - 4 * season, end).mean;
  const yearAgo = year === 0 ? Number.NaN : momentsOf(values, end - 4 * season - year, end - year).mean;
  return {
    size,
    means,
    deviations,
    change: (momentsOf(values, end - season, end).mean - before) / size,
    growth: yearAgo === 0 ? Number.NaN : monthAgo / yearAgo,
  };
}

/** Mean |value|; undefined where none is known or all are zero. */
function sizeOf(values: Float64Array, from: number, to: number): number | undefined {
  let sum = 0;
  let count = 0;
  for (let i = Math.max(0, from); i < to; i++) {
    const value = values[i] as number;
    if (value !== value) continue;
    sum += Math.abs(value);
    count++;
  }
  return sum > 0 ? sum / count : undefined;
}

function momentsOf(values: Float64Array, from: number, to: number): { mean: number; deviation: number } {
  let sum = 0;
  let count = 0;
  for (let i = Math.max(0, from); i < to; i++) {
    const value = values[i] as number;
    if (value !== value) continue;
    sum += value;
    count++;
  }
  if (count === 0) return { mean: Number.NaN, deviation: Number.NaN };
  const mean = sum / count;
  let squares = 0;
  for (let i = Math.max(0, from); i < to; i++) {
    const difference = (values[i] as number) - mean;
    if (difference === difference) squares += difference * difference;
  }
  return { mean, deviation: Math.sqrt(squares / count) };
}

/** Writes the row of a target `step` periods after the view's origin. Reads values up to the origin and covariates of the target. */
export function writeLagRow(
  view: SeriesView,
  facts: OriginFacts,
  layout: LagLayout,
  step: number,
  out: Float32Array,
  offset: number,
): void {
  const { values } = view;
  const { season } = layout;
  const { size } = facts;
  const end = values.length;
  const valueAt = (index: number) => (index >= 0 && index < end ? (values[index] as number) / size : Number.NaN);
  let at = offset;
  out[at++] = layout.codes.get(view.name) ?? NAMED_SERIES + 1;
  out[at++] = step;
  for (let i = 0; i < RECENT; i++) out[at++] = valueAt(end - 1 - i);
  const target = end - 1 + step;
  const first = target - season * Math.ceil(step / season);
  let sum = 0;
  let count = 0;
  for (let i = 0; i < SEASONS_BACK; i++) {
    const value = valueAt(first - i * season);
    out[at++] = value;
    if (value !== value) continue;
    sum += value;
    count++;
  }
  out[at++] = count === 0 ? Number.NaN : sum / count;
  for (let i = 0; i < facts.means.length; i++) {
    out[at++] = facts.means[i] as number;
    out[at++] = facts.deviations[i] as number;
  }
  out[at++] = facts.change;
  if (layout.year > 0) {
    out[at++] = valueAt(target - layout.year * Math.ceil(step / layout.year));
    out[at++] = facts.growth;
  }
  writeCalendar(originOf(view) + step, layout.frequency, out, at);
  at += CALENDAR_COLUMNS[layout.frequency].length;
  const row = target * layout.covariates;
  for (let i = 0; i < layout.covariates; i++) {
    const value = view.covariates[row + i];
    out[at++] = value === undefined ? Number.NaN : value;
  }
}
