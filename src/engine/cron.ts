/** Cron expressions as pure questions about instants; croner knows time zones and the days on which clocks change. */
import { Cron } from "croner";
import { fail, type Instant } from "../core/index.ts";

export interface CronRule {
  /** The first occurrence after the instant, or undefined when there is none left. */
  next(after: Instant): Instant | undefined;
  /** The last occurrence at or before the instant. */
  last(until: Instant): Instant | undefined;
}

/** @throws CONFIG_INVALID when the expression or the time zone cannot be read */
export function cronRule(expression: string, timeZone: string): CronRule {
  const cron = readCron(expression, timeZone);
  return {
    next: (after) => cron.nextRun(new Date(after))?.getTime(),
    // croner leaves out a run at the very reference, and takes one earlier in its second: ask one millisecond into the second.
    last: (until) => cron.previousRuns(1, new Date(Math.floor(until / 1000) * 1000 + 1))[0]?.getTime(),
  };
}

/** The one occurrence to fire for everything that came due in (firedAt, now]: the latest. Missed ticks fire once, not one by one. */
export function dueOccurrence(rule: CronRule, firedAt: Instant, now: Instant): Instant | undefined {
  const first = rule.next(firedAt);
  if (first === undefined || first > now) return undefined;
  const last = rule.last(now);
  return last === undefined || last < first ? first : last;
}

function readCron(expression: string, timeZone: string): Cron {
  try {
    const cron = new Cron(expression, { timezone: timeZone, paused: true });
    // A wrong time zone is noticed only when a time is asked for.
    cron.nextRun(new Date(0));
    return cron;
  } catch (error) {
    throw fail("CONFIG_INVALID", {
      message: `The schedule "${expression}" in time zone "${timeZone}" cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      remedy: 'Write five cron fields and an IANA time zone: "0 3 * * 1" in "Europe/Berlin".',
      cause: error,
    });
  }
}
