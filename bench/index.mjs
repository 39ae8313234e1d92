// `npm run bench -- NAME ...` runs bench/NAME.bench.ts, prints its table and stores it in bench/results/NAME.json with
// the commit it was taken on; with options (`--seconds=5`) it prints only. A benchmark exports `run(): Promise<BenchResult>`; see bench/harness.ts.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuilt } from "../scripts/build.mjs";
import { ensureDependencies, ROOT } from "../scripts/dependencies.mjs";

const available = readdirSync(join(ROOT, "bench"))
  .filter((file) => file.endsWith(".bench.ts"))
  .map((file) => file.slice(0, -".bench.ts".length));
const words = process.argv.slice(2);
const names = words.filter((word) => !word.startsWith("--"));
/** `--seconds=10` and the like, for benchmarks that know them; such a result is not stored. */
const options = Object.fromEntries(
  words.filter((word) => word.startsWith("--")).map((word) => word.slice(2).split("=")),
);
const unknown = names.filter((name) => !available.includes(name));
if (names.length === 0 || unknown.length > 0) {
  console.error(unknown.length > 0 ? `There is no benchmark "${unknown[0]}".` : "Which benchmark?");
  console.error(`Run \`npm run bench -- NAME\` with one or more of: ${available.join(", ")}.`);
  process.exit(2);
}

ensureDependencies();
ensureBuilt();
ensureBuilt(["benchmarks"]);

const git = (...args) => execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim();
const built = (file) => pathToFileURL(join(ROOT, "dist", "bench", file)).href;
const { formatResult, keepsLimits } = await import(built("harness.js"));

for (const name of names) {
  console.log(`\n${name}`);
  const { run } = await import(built(`${name}.bench.js`));
  const result = await run(options);
  console.log(`\n${formatResult(result)}`);
  const record = {
    name,
    commit: git("rev-parse", "HEAD"),
    // Results of a tree with changes cannot be taken again by checking the commit out.
    hasChanges: git("status", "--porcelain", "--", "src", "kernels", "bench/*.ts") !== "",
    at: new Date().toISOString(),
    node: process.version,
    platform: `${process.platform} ${process.arch}, ${availableParallelism()} cores`,
    ...result,
  };
  if (!keepsLimits(result)) process.exitCode = 1;
  if (Object.keys(options).length > 0) continue;
  mkdirSync(join(ROOT, "bench", "results"), { recursive: true });
  writeFileSync(join(ROOT, "bench", "results", `${name}.json`), `${JSON.stringify(record, null, 2)}\n`);
}
