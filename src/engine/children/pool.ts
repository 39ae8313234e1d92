/**
 * Pre-started, killable child processes for everything that touches a dataset: the serving event loop never does.
 *
 * One job at a time per child; a child is replaced when it crashed, was canceled, passed a limit, or has done its share of jobs
 * (fragmented memory goes back to the system). Requests of one affinity go to the child that served it last, which may still
 * hold their dataset; when that child is busy with something else and another is free, the free one is better.
 */
import { availableParallelism, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import {
  allowedEnvironment,
  fail,
  type JobLimits,
  type JobOptions,
  type JobPool,
  type JobRequest,
  type JsonObject,
  type Logger,
  type SystemClock,
} from "../../core/index.ts";
import { Child, type ChildSettings } from "./child.ts";

export interface JobPoolOptions {
  /** The module a child runs; plain JavaScript that calls `serveJobs`. */
  readonly entry: URL | string;
  /** Default: one per processor core. */
  readonly size?: number;
  readonly systemClock: SystemClock;
  readonly logger: Logger;
  /** Names of environment variables a child may see, besides the few every program needs. Secrets stay out unless named. */
  readonly environment?: readonly string[];
  /** Default 200. */
  readonly maxJobsPerChild?: number;
  /** Default: six hours and half of the machine's memory. */
  readonly defaultLimits?: JobLimits;
  readonly nodeArguments?: readonly string[];
}

interface Waiting {
  readonly request: JobRequest;
  readonly options: JobOptions;
  readonly resolve: (result: JsonObject) => void;
  readonly reject: (error: Error) => void;
  release(): void;
}

export function createJobPool(options: JobPoolOptions): JobPool {
  return new ChildPool(options);
}

class ChildPool implements JobPool {
  readonly #options: JobPoolOptions;
  readonly #settings: ChildSettings;
  readonly #size: number;
  readonly #children = new Set<Child>();
  /** Which child served an affinity last. */
  readonly #homes = new Map<string, Child>();
  #queue: Waiting[] = [];
  #closed = false;

  constructor(options: JobPoolOptions) {
    this.#options = options;
    this.#size = Math.max(1, options.size ?? availableParallelism());
    const { entry } = options;
    const isUrl = entry instanceof URL || entry.startsWith("file:");
    this.#settings = {
      entry: isUrl ? fileURLToPath(entry) : entry,
      nodeArguments: options.nodeArguments ?? [],
      environment: allowedEnvironment(options.environment ?? []),
      systemClock: options.systemClock,
      logger: options.logger,
    };
  }

  async warm(count = this.#size): Promise<void> {
    this.#checkOpen();
    while (this.#children.size < Math.min(count, this.#size)) this.#start();
    await Promise.all([...this.#children].map((child) => child.ready));
  }

  run(request: JobRequest, options: JobOptions = {}): Promise<JsonObject> {
    return new Promise((resolve, reject) => {
      this.#checkOpen();
      const { signal } = options;
      const waiting: Waiting = {
        request,
        options,
        resolve,
        reject,
        release: () => signal?.removeEventListener("abort", abandon),
      };
      const abandon = () => {
        this.#queue = this.#queue.filter((other) => other !== waiting);
        reject(
          fail("TRAINER_CANCELED", {
            message: `The job "${request.type}" was canceled before it began.`,
            remedy: "Start a new run when the model should be trained after all.",
          }),
        );
      };
      if (signal?.aborted) return abandon();
      signal?.addEventListener("abort", abandon, { once: true });
      this.#queue.push(waiting);
      this.#dispatch();
    });
  }

  /** Kills every child; jobs under way and waiting fail with ENGINE_STOPPED. */
  async close(): Promise<void> {
    this.#closed = true;
    const waiting = this.#queue;
    this.#queue = [];
    for (const job of waiting) {
      job.release();
      job.reject(stopped());
    }
    const children = [...this.#children];
    for (const child of children) child.kill();
    await Promise.all(children.map((child) => child.exited));
  }

  #checkOpen(): void {
    if (this.#closed) throw stopped();
  }

  #start(): Child {
    const child = new Child(this.#settings);
    this.#children.add(child);
    const wake = () => this.#dispatch();
    child.ready.then(wake, () => this.#startFailed(child));
    void child.exited.then(() => {
      this.#forget(child);
      wake();
    });
    return child;
  }

  #forget(child: Child): void {
    this.#children.delete(child);
    for (const [affinity, home] of this.#homes) if (home === child) this.#homes.delete(affinity);
  }

  /** An entry that does not load would be started for ever: the oldest waiting job takes the error instead. */
  #startFailed(child: Child): void {
    this.#forget(child);
    const waiting = this.#queue.shift();
    if (waiting === undefined) return;
    waiting.release();
    child.ready.catch((error: Error) => waiting.reject(error));
    this.#dispatch();
  }

  #dispatch(): void {
    if (this.#closed) return;
    let passed: Waiting[] = [];
    for (const waiting of this.#queue) {
      const child = this.#choose(waiting.request.affinity);
      if (child === undefined) passed = [...passed, waiting];
      else this.#assign(child, waiting);
    }
    this.#queue = passed;
    const starting = [...this.#children].filter((child) => child.state === "starting").length;
    const wanted = Math.min(this.#size - this.#children.size, passed.length - starting);
    for (let i = 0; i < wanted; i++) this.#start();
  }

  #choose(affinity: string): Child | undefined {
    const home = this.#homes.get(affinity);
    if (home?.state === "idle") return home;
    // Its dataset is being worked on there right now: loading it a second time elsewhere costs more than the wait.
    if (home?.state === "busy" && home.affinity === affinity) return undefined;
    let best: Child | undefined;
    for (const child of this.#children) {
      if (child.state !== "idle") continue;
      // The one that has worked most has compiled most: a first job costs several times a later one.
      if (best === undefined || child.jobsDone > best.jobsDone) best = child;
    }
    return best;
  }

  #assign(child: Child, waiting: Waiting): void {
    const { request, options } = waiting;
    waiting.release();
    this.#homes.set(request.affinity, child);
    child
      .run({
        request,
        limits: options.limits ?? this.#options.defaultLimits ?? DEFAULT_LIMITS,
        signal: options.signal,
        onProgress: options.onProgress,
      })
      // First the housekeeping: the caller's next job must not reach a child that is due for replacement.
      .finally(() => this.#afterJob(child))
      .then(waiting.resolve, (error: Error) => waiting.reject(this.#closed ? stopped() : error));
  }

  #afterJob(child: Child): void {
    if (child.state === "idle" && child.jobsDone >= (this.#options.maxJobsPerChild ?? 200)) child.kill();
    if (child.state === "dead" && !this.#closed) {
      // The next job finds a child that has loaded its modules already.
      this.#forget(child);
      if (this.#children.size < this.#size) this.#start();
    }
    this.#dispatch();
  }
}

const DEFAULT_LIMITS: JobLimits = { timeoutMs: 6 * 3_600_000, memoryBytes: Math.floor(totalmem() / 2) };

function stopped(): Error {
  return fail("ENGINE_STOPPED", {
    message: "The pool of job processes is closed; the job was not finished.",
    remedy: "Start the server again: an unfinished run goes on by itself.",
    retryable: true,
  });
}
