/**
 * The threads of a training: this one and its workers, over one shared memory. A step is published, everybody does a share of
 * it, and the step is over when all are done. Who waits looks at the counter for some microseconds before sleeping: steps follow
 * one another closely, but a server's processor is not for spinning on.
 */
import { once } from "node:events";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { fail } from "../../core/index.ts";
import type { Layout, Memory } from "./memory.ts";
import { COMMANDS, CONTROL, doShare, NUMBERS } from "./share.ts";
import type { Command } from "./share.ts";
import type { SharedWasm } from "../wasm.ts";

/** Looks at the counter before sleeping: about 5 µs. Measured on two cores: 100 cost a fifth when idle, 20,000 half under load. */
export const SPINS = 1000;
/** A step takes milliseconds; a thread that has not answered for so long is gone. */
const LONGEST_STEP_MS = 120_000;
/** A worker takes about 40 ms to start: more than it saves below this. */
const LEAST_ROWS = 20_000;
/** Past eight, the steps of one tree are too short to share. */
const MOST_THREADS = 8;

/** What a worker is handed. */
export interface WorkerShare {
  readonly shared: SharedWasm;
  readonly layout: Layout;
  readonly thread: number;
}

/** Threads for a training: as asked for, or (0) all but one processor, which stays with the server; one for few rows. */
export function countThreads(asked: number, rows: number): number {
  const wanted = asked > 0 ? asked : rows < LEAST_ROWS ? 1 : Math.min(MOST_THREADS, availableParallelism() - 1);
  return Math.max(1, Math.min(wanted, Math.ceil(rows / 4096)));
}

export class Crew {
  readonly memory: Memory;
  readonly #workers: readonly Worker[];
  readonly #ready: Promise<unknown>;
  #threads = 1;

  /** Starts the workers; they work from `join` on. */
  constructor(memory: Memory) {
    this.memory = memory;
    const { layout, shared } = memory;
    const count = shared === undefined ? 0 : layout.threads - 1;
    this.#workers = Array.from({ length: count }, (_, i) =>
      startWorker({ shared: shared as SharedWasm, layout, thread: i + 1 }),
    );
    // Listened for from the start: a message that nobody waits for is lost. An error later on shows as a step that never ends.
    this.#ready = Promise.all(this.#workers.map((worker) => Promise.race([once(worker, "message"), endOf(worker)])));
    this.#ready.catch(() => {});
    for (const worker of this.#workers) worker.on("error", () => {});
    memory.ints[(layout.control >>> 2) + CONTROL.threads] = 1;
  }

  /** Waits for the workers. Without one that can start, this thread does everything: the same bits, later. */
  async join(): Promise<void> {
    if (this.#workers.length === 0) return;
    try {
      await this.#ready;
    } catch {
      await this.close();
      return;
    }
    this.#threads = this.#workers.length + 1;
    this.memory.ints[(this.memory.layout.control >>> 2) + CONTROL.threads] = this.#threads;
  }

  get threads(): number {
    return this.#threads;
  }

  /** Writes the arguments of the next command, and its numbers from a place on. */
  prepare(values: readonly number[], from?: keyof typeof NUMBERS, numbers: readonly number[] = []): void {
    const { layout, ints, doubles } = this.memory;
    const at = (layout.control >>> 2) + CONTROL.arguments;
    for (let i = 0; i < values.length; i++) ints[at + i] = values[i] as number;
    if (from === undefined) return;
    const place = (layout.control >>> 3) + CONTROL.numbers / 2 + NUMBERS[from];
    for (let i = 0; i < numbers.length; i++) doubles[place + i] = numbers[i] as number;
  }

  /** Does a step with everybody. @throws TRAINER_FAILED when a worker is gone */
  run(command: Command): void {
    const { memory } = this;
    if (this.#threads === 1) {
      doShare({ memory, thread: 0 }, command);
      return;
    }
    this.#publish(command);
    doShare({ memory, thread: 0 }, command);
    this.#awaitWorkers();
  }

  #publish(command: Command): void {
    const { ints, layout } = this.memory;
    const control = layout.control >>> 2;
    ints[control + CONTROL.command] = command;
    Atomics.store(ints, control + CONTROL.done, 0);
    Atomics.add(ints, control + CONTROL.sequence, 1);
    Atomics.notify(ints, control + CONTROL.sequence);
  }

  #awaitWorkers(): void {
    const { ints, layout } = this.memory;
    const control = layout.control >>> 2;
    const all = this.#threads - 1;
    for (let i = 0; i < SPINS; i++) if (Atomics.load(ints, control + CONTROL.done) === all) break;
    for (;;) {
      const done = Atomics.load(ints, control + CONTROL.done);
      if (done === all) break;
      if (Atomics.wait(ints, control + CONTROL.done, done, LONGEST_STEP_MS) === "timed-out") throw workerGone();
    }
    if (ints[control + CONTROL.hasFailed] !== 0) throw workerGone();
  }

  /** Ends the workers, wherever they are; resolves when they are gone. */
  async close(): Promise<void> {
    if (this.#threads > 1) this.#publish(COMMANDS.stop);
    this.#threads = 1;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

async function endOf(worker: Worker): Promise<never> {
  await once(worker, "exit");
  throw workerGone();
}

function workerGone() {
  return fail("TRAINER_FAILED", {
    message: "A thread of the training ended in the middle of a step.",
    remedy: "Start the run again; if it happens again, set `threads: 1`.",
  });
}

/** Workers run the built JavaScript; from the TypeScript sources, the loader of configurations translates it (see storage/pglite). */
function startWorker(data: WorkerShare): Worker {
  const settings = { workerData: data, execArgv: [] };
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL("./crew-worker.js", import.meta.url), settings);
  const jiti = createRequire(import.meta.url).resolve("jiti");
  const file = fileURLToPath(new URL("./crew-worker.ts", import.meta.url));
  const source = `require(${JSON.stringify(jiti)}).createJiti(${JSON.stringify(pathToFileURL(file).href)}).import(${JSON.stringify(file)})`;
  return new Worker(source, { ...settings, eval: true });
}
