// Labels as people and spreadsheets write them.
import { describe, expect, it } from "vitest";
import { csvCell } from "../../src/cli/commands/tasks-files.ts";
import { featureText, labelReader } from "../../src/cli/label-text.ts";

describe("a label written as text", () => {
  it.each([
    ["boolean", "true", true],
    ["boolean", "TRUE", true],
    ["boolean", " False ", false],
    ["boolean", "1", "1"],
    ["boolean", "yes", "yes"],
    ["number", "12.5", 12.5],
    ["number", "-3e2", -300],
    ["number", " 7 ", 7],
    ["number", "", ""],
    ["number", "12,5", "12,5"],
    ["number", "Infinity", "Infinity"],
    ["number", "true", "true"],
    ["category", "3", "3"],
    ["category", "TRUE", "TRUE"],
    ["category", "null", "null"],
    ["category", '"quoted"', "quoted"],
    ["category", "two words", "two words"],
    [undefined, "true", true],
    [undefined, "3", 3],
    [undefined, '"3"', "3"],
    [undefined, "clerk", "clerk"],
  ] as const)("of a model of kind %s: %j is %j", (kind, text, value) => {
    expect(labelReader(kind)(text)).toBe(value);
  });
});

describe("a label written as in the CSV file of its model", () => {
  it.each([
    ["0", false],
    [" 1 ", true],
    ["true", true],
    ["2", "2"],
  ] as const)("%j is %j", (text, value) => {
    expect(labelReader("boolean", ["0", "1"])(text)).toBe(value);
  });
});

describe("a cell of the file that people fill in", () => {
  it.each([
    ['=HYPERLINK("http://x")', '"\'=HYPERLINK(""http://x"")"'],
    ["+49 30 1234", "'+49 30 1234"],
    ["-", "'-"],
    ["@SUM(A1)", "'@SUM(A1)"],
    [-12.5, "-12.5"],
    ["plain, text", '"plain, text"'],
    ["two\nlines", '"two\nlines"'],
    [true, "true"],
  ] as const)("of %j is %j: a text is never a formula", (value, cell) => {
    expect(csvCell(value)).toBe(cell);
  });
});

describe("a feature in a list", () => {
  it.each([
    ["px8:eJwDAAAAAAE=", "(a picture: see the labeling page)"],
    ["f32:AAAAAA==", "(a vector)"],
    ["px 8", "px 8"],
    [null, null],
    [3.5, "3.5"],
    [false, "false"],
  ] as const)("%j is shown as %j", (value, text) => {
    expect(featureText(value)).toBe(text);
  });
});
