// How long after a kill -9 a server answers again: from the start of the process to the first 200 of /readyz. Once while it had
// nothing to do, once in the very moment 200,000 rows were acknowledged, when the write-ahead log is longest. Beside it what the
// smallest Node program takes on this machine, as the floor. Then `npm start` on a built tree, which replays the bank story in a data
// directory of its own: until the console answers, and until the model's chart of performance has a line in it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRandom, systemClock } from "../src/core/index.ts";
import { type BenchResult, median } from "./harness.ts";

const MAIN = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));
const ROWS = 200_000;
const ROUNDS = 3;
const COLUMNS = Array.from({ length: 10 }, (_, i) => `x${i}`);
const CONFIG = `import { defineConfig, defineModel, f, linear, when } from "retrain";
export default defineConfig({ models: [defineModel({ name: "m", task: "binary", id: "id",
  features: { ${COLUMNS.map((name) => `${name}: f.number()`).join(", ")} }, label: f.boolean(), trainer: linear(),
  retrain: { when: when.manual() } })] });
`;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Starts a server and waits until it is ready. */
async function startServer(folder: string): Promise<{ child: ChildProcess; url: string; seconds: number }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const from = systemClock.monotonicMs();
  const child = spawn(process.execPath, [MAIN, "start", "--port", String(port)], { cwd: folder, stdio: "ignore" });
  for (;;) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.status === 200) break;
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    await systemClock.sleep(5);
  }
  return { child, url, seconds: (systemClock.monotonicMs() - from) / 1000 };
}

const START = fileURLToPath(new URL("../../scripts/start.mjs", import.meta.url));
/** How often the chart is asked for; oftener, and the answers take a tenth of the time that is measured. */
const LOOK_MS = 50;
/** A chart shows a line from two points on. */
const CHART_POINTS = 2;

interface Chart {
  readonly points: readonly { readonly value: number | null }[];
}

/** Seconds until the story's console answers, and until its chart is populated. */
async function startToChart(): Promise<{ console: number; chart: number }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const from = systemClock.monotonicMs();
  const seconds = () => (systemClock.monotonicMs() - from) / 1000;
  const child = spawn(process.execPath, [START, "--port", String(port)], { stdio: "ignore" });
  let console: number | undefined;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}`);
    const page = console === undefined ? await fetch(url, { headers: { accept: "text/html" } }).catch(() => {}) : null;
    if (page?.status === 200) console = seconds();
    const answer = await fetch(`${url}/api/v1/models/deposits/performance`).catch(() => undefined);
    const chart = answer?.status === 200 ? ((await answer.json()) as Chart) : undefined;
    const drawn = chart?.points.filter(({ value }) => value !== null).length ?? 0;
    if (console !== undefined && drawn >= CHART_POINTS) break;
    await systemClock.sleep(LOOK_MS);
  }
  const figures = { console: console as number, chart: seconds() };
  // Not killed: the story's temporary directory goes with its end.
  const gone = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGINT");
  await gone;
  return figures;
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await gone;
}

async function writeRows(path: string): Promise<void> {
  const random = createRandom(5);
  const lines = Array.from({ length: ROWS }, (_, i) => {
    const row: Record<string, number | string | boolean> = { id: `r${i}` };
    for (const name of COLUMNS) row[name] = random.nextInt(100_000) / 100;
    return JSON.stringify({ ...row, label: random.nextInt(2) === 1 });
  });
  await writeFile(path, `${lines.join("\n")}\n`);
}

export async function run(): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), "retrain-bench-"));
  try {
    await writeFile(join(folder, "retrain.config.ts"), CONFIG);
    const file = join(folder, "rows.ndjson");
    await writeRows(file);
    const body = await readFile(file);
    const idle: number[] = [];
    const loaded: number[] = [];
    const floor: number[] = [];
    let server = await startServer(folder);
    for (let round = 0; round < ROUNDS; round++) {
      await kill(server.child);
      server = await startServer(folder);
      idle.push(server.seconds);
      const headers = { "content-type": "application/x-ndjson" };
      const answer = await fetch(`${server.url}/api/v1/models/m/examples`, { method: "POST", headers, body });
      if (answer.status !== 200) throw new Error(await answer.text());
      await kill(server.child);
      server = await startServer(folder);
      loaded.push(server.seconds);
      const from = systemClock.monotonicMs();
      const bare = spawn(process.execPath, ["-e", "0"], { stdio: "ignore" });
      await new Promise((resolve) => bare.once("close", resolve));
      floor.push((systemClock.monotonicMs() - from) / 1000);
    }
    await kill(server.child);
    const starts: { console: number; chart: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) starts.push(await startToChart());
    return {
      figures: [
        { name: "ready after kill -9, idle", value: median(idle), unit: "s", atMost: 2 },
        { name: "ready after kill -9, at the end of 200,000 rows", value: median(loaded), unit: "s", atMost: 2 },
        { name: "npm start, built, to its console", value: median(starts.map((one) => one.console)), unit: "s" },
        {
          name: "npm start, built, to a populated chart",
          value: median(starts.map((one) => one.chart)),
          unit: "s",
          atMost: 5,
        },
        { name: "an empty Node program", value: median(floor), unit: "s" },
      ],
      notes: [`${ROUNDS} rounds of both kills on one data directory, and of npm start.`],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
