// The suites of .ci/run, one after another, and their sum. `.ci/run unit lint` runs only those named.
//
// A check without tests of its own (lint, types, ...) counts as one. A suite whose folder exists but which ran no test
// is a failure: nothing is easier to overlook than tests that stopped being found.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findNpm, ROOT } from "./dependencies.mjs";
import { ensurePython } from "./python-environment.mjs";

const scratch = mkdtempSync(join(tmpdir(), "retrain-ci-"));
const bin = (...path) => join(ROOT, "node_modules", ...path);
const node24 = process.env.RETRAIN_CI_NODE24 ?? "";

/** What all suites together should take on two quiet cores; a longer run says so at its end. */
const WANTED_MINUTES = 25;
/** A run that takes longer has something that hangs. Far above the wanted time, because machines are shared. */
const LIMIT_MINUTES = 80;
const startedAt = Date.now();

/** Runs a program with its output shown, at most `minutes` long, in a group of its own so that nothing outlives it. */
function run(command, args, minutes, env = {}) {
  return new Promise((done) => {
    const left = LIMIT_MINUTES - (Date.now() - startedAt) / 60_000;
    if (left <= 0 || !existsSync(command)) {
      console.error(left <= 0 ? `Not run: ${LIMIT_MINUTES} minutes are over.` : `Not run: there is no "${command}".`);
      done(1);
      return;
    }
    const limit = Math.min(minutes, left);
    const options = { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"], detached: true };
    const child = spawn(command, args, { ...options, env: { ...process.env, ...env } });
    const killGroup = () => {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // The group is gone, which is what was wanted.
      }
    };
    const timer = setTimeout(() => {
      console.error(`Took longer than ${limit.toFixed(1)} minutes and was stopped.`);
      killGroup();
    }, limit * 60_000);
    child.on("error", (error) => console.error(error.message));
    child.on("close", (code) => {
      clearTimeout(timer);
      killGroup();
      done(code ?? 1);
    });
  });
}

/** A check that passes or fails as a whole. */
async function check(command, args, minutes = 5) {
  const status = await run(command, args, minutes);
  return status === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

/** A vitest run, counted by its JSON report. `wrap` puts the arguments behind another command than plain Node. */
async function vitest(
  name,
  args,
  { minutes, wrap = [process.execPath, bin("vitest", "vitest.mjs"), "run"], env = {} },
) {
  const report = join(scratch, `${name}.json`);
  const [command, ...before] = wrap;
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const status = await run(command, [...before, ...args, ...reporters], minutes, env);
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 };
  const result = JSON.parse(readFileSync(report, "utf8"));
  const unloaded = result.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
  const counted = result.numFailedTests + unloaded.length;
  const passed = result.numPassedTests;
  if (passed + counted === 0) console.error(`The suite "${name}" ran no test.`);
  const isSilentFailure = counted === 0 && (status !== 0 || passed === 0);
  return { passed, failed: isSilentFailure ? 1 : counted, skipped: result.numPendingTests + result.numTodoTests };
}

const hasFolder = (path) => existsSync(join(ROOT, path));
const typeTests = () =>
  readdirSync(join(ROOT, "test"), { recursive: true }).some((path) => String(path).endsWith(".test-d.ts"));
const config = (name) => ["--config", `vitest.${name}.config.ts`];

/**
 * Name, whether it applies to this tree, and how it runs.
 *
 * @type {[string, () => boolean, () => Promise<{ passed: number, failed: number, skipped: number }>][]}
 */
const SUITES = [
  ["build", () => true, () => check(process.execPath, ["scripts/build.mjs"], 10)],
  [
    "unit",
    () => true,
    () => vitest("unit", [], { minutes: 30, wrap: [process.execPath, findNpm(), "test", "--silent", "--"] }),
  ],
  [
    "lint",
    () => true,
    () => check(process.execPath, [bin("oxlint", "bin", "oxlint"), "--type-aware", "--deny-warnings"]),
  ],
  ["format", () => true, () => check(process.execPath, [bin("@biomejs", "biome", "bin", "biome"), "check"])],
  ["types", () => true, () => types("tsconfig.json")],
  ["console types", () => hasFolder("console/tsconfig.json"), () => types("console/tsconfig.json")],
  [
    "type tests",
    typeTests,
    () => vitest("type-tests", ["--typecheck.only", "--typecheck.tsconfig=tsconfig.json"], { minutes: 5 }),
  ],
  ["install size", () => true, () => check(process.execPath, ["scripts/install-size.mjs"])],
  ["services", () => hasFolder("test/services"), () => vitest("services", config("services"), { minutes: 15 })],
  ["browser", () => hasFolder("test/browser"), () => vitest("browser", config("browser"), { minutes: 15 })],
  [
    "python",
    () => hasFolder("test/python"),
    async () => {
      const python = ensurePython();
      return vitest("python", config("python"), {
        minutes: 30,
        env: python === undefined ? {} : { RETRAIN_PYTHON: python },
      });
    },
  ],
  ["faults", () => hasFolder("test/faults"), () => vitest("faults", config("faults"), { minutes: 45 })],
  [
    "unit on Node 24",
    () => true,
    // Without the scenarios, which run the whole product for minutes each: what they need of Node has tests of its own here.
    () =>
      vitest("unit-node24", ["--exclude=test/scenarios/**"], {
        minutes: 30,
        wrap: [node24, bin("vitest", "vitest.mjs"), "run"],
      }),
  ],
];

function types(project) {
  return check(process.execPath, [bin("typescript", "bin", "tsc"), "-p", project, "--noEmit"]);
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !SUITES.some(([suite]) => suite === name));
if (unknown.length > 0) {
  console.error(`No suite "${unknown[0]}". There are: ${SUITES.map(([name]) => name).join(", ")}.`);
  process.exit(2);
}

const total = { passed: 0, failed: 0, skipped: 0 };
const summary = [];
for (const [name, applies, start] of SUITES) {
  if ((wanted.length > 0 && !wanted.includes(name)) || !applies()) continue;
  console.log(`\n=== ${name} ===`);
  const from = Date.now();
  const result = await start();
  for (const key of Object.keys(total)) total[key] += result[key];
  const seconds = ((Date.now() - from) / 1000).toFixed(1);
  summary.push([name, result.passed, result.failed, result.skipped, seconds]);
}
rmSync(scratch, { recursive: true, force: true });

console.log("\nsuite              passed  failed  skipped  seconds");
for (const [name, ...numbers] of summary) {
  const [passed, failed, skipped, seconds] = numbers.map(String);
  console.log(
    `${name.padEnd(18)} ${passed.padStart(6)} ${failed.padStart(7)} ${skipped.padStart(8)} ${seconds.padStart(8)}`,
  );
}
const minutes = (Date.now() - startedAt) / 60_000;
if (minutes > WANTED_MINUTES) console.log(`\nTook ${minutes.toFixed(0)} minutes; ${WANTED_MINUTES} are wanted.`);
console.log(`\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
