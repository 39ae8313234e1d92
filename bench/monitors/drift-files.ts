// A Parquet file of 1,000,000 × 20, its first half against its second, and two such files, first by ours, then by Evidently.
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
function columnsOf(shift: string): string {
  const bell = (name: string, mean: string) =>
    `sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) + ${mean} AS ${name}`;
  return [
    ...Array.from({ length: 14 }, (_, i) => bell(`x${i}`, i === 3 ? shift : "0")),
    "floor(random() * 12)::INTEGER AS few0",
    "floor(random() * 12)::INTEGER AS few1",
    "'c' || floor(random() * random() * 30)::INTEGER AS text0",
    "'c' || floor(random() * random() * 30)::INTEGER AS text1",
    "random() < 0.3 AS flag",
    "CASE WHEN random() < 0.1 THEN NULL ELSE exp(6 * random()) END AS skewed",
  ].join(", ");
}

type Files = readonly [string, string];

async function writeFiles(folder: string): Promise<{ readonly one: string; readonly two: Files }> {
  const paths = ["reference", "current", "both"].map((name) => join(folder, `${name}.parquet`));
  const shifts = ["0", "0.4", `CASE WHEN i < ${ROWS / 2} THEN 0 ELSE 0.4 END`];
  await withDuckDb(async (connection) => {
    for (const [i, path] of paths.entries()) {
      await connection.run(`SELECT setseed(0.${i + 1})`);
      await connection.run(`COPY (SELECT ${columnsOf(shifts[i] as string)} FROM range(${ROWS}) AS r(i)) TO '${path}'`);
    }
  });
  const [reference, current, one] = paths as [string, string, string];
  return { one, two: [reference, current] };
}

const PEER = `
import sys, time, json, warnings
warnings.filterwarnings("ignore")
import evidently, pandas
from evidently import Report
from evidently.presets import DataDriftPreset
print(json.dumps({"version": evidently.__version__, "pandas": pandas.__version__}), flush=True)
for line in sys.stdin:
    files = json.loads(line)
    wall, cpu = time.perf_counter(), time.process_time()
    before = pandas.read_parquet(files[0])
    if len(files) == 2:
        now = pandas.read_parquet(files[1])
    else:
        before, now = before.iloc[: len(before) // 2], before.iloc[len(before) // 2 :]
    found = Report([DataDriftPreset()]).run(now, before).dict()
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "drifted": found["metrics"][0]["value"]["count"]}), flush=True)
`;

interface Peer {
  readonly version: string;
  /** Two files, or one: its first half against its second. */
  compare(files: readonly string[]): Promise<{ readonly wall: number; readonly cpu: number }>;
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
function command(words: readonly string[]): number {
  const main = join(rootFolder(), "dist", "src", "cli", "main.js");
  const from = process.hrtime.bigint();
  const { status } = spawnSync(process.execPath, [main, "drift", "check", ...words], { stdio: "ignore" });
  if (status !== FOUND) throw new Error(`\`retrain drift check\` ended with ${status}.`);
  return Number(process.hrtime.bigint() - from) / 1e9;
}

interface Times {
  readonly wall: readonly number[];
  readonly cpu: readonly number[];
}

async function timed(compare: () => ReturnType<typeof compareFiles>): Promise<Times> {
  await compare();
  const wall: number[] = [];
  const cpu: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    const from = process.hrtime.bigint();
    const { report } = await compare();
    wall.push(Number(process.hrtime.bigint() - from) / 1e9);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1e6);
    if (report.verdict !== "drift") throw new Error("The column that moved was not found.");
  }
  return { wall, cpu };
}

const figuresOf = (name: string, { wall, cpu }: Times): Figure[] => [
  { name: `${name}, from file to report`, value: median(wall), unit: "s", atMost: 0.6 },
  { name: `${name}, fastest of the rounds`, value: Math.min(...wall), unit: "s" },
  { name: `${name}, processor time of all threads`, value: median(cpu), unit: "s" },
];

const ONE = "one Parquet file of 1M × 20, first half against second";
const TWO = "two Parquet files of 1M × 20";

export async function driftFiles(): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), "retrain-bench-"));
  try {
    const { one, two } = await writeFiles(folder);
    const half = await timed(() => compareFiles(one, undefined, { splitAt: "0.5" }));
    const whole = await timed(() => compareFiles(...two));
    const commands = Array.from({ length: COMMANDS }, () => command(two));
    const figures: Figure[] = [
      ...figuresOf(ONE, half),
      ...figuresOf(TWO, whole),
      { name: `${TWO} as a command, with the start of its process`, value: median(commands), unit: "s" },
    ];
    // The peer's process starts only now: while it lives, even idle, our processor time is a quarter higher.
    const peer = await openPeer();
    if (typeof peer === "string") return { figures, notes: [peer] };
    for (const [name, files, own] of [
      [ONE, [one], half],
      [TWO, two, whole],
    ] as const) {
      const other = await peer.compare(files);
      figures.push(
        { name: `${name}: Evidently`, value: other.wall, unit: "s" },
        { name: `${name}: Evidently's time over ours`, value: other.wall / median(own.wall), unit: "×", atLeast: 20 },
        { name: `${name}: Evidently's processor time over ours`, value: other.cpu / median(own.cpu), unit: "×" },
      );
    }
    peer.close();
    return { figures, notes: [`${peer.version}, read and compared with its preset of data drift.`] };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
