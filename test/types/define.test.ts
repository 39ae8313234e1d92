// The compiler's own words about the planted mistakes: one error each, in its line, short enough to read.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { linear, MetricsByTask } from "../../src/config/index.ts";
import { findTrainer } from "../../src/learn/index.ts";
import { metricsFor } from "../../src/stats/index.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Longest first line of a message. The longest list of names that may be shown is that of all metrics. */
const MESSAGE_LIMIT = 320;

interface Mistake {
  readonly title: string;
  readonly line: number;
}
const text = readFileSync(join(root, "test/types/mistakes.ts"), "utf8");
const lines = text.split("\n");
const mistakes: readonly Mistake[] = lines.flatMap((line, i) =>
  line.trim() === "// @ts-expect-error" ? [{ title: (lines[i - 1] as string).replace("// ", ""), line: i + 2 }] : [],
);

let folder: string;
let errors: readonly { readonly line: number; readonly message: string }[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mistakes-"));
  // The directive becomes a plain comment, so lines keep their numbers.
  const bare = text.replaceAll("// @ts-expect-error", "// here").replaceAll("../../src/", `${root}src/`);
  writeFileSync(join(folder, "mistakes.ts"), bare);
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const config = {
    extends: join(root, "tsconfig.base.json"),
    compilerOptions: { noEmit: true, allowImportingTsExtensions: true },
    files: ["mistakes.ts"],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  let output = "";
  try {
    execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder, "--pretty", "false"]);
  } catch (error) {
    output = String((error as { stdout?: Buffer }).stdout);
  }
  errors = output.split("\n").flatMap((line) => {
    const match = /mistakes\.ts\((\d+),\d+\): error TS\d+: (.*)$/.exec(line);
    return match === null ? [] : [{ line: Number(match[1]), message: match[2] as string }];
  });
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a planted mistake", () => {
  it("is there at least ten times", () => {
    expect(mistakes.length).toBeGreaterThanOrEqual(10);
  });

  it.each(mistakes.map((one) => [one.title, one.line] as const))("is a short compile error: %s", (_, line) => {
    const found = errors.filter((error) => error.line === line);
    expect(found).toHaveLength(1);
    expect(found[0]?.message.length).toBeLessThanOrEqual(MESSAGE_LIMIT);
  });

  it("is all that does not compile", () => {
    expect(errors).toHaveLength(mistakes.length);
  });
});

describe("lists that the types repeat", () => {
  it("name the metrics of each task as the registry does", () => {
    const names: { readonly [T in keyof MetricsByTask]: readonly MetricsByTask[T][] } = {
      binary: ["logLoss", "rocAuc", "averagePrecision", "accuracy", "f1", "macroF1", "brier", "ece"],
      multiclass: ["logLoss", "accuracy", "macroF1", "brier"],
      regression: ["mae", "rmse", "r2"],
      forecast: ["wape", "mase", "intervalCoverage", "mae", "rmse"],
      recommend: ["ndcg", "recall", "hitRate", "hitShare"],
    };
    for (const task of ["binary", "multiclass", "regression", "forecast", "recommend"] as const) {
      expect([...names[task]].sort()).toEqual([...metricsFor(task)].sort());
    }
  });

  it("name the parameters of the linear trainer as its table does", () => {
    const all: Required<Omit<NonNullable<Parameters<typeof linear>[0]>, "embed">> = {
      epochs: 1,
      patience: 1,
      l2: 1,
      l1: 0,
      classWeights: "none",
      learningRate: 1,
      warmRate: 1,
    };
    expect(Object.keys(all).sort()).toEqual(Object.keys(findTrainer("linear").defaults).sort());
  });
});
