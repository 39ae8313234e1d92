/** Hours of a time zone in which no run starts by itself: training must not compete with the busiest hours of a shop. */
import {
  choiceField,
  DAY_MS,
  type Field,
  fail,
  type Instant,
  listField,
  objectField,
  textField,
  withDefault,
} from "../core/index.ts";
import { timeZoneField } from "./schedule.ts";

export interface QuietHours {
  /** Minutes after midnight, local time; from after to means over midnight. */
  readonly fromMinute: number;
  readonly toMinute: number;
  readonly timeZone: string;
  /** Local days of the week on which the hours begin, 0 = Sunday. */
  readonly days: readonly number[];
}

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
const CLOCK = { pattern: /^([01]\d|2[0-3]):[0-5]\d$/, rule: 'a time of day such as "08:00"' };
const MINUTE_MS = 60_000;

function minutesOf(text: string): number {
  const [hours, minutes] = text.split(":").map(Number);
  return (hours as number) * 60 + (minutes as number);
}

export function quietHoursField(): Field<QuietHours> {
  const object = objectField("Hours in which no run starts by itself.", {
    from: textField("When they begin, local time.", CLOCK),
    to: textField("When they end, local time; before `from`: on the next day.", CLOCK),
    timeZone: withDefault(timeZoneField(), "UTC"),
    days: withDefault(listField("Days on which they begin.", choiceField("A day.", DAYS), { min: 1 }), [...DAYS]),
  });
  return {
    // Its keys have defaults only where there are quiet hours at all.
    info: { rule: object.info.rule, description: object.info.description },
    read(value, place) {
      const { from, to, timeZone, days } = object.read(value, place);
      if (from === to) {
        throw fail("CONFIG_INVALID", {
          message: `\`${place.path}\` begins and ends at ${from}: no run could ever start, or no hour is quiet.`,
          remedy: "Move one of the two, or leave the quiet hours out.",
          details: { path: place.path },
        });
      }
      return {
        fromMinute: minutesOf(from),
        toMinute: minutesOf(to),
        timeZone,
        days: days.map((day) => DAYS.indexOf(day)).sort((left, right) => left - right),
      };
    },
  };
}

const formats = new Map<string, Intl.DateTimeFormat>();

function localTime(at: Instant, timeZone: string): { readonly day: number; readonly minute: number } {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
    formats.set(timeZone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(at).map((part) => [part.type, part.value]));
  const day = DAYS.indexOf((parts["weekday"] as string).toLowerCase() as (typeof DAYS)[number]);
  return { day, minute: Number(parts["hour"]) * 60 + Number(parts["minute"]) };
}

function isQuiet(hours: QuietHours, at: Instant): boolean {
  const { day, minute } = localTime(at, hours.timeZone);
  const { fromMinute, toMinute, days } = hours;
  if (fromMinute < toMinute) return days.includes(day) && minute >= fromMinute && minute < toMinute;
  return (days.includes(day) && minute >= fromMinute) || (days.includes((day + 6) % 7) && minute < toMinute);
}

/** @returns when the quiet hours that hold now end, or undefined outside of them. Clocks may be set forward or back between. */
export function quietUntil(hours: QuietHours, now: Instant): Instant | undefined {
  if (!isQuiet(hours, now)) return undefined;
  const { minute } = localTime(now, hours.timeZone);
  const rest = (hours.toMinute - minute + 1440) % 1440 || 1440;
  let until = Math.floor(now / MINUTE_MS) * MINUTE_MS + rest * MINUTE_MS;
  // A switch of the clocks moves the end by an hour either way, or puts it where it happens.
  const limit = now + 8 * DAY_MS;
  while (until - MINUTE_MS > now && !isQuiet(hours, until - MINUTE_MS)) until -= MINUTE_MS;
  while (isQuiet(hours, until) && until < limit) until += 30 * MINUTE_MS;
  return until;
}

export function describeQuietHours(hours: QuietHours): string {
  const clock = (minute: number) =>
    `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
  const days = hours.days.length === 7 ? "" : ` on ${hours.days.map((day) => DAYS[day]).join(", ")}`;
  return `${clock(hours.fromMinute)} to ${clock(hours.toMinute)} ${hours.timeZone}${days}`;
}
