import { describe, expect, it } from "vitest";
import { DAY_MS, HOUR_MS, type RunState } from "../../src/core/index.ts";
import { applyGuards, BREAKER_HALF_OPEN_MS, type GuardState, type TriggerEvaluation } from "../../src/trigger/index.ts";

const fired: Pick<TriggerEvaluation, "outcome" | "trigger"> = { outcome: "yes", trigger: "newLabels" };
const now = Date.UTC(2026, 5, 1);
const open: GuardState = {
  now,
  cooldownMs: 6 * HOUR_MS,
  maxPerDay: 4,
  stopAfterRejections: 3,
  activeRun: null,
  lastRunAt: now - 7 * HOUR_MS,
  runsLastDay: 1,
  recent: [],
  rowsSince: 10,
  labelsSince: 10,
};
const ended = (...states: RunState[]) =>
  states.map((state, i) => {
    const endedAt = now - HOUR_MS - i * DAY_MS;
    return { state, endedAt, queuedAt: endedAt, trigger: "newLabels" };
  });

const monitored = (...triggers: string[]) =>
  triggers.map((trigger, i) => {
    const at = now - (7 + 8 * i) * HOUR_MS;
    return { state: "promoted" as const, endedAt: at, queuedAt: at, trigger };
  });
/** `now` is a Monday, 00:00 UTC. */
const night = { fromMinute: 0, toMinute: 1, timeZone: "UTC", days: [0, 1, 2, 3, 4, 5, 6] };

describe("guards", () => {
  it("let a trigger through when nothing speaks against it", () => {
    expect(applyGuards(fired, open)).toEqual({ start: true, decisions: [], heldUntil: null });
  });

  it("say nothing where nothing fired", () => {
    expect(applyGuards({ ...fired, outcome: "cannot-tell" }, { ...open, activeRun: "r1" })).toEqual({
      start: false,
      decisions: [],
      heldUntil: null,
    });
  });

  const cases: readonly (readonly [string, Partial<GuardState>, string | null])[] = [
    ["a run under way", { activeRun: "r1" }, "one run at a time"],
    ["the last millisecond of the cool-down", { lastRunAt: now - 6 * HOUR_MS + 1 }, "cool-down"],
    ["the end of the cool-down", { lastRunAt: now - 6 * HOUR_MS }, null],
    ["a cool-down after the first version", { lastRunAt: now - 1, lastRunTrigger: "first" }, null],
    ["a spent budget", { runsLastDay: 4 }, "daily budget"],
    ["a budget with room", { runsLastDay: 3 }, null],
    ["nothing new since the own last run", { rowsSince: 0, labelsSince: 0 }, "new evidence"],
    ["nothing new before the first run", { rowsSince: 0, labelsSince: 0, lastRunAt: null }, null],
    ["three refusals", { recent: ended("rejected", "rejected", "rejected") }, "breaker"],
    ["two refusals", { recent: ended("rejected", "rejected", "promoted", "rejected") }, null],
    ["three refusals with a hold between", { recent: ended("rejected", "held", "rejected", "rejected") }, "breaker"],
    ["three holds", { recent: ended("held", "held", "held") }, null],
    [
      "refusals that are seven days old",
      {
        recent: ended("rejected", "rejected", "rejected").map((run) => ({
          ...run,
          endedAt: now - BREAKER_HALF_OPEN_MS,
        })),
      },
      null,
    ],
    [
      "three runs by one monitor, each as soon as it could",
      { recent: monitored("conceptDrift", "conceptDrift", "conceptDrift") },
      "self-trigger",
    ],
    ["three runs by different triggers", { recent: monitored("conceptDrift", "newLabels", "conceptDrift") }, null],
    [
      "three runs by one monitor with weeks between",
      {
        recent: monitored("conceptDrift", "conceptDrift", "conceptDrift").map((run, i) => ({
          ...run,
          queuedAt: now - i * 7 * DAY_MS,
        })),
      },
      null,
    ],
    ["the last minute of quiet hours", { quietHours: { ...night, toMinute: 1 } }, "quiet hours"],
    ["the end of quiet hours", { quietHours: { ...night, toMinute: 0, fromMinute: 60 } }, null],
    ["quiet hours of another day", { quietHours: { ...night, toMinute: 1, days: [0] } }, null],
  ];
  it.each(cases)("judge %s", (_, change, subject) => {
    const trigger = (change.recent ?? []).some((run) => run.trigger === "conceptDrift")
      ? "conceptDrift"
      : fired.trigger;
    const result = applyGuards({ ...fired, trigger }, { ...open, ...change });
    expect(result.start).toBe(subject === null);
    expect(result.decisions.map((one) => one.subject)).toEqual(subject === null ? [] : [subject]);
    for (const decision of result.decisions) {
      expect(decision).toMatchObject({ kind: "guard", outcome: "no" });
      expect(decision.reason).toMatch(/\.$/);
    }
  });

  it("do not ask a person's wish or an outside event for new rows", () => {
    const still = { ...open, rowsSince: 0, labelsSince: 0 };
    for (const trigger of ["event", "manual"]) expect(applyGuards({ ...fired, trigger }, still).start).toBe(true);
  });

  it("give the same reason over a whole cool-down, so that it stays one record", () => {
    const reasons = [1, 2, 3].map(
      (hour) => applyGuards(fired, { ...open, lastRunAt: now, now: now + hour * HOUR_MS }).decisions[0]?.reason,
    );
    expect(new Set(reasons).size).toBe(1);
  });
});
