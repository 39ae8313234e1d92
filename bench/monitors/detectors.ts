// Detectors of concept drift against River's, update by update, and the estimate before labels over 50 seeds.
// River is found as `bench/peers.mjs` describes; without it our own figures stand alone.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createRandom } from "../../src/core/index.ts";
import { estimationError } from "../estimation.ts";
import { type BenchResult, type Figure, median } from "../harness.ts";
import { peerPython } from "../peer-python.ts";

const TIMES = fileURLToPath(new URL("detector-times.js", import.meta.url));
const COUNT = 200_000;
const ROUNDS = 5;
/** Held-out rows of the version whose estimate is judged. */
const HOLDOUT = 5_000;

function stream(): number[] {
  const random = createRandom(7);
  return Array.from({ length: COUNT }, (_, i) => (random.nextFloat() < (i < COUNT / 2 ? 0.2 : 0.3) ? 1 : 0));
}

const PEER = `
import sys, time, json
from river import drift
import river
values = [int(c) for c in sys.stdin.read().strip()]
kinds = {"adwin": drift.ADWIN, "page-hinkley": drift.PageHinkley, "ddm": drift.binary.DDM}
found = {"version": river.__version__}
for name, kind in kinds.items():
    one = kind()
    start = time.process_time()
    for value in values:
        one.update(value)
    found[name] = (time.process_time() - start) * 1e9 / len(values)
print(json.dumps(found))
`;

type Times = Readonly<Record<string, number | string>>;

/** Runs a program over the stream; what it prints, or undefined where it fails. */
async function timesOf(
  command: string,
  args: readonly string[],
  values: readonly number[],
): Promise<Times | undefined> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.end(values.join(""));
  let text = "";
  for await (const part of child.stdout) text += String(part);
  try {
    return JSON.parse(text) as Times;
  } catch {
    return undefined;
  }
}

async function ours(values: readonly number[]): Promise<Times> {
  const found = await timesOf(process.execPath, [TIMES], values);
  if (found === undefined) throw new Error(`${TIMES} printed no times`);
  return found;
}

async function theirs(values: readonly number[]): Promise<Times | undefined> {
  const python = peerPython();
  return python === undefined ? undefined : timesOf(python, ["-c", PEER], values);
}

export async function detectors(): Promise<BenchResult> {
  const values = stream();
  const figures: Figure[] = [];
  const notes: string[] = [];
  const names = ["adwin", "page-hinkley", "ddm"] as const;
  const own = new Map(names.map((name) => [name, [] as number[]]));
  const peer = new Map(names.map((name) => [name, [] as number[]]));
  for (let round = 0; round < ROUNDS; round++) {
    const times = await ours(values);
    for (const name of names) own.get(name)?.push(times[name] as number);
    const found = await theirs(values);
    if (found === undefined) continue;
    for (const name of names) peer.get(name)?.push(found[name] as number);
    if (round === 0) notes.push(`River ${String(found["version"])}, processor time of both.`);
  }
  for (const name of names) {
    const ns = median(own.get(name) ?? []);
    figures.push({ name: `${name}, updates a second`, value: 1e9 / ns, unit: "1/s" });
    const other = median(peer.get(name) ?? []);
    if (Number.isFinite(other))
      figures.push({
        name: `${name}, updates a second over River's`,
        value: other / ns,
        unit: "×",
        ...(name === "adwin" ? { atLeast: 5 } : {}),
      });
  }
  if (peer.get("adwin")?.length === 0)
    notes.push("River was not found: `node bench/peers.mjs` says how to get the peers.");
  figures.push(...estimates());
  return { figures, notes };
}

/** |estimated − realised| AUC of 20,000 shifted rows, calibrated on a holdout of usual size. */
function estimates(): readonly Figure[] {
  const gaps: number[] = [];
  let inside = 0;
  const seeds = 50;
  for (let seed = 0; seed < seeds; seed++) {
    const { gap, deviation } = estimationError({ seed: 1_000 + seed, kind: "covariate", referenceRows: HOLDOUT });
    gaps.push(Math.abs(gap));
    if (Math.abs(gap) <= 3 * deviation) inside++;
  }
  return [
    {
      name: "AUC before labels, mean distance from the realised",
      value: gaps.reduce((sum, gap) => sum + gap, 0) / seeds,
      unit: "",
      atMost: 0.01,
    },
    { name: "AUC before labels, seeds within three deviations", value: inside / seeds, unit: "", atLeast: 1 },
  ];
}
