/**
 * A panel: many series on one grid of periods. A forecaster sees a series up to its origin and nothing behind it; that is kept by
 * handing over a cut-off view, not by trusting the forecaster.
 */
import type { Frequency } from "../../data/calendar.ts";

export interface PanelSeries {
  readonly name: string;
  /** Period of `values[0]`. */
  readonly start: number;
  /** One value per period; NaN where none is known. */
  readonly values: Float64Array;
  /** Known covariates: one row of the panel's width per period, from `start` on; may reach further than `values`. */
  readonly covariates: Float32Array;
}

export interface CovariateColumn {
  readonly name: string;
  readonly kind: "number" | "category";
}

export interface Panel {
  readonly frequency: Frequency;
  /** Periods ahead that are forecast. */
  readonly horizon: number;
  readonly covariates: readonly CovariateColumn[];
  readonly series: readonly PanelSeries[];
}

/** A series as it was known at an origin: the values up to it, and what is known ahead. */
export interface SeriesView {
  readonly name: string;
  readonly start: number;
  /** Values up to the origin, which is their last period. */
  readonly values: Float64Array;
  /** Covariates from `start` on, also beyond the origin where they are known ahead; missing rows are NaN. */
  readonly covariates: Float32Array;
}

/** Periods a forecaster looks back at most: beyond them nothing it learns changes, and serving need not keep more. */
export const HISTORY_PERIODS: Readonly<Record<Frequency, number>> = { daily: 800, monthly: 240, quarterly: 160 };

/** The series as known at the end of period `origin`, cut to the history a forecaster uses; undefined before its first value. */
export function viewAt(
  series: PanelSeries,
  origin: number,
  frequency: Frequency,
  width: number,
): SeriesView | undefined {
  const end = origin - series.start + 1;
  if (end <= 0) return undefined;
  const from = Math.max(0, Math.min(end, series.values.length) - HISTORY_PERIODS[frequency]);
  // Beyond the last value the series is unknown, not shorter: its origin stays where it was asked for.
  const values =
    end <= series.values.length ? series.values.subarray(from, end) : padded(series.values.subarray(from), end - from);
  return {
    name: series.name,
    start: series.start + from,
    values,
    covariates: series.covariates.subarray(from * width),
  };
}

function padded(values: Float64Array, length: number): Float64Array {
  const out = new Float64Array(length).fill(Number.NaN);
  out.set(values);
  return out;
}

/** Last period of a view: its origin. */
export function originOf(view: SeriesView): number {
  return view.start + view.values.length - 1;
}

/**
 * The unit errors are measured in: mean |y(t) − y(t−m)| (R. Hyndman, A. Koehler 2006, "Another look at measures of forecast
 * accuracy"), over pairs that are both known; mean |y| where the series never changes; 1 where it is all zero.
 */
export function seasonalScale(values: Float64Array, season: number): number {
  let sum = 0;
  let count = 0;
  let size = 0;
  let known = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value !== value) continue;
    size += Math.abs(value);
    known++;
    if (i < season) continue;
    const difference = value - (values[i - season] as number);
    if (difference !== difference) continue;
    sum += Math.abs(difference);
    count++;
  }
  if (sum > 0) return sum / count;
  return size > 0 ? size / known : 1;
}
