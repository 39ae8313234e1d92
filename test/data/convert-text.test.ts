import { describe, expect, it } from "vitest";
import { compileRowValidator, convertTextRow, type DataSchema, parseInstant } from "../../src/data/index.ts";

const schema: DataSchema = {
  task: "binary",
  id: "id",
  time: "day",
  labelColumn: "sold",
  features: [
    { name: "price", spec: { kind: "number", missing: ["-999"] } },
    { name: "color", spec: { kind: "category" } },
    { name: "used", spec: { kind: "boolean" } },
    { name: "warranty", spec: { kind: "boolean", texts: ["without", "with"] } },
  ],
  label: { kind: "boolean", texts: ["no", "yes"] },
};

describe("CSV texts", () => {
  it("become numbers and booleans by the schema, and ids stay texts", () => {
    const row = {
      id: "007",
      day: "2026-02-01",
      price: " 1.5e3 ",
      color: "red",
      used: "Y",
      warranty: "with",
      sold: "yes",
    };
    expect(convertTextRow(schema, row)).toEqual({
      id: "007",
      day: "2026-02-01",
      price: 1500,
      color: "red",
      used: true,
      warranty: true,
      sold: true,
    });
  });

  it.each([
    ["0", false],
    ["1", true],
    ["no", false],
    ["YES", true],
    ["False", false],
    ["t", true],
    ["maybe", "maybe"],
  ])("reads %s as %s where the schema names no texts", (text, value) => {
    expect(convertTextRow(schema, { used: text })).toEqual({ used: value });
  });

  it("count as missing when blank, NA, named by the feature, or named by the call", () => {
    const row = { price: "-999", color: "unknown", used: "NA", warranty: " ", sold: "" };
    expect(convertTextRow(schema, row, ["unknown"])).toEqual({
      price: null,
      color: null,
      used: null,
      warranty: null,
      sold: null,
    });
  });

  it.each(["12,5", "0x10", "1 000", "Infinity", "NaN", "--1", "1e"])(
    "that are no plain number stay text: %s",
    (text) => {
      const converted = convertTextRow(schema, { id: "a", day: "2026-01-01", price: text });
      expect(converted["price"]).toBe(text);
      expect(compileRowValidator(schema)(converted)).toMatchObject({ ok: false, reasons: [{ code: "TYPE_MISMATCH" }] });
    },
  );

  it("too large for a float stay infinite, so validation names them", () => {
    const converted = convertTextRow(schema, { id: "a", day: "2026-01-01", price: "1e400" });
    expect(compileRowValidator(schema)(converted)).toMatchObject({
      ok: false,
      reasons: [{ code: "NUMBER_NOT_FINITE" }],
    });
  });

  it("of unknown columns pass through to validation, __proto__ included", () => {
    const row = JSON.parse('{"__proto__":"x","size":"3"}') as Record<string, string>;
    expect(Object.keys(convertTextRow(schema, row))).toEqual(["__proto__", "size"]);
  });
});

describe("instants", () => {
  it.each([
    ["2026-03-01", Date.UTC(2026, 2, 1)],
    ["2026-03-01T09:30", Date.UTC(2026, 2, 1, 9, 30)],
    ["2026-03-01 09:30:15", Date.UTC(2026, 2, 1, 9, 30, 15)],
    ["2026-03-01T09:30:15.250Z", Date.UTC(2026, 2, 1, 9, 30, 15, 250)],
    ["2026-03-01T09:30:00+02:00", Date.UTC(2026, 2, 1, 7, 30)],
    ["2026-03-01T09:30:00-0130", Date.UTC(2026, 2, 1, 11, 0)],
    ["2024-02-29", Date.UTC(2024, 1, 29)],
    [1_700_000_000_000, 1_700_000_000_000],
    [-5, -5],
  ])("reads %s", (value, instant) => {
    expect(parseInstant(value)).toBe(instant);
  });

  it.each(["2026-02-30", "2025-02-29", "2026-13-01", "01/02/2026", "2026", "now", "", 1.5, Number.NaN, 9e15, null, {}])(
    "refuses %s",
    (value) => {
      expect(parseInstant(value)).toBeUndefined();
    },
  );
});
