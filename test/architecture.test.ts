// The rules of ARCHITECTURE.md, checked on this tree; and each rule checked itself, on a small tree that breaks it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { checkArchitecture, describeBreach } from "./house/checker/index.ts";

const roots: string[] = [];

function plant(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "architecture-"));
  roots.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

describe("this tree", () => {
  it("keeps every rule of the architecture", () => {
    const root = fileURLToPath(new URL("..", import.meta.url));
    expect(checkArchitecture(root).map(describeBreach)).toEqual([]);
  });
});

const NOTHING = "export const nothing = 0;\n";
const lines = (count: number) => "// line\n".repeat(count);

/** A title, the tree that breaks one rule, and the rule with the file it must be reported in. */
const BREACHES: readonly (readonly [string, Readonly<Record<string, string>>, string, string])[] = [
  [
    "a foundation reaching upward",
    {
      "src/core/a.ts": 'import { nothing } from "../stats/b.ts";\nexport const a = nothing;\n',
      "src/stats/b.ts": NOTHING,
    },
    "direction",
    "src/core/a.ts",
  ],
  [
    "a type-only import upward",
    {
      "src/data/a.ts": 'import type { B } from "../model/b.ts";\nexport type A = B;\n',
      "src/model/b.ts": "export type B = 1;\n",
    },
    "direction",
    "src/data/a.ts",
  ],
  [
    "an import() type upward",
    { "src/data/a.ts": 'export type A = import("../loop/b.ts").B;\n', "src/loop/b.ts": "export type B = 1;\n" },
    "direction",
    "src/data/a.ts",
  ],
  [
    "an export from above",
    { "src/stats/a.ts": 'export * from "../learn/b.ts";\n', "src/learn/b.ts": NOTHING },
    "direction",
    "src/stats/a.ts",
  ],
  [
    "a dynamic import upward",
    { "src/learn/a.ts": 'export const a = () => import("../server/b.ts");\n', "src/server/b.ts": NOTHING },
    "direction",
    "src/learn/a.ts",
  ],
  [
    "a part importing its neighbor",
    { "src/monitor/a.ts": 'export { nothing } from "../trigger/b.ts";\n', "src/trigger/b.ts": NOTHING },
    "direction",
    "src/monitor/a.ts",
  ],
  [
    "loop importing job",
    { "src/loop/a.ts": 'export { nothing } from "../job/b.ts";\n', "src/job/b.ts": NOTHING },
    "direction",
    "src/loop/a.ts",
  ],
  [
    "cli training in its own process",
    {
      "src/cli/a.ts": 'export const a = () => import("../job/b.ts");\n',
      "src/cli/c.ts": 'export { nothing } from "../job/chunk-readers.ts";\n',
      "src/job/b.ts": NOTHING,
      "src/job/chunk-readers.ts": NOTHING,
    },
    "direction",
    "src/cli/a.ts",
  ],
  [
    "storage used outside the composition roots",
    { "src/server/a.ts": 'export { nothing } from "../storage/b.ts";\n', "src/storage/b.ts": NOTHING },
    "direction",
    "src/server/a.ts",
  ],
  [
    "storage used in job outside its main file",
    { "src/job/a.ts": 'export { nothing } from "../storage/b.ts";\n', "src/storage/b.ts": NOTHING },
    "direction",
    "src/job/a.ts",
  ],
  [
    "engine used by config",
    { "src/config/a.ts": 'export { nothing } from "../engine/b.ts";\n', "src/engine/b.ts": NOTHING },
    "direction",
    "src/config/a.ts",
  ],
  [
    "client taking a value from the contract",
    { "src/client/a.ts": 'export { nothing } from "../server/contract.ts";\n', "src/server/contract.ts": NOTHING },
    "direction",
    "src/client/a.ts",
  ],
  [
    "client importing core",
    {
      "src/client/a.ts": 'import type { nothing } from "../core/b.ts";\nexport type A = typeof nothing;\n',
      "src/core/b.ts": NOTHING,
    },
    "direction",
    "src/client/a.ts",
  ],
  [
    "the server importing the client",
    { "src/server/a.ts": 'export { nothing } from "../client/b.ts";\n', "src/client/b.ts": NOTHING },
    "direction",
    "src/server/a.ts",
  ],
  [
    "a part importing the public surface",
    {
      "src/server/a.ts": 'export { nothing } from "../index.ts";\n',
      "src/index.ts": 'export * from "./core/b.ts";\n',
      "src/core/b.ts": NOTHING,
    },
    "direction",
    "src/server/a.ts",
  ],
  [
    "a folder without a place in the order",
    { "src/newcomer/a.ts": 'export { nothing } from "../core/b.ts";\n', "src/core/b.ts": NOTHING },
    "direction",
    "src/newcomer/a.ts",
  ],
  [
    "the package importing itself by name",
    { "src/server/a.ts": 'export * from "retrain/stats";\n' },
    "self-import",
    "src/server/a.ts",
  ],
  [
    "a specifier without .ts",
    { "src/core/a.ts": 'export * from "./b.js";\n', "src/core/b.ts": NOTHING },
    "specifier",
    "src/core/a.ts",
  ],
  [
    "a cycle of two files, one way type-only",
    {
      "src/core/a.ts": 'import { b } from "./b.ts";\nexport type A = typeof b;\n',
      "src/core/b.ts": 'import type { A } from "./a.ts";\nexport const b: A | 0 = 0;\n',
    },
    "cycle",
    "src/core/a.ts",
  ],
  ["a file importing itself", { "src/core/a.ts": 'export * from "./a.ts";\n' }, "cycle", "src/core/a.ts"],
  [
    "the console taking code of the server",
    {
      "console/src/a.ts": 'export { nothing } from "../../src/server/contract.ts";\n',
      "src/server/contract.ts": NOTHING,
    },
    "console-import",
    "console/src/a.ts",
  ],
  [
    "the console reading a type of core",
    {
      "console/src/a.tsx": 'import type { B } from "../../src/core/b.ts";\nexport type A = B;\n',
      "src/core/b.ts": "export type B = 1;\n",
    },
    "console-import",
    "console/src/a.tsx",
  ],
  [
    "a kernel importing the sources",
    { "kernels/a.ts": 'import { nothing } from "../src/core/b";\n', "src/core/b.ts": NOTHING },
    "kernel-import",
    "kernels/a.ts",
  ],
  ["code in the public surface", { "src/index.ts": "export const version = 1;\n" }, "surface", "src/index.ts"],
  ["Date.now", { "src/loop/a.ts": "export const a = Date.now();\n" }, "clock", "src/loop/a.ts"],
  ["Date.now through brackets", { "src/loop/a.ts": 'export const a = Date["now"]();\n' }, "clock", "src/loop/a.ts"],
  [
    "now taken out of Date",
    { "src/loop/a.ts": "const { now } = Date;\nexport const a = now;\n" },
    "clock",
    "src/loop/a.ts",
  ],
  ["new Date without arguments", { "src/cli/a.ts": "export const a = new Date();\n" }, "clock", "src/cli/a.ts"],
  ["Date called as a function", { "src/cli/a.ts": "export const a = Date();\n" }, "clock", "src/cli/a.ts"],
  ["Math.random", { "src/stats/a.ts": "export const a = Math.random();\n" }, "clock", "src/stats/a.ts"],
  ["performance.now", { "src/server/a.ts": "export const a = performance.now();\n" }, "clock", "src/server/a.ts"],
  [
    "globalThis.performance.now",
    { "src/server/a.ts": "export const a = globalThis.performance.now();\n" },
    "clock",
    "src/server/a.ts",
  ],
  ["process.hrtime", { "src/server/a.ts": "export const a = process.hrtime.bigint();\n" }, "clock", "src/server/a.ts"],
  [
    "randomUUID by import",
    { "src/server/a.ts": 'import { randomUUID as id } from "node:crypto";\nexport const a = id();\n' },
    "clock",
    "src/server/a.ts",
  ],
  [
    "randomUUID by the global",
    { "src/server/a.ts": "export const a = crypto.randomUUID();\n" },
    "clock",
    "src/server/a.ts",
  ],
  [
    "randomBytes by the module",
    { "src/server/a.ts": 'import * as crypto from "node:crypto";\nexport const a = crypto.randomBytes(8);\n' },
    "clock",
    "src/server/a.ts",
  ],
  ["Math.pow in a numeric part", { "src/learn/a.ts": "export const a = Math.pow(2, 3);\n" }, "power", "src/learn/a.ts"],
  [
    "the power operator in a numeric part",
    { "src/evaluate/a.ts": "export const a = (x: number) => x ** 3;\n" },
    "power",
    "src/evaluate/a.ts",
  ],
  [
    "the power assignment in a numeric part",
    { "src/stats/a.ts": "let b = 2;\nb **= 3;\nexport const a = b;\n" },
    "power",
    "src/stats/a.ts",
  ],
  [
    "the power operator in a kernel",
    { "kernels/a.ts": "// x ** y\nexport const a: f64 = 2.0 ** 3.0;\n" },
    "power",
    "kernels/a.ts",
  ],
  ["any", { "src/core/a.ts": "export const a = (x: any) => x;\n" }, "any", "src/core/a.ts"],
  ["any in the console", { "console/src/a.ts": "export const a = [] as any[];\n" }, "any", "console/src/a.ts"],
  ["an enum", { "src/core/a.ts": "export enum A { B }\n" }, "enum", "src/core/a.ts"],
  ["a namespace", { "src/core/a.ts": "export namespace A { export const b = 1; }\n" }, "namespace", "src/core/a.ts"],
  [
    "a parameter property",
    { "src/core/a.ts": "export class A { constructor(readonly b: number) {} }\n" },
    "parameter-property",
    "src/core/a.ts",
  ],
  ["a default export", { "src/core/a.ts": "export default 1;\n" }, "default-export", "src/core/a.ts"],
  ["a file of 501 lines", { "src/core/a.ts": lines(501) }, "size", "src/core/a.ts"],
  ["a test file of 501 lines", { "test/core/a.test.ts": lines(501) }, "size", "test/core/a.test.ts"],
  ["three levels of folders", { "src/monitor/a/b/c.ts": NOTHING }, "depth", "src/monitor/a/b/c.ts"],
  ["a utils folder", { "src/core/utils/a.ts": NOTHING }, "nameless", "src/core/utils/a.ts"],
  ["a file called helpers", { "src/core/helpers.ts": NOTHING }, "nameless", "src/core/helpers.ts"],
  ["a name in camel case", { "src/core/someThing.ts": NOTHING }, "kebab-case", "src/core/someThing.ts"],
  [
    "a loop that outgrew its two files",
    { "src/loop/tick.ts": lines(120), "src/loop/run.ts": lines(81) },
    "loop-size",
    "src/loop/tick.ts",
  ],
];

describe("the checker", () => {
  it.each(BREACHES)("reports %s", (_title, files, rule, file) => {
    const found = checkArchitecture(plant(files));
    expect(found.map((breach) => [breach.rule, breach.file])).toContainEqual([rule, file]);
    expect(found.filter((breach) => breach.rule !== rule)).toEqual([]);
  });

  it("is content with a tree that keeps the rules", () => {
    const root = plant({
      "src/index.ts":
        'export { defineModel } from "./config/model.ts";\nexport type { Clock } from "./core/clock.ts";\n',
      "src/core/clock.ts": "export type Clock = () => number;\nexport const clock: Clock = () => Date.now();\n",
      "src/stats/mean.ts": '// Date.now() and Math.pow in a comment\nexport const mean = "x ** y, Math.random()";\n',
      "src/storage/disk.ts":
        'import type { Clock } from "../core/clock.ts";\nexport const at = (clock: Clock) => new Date(clock());\n',
      "src/config/model.ts": 'export { mean as defineModel } from "../stats/mean.ts";\n',
      "src/job/main.ts": 'export * from "../storage/disk.ts";\n',
      "src/server/contract.ts": "export type Answer = 1;\n",
      "src/client/ask.ts":
        'import type { Answer } from "../server/contract.ts";\nexport const ask = (): Answer => 1;\n',
      "src/cli/main.ts":
        'export * from "../client/ask.ts";\nexport * from "../storage/disk.ts";\nexport const cube = (x: number) => x ** 3;\n',
      "src/testing/index.ts": 'export * from "../storage/disk.ts";\nexport * from "../server/contract.ts";\n',
      "src/monitor/drift/psi.ts": NOTHING,
      "src/server/route.ts": 'declare module "fastify" { interface Extra { readonly a: 1 } }\nexport type Route = 1;\n',
      "console/src/page.tsx":
        'import type { Answer } from "../../src/server/contract.ts";\nexport const page = <b>{1 as Answer}</b>;\n',
      "console/vite.config.ts": "export default {};\n",
      "kernels/dot.ts": "/** a ** b */\nexport function dot(a: f64, b: f64): f64 { return a * b; }\n",
    });
    expect(checkArchitecture(root).map(describeBreach)).toEqual([]);
  });

  it("allows 500 lines and two folders", () => {
    const root = plant({ "src/core/a.ts": lines(500), "src/monitor/drift/psi.ts": NOTHING });
    expect(checkArchitecture(root).map(describeBreach)).toEqual([]);
  });
});
