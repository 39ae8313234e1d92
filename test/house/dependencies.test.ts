import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const manifest: Record<"dependencies" | "devDependencies", Record<string, string>> = JSON.parse(read("package.json"));
const [, atRunTime = "", toBuild = ""] = read("docs/dependencies.md").split(/^## .*$/m);

function rowsOf(section: string) {
  return section
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => {
      const [name = "", purpose = "", weight = "", replacement = ""] = line.slice(2, -2).split(" | ");
      return { name: name.replaceAll("`", ""), purpose, weight, replacement };
    });
}

describe("docs/dependencies.md", () => {
  it.each([
    ["run-time", rowsOf(atRunTime), manifest.dependencies],
    ["dev", rowsOf(toBuild), manifest.devDependencies],
  ])("has a line for each %s dependency of package.json and for no other", (_kind, rows, wanted) => {
    expect(rows.map((row) => row.name).sort()).toEqual(Object.keys(wanted).sort());
  });

  it("says of each what for, what it weighs and what would replace it", () => {
    const rows = [...rowsOf(atRunTime), ...rowsOf(toBuild)];
    const incomplete = rows.filter(
      ({ purpose, weight, replacement }) => !purpose || !/^\d+(\.\d+)?$/.test(weight) || !replacement,
    );
    expect(incomplete).toEqual([]);
  });
});
