/** A worker of a training: waits for a step, does its share, says so; started by crew.ts as a thread of its own. */
import { parentPort, workerData } from "node:worker_threads";
import { SPINS } from "./crew.ts";
import type { WorkerShare } from "./crew.ts";
import { joinKernels } from "./kernels.ts";
import { viewMemory } from "./memory.ts";
import { COMMANDS, CONTROL, doShare } from "./share.ts";
import type { Command } from "./share.ts";

/** The number of the next step. A wake-up says nothing: one meant for a step that is done already may come late. */
function awaitStep(ints: Int32Array, place: number, last: number): number {
  for (let i = 0; i < SPINS; i++) {
    const now = Atomics.load(ints, place);
    if (now !== last) return now;
  }
  for (;;) {
    Atomics.wait(ints, place, last);
    const now = Atomics.load(ints, place);
    if (now !== last) return now;
  }
}

function work({ shared, layout, thread }: WorkerShare): void {
  const memory = viewMemory(layout, joinKernels(shared));
  const { ints } = memory;
  const control = layout.control >>> 2;
  const share = { memory, thread };
  let last = 0;
  parentPort?.postMessage("ready");
  for (;;) {
    last = awaitStep(ints, control + CONTROL.sequence, last);
    const command = ints[control + CONTROL.command] as Command;
    if (command === COMMANDS.stop) return;
    try {
      doShare(share, command);
    } catch {
      // The training is told and ends; what went wrong here has gone wrong there too, or a thread alone will not show it.
      Atomics.store(ints, control + CONTROL.hasFailed, 1);
    }
    Atomics.add(ints, control + CONTROL.done, 1);
    Atomics.notify(ints, control + CONTROL.done);
  }
}

work(workerData as WorkerShare);
