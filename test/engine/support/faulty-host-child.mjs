// The real process of an ONNX model, with one way to spoil it: a file named after the process that started it says how its answers
// go wrong. Absent, it answers well. So a challenger passes its import, gate and probes, and breaks only later, as they do.
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const file = join(tmpdir(), `retrain-faulty-host-${process.ppid}`);
function fault() {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "none";
  }
}
const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
const send = process.send.bind(process);
process.send = (answer, ...rest) => {
  const numbers = answer.data === undefined ? [] : Array.from(answer.data);
  // What it says to being opened stays as it is.
  if (numbers.length === 0) return send(answer, ...rest);
  const { id } = answer;
  switch (fault()) {
    case "throws":
      return send({ id, error: { code: "INTERNAL", message: "division by zero", remedy: "" } }, ...rest);
    case "answers NaN":
      return send({ id, data: numbers.map(() => Number.NaN) }, ...rest);
    case "answers a wrong shape":
      return send({ id, data: [...numbers, 0.5, 0.5] }, ...rest);
    case "is slow":
      pause(45);
      return send(answer, ...rest);
    case "dies":
      return process.kill(process.pid, "SIGSEGV");
    case "hangs":
      return pause(Number.POSITIVE_INFINITY);
    default:
      return send(answer, ...rest);
  }
};
await import(new URL("../../../dist/src/engine/model-host-child.js", import.meta.url).href);
