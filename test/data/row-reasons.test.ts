import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { READING_PROBLEMS } from "../../src/collect/index.ts";
import { ROW_REASONS } from "../../src/data/index.ts";

const page = readFileSync(new URL("../../docs/row-reasons.md", import.meta.url), "utf8");
const [reasons, remarks] = page.split("The `assess` step") as [string, string];
const codesIn = (text: string) => [...text.matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1] as string).sort();

describe("docs/row-reasons.md", () => {
  it("lists the reasons of quarantine as the code has them, with the same meaning", () => {
    const all = {
      ...READING_PROBLEMS,
      KNOWN_AT_INVALID: "`knownAt` is missing, unreadable or in the future.",
      ...ROW_REASONS,
    };
    expect(codesIn(reasons)).toEqual(Object.keys(all).sort());
    for (const [code, meaning] of Object.entries(all)) expect(reasons).toContain(`| \`${code}\` | ${meaning} |`);
  });

  it("lists every remark the assessment can make, and no other", () => {
    const folder = new URL("../../src/job/", import.meta.url);
    const sources = readdirSync(folder)
      .filter((name) => name.startsWith("assess"))
      .map((name) => readFileSync(new URL(name, folder), "utf8"))
      .join("\n");
    const made = [...sources.matchAll(/code:[^,]*/g)].flatMap((line) => [...line[0].matchAll(/"([A-Z_]+)"/g)]);
    expect([...new Set(made.map((match) => match[1] as string))].sort()).toEqual(codesIn(remarks));
  });
});
