// Two Parquet files of 1,000,000 × 20 compared, first by ours, then by Evidently.
//
// Inside the clock, on both sides: one call in a process that has imported everything, from opening the files (ours: a DuckDB of its own)
// to the finished report. What the same costs as a command, with the start of its process and the printed table, is a figure of its own.
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { withDuckDb } from "../../src/cli/column-file.ts";
import { compareFiles } from "../../src/cli/commands/drift-check.ts";
import { type BenchResult, type Figure, median } from "../harness.ts";
import { peerPython, rootFolder } from "../peer-python.ts";

const ROWS = 1_000_000;
const ROUNDS = 9;
const COMMANDS = 3;
/** What `retrain drift check` ends with where something moved. */
const FOUND = 4;

/** Bell-shaped, skewed, few-valued and missing numbers, texts and a boolean: 20 columns, of which `x3` moves. */
function columnsOf(shift: number): string {
  const bell = (name: string, mean: number) =>
    `sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) + ${mean} AS ${name}`;
  return [
    ...Array.from({ length: 14 }, (_, i) => bell(`x${i}`, i === 3 ? shift : 0)),
    "floor(random() * 12)::INTEGER AS few0",
    "floor(random() * 12)::INTEGER AS few1",
    "'c' || floor(random() * random() * 30)::INTEGER AS text0",
    "'c' || floor(random() * random() * 30)::INTEGER AS text1",
    "random() < 0.3 AS flag",
    "CASE WHEN random() < 0.1 THEN NULL ELSE exp(6 * random()) END AS skewed",
  ].join(", ");
}

async function writeFiles(folder: string): Promise<readonly [string, string]> {
  const paths = [join(folder, "reference.parquet"), join(folder, "current.parquet")] as const;
  await withDuckDb(async (connection) => {
    for (const [i, path] of paths.entries()) {
      await connection.run(`SELECT setseed(0.${i + 1})`);
      await connection.run(`COPY (SELECT ${columnsOf(i * 0.4)} FROM range(${ROWS})) TO '${path}'`);
    }
  });
  return paths;
}

const PEER = `
import sys, time, json, warnings
warnings.filterwarnings("ignore")
import evidently, pandas
from evidently import Report
from evidently.presets import DataDriftPreset
print(json.dumps({"version": evidently.__version__, "pandas": pandas.__version__}), flush=True)
for line in sys.stdin:
    before, now = json.loads(line)
    wall, cpu = time.perf_counter(), time.process_time()
    found = Report([DataDriftPreset()]).run(pandas.read_parquet(now), pandas.read_parquet(before)).dict()
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "drifted": found["metrics"][0]["value"]["count"]}), flush=True)
`;

interface Peer {
  readonly version: string;
  compare(files: readonly [string, string]): Promise<{ readonly wall: number; readonly cpu: number }>;
  close(): void;
}

/** @returns why not, where Evidently cannot be imported */
async function openPeer(): Promise<Peer | string> {
  const python = peerPython();
  if (python === undefined) return "Evidently was not found: `node bench/peers.mjs` says how to get the peers.";
  const child = spawn(python, ["-c", PEER], { stdio: ["pipe", "pipe", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (part) => {
    complaint = `${complaint}${String(part)}`.slice(-500);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done === true) return `Evidently could not be imported: ${complaint.trim().split("\n").at(-1) ?? ""}`;
  const { version, pandas } = JSON.parse(first.value) as Record<string, string>;
  return {
    version: `Evidently ${version} with pandas ${pandas}`,
    async compare(files) {
      child.stdin.write(`${JSON.stringify(files)}\n`);
      const line = await lines.next();
      if (line.done === true) throw new Error(`Evidently ended: ${complaint}`);
      return JSON.parse(line.value) as { wall: number; cpu: number };
    },
    close: () => void child.stdin.end(),
  };
}

/** Seconds from the start of `retrain drift check` to its end. */
function command(files: readonly [string, string]): number {
  const main = join(rootFolder(), "dist", "src", "cli", "main.js");
  const from = process.hrtime.bigint();
  const { status } = spawnSync(process.execPath, [main, "drift", "check", ...files], { stdio: "ignore" });
  if (status !== FOUND) throw new Error(`\`retrain drift check\` ended with ${status}.`);
  return Number(process.hrtime.bigint() - from) / 1e9;
}

export async function driftFiles(): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), "retrain-bench-"));
  try {
    const files = await writeFiles(folder);
    await compareFiles(...files);
    const wall: number[] = [];
    const cpu: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = process.cpuUsage();
      const from = process.hrtime.bigint();
      const { report } = await compareFiles(...files);
      wall.push(Number(process.hrtime.bigint() - from) / 1e9);
      const { user, system } = process.cpuUsage(before);
      cpu.push((user + system) / 1e6);
      if (report.verdict !== "drift") throw new Error("The column that moved was not found.");
    }
    const commands = Array.from({ length: COMMANDS }, () => command(files));
    const figures: Figure[] = [
      { name: "two Parquet files of 1M × 20, from file to report", value: median(wall), unit: "s", atMost: 0.6 },
      { name: "the same, fastest of the rounds", value: Math.min(...wall), unit: "s" },
      { name: "the same, processor time of all threads", value: median(cpu), unit: "s" },
      { name: "the same as a command, with the start of its process", value: median(commands), unit: "s" },
    ];
    // The peer's process starts only now: while it lives, even idle, our processor time is a quarter higher.
    const peer = await openPeer();
    if (typeof peer === "string") return { figures, notes: [peer] };
    const other = await peer.compare(files);
    peer.close();
    figures.push(
      { name: "Evidently on the same files", value: other.wall, unit: "s" },
      { name: "Evidently's time over ours", value: other.wall / median(wall), unit: "×", atLeast: 20 },
      { name: "Evidently's processor time over ours", value: other.cpu / median(cpu), unit: "×" },
    );
    return { figures, notes: [`${peer.version}, read and compared with its preset of data drift.`] };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
