import { describe, expect, it } from "vitest";
import {
  FREQUENCIES,
  forecastExampleId,
  leadPeriods,
  parseForecastExampleId,
  periodOf,
  periodStart,
} from "../../src/data/index.ts";

const DAY = 86_400_000;

describe("periods", () => {
  it("hold every instant of theirs and no other", () => {
    for (const frequency of FREQUENCIES) {
      for (const at of [
        Date.UTC(1999, 11, 31, 23, 59),
        Date.UTC(2024, 1, 29),
        Date.UTC(2026, 0, 1),
        Date.UTC(1931, 4, 6),
      ]) {
        const period = periodOf(at, frequency);
        expect(periodStart(period, frequency)).toBeLessThanOrEqual(at);
        expect(periodStart(period + 1, frequency)).toBeGreaterThan(at);
      }
    }
  });

  it("name their example in a way that can be read back", () => {
    const at = Date.UTC(2026, 7, 15);
    const texts = FREQUENCIES.map((frequency) => {
      const id = forecastExampleId("shop@2", periodOf(at, frequency), frequency);
      expect(parseForecastExampleId(id, frequency)).toEqual({ series: "shop@2", period: periodOf(at, frequency) });
      return id;
    });
    expect(texts).toEqual(["shop@2@2026-08-15", "shop@2@2026-08", "shop@2@2026-Q3"]);
    expect(parseForecastExampleId("no period", "daily")).toBeUndefined();
    expect(parseForecastExampleId("a@never", "daily")).toBeUndefined();
  });

  it("count how many lie within a label delay", () => {
    expect([0, DAY, 1.5 * DAY].map((delay) => leadPeriods(delay, "daily"))).toEqual([0, 1, 2]);
    expect(leadPeriods(45 * DAY, "monthly")).toBe(2);
  });
});
