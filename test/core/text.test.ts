import { describe, expect, it } from "vitest";
import {
  canonicalJson,
  checkName,
  fail,
  formatDuration,
  parseDuration,
  RetrainError,
  uuidInstant,
  uuidV7,
} from "../../src/core/index.ts";

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof RetrainError) return error.code;
    throw error;
  }
  return "nothing thrown";
};

describe("durations", () => {
  it.each([
    ["90s", 90_000],
    ["14d", 1_209_600_000],
    ["1.5h", 5_400_000],
    ["250ms", 250],
  ])("reads %s as %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["", "5", "5 d", "-1d", "1e3s", "d", "5 days"])("refuses %j with the units there are", (text) => {
    expect(codeOf(() => parseDuration(text))).toBe("DURATION_INVALID");
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ remedy: expect.stringContaining("ms, s, m") }));
  });

  it("writes the shortest exact text, which reads back", () => {
    for (const ms of [1, 999, 1000, 61_000, 3_600_000, 86_400_000, 1_209_600_000]) {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }
    expect(formatDuration(1_209_600_000)).toBe("2w");
  });
});

describe("canonical JSON", () => {
  it("has one text per value, whatever the order of keys", () => {
    expect(canonicalJson({ b: [1, -0, 0.1], a: { d: undefined, c: null } })).toBe('{"a":{"c":null},"b":[1,-0,0.1]}');
    expect(Object.is(JSON.parse(canonicalJson(-0)), -0)).toBe(true);
  });

  it("refuses what JSON would silently change", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, [Number.NEGATIVE_INFINITY]]) {
      expect(codeOf(() => canonicalJson(value))).toBe("NUMBER_NOT_FINITE");
    }
  });
});

describe("names and ids", () => {
  it.each(["../x", "A", "", "a..b", "a/b", ".a", `a${"b".repeat(64)}`])("refuses the name %j", (name) => {
    expect(codeOf(() => checkName("Model", name))).toBe("NAME_INVALID");
  });

  it("tells the time inside an id, and keeps ids of one millisecond in order", () => {
    const at = Date.UTC(2026, 0, 5);
    const ids = Array.from({ length: 500 }, () => uuidV7(at));
    expect(new Set(ids).size).toBe(500);
    expect([...ids].sort()).toEqual(ids);
    expect(uuidInstant(ids[0] as string)).toBe(at);
    expect(uuidInstant("not-an-id")).toBeUndefined();
  });
});

describe("an error", () => {
  it("carries code, message and remedy, and keeps its cause", () => {
    const cause = new Error("disk");
    const error = fail("STORE_FULL", { message: "m", remedy: "r", cause });
    expect(error).toMatchObject({ code: "STORE_FULL", message: "m", remedy: "r", cause });
  });
});
