import { describe, expect, it } from "vitest";
import { curve, describeError, exitCodeOf, sparkline, table } from "../../src/cli/output.ts";
import { traceText } from "../../src/cli/commands/runs.ts";
import { fail } from "../../src/core/index.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const plain = (text: string) => text.replace(/\u001b\[[0-9;]*m/g, "");

describe("a table", () => {
  it("aligns texts left, numbers right, and shows what is missing", () => {
    const shown = plain(
      table(
        ["name", "rows"],
        [
          ["a", 5],
          ["longer", 12_000],
          ["c", null],
        ],
      ),
    );
    expect(shown).toBe(
      "name    rows\na           5\nlonger  12000\nc           –".replace("name    rows", "name     rows"),
    );
  });
});

describe("a table of texts", () => {
  it("keeps a text of several lines in its row, and the indent of a name", () => {
    const rows = [["  a", "ended with status 3:\n  my last words\n"]];
    expect(plain(table(["step", "output"], rows))).toBe("step  output\n  a   ended with status 3: | my last words");
  });
});

describe("a sparkline", () => {
  it("goes from the lowest block to the highest, and leaves gaps", () => {
    expect(sparkline([1, null, 2, 3])).toBe("▁ ▅█");
    expect(sparkline([2, 2])).toBe("▄▄");
    expect(sparkline([])).toBe("");
  });
});

describe("a curve", () => {
  it("puts the highest value on the first line and the lowest on the last", () => {
    const lines = curve([{ name: "loss", mark: "●", values: [4, 3, 2, 1] }], { width: 4, height: 4 }).split("\n");
    expect(lines).toEqual([
      "    4.000 │●",
      "          │ ●",
      "          │  ●",
      "    1.000 │   ●",
      "          └────",
      "           ● loss",
    ]);
  });

  it("draws nothing of no values", () => {
    expect(curve([{ name: "loss", mark: "●", values: [null] }])).toBe("");
  });
});

describe("a training", () => {
  it("is shown as a table of its epochs and a curve of both losses", () => {
    const points = [1, 2, 3, 4, 5].map((epoch) => ({
      runId: "r",
      epoch,
      metrics: { trainLoss: 1 / epoch, validationLoss: 1.2 / epoch },
      elapsedMs: epoch * 10,
    }));
    const shown = plain(traceText(points));
    expect(shown).toContain("epoch  trainLoss  validationLoss  ms");
    expect(shown).toContain("    5  0.2000     0.2400          50");
    expect(shown).toContain("· trainLoss   ● validationLoss");
  });
});

describe("an error", () => {
  it("is told with its code, message and remedy, and ends with its exit code", () => {
    const error = fail("MODEL_UNKNOWN", { message: "There is none.", remedy: "Make one." });
    expect(describeError(error)).toEqual({ code: "MODEL_UNKNOWN", message: "There is none.", hint: "Make one." });
    expect(exitCodeOf("MODEL_UNKNOWN")).toBe(5);
    expect(exitCodeOf("UNAUTHENTICATED")).toBe(6);
    expect(exitCodeOf("SERVER_UNREACHABLE")).toBe(8);
    expect(exitCodeOf("ANSWER_UNREADABLE")).toBe(1);
    expect(describeError(new Error("boom"))).toMatchObject({ code: "INTERNAL", message: "boom" });
  });
});
