/**
 * Periods of a forecast: a day, a month or a quarter as one whole number, so that "seven periods earlier" is a subtraction.
 * All in UTC: a period that begins at another hour in another place would be another period.
 */
import type { Instant } from "../core/index.ts";

export const FREQUENCIES = ["daily", "monthly", "quarterly"] as const;
export type Frequency = (typeof FREQUENCIES)[number];

const DAY = 86_400_000;

/** Periods of one season: a week of days, a year of months, a year of quarters. */
export const SEASON: Readonly<Record<Frequency, number>> = { daily: 7, monthly: 12, quarterly: 4 };

/** The period an instant lies in: days since 1970, months or quarters since year 0. */
export function periodOf(at: Instant, frequency: Frequency): number {
  if (frequency === "daily") return Math.floor(at / DAY);
  const date = new Date(at);
  const month = date.getUTCFullYear() * 12 + date.getUTCMonth();
  return frequency === "monthly" ? month : Math.floor(month / 3);
}

/** The instant a period begins at. */
export function periodStart(period: number, frequency: Frequency): Instant {
  if (frequency === "daily") return period * DAY;
  const month = frequency === "monthly" ? period : period * 3;
  return Date.UTC(Math.floor(month / 12), month % 12, 1);
}

/** `2026-03-01`, `2026-03`, `2026-Q1`. */
export function periodText(period: number, frequency: Frequency): string {
  const text = new Date(periodStart(period, frequency)).toISOString();
  if (frequency === "daily") return text.slice(0, 10);
  return frequency === "monthly" ? text.slice(0, 7) : `${text.slice(0, 4)}-Q${(period % 4) + 1}`;
}

/** What the calendar says about a period, as numbers a tree can split on. */
export const CALENDAR_COLUMNS: Readonly<Record<Frequency, readonly string[]>> = {
  daily: ["day of week", "day of month", "day of year", "month"],
  monthly: ["month"],
  quarterly: ["quarter"],
};

export function writeCalendar(period: number, frequency: Frequency, out: Float32Array, offset: number): void {
  if (frequency === "quarterly") {
    out[offset] = period % 4;
    return;
  }
  if (frequency === "monthly") {
    out[offset] = period % 12;
    return;
  }
  const date = new Date(period * DAY);
  out[offset] = date.getUTCDay();
  out[offset + 1] = date.getUTCDate();
  out[offset + 2] = period - Math.floor(Date.UTC(date.getUTCFullYear(), 0, 1) / DAY);
  out[offset + 3] = date.getUTCMonth();
}

/** Periods between a target and the newest value that is known when its time comes: the label delay. */
export function leadPeriods(labelDelayMs: number, frequency: Frequency): number {
  return Math.ceil(labelDelayMs / (periodStart(1, frequency) - periodStart(0, frequency)));
}

/** The example (series, target period) a forecast speaks of, and every later restatement of its value. */
export function forecastExampleId(series: string, period: number, frequency: Frequency): string {
  return `${series}@${periodText(period, frequency)}`;
}

/** Series and instant of a forecast's example id; undefined where the text is none. */
export function parseForecastExampleId(
  id: string,
  frequency: Frequency,
): { readonly series: string; readonly period: number } | undefined {
  const cut = id.lastIndexOf("@");
  if (cut < 1) return undefined;
  const text = id.slice(cut + 1);
  const quarter = /^(\d{4})-Q([1-4])$/.exec(text);
  const iso = quarter === null ? text : `${quarter[1]}-${String(Number(quarter[2]) * 3 - 2).padStart(2, "0")}`;
  const at = Date.parse(iso);
  return Number.isNaN(at) ? undefined : { series: id.slice(0, cut), period: periodOf(at, frequency) };
}
