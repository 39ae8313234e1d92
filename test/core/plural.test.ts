import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { plural as inConsole } from "../../console/src/format.ts";
import { plural } from "../../src/core/index.ts";

it.each([
  [0, "0 rows"],
  [1, "1 row"],
  [2, "2 rows"],
  [1_000, "1,000 rows"],
])("says %d with its noun, in messages as in the console", (count, text) => {
  expect(plural(count, "row")).toBe(text);
  expect(inConsole(count, "row")).toBe(text);
});

it("takes the verb along, and nouns that are not made with an s", () => {
  expect(plural(1, "row is", "rows are")).toBe("1 row is");
  expect(plural(0, "class", "classes")).toBe("0 classes");
});

/** A count written beside a noun that is always in the plural, such as `${rows} rows`. */
const FIXED =
  /\$\{[^{}`]*\b(?:rows|Rows|length|count|labels|labelled)\b(?:\)|\.toLocaleString\("en-US"\))*\} (?:[a-z-]+ )?(?:rows|labels|predictions|requests|gates|probes|tasks|runs|answers|versions|features|days)\b/;
/** Several by what was checked before: an empty or a single one never gets there. */
const SEVERAL = [
  "${tasks.length} tasks are more than ${MOST_TASKS}",
  "A chunk of ${rows} rows is more than the ${STAGED}",
];

it.each([
  "src/cli",
  "src/collect",
  "src/deploy",
  "src/evaluate",
  "src/feedback",
  "src/job",
  "src/loop",
  "src/monitor",
  "src/server",
  "src/trigger",
  "console/src",
])("%s prints no count with a noun that is always in the plural", (folder) => {
  const found: string[] = [];
  for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name)))
    for (const line of readFileSync(join(folder, file), "utf8").split("\n"))
      if (FIXED.test(line) && !SEVERAL.some((one) => line.includes(one))) found.push(`${file}: ${line.trim()}`);
  expect(found).toEqual([]);
});
