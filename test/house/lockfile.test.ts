import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fillLock, missingEntries, platformOf } from "../../scripts/fill-lock.mjs";

const text = readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8");
const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
const lock = JSON.parse(text);

describe("package-lock.json", () => {
  it("records every optional platform package its parents ask for", () => {
    expect(missingEntries(lock).map(({ parent, key }) => `${key} of ${parent}`)).toEqual([]);
  });

  it("holds no registry address", () => {
    expect(text.match(/"resolved":.*|https?:\/\/[^"]*(registry|npm)[^"]*\.tgz/g)).toBeNull();
  });

  it("agrees with package.json, exact versions only", () => {
    const root = lock.packages[""];
    expect(root.dependencies).toEqual(manifest.dependencies);
    expect(root.devDependencies).toEqual(manifest.devDependencies);
    const versions: [string, string][] = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+[\w.-]*$/.test(version))).toEqual([]);
  });
});

describe("fill-lock", () => {
  it("restores a platform entry that npm dropped, and changes nothing the second time", () => {
    const packages = structuredClone(lock.packages);
    delete packages["node_modules/@oxlint-tsgolint/darwin-arm64"];
    const first = fillLock({ ...lock, packages });
    expect(first.added.map(({ key }) => key)).toEqual(["node_modules/@oxlint-tsgolint/darwin-arm64"]);
    expect(first.lock.packages["node_modules/@oxlint-tsgolint/darwin-arm64"]).toEqual({
      version: manifest.devDependencies["oxlint-tsgolint"],
      cpu: ["arm64"],
      dev: true,
      optional: true,
      os: ["darwin"],
    });
    expect(fillLock(first.lock).added).toEqual([]);
    expect(Object.keys(first.lock.packages)).toEqual(Object.keys(lock.packages));
  });

  it("leaves a run-time parent's package without the dev flag", () => {
    const packages = structuredClone(lock.packages);
    delete packages["node_modules/@duckdb/node-bindings-win32-x64"];
    const entry = fillLock({ ...lock, packages }).lock.packages["node_modules/@duckdb/node-bindings-win32-x64"];
    expect(entry).toEqual({
      version: lock.packages["node_modules/@duckdb/node-bindings"].version,
      cpu: ["x64"],
      optional: true,
      os: ["win32"],
    });
  });

  it("refuses a parent that asks for a range, which names no version", () => {
    const packages = { "node_modules/a": { version: "1.0.0", optionalDependencies: { "a-linux-x64": "^1.0.0" } } };
    expect(() => missingEntries({ packages })).toThrow(/"\^1\.0\.0"/);
  });

  it("names every platform as npm itself recorded it where npm could", () => {
    const recorded = Object.entries<Record<string, unknown>>(lock.packages).filter(([, entry]) => entry["integrity"]);
    const siblings = new Set(Object.keys(lock.packages).map((key) => key.replace(/^.*node_modules\//, "")));
    const compared = recorded.flatMap(([key, entry]) => {
      const name = key.replace(/^.*node_modules\//, "");
      const platform = entry["cpu"] ? platformOf(name, siblings) : undefined;
      return platform ? [{ name, platform, os: entry["os"], cpu: entry["cpu"], libc: entry["libc"] }] : [];
    });
    expect(compared.length).toBeGreaterThan(30);
    for (const { name, platform, os, cpu, libc } of compared) {
      expect({ name, ...platform }).toEqual({ name, ...(os ? { os } : {}), cpu, ...(libc ? { libc } : {}) });
    }
  });

  it.each([
    ["@biomejs/cli-linux-x64", { os: ["linux"], cpu: ["x64"] }],
    ["lightningcss-linux-x64-musl", { os: ["linux"], cpu: ["x64"], libc: ["musl"] }],
    ["@oxlint/binding-linux-arm-musleabihf", { os: ["linux"], cpu: ["arm"], libc: ["musl"] }],
    ["@rolldown/binding-wasm32-wasi", { cpu: ["wasm32"] }],
    ["fsevents", { os: ["darwin"] }],
    ["pg-cloudflare", undefined],
  ])("reads the platform out of %s", (name, expected) => {
    expect(platformOf(name)).toEqual(expected);
  });
});
