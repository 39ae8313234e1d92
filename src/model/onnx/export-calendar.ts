/**
 * What the calendar says about the periods behind an instant, in whole numbers: days since 1970 to year, month and day after
 * H. Hinnant, "chrono-compatible low-level date algorithms" (2013), `civil_from_days`, whose years begin in March.
 */
import type { Frequency } from "../../data/calendar.ts";
import type { Operators } from "./operators.ts";

const DAY_MS = 86_400_000;
/** Days from 0000-03-01 to 1970-01-01. */
const EPOCH_DAYS = 719_468;
/** Days of 400 years. */
const ERA_DAYS = 146_097;
/** Days from March 1 to January 1. */
const MARCH_TO_JANUARY = 306;

interface Civil {
  /** 0 is January. */
  readonly month: string;
  /** From 1. */
  readonly day: string;
  /** From 0. */
  readonly dayOfYear: string;
}

/** @returns rows × horizon × columns of the frequency, float64, for the periods behind the one that `origin` (ms since 1970) lies in */
export function addCalendar(
  o: Operators,
  { origin, frequency, horizon }: { readonly origin: string; readonly frequency: Frequency; readonly horizon: number },
): string {
  const steps = o.ints(
    Array.from({ length: horizon }, (_, i) => i + 1),
    [1, horizon],
  );
  const mod = (value: string, by: number) => o.graph.node("Mod", [value, o.int(by)]);
  const day = o.div(o.sub(origin, mod(origin, DAY_MS)), o.int(DAY_MS));
  const column = (value: string) => o.cast(o.graph.node("Unsqueeze", [value, o.ints([2])]), "double");
  if (frequency === "daily") {
    const target = o.add(day, steps);
    // 1970 began on a Thursday.
    const weekday = mod(o.add(target, o.int(4)), 7);
    const { month, day: ofMonth, dayOfYear } = civilOf(o, target);
    return o.concat([weekday, ofMonth, dayOfYear, month].map(column), 2);
  }
  const { month } = civilOf(o, day);
  if (frequency === "monthly") return column(mod(o.add(month, steps), 12));
  return column(mod(o.add(o.div(month, o.int(3)), steps), 4));
}

function civilOf(o: Operators, days: string): Civil {
  // All numbers below are 0 or more, where division cuts off.
  const times = (value: string, by: number) => o.mul(value, o.int(by));
  const over = (value: string, by: number) => o.div(value, o.int(by));
  const ofEra = o.graph.node("Mod", [o.add(days, o.int(EPOCH_DAYS)), o.int(ERA_DAYS)]);
  const leapDays = o.add(o.sub(over(ofEra, 1460), over(ofEra, 36_524)), over(ofEra, ERA_DAYS - 1));
  const year = over(o.sub(ofEra, leapDays), 365);
  const quarters = over(year, 4);
  const centuries = over(year, 100);
  const ofYear = o.sub(ofEra, o.sub(o.add(times(year, 365), quarters), centuries));
  const fromMarch = over(o.add(times(ofYear, 5), o.int(2)), 153);
  const day = o.add(o.sub(ofYear, over(o.add(times(fromMarch, 153), o.int(2)), 5)), o.int(1));
  const month = o.graph.node("Mod", [o.add(fromMarch, o.int(2)), o.int(12)]);
  const divides = (by: number) => o.equal(o.graph.node("Mod", [year, o.int(by)]), o.int(0));
  const isLeap = o.or(o.and(divides(4), o.not(divides(100))), divides(400));
  const isOldYear = o.less(ofYear, o.int(MARCH_TO_JANUARY));
  const afterFebruary = o.add(o.add(ofYear, o.int(59)), o.cast(isLeap, "int64"));
  const dayOfYear = o.where(isOldYear, afterFebruary, o.sub(ofYear, o.int(MARCH_TO_JANUARY)));
  return { month, day, dayOfYear };
}
