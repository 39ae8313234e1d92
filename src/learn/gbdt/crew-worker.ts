/** A worker of a training: waits for a step, does its share, says so; started by crew.ts as a thread of its own. */
import { parentPort, workerData } from "node:worker_threads";
import { SPINS } from "./crew.ts";
import type { WorkerShare } from "./crew.ts";
import { joinKernels } from "./kernels.ts";
import { viewMemory } from "./memory.ts";
import { COMMANDS, CONTROL, doShare } from "./share.ts";
import type { Command } from "./share.ts";

function work({ shared, layout, thread }: WorkerShare): void {
  const memory = viewMemory(layout, joinKernels(shared));
  const { ints } = memory;
  const control = layout.control >>> 2;
  const share = { memory, thread };
  let last = 0;
  parentPort?.postMessage("ready");
  for (;;) {
    for (let i = 0; i < SPINS && Atomics.load(ints, control + CONTROL.sequence) === last; i++);
    Atomics.wait(ints, control + CONTROL.sequence, last);
    last = Atomics.load(ints, control + CONTROL.sequence);
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
