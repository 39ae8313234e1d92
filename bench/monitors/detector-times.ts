// Our detectors over a stream of 0s and 1s on standard input, in a process of their own as the peer's are: prints ns an update.
import process from "node:process";
import { DETECTORS } from "../../src/monitor/index.ts";

const NAMES = ["adwin", "page-hinkley", "ddm"] as const;
/** Passes before the one that counts: an engine compiles a detector well after a million updates, the peer's is compiled when it is installed. */
const WARMUPS = 8;

/** Processor time of a detector over the stream, in ns an update. */
function timeOf(name: (typeof NAMES)[number], values: readonly number[]): number {
  const before = process.cpuUsage();
  const detector = DETECTORS[name].create();
  for (const value of values) detector.update(value);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / values.length;
}

let text = "";
for await (const part of process.stdin) text += String(part);
const values = Array.from(text.trim(), Number);
for (let pass = 0; pass < WARMUPS; pass++) for (const name of NAMES) timeOf(name, values);
process.stdout.write(JSON.stringify(Object.fromEntries(NAMES.map((name) => [name, timeOf(name, values)]))));
