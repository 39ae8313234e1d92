/** Event times as they arrive: ISO 8601 text with an offset, a plain date (midnight UTC), or milliseconds since 1970. */
import type { Instant } from "../core/index.ts";

const ISO = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:?\d{2})?)?$/;
/** The range of a JavaScript date, ms. */
const LIMIT_MS = 8.64e15;

/** The instant, or undefined. A time without an offset is UTC: the machine's zone would make the same file mean different things. */
export function parseInstant(value: unknown): Instant | undefined {
  if (typeof value === "number") return Number.isInteger(value) && Math.abs(value) <= LIMIT_MS ? value : undefined;
  if (typeof value !== "string") return undefined;
  const match = ISO.exec(value);
  if (match === null) return undefined;
  const [, date, time, offset] = match as unknown as [string, string, string | undefined, string | undefined];
  const zone =
    offset === undefined || offset === "Z"
      ? "Z"
      : offset.length === 5
        ? `${offset.slice(0, 3)}:${offset.slice(3)}`
        : offset;
  const full = time === undefined ? `${date}T00:00:00Z` : `${date}T${time.length === 5 ? `${time}:00` : time}${zone}`;
  const instant = Date.parse(full);
  // Date.parse rolls "2026-02-30" over to March; a date that does not exist is a mistake in the source.
  if (
    Number.isNaN(instant) ||
    Number(date.slice(8)) > daysInMonth(Number(date.slice(0, 4)), Number(date.slice(5, 7)))
  ) {
    return undefined;
  }
  return instant;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
