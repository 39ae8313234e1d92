/** Durations as people write them in a config: "90s", "14d". Inside the program they are milliseconds. */
import { fail } from "./errors.ts";

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

export type DurationText = `${number}${"ms" | "s" | "m" | "h" | "d" | "w" | "y"}`;

/** @throws DURATION_INVALID */
export function parseDuration(text: string, what = "The duration"): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)$/.exec(text);
  if (!match) {
    throw fail("DURATION_INVALID", {
      message: `${what} ${JSON.stringify(text)} is not a duration.`,
      remedy: 'Write a number and a unit out of ms, s, m, h, d, w, y, for example "90s" or "14d".',
    });
  }
  return Math.round(Number(match[1]) * (UNITS[match[2] as string] as number));
}

/** The shortest exact text of a duration. */
export function formatDuration(ms: number): string {
  for (const unit of ["w", "d", "h", "m", "s"] as const) {
    const size = UNITS[unit] as number;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}
