// Detectors of concept drift against River's, update by update, and the estimate before labels over 50 seeds.
// River is found as `bench/peers.mjs` describes; without it our own figures stand alone.
import { spawn } from "node:child_process";
import { createRandom } from "../../src/core/index.ts";
import { DETECTORS } from "../../src/monitor/index.ts";
import { estimationError } from "../estimation.ts";
import { type BenchResult, type Figure, median } from "../harness.ts";
import { peerPython } from "../peer-python.ts";

const COUNT = 200_000;
const ROUNDS = 5;
/** Passes before the first that counts: an engine compiles a detector well after a million updates, the peer's is compiled when it is installed. */
const WARMUPS = 8;
/** Held-out rows of the version whose estimate is judged. */
const HOLDOUT = 5_000;

function stream(): number[] {
  const random = createRandom(7);
  return Array.from({ length: COUNT }, (_, i) => (random.nextFloat() < (i < COUNT / 2 ? 0.2 : 0.3) ? 1 : 0));
}

/** Processor time of a detector over the stream, in ns an update. */
function ours(name: "adwin" | "page-hinkley" | "ddm", values: readonly number[]): number {
  const before = process.cpuUsage();
  const detector = DETECTORS[name].create();
  for (const value of values) detector.update(value);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / values.length;
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

async function theirs(values: readonly number[]): Promise<Readonly<Record<string, number | string>> | undefined> {
  const python = peerPython();
  if (python === undefined) return undefined;
  const child = spawn(python, ["-c", PEER], { stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.end(values.join(""));
  let text = "";
  for await (const part of child.stdout) text += String(part);
  try {
    return JSON.parse(text) as Record<string, number | string>;
  } catch {
    return undefined;
  }
}

export async function detectors(): Promise<BenchResult> {
  const values = stream();
  const figures: Figure[] = [];
  const notes: string[] = [];
  const names = ["adwin", "page-hinkley", "ddm"] as const;
  const own = new Map(names.map((name) => [name, [] as number[]]));
  const peer = new Map(names.map((name) => [name, [] as number[]]));
  for (let pass = 0; pass < WARMUPS; pass++) for (const name of names) ours(name, values);
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) own.get(name)?.push(ours(name, values));
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
