import { describe, expect, it } from "vitest";
import { compareRows, framesOfRows } from "../../../src/monitor/index.ts";

describe("rows without a schema", () => {
  it("become numbers, booleans and categories by their values, the same in every window", () => {
    const [before, now] = framesOfRows(
      [
        { a: 1, b: "x", c: true, mixed: 1 },
        { a: null, b: null, mixed: "one" },
      ],
      [{ a: 3, b: "y", c: false, mixed: false, late: 2 }],
    );
    const kinds = (frame: typeof before) => frame?.columns.map(({ name, kind }) => [name, kind]);
    const expected = [
      ["a", "number"],
      ["b", "category"],
      ["c", "boolean"],
      ["mixed", "category"],
      ["late", "number"],
    ];
    expect(kinds(before)).toEqual(expected);
    expect(kinds(now)).toEqual(expected);
    const mixed = before?.columns[3];
    expect(mixed?.kind === "category" ? mixed.dictionary : []).toEqual(["1", "one"]);
    const missing = before?.columns[0];
    expect(missing?.kind === "number" ? [...missing.values] : []).toEqual([1, Number.NaN]);
  });

  it("are compared column by column; a column that only now has values moved", () => {
    const rows = (count: number, more: object) => Array.from({ length: count }, (_, i) => ({ a: i % 7, ...more }));
    const report = compareRows(rows(500, {}), rows(500, { late: 1 }));
    expect(report.verdict).toBe("drift");
    expect(report.features.find((one) => one.feature === "late")).toMatchObject({
      verdict: "drift",
      statistic: "missingRate",
    });
    expect(report.features.find((one) => one.feature === "a")?.verdict).toBe("no-drift");
    expect(compareRows(rows(500, {}), []).verdict).toBe("cannot-tell");
  });

  it("with texts of which no two are equal are compared by length and word", () => {
    const rows = (from: number, word: string) =>
      Array.from({ length: 600 }, (_, i) => ({
        note: `${word} number ${from + i}`,
        city: i % 2 === 0 ? "Bern" : "Basel",
      }));
    const same = compareRows(rows(1_000, "card"), rows(3_000, "card"));
    expect(same.verdict).toBe("no-drift");
    expect(same.features.map((one) => one.feature).sort()).toEqual(["city", "note · length", "note · word"]);
    const moved = compareRows(rows(1_000, "card"), rows(3_000, "Kreditkarte"));
    expect(moved.features.filter((one) => one.verdict === "drift").map((one) => one.of)).toEqual(["note", "note"]);
  });
});
