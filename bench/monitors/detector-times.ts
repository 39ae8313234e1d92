// Our detectors over a stream of 0s and 1s on standard input, in a process of their own as the peer's are: prints ns an update, the median of some passes.
import process from "node:process";
import { DETECTORS } from "../../src/monitor/index.ts";
import { median } from "../harness.ts";

const NAMES = ["adwin", "page-hinkley", "ddm"] as const;
/** Passes before those that count: an engine goes on compiling anew for some two million updates, the peer's is compiled when it is installed. */
const WARMUPS = 16;
const PASSES = 5;

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
const times = NAMES.map((name) => {
  for (let pass = 0; pass < WARMUPS; pass++) timeOf(name, values);
  return [name, median(Array.from({ length: PASSES }, () => timeOf(name, values)))] as const;
});
process.stdout.write(JSON.stringify(Object.fromEntries(times)));
