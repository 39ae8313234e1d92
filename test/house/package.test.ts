import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const url = (path: string) => new URL(`../../${path}`, import.meta.url);
const manifest: {
  readonly bin: Record<string, string>;
  readonly exports: Record<string, string | { readonly types: string; readonly default: string }>;
  readonly files: readonly string[];
  readonly scripts: Record<string, string>;
} = JSON.parse(readFileSync(url("package.json"), "utf8"));

const sourceOf = (built: string) => built.replace(/^(\.\/)?dist\//, "").replace(/(\.d\.ts|\.js)$/, ".ts");

describe("package.json", () => {
  it("exports and runs only what the build makes from a source", () => {
    const built = Object.values(manifest.exports)
      .flatMap((entry) => (typeof entry === "string" ? [] : [entry.types, entry.default]))
      .concat(Object.values(manifest.bin));
    expect(built.filter((path) => !existsSync(url(sourceOf(path))))).toEqual([]);
  });

  it("gives every export its types beside its code", () => {
    for (const entry of Object.values(manifest.exports)) {
      if (typeof entry !== "string") expect(sourceOf(entry.types)).toBe(sourceOf(entry.default));
    }
  });

  it("offers no script that names a missing file", () => {
    const files = Object.values(manifest.scripts).flatMap((script) => script.match(/\S+\.mjs\b/g) ?? []);
    expect(files.length).toBeGreaterThan(4);
    expect(files.filter((file) => !existsSync(url(file)))).toEqual([]);
  });

  it("has no pre or post script, which ignore-scripts=true would silently skip", () => {
    expect(Object.keys(manifest.scripts).filter((name) => /^(pre|post)(?!view)/.test(name))).toEqual([]);
    expect(readFileSync(url(".npmrc"), "utf8")).toContain("ignore-scripts=true");
  });
});

describe("what is committed", () => {
  it("runs the start and test scripts on Node's own modules alone until dependencies are there", () => {
    const scripts = ["start", "test", "build", "dependencies"];
    const imports = scripts.flatMap((name) => {
      const text = readFileSync(url(`scripts/${name}.mjs`), "utf8");
      return [...text.matchAll(/^import .* from "([^"]+)";$/gm)].map(([, from]) => from ?? "");
    });
    expect(imports.length).toBeGreaterThan(8);
    expect(
      imports.filter((from) => !from.startsWith("node:") && !/^\.\/(build|dependencies)\.mjs$/.test(from)),
    ).toEqual([]);
  });

  it("holds every vitest suite's folder in exactly one configuration", () => {
    const configs = readdirSync(url(".")).filter((name) => /^vitest\.[a-z]+\.config\.ts$/.test(name));
    const base = readFileSync(url("vitest.config.ts"), "utf8");
    const own = configs.map((name) => name.split(".")[1] ?? "");
    expect(own.length).toBeGreaterThan(2);
    for (const name of own) expect(base).toContain(`"test/${name}/**"`);
  });
});
