// The suites of .ci/run and their sum. `.ci/run unit lint` runs only those named.
//
// They start in the order below, on two cores: a suite that keeps both busy runs alone and shows its output as it comes; of
// those that one core is enough for, two run side by side, and each line says whose it is.
//
// A check without tests of its own (lint, types, ...) counts as one. A suite whose folder exists but which ran no test
// is a failure: nothing is easier to overlook than tests that stopped being found.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { freemem, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ensureDependencies, findNpm, ROOT } from "./dependencies.mjs";

const scratch = mkdtempSync(join(temporaryMemory() ?? tmpdir(), "retrain-ci-"));
const bin = (...path) => join(ROOT, "node_modules", ...path);
const node24 = process.env.RETRAIN_CI_NODE24 ?? "";

/**
 * The unit tests that do not run on Node 24 too: whole loops and stories, which are the same code on top of the parts that ask
 * something of Node or compute numbers, and what looks at the text of the repository.
 */
const NOT_ON_NODE24 = ["docs", "house", "loop", "scenarios"].map((folder) => `--exclude=test/${folder}/**`);

/** The faults suite in two halves of about the same processor time: its other files are the first one's. */
const SECOND_FAULTS = ["engine-job-pool", "engine-kill", "run-kill", "trainer"].map(
  (name) => `test/faults/${name}.test.ts`,
);

/**
 * A temporary folder that lies in memory, where there is plenty of it: hundreds of tests make a database of 600 files each, and
 * a shared disk may take seconds for that. What a disk does is the matter of the faults suite, which keeps to the real one.
 */
function temporaryMemory() {
  const folder = "/dev/shm";
  if (process.platform !== "linux" || !existsSync(folder)) return undefined;
  const { bavail, bsize } = statfsSync(folder);
  return Math.min(bavail * bsize, freemem()) > 8 * 1024 ** 3 ? folder : undefined;
}

/** What the machine is taken to have. */
const CORES = 2;
/** What all suites together should take on two quiet cores; a longer run says so at its end. */
const WANTED_MINUTES = 25;
/** A run that takes longer has something that hangs. Far above the wanted time, because machines are shared. */
const LIMIT_MINUTES = 80;
const startedAt = Date.now();

/** What the suites under way have started, to be taken along when this process is ended. */
const running = new Set();
function killGroup(child) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group is gone, which is what was wanted.
  }
}
process.on("exit", () => {
  running.forEach(killGroup);
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/**
 * How a suite's programs print: straight through without a `prefix`, else line by line behind it.
 *
 * @typedef {{ prefix?: string }} Output
 */

/** @param {Output} output @param {import("node:stream").Readable | null} stream */
function forward({ prefix }, stream) {
  if (stream === null) return;
  createInterface({ input: stream }).on("line", (line) => console.log(prefix + line));
}

/** Runs a program, at most `minutes` long, in a group of its own so that nothing outlives it. */
function run(output, command, args, minutes, env = {}) {
  return new Promise((done) => {
    const note = (text) => console.error(`${output.prefix ?? ""}${text}`);
    const left = LIMIT_MINUTES - (Date.now() - startedAt) / 60_000;
    if (left <= 0 || !existsSync(command)) {
      note(left <= 0 ? `Not run: ${LIMIT_MINUTES} minutes are over.` : `Not run: there is no "${command}".`);
      done(1);
      return;
    }
    const limit = Math.min(minutes, left);
    const way = output.prefix === undefined ? "inherit" : "pipe";
    const options = { cwd: ROOT, stdio: ["ignore", way, way], detached: true };
    const child = spawn(command, args, { ...options, env: { ...process.env, ...env } });
    running.add(child);
    for (const stream of [child.stdout, child.stderr]) forward(output, stream);
    const timer = setTimeout(() => {
      note(`Took longer than ${limit.toFixed(1)} minutes and was stopped.`);
      killGroup(child);
    }, limit * 60_000);
    child.on("error", (error) => note(error.message));
    // What it left behind may hold its pipes open, so that they close only after the group was killed.
    child.on("exit", () => killGroup(child));
    child.on("close", (code) => {
      clearTimeout(timer);
      running.delete(child);
      done(code ?? 1);
    });
  });
}

/** A check that passes or fails as a whole. */
async function check(output, command, args, minutes = 5) {
  const status = await run(output, command, args, minutes);
  return status === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

/** A vitest run, counted by its JSON report. `wrap` puts the arguments behind another command than plain Node. */
async function vitest(
  output,
  name,
  args,
  { minutes, wrap = [process.execPath, bin("vitest", "vitest.mjs"), "run"], env = { TMPDIR: scratch } },
) {
  const report = join(scratch, `${name}.json`);
  const [command, ...before] = wrap;
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const status = await run(output, command, [...before, ...args, ...reporters], minutes, env);
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
 * Name, cores it keeps busy, whether it applies to this tree, and how it runs. The longest come first among those of one core.
 *
 * @type {[string, 1 | 2, () => boolean, (output: Output) => Promise<{ passed: number, failed: number, skipped: number }>][]}
 */
const SUITES = [
  ["build", 2, () => true, (output) => check(output, process.execPath, ["scripts/build.mjs"], 10)],
  [
    "unit",
    2,
    () => true,
    (output) =>
      vitest(output, "unit", [], { minutes: 30, wrap: [process.execPath, findNpm(), "test", "--silent", "--"] }),
  ],
  [
    "faults, runs",
    1,
    () => hasFolder("test/faults"),
    (output) => vitest(output, "faults-runs", [...config("faults"), ...SECOND_FAULTS], { minutes: 45, env: {} }),
  ],
  [
    "faults, stores",
    1,
    () => hasFolder("test/faults"),
    (output) => {
      const others = SECOND_FAULTS.map((file) => `--exclude=${file}`);
      return vitest(output, "faults-stores", [...config("faults"), ...others], { minutes: 45, env: {} });
    },
  ],
  [
    "browser",
    1,
    () => hasFolder("test/browser"),
    (output) => vitest(output, "browser", config("browser"), { minutes: 25 }),
  ],
  [
    "services",
    1,
    () => hasFolder("test/services"),
    (output) => vitest(output, "services", config("services"), { minutes: 15 }),
  ],
  [
    "python",
    1,
    () => hasFolder("test/python"),
    (output) =>
      vitest(output, "python", [], { minutes: 30, wrap: [process.execPath, "scripts/python-environment.mjs"] }),
  ],
  [
    "lint",
    1,
    () => true,
    (output) => check(output, process.execPath, [bin("oxlint", "bin", "oxlint"), "--type-aware", "--deny-warnings"]),
  ],
  [
    "format",
    1,
    () => true,
    (output) => check(output, process.execPath, [bin("@biomejs", "biome", "bin", "biome"), "check"]),
  ],
  ["types", 1, () => true, (output) => types(output, "tsconfig.json")],
  ["console types", 1, () => hasFolder("console/tsconfig.json"), (output) => types(output, "console/tsconfig.json")],
  [
    "type tests",
    1,
    typeTests,
    (output) =>
      vitest(output, "type-tests", ["--typecheck.only", "--typecheck.tsconfig=tsconfig.json"], { minutes: 5 }),
  ],
  ["install size", 1, () => true, (output) => check(output, process.execPath, ["scripts/install-size.mjs"])],
  [
    "unit on Node 24",
    2,
    () => true,
    (output) =>
      vitest(output, "unit-node24", NOT_ON_NODE24, {
        minutes: 30,
        wrap: [node24, bin("vitest", "vitest.mjs"), "run"],
      }),
  ],
];

function types(output, project) {
  return check(output, process.execPath, [bin("typescript", "bin", "tsc"), "-p", project, "--noEmit"]);
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !SUITES.some(([suite]) => suite === name));
if (unknown.length > 0) {
  console.error(`No suite "${unknown[0]}". There are: ${SUITES.map(([name]) => name).join(", ")}.`);
  process.exit(2);
}

ensureDependencies();
const chosen = SUITES.filter(([name, , applies]) => (wanted.length === 0 || wanted.includes(name)) && applies());
const total = { passed: 0, failed: 0, skipped: 0 };
const summary = [];

/** Runs one suite to its end and adds it to the sums. */
async function finish([name, cores, , start]) {
  const isAlone = cores === CORES;
  console.log(`\n=== ${name} ===`);
  const from = Date.now();
  const result = await start(isAlone ? {} : { prefix: `${name} | ` });
  const seconds = ((Date.now() - from) / 1000).toFixed(1);
  for (const key of Object.keys(total)) total[key] += result[key];
  summary[chosen.findIndex(([one]) => one === name)] = [name, result.passed, result.failed, result.skipped, seconds];
}

const underWay = new Map();
for (const suite of chosen) {
  const isFree = () => [...underWay.keys()].reduce((sum, [, cores]) => sum + cores, suite[1]) <= CORES;
  while (!isFree()) await Promise.race(underWay.values());
  underWay.set(
    suite,
    finish(suite).finally(() => underWay.delete(suite)),
  );
}
await Promise.all(underWay.values());

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
