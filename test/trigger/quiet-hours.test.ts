import { describe, expect, it } from "vitest";
import { quietHoursField, quietUntil } from "../../src/trigger/index.ts";

const place = { path: "retrain.quietHours", record: () => {}, originOf: () => "file" };
const read = (value: unknown) => quietHoursField().read(value, place);
const until = (value: unknown, at: string) => {
  const end = quietUntil(read(value), Date.parse(at));
  return end === undefined ? undefined : new Date(end).toISOString();
};
const shop = { from: "08:00", to: "20:00", timeZone: "Europe/Berlin" };

describe("quiet hours", () => {
  it.each([
    ["before they begin", shop, "2026-01-05T06:59:59Z", undefined],
    ["as they begin", shop, "2026-01-05T07:00:00Z", "2026-01-05T19:00:00.000Z"],
    ["inside, between two minutes", shop, "2026-01-05T12:00:30Z", "2026-01-05T19:00:00.000Z"],
    ["as they end", shop, "2026-01-05T19:00:00Z", undefined],
    ["in summer time", shop, "2026-07-06T06:30:00Z", "2026-07-06T18:00:00.000Z"],
    ["over midnight", { from: "22:00", to: "06:00" }, "2026-01-05T23:30:00Z", "2026-01-06T06:00:00.000Z"],
    ["after midnight", { from: "22:00", to: "06:00" }, "2026-01-06T05:59:00Z", "2026-01-06T06:00:00.000Z"],
    [
      "on the night of a named day",
      { from: "22:00", to: "06:00", days: ["mon"] },
      "2026-01-06T02:00:00Z",
      "2026-01-06T06:00:00.000Z",
    ],
    ["on another night", { from: "22:00", to: "06:00", days: ["tue"] }, "2026-01-06T02:00:00Z", undefined],
    // 29 March 2026: 02:00 becomes 03:00 in Berlin, so the night is an hour shorter.
    [
      "over the switch to summer time",
      { from: "22:00", to: "06:00", timeZone: "Europe/Berlin" },
      "2026-03-28T23:00:00Z",
      "2026-03-29T04:00:00.000Z",
    ],
    [
      "to end with the switch, where the clocks jump over their end",
      { from: "01:00", to: "02:30", timeZone: "Europe/Berlin" },
      "2026-03-29T00:30:00Z",
      "2026-03-29T01:00:00.000Z",
    ],
    [
      "over the switch to winter time",
      { from: "22:00", to: "06:00", timeZone: "Europe/Berlin" },
      "2026-10-24T22:00:00Z",
      "2026-10-25T05:00:00.000Z",
    ],
  ])("are told %s", (_, hours, at, end) => {
    expect(until(hours, at)).toBe(end);
  });

  it.each([
    [{ from: "8:00", to: "20:00" }, "`retrain.quietHours.from` is"],
    [{ from: "08:00", to: "24:00" }, "`retrain.quietHours.to` is"],
    [{ from: "08:00", to: "08:00" }, "begins and ends at 08:00"],
    [{ ...shop, timeZone: "Europe/Berln" }, "IANA time zone"],
    [{ ...shop, days: ["monday"] }, 'one of "sun", "mon"'],
    [{ ...shop, day: ["mon"] }, 'Closest: "days"'],
  ])("refuse %j", (value, words) => {
    expect(() => read(value)).toThrow(words);
  });
});
