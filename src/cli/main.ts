#!/usr/bin/env node
/** The entry: `--version` answers before anything is loaded; commands load what they need when they are called. */
import { packageVersion } from "./package-info.ts";

const words = process.argv.slice(2);
if (words.length === 1 && (words[0] === "--version" || words[0] === "-V")) {
  process.stdout.write(`${packageVersion()}\n`);
} else {
  const { runProgram } = await import("./program.ts");
  process.exitCode = await runProgram(words);
}
