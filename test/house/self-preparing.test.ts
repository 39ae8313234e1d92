import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { findNpm } from "../../scripts/dependencies.mjs";

const root = mkdtempSync(join(tmpdir(), "self-preparing-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The smallest package npm installs without asking a registry: its only dependency is a folder within. */
function writePackage(version: string) {
  const name = "scratch";
  const dependencies = { part: "file:part" };
  const packages = {
    "": { name, version, dependencies },
    "node_modules/part": { resolved: "part", link: true },
    part: { version: "1.0.0" },
  };
  mkdirSync(join(root, "part"), { recursive: true });
  writeFileSync(join(root, "part", "package.json"), JSON.stringify({ name: "part", version: "1.0.0" }));
  writeFileSync(join(root, "package.json"), JSON.stringify({ name, version, dependencies }));
  writeFileSync(join(root, "package-lock.json"), JSON.stringify({ name, version, lockfileVersion: 3, packages }));
}

const script = pathToFileURL(join(import.meta.dirname, "../../scripts/dependencies.mjs")).href;

function ensureInChild() {
  const code = `import { ensureDependencies } from ${JSON.stringify(script)};
    console.log(JSON.stringify(ensureDependencies(${JSON.stringify(root)})));`;
  return spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" });
}

describe("ensureDependencies", () => {
  it("installs once, again when the lockfile changes, and keeps stdout for its caller", () => {
    writePackage("1.0.0");
    const first = ensureInChild();
    expect(first.stderr).toContain("npm ci");
    expect(first.stdout).toBe("true\n");
    expect(ensureInChild().stdout).toBe("false\n");
    writePackage("1.0.1");
    expect(ensureInChild().stdout).toBe("true\n");
    expect(ensureInChild().stdout).toBe("false\n");
  });

  it("installs again when node_modules was removed", () => {
    rmSync(join(root, "node_modules"), { recursive: true, force: true });
    expect(ensureInChild().stdout).toBe("true\n");
    expect(existsSync(join(root, "node_modules", "part"))).toBe(true);
  });

  it("leaves no stamp behind an install that failed", () => {
    writePackage("1.0.2");
    writeFileSync(join(root, "package.json"), JSON.stringify({ name: "scratch", dependencies: { absent: "1.0.0" } }));
    const failed = ensureInChild();
    expect(failed.status).not.toBe(0);
    expect(failed.stderr).toContain("npm ci ended with status");
    expect(ensureInChild().status).not.toBe(0);
  });
});

describe("findNpm", () => {
  it("finds npm without npm_execpath", () => {
    expect(findNpm({ PATH: process.env["PATH"] })).toMatch(/npm-cli\.[cm]?js$/);
  });

  it("does not take another package manager for npm", () => {
    const other = join(root, "pnpm.cjs");
    writeFileSync(other, "");
    expect(findNpm({ npm_execpath: other, PATH: process.env["PATH"] })).not.toBe(other);
  });
});
