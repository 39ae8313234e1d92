import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { buildProgram } from "../../src/cli/program.ts";
import { runCommand } from "./support.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = join(ROOT, "dist", "src", "cli", "main.js");

/** Commands that can be called, with their full names. */
function leaves(
  command: Command,
  path: readonly string[] = [],
): { readonly name: string; readonly command: Command }[] {
  if (command.commands.length === 0) return [{ name: path.join(" "), command }];
  return command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
}

describe("an address that is none", () => {
  it.each(["foo", "localhost:4400", "http://"])("is refused before anything is asked (%s)", async (url) => {
    const { stdout, code } = await runCommand("status", "--json", "--url", url);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      error: { code: "USAGE", message: `"${url}" is no address of a server.` },
    });
  });
});

describe("help", () => {
  it("of every command is what it was when somebody last looked at it", async () => {
    const program = buildProgram({ exitCode: 0 });
    const names = ["", ...leaves(program).map(({ name }) => name)];
    const texts: string[] = [];
    for (const name of names) {
      const { stdout, code } = await runCommand(...name.split(" ").filter((word) => word !== ""), "--help");
      expect([name, code]).toEqual([name, 0]);
      texts.push(`$ retrain ${name} --help\n${stdout}`);
    }
    await expect(texts.join("\n")).toMatchFileSnapshot("../regression/cli-help.txt");
  });

  it("opens with examples that call commands which exist", async () => {
    const program = buildProgram({ exitCode: 0 });
    const known = new Set(program.commands.map((command) => command.name()));
    for (const { name } of leaves(program)) {
      const { stdout } = await runCommand(...name.split(" "), "--help");
      expect(stdout.startsWith("Examples:\n  $ retrain ")).toBe(true);
      const called = [...stdout.matchAll(/^ {2}\$ retrain (.*)$/gm)].map(([, line = ""]) => line);
      for (const line of called) expect(known).toContain(line.split(" ")[0]);
      // Of the command itself (`runs` stands for `runs list`): the program's own would push these out of sight.
      const own = name.replace(/ (list|show)$/, "");
      expect(called.filter((line) => !line.startsWith(own))).toEqual([]);
    }
  });

  it("leads to a module that is there, for every command", () => {
    const source = [
      "program.ts",
      "program-drift.ts",
      "program-feedback.ts",
      "program-read.ts",
      "program-reviews.ts",
      "program-rollout.ts",
      "program-tasks.ts",
      "program-write.ts",
    ]
      .map((file) => readFileSync(join(ROOT, "src", "cli", file), "utf8"))
      .join("\n");
    const modules = [...source.matchAll(/import\("\.\/(commands\/[a-z-]+\.ts)"\)/g)].map(([, path]) => path as string);
    expect(modules.length).toBeGreaterThanOrEqual(leaves(buildProgram({ exitCode: 0 })).length);
    for (const path of modules) expect([path, existsSync(join(ROOT, "src", "cli", path))]).toEqual([path, true]);
  });
});

describe("usage", () => {
  it("suggests the command that was meant, and ends with 2", async () => {
    const { code, stderr, stdout } = await runCommand("stauts");
    expect(code).toBe(2);
    expect(stderr).toContain("Did you mean status?");
    expect(stdout).toBe("");
  });

  it("suggests the option that was meant", async () => {
    const { code, stderr } = await runCommand("status", "--jsn");
    expect(code).toBe(2);
    expect(stderr).toContain("Did you mean --json?");
  });

  it("refuses a port and a count that are none", async () => {
    expect(await runCommand("start", "--port", "eighty")).toMatchObject({ code: 2 });
    expect(await runCommand("runs", "list", "--limit", "0")).toMatchObject({ code: 2 });
  });

  it("prints usage errors as JSON when asked for JSON", async () => {
    const { code, stdout } = await runCommand("predict", "--json");
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: "USAGE" } });
  });

  it("names the address and ends with 8 when no server answers", async () => {
    const { code, stdout } = await runCommand("status", "--json", "--url", "http://127.0.0.1:9");
    expect(code).toBe(8);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: "SERVER_UNREACHABLE" } });
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  }, 20_000);

  it("says where a configuration was looked for, and ends with 2", async () => {
    const { code, stderr } = await runCommand("config", "check", "-c", join(ROOT, "docs"));
    expect(code).toBe(2);
    expect(stderr).toContain("CONFIG_NOT_FOUND");
    expect(stderr).toContain("retrain init");
  });
});

/** Prints the URL of every module that is loaded, on stderr. */
const WATCHER = `data:text/javascript,${encodeURIComponent(
  `import { register } from "node:module";
   register("data:text/javascript," + encodeURIComponent("export async function load(url, context, next) { process._rawDebug('loaded ' + url); return next(url, context); }"));`,
)}`;

describe.skipIf(!existsSync(MAIN))("the built command", () => {
  const run = (...words: readonly string[]) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, ["--import", WATCHER, MAIN, ...words], {
      encoding: "utf8",
    });
    expect(status).toBe(0);
    return { stdout, loaded: [...stderr.matchAll(/^loaded (\S+)$/gm)].map((match) => match[1] as string) };
  };

  // What costs time is what is loaded; how long that takes is the machine's affair.
  it("loads none of the heavy packages to answer --version and --help", () => {
    const version = run("--version");
    const help = run("--help");
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(help.stdout).toContain("retrain demo");
    const heavy = /fastify|pglite|dbos|duckdb|pino|kysely|prom-client|jiti|\/loop\/|\/storage\/|\/engine\/|\/server\//;
    for (const { loaded } of [version, help]) {
      expect(loaded.length).toBeGreaterThan(0);
      expect(loaded.filter((url) => heavy.test(url))).toEqual([]);
    }
  }, 30_000);
});
