// The examples of docs/monitoring.md in a project of their own that has the package installed: through its exports map, from the built files,
// with the types it ships.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(join(ROOT, "docs/monitoring.md"), "utf8");
/** A program and what it prints. */
const examples = [...page.matchAll(/```ts\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/g)].map(([, code, output]) => ({
  code: code ?? "",
  output: output ?? "",
}));
const folder = mkdtempSync(join(tmpdir(), "stand-alone-"));
const compiler = {
  target: "es2022",
  module: "nodenext",
  strict: true,
  skipLibCheck: true,
  lib: ["es2023", "dom"],
  types: [],
  outDir: "out",
};

describe("the parts alone, as docs/monitoring.md shows them", () => {
  beforeAll(() => {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(ROOT, join(folder, "node_modules", "retrain"), "dir");
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", dependencies: { retrain: "*" } }));
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: compiler, include: ["*.ts"] }));
    examples.forEach(({ code }, i) => writeFileSync(join(folder, `example${i}.ts`), code));
    // Fails, and prints why, where an example does not fit the types of the package.
    execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder], { encoding: "utf8" });
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("are several, and use every part the page names", () => {
    expect(examples.length).toBeGreaterThanOrEqual(4);
    for (const part of ["retrain/stats", "retrain/monitor"])
      expect(examples.some(({ code }) => code.includes(`from "${part}"`))).toBe(true);
  });

  it.each(examples.map((example, i) => [i, example] as const))(
    "example %i prints what the page says",
    (i, { output }) => {
      const printed = execFileSync(process.execPath, [join(folder, "out", `example${i}.js`)], { encoding: "utf8" });
      expect(printed).toBe(output);
    },
  );
});
