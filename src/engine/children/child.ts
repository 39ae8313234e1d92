/**
 * One killable child process doing one job at a time.
 *
 * | state    | means                                  | moves on when                                              |
 * |----------|----------------------------------------|------------------------------------------------------------|
 * | starting | spawned, loading its modules           | `ready` arrives, or it dies, or 30 s pass                  |
 * | idle     | waits for a job                        | `run` is called                                            |
 * | busy     | a job is under way                     | done, failed; or it dies, by itself or killed by us        |
 * | dead     | the process has ended, or is being ended | never: the pool starts another                            |
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import process from "node:process";
import {
  type ChildMessage,
  fail,
  type JobLimits,
  type JobRequest,
  type JsonObject,
  type Logger,
  OutputTail,
  type ParentMessage,
  RetrainError,
  type SystemClock,
} from "../../core/index.ts";
import { checkedResult, nonFinitePath, revivedError } from "./answers.ts";
import { killGroup, lowerPriority, residentBytes } from "./process-tree.ts";

/** Modules load in well under a second; a machine swapping hard may need more. Past this the entry is broken. */
const START_LIMIT_MS = 30_000;
/** A canceled job may clean up; after this it is killed. Short, because a person pressed a button. */
const CANCEL_GRACE_MS = 2000;
/** Five samples a second find a growing job long before the machine swaps, and cost about 0.1 % of a core. */
const MEMORY_SAMPLE_MS = 200;
/** setTimeout overflows beyond 2^31 − 1 ms and would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

export interface ChildSettings {
  readonly entry: string;
  readonly nodeArguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly systemClock: SystemClock;
  readonly logger: Logger;
}
export interface ChildJob {
  readonly request: JobRequest;
  readonly limits: JobLimits;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((message: JsonObject) => void) | undefined;
}

export class Child {
  state: "starting" | "idle" | "busy" | "dead" = "starting";
  jobsDone = 0;
  /** The affinity of the job under way, or of the last one. */
  affinity: string | undefined;
  /** Resolves when usable; rejects with TRAINER_CRASHED when it never was. */
  readonly ready: Promise<void>;
  readonly exited: Promise<void>;
  readonly #process: ChildProcess;
  readonly #settings: ChildSettings;
  readonly #output = new OutputTail();
  #current:
    | {
        id: string;
        type: string;
        progress: ChildJob["onProgress"];
        settle: (result: JsonObject | RetrainError) => void;
      }
    | undefined;
  #exit: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  #nextId = 1;

  constructor(settings: ChildSettings) {
    this.#settings = settings;
    this.#process = spawn(process.execPath, [...settings.nodeArguments, settings.entry], {
      env: settings.environment,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      serialization: "advanced",
      // Its own process group: Ctrl-C reaches the parent alone, and a kill takes along what the job has started.
      detached: true,
      windowsHide: true,
    });
    // From the first moment: what it loads must not take a core from a server that starts. Again when it is ready, with all its threads.
    if (this.#process.pid !== undefined) lowerPriority(this.#process.pid);
    for (const stream of [this.#process.stdout, this.#process.stderr]) if (stream) this.#output.follow(stream);
    this.exited = new Promise((resolve) => {
      // `close` comes after the last output was read; `error` alone when the process could not be started.
      this.#process.once("close", (code, signal) => {
        this.#exit ??= { code, signal };
        this.#onGone();
        resolve();
      });
      this.#process.once("error", (error) => {
        if (this.#process.pid !== undefined) return;
        this.#settings.logger.error({ reason: error.message }, "A job child could not be started.");
        this.#onGone();
        resolve();
      });
    });
    this.#process.once("exit", (code, signal) => {
      this.#exit = { code, signal };
      // A grandchild that holds the pipes would delay `close` for as long as it lives.
      if (this.#process.pid !== undefined) killGroup(this.#process.pid);
    });
    this.ready = this.#awaitReady();
    this.ready.catch(() => {});
    this.#process.on("message", (message) => this.#onMessage(message as ChildMessage));
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  #onReady: (() => void) | undefined;
  #awaitReady(): Promise<void> {
    const { logger, systemClock } = this.#settings;
    const begun = systemClock.monotonicMs();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.kill(), START_LIMIT_MS);
      this.#onReady = () => {
        clearTimeout(timer);
        this.state = "idle";
        if (this.#process.pid !== undefined) lowerPriority(this.#process.pid);
        this.#reference(false);
        logger.debug(
          { pid: this.pid ?? 0, startMs: Math.round(systemClock.monotonicMs() - begun) },
          "A job child is ready.",
        );
        resolve();
      };
      void this.exited.then(() => {
        clearTimeout(timer);
        reject(this.#crash("before it could take a job"));
      });
    });
  }

  #onMessage(message: ChildMessage): void {
    if (message.kind === "ready") {
      if (this.state === "starting") this.#onReady?.();
      return;
    }
    const current = this.#current;
    // A late word about a job that was already settled.
    if (current === undefined || current.id !== message.id) return;
    if (message.kind === "progress") this.#relayProgress(current, message.message);
    else if (message.kind === "done") current.settle(checkedResult(current.type, message.result));
    else current.settle(revivedError(message.error, this.#output.lines()));
  }

  #relayProgress(current: { type: string; progress: ChildJob["onProgress"] }, message: JsonObject): void {
    const where = nonFinitePath(message);
    if (where !== undefined) {
      // The result decides about a diverged job; a trace point that cannot be stored must not end one that may recover.
      this.#settings.logger.warn(
        { job: current.type, where },
        "Dropped a progress message that holds a non-finite number.",
      );
      return;
    }
    try {
      current.progress?.(message);
    } catch (error) {
      this.#settings.logger.error({ job: current.type, reason: String(error) }, "A progress listener threw an error.");
    }
  }

  /** Runs one job on an idle child. Afterwards the state says whether the child can be used again. */
  async run(job: ChildJob): Promise<JsonObject> {
    const id = String(this.#nextId++);
    this.state = "busy";
    this.affinity = job.request.affinity;
    this.#output.clear();
    this.#reference(true);
    const stop = new AbortController();
    try {
      return await new Promise<JsonObject>((resolve, reject) => {
        this.#current = {
          id,
          type: job.request.type,
          progress: job.onProgress,
          settle: (outcome) => (outcome instanceof RetrainError ? reject(outcome) : resolve(outcome)),
        };
        this.#watchCancel(id, job, stop.signal);
        this.#watchTime(job, stop.signal);
        this.#watchMemory(job, stop.signal);
        const { type, input } = job.request;
        this.#send({ kind: "run", id, type, input });
      });
    } finally {
      stop.abort();
      this.#current = undefined;
      this.jobsDone++;
      if (this.state === "busy") {
        this.state = "idle";
        this.#reference(false);
      }
    }
  }

  #send(message: ParentMessage): void {
    this.#process.send(message, (error) => {
      // The channel of a dying child; its exit settles the job. A value that cannot be cloned must not hang it.
      if (error !== null && this.#process.connected && message.kind === "run") {
        this.#current?.settle(
          fail("INTERNAL", {
            message: `The input of job "${message.type}" could not be sent: ${error.message}`,
            remedy: "Job input must be plain JSON.",
            cause: error,
          }),
        );
      }
    });
  }

  #watchCancel(id: string, job: ChildJob, stopped: AbortSignal): void {
    const { signal } = job;
    if (signal === undefined) return;
    const cancel = () => {
      const current = this.#current;
      if (current === undefined) return;
      const canceled = fail("TRAINER_CANCELED", {
        message: `The job "${job.request.type}" was canceled.`,
        remedy: "Start a new run when the model should be trained after all.",
      });
      const reject = current.settle;
      const finish = () => {
        clearTimeout(timer);
        // Also a child that obeyed is replaced: what it had loaded may be half changed.
        this.kill();
        reject(canceled);
      };
      // Whatever the job answers now, it was canceled.
      current.settle = finish;
      const timer = setTimeout(finish, CANCEL_GRACE_MS);
      if (this.state === "busy") this.#send({ kind: "cancel", id });
    };
    if (signal.aborted) cancel();
    else {
      signal.addEventListener("abort", cancel, { once: true });
      stopped.addEventListener("abort", () => signal.removeEventListener("abort", cancel), { once: true });
    }
  }

  #watchTime(job: ChildJob, stopped: AbortSignal): void {
    const { timeoutMs } = job.limits;
    const timer = setTimeout(
      () => {
        const current = this.#current;
        this.kill();
        current?.settle(
          fail("TRAINER_TIMEOUT", {
            message: `The job "${job.request.type}" was killed after ${timeoutMs} ms, its time limit.${this.#lastLines()}`,
            remedy: "Raise the trainer's time limit, train on a shorter window, or make the trainer smaller.",
            details: { timeoutMs, output: this.#output.lines() },
          }),
        );
      },
      Math.min(timeoutMs, MAX_TIMER_MS),
    );
    stopped.addEventListener("abort", () => clearTimeout(timer), { once: true });
  }

  #watchMemory(job: ChildJob, stopped: AbortSignal): void {
    const { pid } = this.#process;
    const { memoryBytes } = job.limits;
    if (pid === undefined) return;
    let sampling = false;
    const timer = setInterval(() => {
      if (sampling) return;
      sampling = true;
      void residentBytes(pid).then((bytes) => {
        sampling = false;
        if (bytes <= memoryBytes || stopped.aborted) return;
        const current = this.#current;
        this.kill();
        current?.settle(
          fail("TRAINER_OUT_OF_MEMORY", {
            message: `The job "${job.request.type}" used ${megabytes(bytes)} MB of memory and was killed: its limit is ${megabytes(memoryBytes)} MB.${this.#lastLines()}`,
            remedy: "Raise the trainer's memory limit, train on a shorter window, or use fewer columns.",
            details: { memoryBytes: bytes, limitBytes: memoryBytes, output: this.#output.lines() },
          }),
        );
      });
    }, MEMORY_SAMPLE_MS);
    stopped.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  kill(): void {
    this.state = "dead";
    if (this.#process.pid !== undefined) killGroup(this.#process.pid);
  }

  #onGone(): void {
    this.state = "dead";
    this.#current?.settle(this.#crash(`during the job "${this.#current.type}"`));
  }

  #crash(when: string): RetrainError {
    const { code, signal } = this.#exit ?? { code: null, signal: null };
    const how = signal === null ? `exit code ${code ?? "unknown"}` : `signal ${signal}`;
    return fail("TRAINER_CRASHED", {
      message: `The training process ended with ${how} ${when}.${this.#lastLines()}`,
      remedy:
        signal === "SIGKILL"
          ? "A SIGKILL from outside is usually the system running out of memory: lower the trainer's memory limit or free memory."
          : "Read its last lines; run the same step by hand with `retrain train --run ID --keep`.",
      details: { exitCode: code, signal, output: this.#output.lines() },
    });
  }

  #lastLines(): string {
    const lines = this.#output.lines();
    return lines.length === 0 ? " It printed nothing." : ` Its last lines:\n${lines.join("\n")}`;
  }

  /** An idle child must not keep a finished command alive; a busy one must. */
  #reference(active: boolean): void {
    const verb = active ? "ref" : "unref";
    this.#process[verb]();
    this.#process.channel?.[verb]();
    for (const stream of [this.#process.stdout, this.#process.stderr]) (stream as Socket | null)?.[verb]();
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1_048_576);
}
