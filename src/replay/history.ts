/** Recorded history as a replay needs it: rows in the order of their time, each with the label that became known later. */
import { DAY_MS, type FeatureValue, type Instant } from "../core/index.ts";

export interface HistoryRow {
  readonly id: string;
  readonly at: Instant;
  readonly features: Readonly<Record<string, FeatureValue>>;
  readonly label: boolean;
}
export interface HistoryDay {
  /** Midnight UTC. */
  readonly day: Instant;
  readonly rows: readonly HistoryRow[];
}
/** History in the order of time, of which each part is read when it is asked for; no day lies in two of them. */
export interface RecordedHistory {
  /** Of all parts. */
  readonly rows: number;
  readonly parts: Iterable<readonly HistoryRow[]>;
}

/** Rows that are there already. @param rows in time order */
export const wholeHistory = (rows: readonly HistoryRow[]): RecordedHistory => ({ rows: rows.length, parts: [rows] });

export const dayOf = (at: Instant): Instant => Math.floor(at / DAY_MS) * DAY_MS;

/** Groups rows, which must be in time order, by UTC day. */
export function daysOf(rows: readonly HistoryRow[]): readonly HistoryDay[] {
  const days: { day: Instant; rows: HistoryRow[] }[] = [];
  for (const row of rows) {
    const day = dayOf(row.at);
    const last = days.at(-1);
    if (last?.day === day) last.rows.push(row);
    else days.push({ day, rows: [row] });
  }
  return days;
}

/** `2009 Q3` of an instant, UTC. */
export function quarterOf(at: Instant): string {
  const date = new Date(at);
  return `${date.getUTCFullYear()} Q${Math.floor(date.getUTCMonth() / 3) + 1}`;
}
