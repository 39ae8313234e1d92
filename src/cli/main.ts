#!/usr/bin/env node
/**
 * The entry: `--version` answers before anything is loaded; commands load what they need when they are called, from the few files of
 * the bundle where the build made one.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { packageVersion } from "./package-info.ts";
import type * as Program from "./program.ts";

const words = process.argv.slice(2);
if (words.length === 1 && (words[0] === "--version" || words[0] === "-V")) {
  process.stdout.write(`${packageVersion()}\n`);
} else {
  const bundle = fileURLToPath(new URL("../bundle/program.cjs", import.meta.url));
  const { runProgram }: typeof Program = existsSync(bundle)
    ? createRequire(import.meta.url)(bundle)
    : await import("./program.ts");
  process.exitCode = await runProgram(words);
}
