import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

it("keeps docs/glossary.md and the terms atop core/records.ts identical", () => {
  const block = /GLOSSARY-BEGIN\n([\s\S]*?)\n[^\n]*GLOSSARY-END/.exec(read("src/core/records.ts"))?.[1] ?? "";
  const inCode = block.split("\n").map((line) => line.replace(/^ \* /, ""));
  const inPage = [...read("docs/glossary.md").matchAll(/^- \*\*(.+?)\*\*: (.*)$/gm)].map((m) => `${m[1]}: ${m[2]}`);
  expect(inCode.length).toBeGreaterThan(20);
  expect(inPage).toEqual(inCode);
});
