/**
 * Schedules as pure functions of (lastEvaluatedAt, now], by croner: no timer, so a replay asks about 2008, and a time that
 * passed while the server was down fires once. Daylight saving follows croner: a local time that does not exist runs once at
 * the end of the gap, one that exists twice runs once.
 */
import { Cron } from "croner";
import { type Field, type FieldPlace, fail, type Instant, refuse, textField, withDefault } from "../core/index.ts";
import type { TriggerSpec } from "./spec.ts";
import { QUIET_STATE, showInstant, type TriggerKind } from "./trigger.ts";

export type ScheduleSpec = Extract<TriggerSpec, { kind: "schedule" }>;

export interface ScheduleState {
  /** The latest scheduled time in (lastEvaluatedAt, now], or null. */
  readonly due: Instant | null;
  /** How many earlier ones in that range were not acted on. */
  readonly missed: number;
  readonly next: Instant | null;
}

/** A downtime longer than this many ticks is counted no further; it fires once all the same. */
const MAX_MISSED = 1_000;

export function dueSchedule(spec: ScheduleSpec, lastEvaluatedAt: Instant | null, now: Instant): ScheduleState {
  const cron = cronOf(spec);
  let due: Instant | null = null;
  let count = 0;
  // At the first look nothing is overdue: a model that was just described has missed nothing.
  let cursor = lastEvaluatedAt ?? now;
  while (count < MAX_MISSED) {
    const next = cron.nextRun(new Date(cursor))?.getTime();
    if (next === undefined || next > now) return { due, missed: Math.max(0, count - 1), next: next ?? null };
    due = next;
    count++;
    cursor = next;
  }
  const latest = cron.previousRuns(1, new Date(now + 1))[0]?.getTime() ?? due;
  return { due: latest, missed: count - 1, next: cron.nextRun(new Date(now))?.getTime() ?? null };
}

const crons = new Map<string, Cron>();

function cronOf(spec: ScheduleSpec): Cron {
  const key = `${spec.cron}\u001f${spec.timeZone}`;
  let cron = crons.get(key);
  if (cron === undefined) {
    // Paused: croner only computes here, it never sets a timer.
    cron = new Cron(spec.cron, { timezone: spec.timeZone, paused: true, mode: "5-part" });
    crons.set(key, cron);
  }
  return cron;
}

/** The first scheduled time strictly after the instant, or undefined where there is none. */
export function nextOccurrence(spec: ScheduleSpec, after: Instant): Instant | undefined {
  return cronOf(spec).nextRun(new Date(after))?.getTime();
}

function cronField(): Field<string> {
  const text = textField("When to retrain, in the time zone of `timeZone`.", {
    rule: 'a cron text of five parts (minute, hour, day, month, weekday), such as "0 3 * * 1" for Mondays at 03:00',
  });
  return {
    info: text.info,
    read(value: unknown, place: FieldPlace) {
      const cron = text.read(value, place);
      let next: Date | null;
      try {
        next = new Cron(cron, { timezone: "UTC", paused: true, mode: "5-part" }).nextRun(new Date(0));
      } catch {
        throw refuse(place, value, text.info);
      }
      if (next !== null) return cron;
      throw fail("CONFIG_INVALID", {
        message: `\`${place.path}\` is ${JSON.stringify(cron)}, which never happens.`,
        remedy: "Correct the day and the month.",
        details: { path: place.path },
      });
    },
  };
}

export function timeZoneField(): Field<string> {
  const text = textField("Time zone of the schedule.", { rule: 'an IANA time zone such as "UTC" or "Europe/Berlin"' });
  return {
    info: text.info,
    read(value: unknown, place: FieldPlace) {
      const zone = text.read(value, place);
      try {
        new Intl.DateTimeFormat("en-US", { timeZone: zone });
      } catch {
        throw refuse(place, value, text.info);
      }
      return zone;
    },
  };
}

const fields = { cron: cronField(), timeZone: withDefault(timeZoneField(), "UTC") };
const mondayAt3 = Date.UTC(2026, 0, 5, 2);

export const schedule: TriggerKind<ScheduleSpec, typeof fields> = {
  kind: "schedule",
  description: "At the times of a cron text.",
  fields: () => fields,
  resolve: (values) => ({ kind: "schedule", ...values }),
  subject: (spec) => `schedule(${spec.cron}, ${spec.timeZone})`,
  rule: (spec) => `Retrain at ${spec.cron} in ${spec.timeZone}.`,
  judge(spec, state) {
    const { due, missed, next } = dueSchedule(spec, state.lastEvaluatedAt, state.now);
    const inputs = { due, missed, next };
    return due === null
      ? { outcome: "no", reason: "The scheduled time has not come.", inputs }
      : { outcome: "yes", reason: `The scheduled time ${showInstant(due)} has come.`, inputs };
  },
  samples: [
    {
      spec: { kind: "schedule", cron: "0 3 * * 1", timeZone: "Europe/Berlin" },
      fires: { ...QUIET_STATE, lastEvaluatedAt: mondayAt3 - 60_000, now: mondayAt3 },
      rests: { ...QUIET_STATE, lastEvaluatedAt: mondayAt3, now: mondayAt3 + 60_000 },
    },
  ],
};
