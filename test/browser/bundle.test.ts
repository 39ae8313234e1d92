// What a browser has to fetch: the first page, the whole application, and who may import the chart library.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { ensureBuilt } from "../../scripts/build.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUILT = join(ROOT, "dist", "console");
const KB = 1000;

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
const gzipped = (paths: readonly string[]) => paths.reduce((sum, path) => sum + gzipSync(readFileSync(path)).length, 0);

/** Scripts and styles a script file names, itself included: what loading it pulls in without being asked for. */
function closureOf(path: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(path)) return found;
  found.add(path);
  const text = readFileSync(path, "utf8");
  for (const [, name] of text.matchAll(/(?:from|import)\s*["']\.\/([^"']+)["']/g)) {
    if (name !== undefined) closureOf(join(BUILT, "assets", name), found);
  }
  return found;
}

describe("the built console", () => {
  beforeAll(() => {
    ensureBuilt(["console"]);
  }, 120_000);

  it("starts with at most 250 kB, compressed", () => {
    const html = readFileSync(join(BUILT, "index.html"), "utf8");
    const named = [...html.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css))"/g)].map(([, path]) =>
      join(BUILT, path ?? ""),
    );
    const overview = filesBelow(BUILT).filter((path) => /overview-[^/]+\.js$/.test(path));
    const needed = new Set([...named, ...overview].flatMap((path) => [...closureOf(path)]));
    expect(needed.size).toBeGreaterThan(4);
    expect(gzipped([...needed])).toBeLessThan(250 * KB);
  });

  it("is at most 700 kB as a whole, compressed, and 3.5 MB on disk, without source maps", () => {
    const files = filesBelow(BUILT);
    expect(gzipped(files)).toBeLessThan(700 * KB);
    expect(files.reduce((sum, path) => sum + statSync(path).size, 0)).toBeLessThan(3.5 * KB * KB);
    expect(files.filter((path) => path.endsWith(".map"))).toEqual([]);
  });

  it("has no inline script, no style attribute and no address of another host in its page", () => {
    const html = readFileSync(join(BUILT, "index.html"), "utf8");
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/);
    expect(html).not.toMatch(/\sstyle=|\son\w+=|https?:\/\//);
  });

  it("imports the chart library in the chart's own folder alone", () => {
    const importing = filesBelow(join(ROOT, "console", "src")).filter((path) =>
      /from "echarts/.test(readFileSync(path, "utf8")),
    );
    expect(importing.map((path) => path.slice(join(ROOT, "console", "src").length + 1)).sort()).toEqual([
      "chart/canvas.tsx",
      "chart/option.ts",
    ]);
  });
});
