import { describe, expect, it } from "vitest";
import { dueSchedule, nextScheduledAt } from "../../src/trigger/index.ts";

const at = (text: string) => Date.parse(text);
const iso = (instant: number | null | undefined) =>
  typeof instant === "number" ? new Date(instant).toISOString() : instant;
const schedule = (cron: string, timeZone = "UTC") => ({ kind: "schedule", cron, timeZone }) as const;

/** Every firing when a tick comes each minute, as [tick]. */
function firings(cron: string, timeZone: string, from: string, to: string): string[] {
  const fired: string[] = [];
  let last = at(from);
  for (let now = last + 60_000; now <= at(to); now += 60_000) {
    const { due } = dueSchedule(schedule(cron, timeZone), last, now);
    if (due !== null) fired.push(new Date(now).toISOString());
    last = now;
  }
  return fired;
}

describe("a schedule in Berlin", () => {
  it("runs once at the end of the gap when 02:30 does not exist", () => {
    expect(firings("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z")).toEqual([
      "2026-03-29T01:00:00.000Z",
      "2026-03-30T00:30:00.000Z",
    ]);
  });

  it("runs once when 02:30 exists twice", () => {
    expect(firings("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z")).toEqual([
      "2026-10-25T00:30:00.000Z",
      "2026-10-26T01:30:00.000Z",
    ]);
  });

  it("keeps the local hour over the change of the offset", () => {
    expect(firings("0 3 * * 1", "Europe/Berlin", "2026-10-18T12:00:00Z", "2026-10-27T12:00:00Z")).toEqual([
      "2026-10-19T01:00:00.000Z",
      "2026-10-26T02:00:00.000Z",
    ]);
  });
});

describe("dueSchedule", () => {
  it("owns its end and not its begin, so no occurrence fires twice or is lost between ticks", () => {
    const daily = schedule("0 3 * * *");
    expect(dueSchedule(daily, at("2026-01-01T02:59:00Z"), at("2026-01-01T03:00:00Z")).due).toBe(
      at("2026-01-01T03:00:00Z"),
    );
    expect(dueSchedule(daily, at("2026-01-01T03:00:00Z"), at("2026-01-01T03:01:00Z")).due).toBeNull();
  });

  it("fires once for all it missed, with their number and the latest of them", () => {
    const { due, missed, next } = dueSchedule(
      schedule("0 3 * * *"),
      at("2026-01-01T12:00:00Z"),
      at("2026-01-08T12:00:00Z"),
    );
    expect([iso(due), missed, iso(next)]).toEqual(["2026-01-08T03:00:00.000Z", 6, "2026-01-09T03:00:00.000Z"]);
  });

  it("fires nothing at the first look", () => {
    expect(dueSchedule(schedule("* * * * *"), null, at("2026-01-01T00:00:30Z")).due).toBeNull();
  });

  it("stays cheap after years of downtime of a schedule of every minute", () => {
    const { due, missed } = dueSchedule(schedule("* * * * *"), at("2008-01-01T00:00:00Z"), at("2026-01-01T00:00:30Z"));
    expect(iso(due)).toBe("2026-01-01T00:00:00.000Z");
    expect(missed).toBeGreaterThan(900);
  });
});

describe("nextScheduledAt", () => {
  it("is the earliest of all schedules and intervals, in any nesting", () => {
    const spec = {
      kind: "any",
      of: [
        schedule("0 3 * * 1", "Europe/Berlin"),
        {
          kind: "all",
          of: [
            { kind: "interval", everyMs: 3_600_000 },
            { kind: "newRows", count: 5 },
          ],
        },
      ],
    } as const;
    const now = at("2026-01-01T00:00:00Z");
    expect(iso(nextScheduledAt(spec, now))).toBe("2026-01-05T02:00:00.000Z");
    expect(iso(nextScheduledAt(spec, now, { lastRunAt: now - 60_000 }))).toBe("2026-01-01T00:59:00.000Z");
    expect(iso(nextScheduledAt(spec, now, { lastRunAt: now - 7_200_000 }))).toBe("2026-01-01T00:00:00.000Z");
  });

  it("is absent where nothing depends on time alone", () => {
    expect(nextScheduledAt({ kind: "newLabels", count: 5 }, at("2026-01-01T00:00:00Z"))).toBeUndefined();
  });

  it("names the very instant at which the schedule then fires", () => {
    const spec = schedule("*/7 1,13 * * *", "America/New_York");
    let now = at("2026-03-07T00:00:00Z");
    for (let i = 0; i < 200; i++) {
      const next = nextScheduledAt(spec, now) as number;
      expect(dueSchedule(spec, now, next - 1).due).toBeNull();
      expect(dueSchedule(spec, now, next).due).toBe(next);
      now = next;
    }
  });
});
