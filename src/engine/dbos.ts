/**
 * Durable execution on DBOS over a given pg.Pool, embedded or a server: the Engine port.
 *
 * A workflow's steps are rows; after a crash the workflow runs again and finished steps return what they returned. Steps are
 * at least once: killed between doing and recording, a step is done again, so each must be idempotent.
 *
 * | state    | means                                       | moves on when                             |
 * |----------|---------------------------------------------|-------------------------------------------|
 * | new      | workflows and schedules are registered      | `start`                                   |
 * | running  | dispatches, answers, beats                  | `stop`                                    |
 * | stopping | starts nothing; steps under way may finish  | they have, or the grace and 3 s more pass |
 * | stopped  | answers ENGINE_STOPPED                      | never: make another engine                |
 */
import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Pool } from "pg";
import {
  type Engine,
  fail,
  type Instant,
  type Json,
  type Logger,
  RetrainError,
  type SystemClock,
  type Workflow,
  type WorkflowContext,
  type WorkflowStatus,
} from "../core/index.ts";
import { DbosLibrary } from "./dbos-library.ts";
import { type Execution, Executions } from "./executions.ts";
import { attemptStep, errorText, plainJson, revivedError } from "./outcomes.ts";
import {
  canceledError,
  givenUp,
  idTaken,
  notRegistered,
  registeredLate,
  registeredTwice,
  startedTwice,
  stoppedError,
  unknownWorkflow,
} from "./refusals.ts";
import { type ScheduleEntry, Schedules, scheduleEntry } from "./schedules.ts";
import { createEngineTables } from "./tables.ts";
import { Workers } from "./workers.ts";

export interface DbosEngineOptions {
  readonly pool: Pool;
  readonly systemClock: SystemClock;
  readonly logger: Logger;
  /** Stable over restarts: a restarted process resumes the workflows recorded under its id at once. One live process per id. */
  readonly executorId: string;
  /** Of the workflows' shape, not of the package: unfinished workflows of another version wait for a worker of that version. */
  readonly applicationVersion: string;
  /** `api` enqueues, cancels and asks, and runs nothing. Default `all`. */
  readonly role?: "all" | "api" | "worker";
  /** Workflows of one queue at a time in this process. Default 4. */
  readonly concurrency?: number;
  /** Over all processes. Default: unlimited. */
  readonly overallConcurrency?: number;
  /** Starts and restarts of one workflow before it is given up as failed, against a run that kills every process it enters. Default 20. */
  readonly maxRecoveryAttempts?: number;
  /** Default 5 s and 30 s: six lost beats in a row are no network hiccup. */
  readonly heartbeatMs?: number;
  readonly silentAfterMs?: number;
}

/** How often `wait` asks for a workflow that runs in another process, ms. */
const WAIT_POLL_MS = 250;
/** After the grace, aborted steps get this long; job children are killed two seconds after their abort. */
const ABORT_GRACE_MS = 3000;
const DEFAULT_GRACE_MS = 10_000;
const DEFAULT_PARTITION = "-";

export function createDbosEngine(options: DbosEngineOptions): Engine {
  return new DbosEngine(options);
}

class DbosEngine implements Engine {
  readonly #options: DbosEngineOptions;
  readonly #workflows = new Map<string, Workflow>();
  readonly #entries = new Map<string, ScheduleEntry>();
  readonly #executions = new Executions();
  readonly #stopped = new AbortController();
  /** Wakes `wait` when a workflow of this process has ended. */
  readonly #endListeners = new Map<string, Set<() => void>>();
  /** Ended bodies whose outcome is being recorded. */
  readonly #settling = new Set<Promise<void>>();
  #state: "new" | "running" | "stopping" | "stopped" = "new";
  #library: DbosLibrary | undefined;
  #workers: Workers | undefined;
  #schedules: Schedules | undefined;

  constructor(options: DbosEngineOptions) {
    this.#options = options;
    // Every waiting request listens to it.
    setMaxListeners(0, this.#stopped.signal);
  }

  register(name: string, workflow: Workflow): void {
    if (this.#state !== "new") throw registeredLate("workflow", name);
    if (this.#workflows.has(name)) throw registeredTwice("workflow", name);
    this.#workflows.set(name, workflow);
  }

  schedule(name: string, cron: string, timeZone: string, run: (scheduledAt: Instant) => Promise<void>): void {
    if (this.#entries.has(name)) throw registeredTwice("schedule", name);
    const entry = scheduleEntry(name, cron, timeZone, run);
    this.#entries.set(name, entry);
    if (this.#state === "running") this.#schedules?.start(entry);
  }

  async start(): Promise<void> {
    if (this.#state !== "new") throw this.#state === "running" ? startedTwice() : stoppedError();
    const { pool, logger, executorId, applicationVersion } = this.#options;
    const dispatches = this.#options.role !== "api";
    const library = DbosLibrary.open({ pool, logger, executorId, applicationVersion, dispatches });
    try {
      for (const name of this.#workflows.keys()) {
        library.register(name, this.#options.maxRecoveryAttempts ?? 20, (input, place) =>
          this.#execute(library, name, input, place),
        );
      }
      await createEngineTables(pool);
      this.#library = library;
      this.#workers = this.#createWorkers(library);
      // Alive before the first workflow runs: others must not take it over.
      if (dispatches) await this.#workers.beat();
      this.#state = "running";
      await library.launch();
    } catch (error) {
      this.#state = "stopped";
      await library.shutdown().catch(() => {});
      throw error;
    }
    if (!dispatches) return;
    for (const queue of await library.knownQueues()) this.#look(library, queue);
    this.#workers.start();
    this.#schedules = new Schedules({ ...this.#options, silentAfterMs: this.#options.silentAfterMs ?? 30_000 });
    for (const entry of this.#entries.values()) this.#schedules.start(entry);
  }

  #createWorkers(library: DbosLibrary): Workers {
    return new Workers({
      ...this.#options,
      heartbeatMs: this.#options.heartbeatMs ?? 5000,
      silentAfterMs: this.#options.silentAfterMs ?? 30_000,
      takeOver: (executorIds) => library.takeOver(executorIds),
      runsHere: (id) => library.runsHere(id) || this.#executions.all.includes(id),
      release: (ids) => library.release(ids),
    });
  }

  async stop(graceMs = DEFAULT_GRACE_MS): Promise<void> {
    if (this.#state !== "running") {
      this.#state = "stopped";
      return;
    }
    const library = this.#running();
    this.#state = "stopping";
    this.#executions.close();
    library.stopDispatching();
    const schedulesStopped = this.#schedules?.stop();
    await this.#workers?.stop();
    await this.#drain(graceMs);
    await Promise.race([schedulesStopped, delay(ABORT_GRACE_MS, undefined, { ref: false })]);
    this.#stopped.abort(stoppedError());
    this.#state = "stopped";
    try {
      // Others may go on with them at once; this process will at its next start.
      if (this.#options.role !== "api") {
        await library.release(this.#executions.all);
        await this.#workers?.leave();
      }
    } catch (error) {
      this.#options.logger.warn({ reason: String(error) }, "The engine stopped without saying so in the database.");
    }
    await library.shutdown();
  }

  /** Steps may finish; past the grace they are aborted. Whatever is left then is left to the next start. */
  async #drain(graceMs: number): Promise<void> {
    await this.#executions.quiet(AbortSignal.timeout(graceMs));
    this.#executions.abort(stoppedError());
    await this.#executions.quiet(AbortSignal.timeout(ABORT_GRACE_MS));
    // The outcome of a body that has returned is still being recorded.
    await Promise.race([Promise.all(this.#settling), delay(ABORT_GRACE_MS, undefined, { ref: false })]);
  }

  #running(): DbosLibrary {
    if (this.#library === undefined || this.#state === "stopped" || this.#state === "new") throw stoppedError();
    return this.#library;
  }

  async enqueue(request: Parameters<Engine["enqueue"]>[0]): Promise<void> {
    const library = this.#running();
    if (!this.#workflows.has(request.workflow)) throw notRegistered(request.workflow, this.#workflows.keys());
    const { queue, partition } = request;
    await library.declareQueue(queue, {
      perProcess: this.#options.concurrency ?? 4,
      overall: this.#options.overallConcurrency,
    });
    try {
      await library.enqueue({
        ...request,
        partition: partition ?? DEFAULT_PARTITION,
        input: plainJson(request.input),
      });
    } catch (error) {
      if (!library.isOtherWorkflowError(error)) throw error;
      throw idTaken(request.id, (await library.status(request.id))?.workflowName ?? "", request.workflow);
    }
    this.#look(library, queue);
  }

  #look(library: DbosLibrary, queue: string): void {
    library.look(queue).catch((error: unknown) => {
      this.#options.logger.warn({ queue, reason: String(error) }, "Could not look at a queue; its next poll will.");
    });
  }

  /** The body the library runs: the first time, and again after each crash. */
  async #execute(library: DbosLibrary, name: string, input: Json, place: string): Promise<Json> {
    const workflow = this.#workflows.get(name) as Workflow;
    const id = library.workflowId();
    const queue = place.slice(0, place.indexOf("/"));
    const outcome = this.#executions.run(id, place, async (execution) => {
      if (this.#executions.closing) return this.#executions.park(execution);
      try {
        return plainJson(await workflow(this.#context(library, execution), input));
      } catch (error) {
        if (this.#executions.aborting) return this.#executions.park(execution);
        throw error;
      }
    });
    const ended = () => {
      const settled = this.#afterBody(library, id, queue).finally(() => this.#settling.delete(settled));
      this.#settling.add(settled);
    };
    outcome.then(ended, ended);
    return outcome;
  }

  #context(library: DbosLibrary, execution: Execution): WorkflowContext {
    const executions = this.#executions;
    const step: WorkflowContext["step"] = async (name, run, options) => {
      if (executions.closing) return executions.park(execution);
      const perform = async (canceled: AbortSignal): Promise<Json> => {
        const cancel = () => execution.abort.abort(canceledError(execution.id));
        canceled.addEventListener("abort", cancel, { once: true });
        try {
          return await attemptStep({
            run,
            maxAttempts: options?.maxAttempts ?? 1,
            signal: execution.abort.signal,
            systemClock: this.#options.systemClock,
          });
        } catch (error) {
          if (executions.aborting) return executions.park(execution);
          throw error;
        } finally {
          canceled.removeEventListener("abort", cancel);
        }
      };
      try {
        return (await library.step(name, perform)) as Awaited<ReturnType<typeof run>>;
      } catch (error) {
        if (executions.aborting) return executions.park(execution);
        throw await this.#stepError(library, execution, error);
      }
    };
    return { workflowId: execution.id, step, signal: execution.abort.signal };
  }

  /** What the workflow's own code sees: the step's error, or that it is canceled, or that another worker has taken it over. */
  async #stepError(library: DbosLibrary, execution: Execution, error: unknown): Promise<Error> {
    if (!library.isLostError(error)) return revivedError(error);
    if (execution.abort.signal.aborted || (await library.status(execution.id))?.status === "CANCELLED") {
      execution.abort.abort(canceledError(execution.id));
      return canceledError(execution.id);
    }
    return fail("ATTEMPT_STALE", {
      message: `The workflow ${execution.id} was taken over by another worker while this one was silent.`,
      remedy: "Nothing to do: the other worker finishes it.",
    });
  }

  /** The body has ended; when the library has recorded its outcome, wake who waits and look whether the partition's next can begin. */
  async #afterBody(library: DbosLibrary, id: string, queue: string): Promise<void> {
    while (library.runsHere(id) && this.#state !== "stopped") await delay(2, undefined, { ref: false });
    this.#wake(id);
    if (this.#state === "running") this.#look(library, queue);
  }

  #wake(id: string): void {
    for (const listener of this.#endListeners.get(id) ?? []) listener();
  }

  async cancel(id: string): Promise<boolean> {
    const library = this.#running();
    const before = await this.status(id);
    if (before === undefined || (before.state !== "queued" && before.state !== "running")) return false;
    await library.cancel(id);
    const canceled = (await this.status(id))?.state === "canceled";
    // A step in this process hears it now, one elsewhere at that process's next poll, within a second.
    if (canceled) this.#executions.cancel(id, canceledError(id));
    this.#wake(id);
    return canceled;
  }

  async status(id: string): Promise<WorkflowStatus | undefined> {
    const found = await this.#running().status(id);
    if (found === undefined) return undefined;
    switch (found.status) {
      case "ENQUEUED":
      case "DELAYED":
        return { id, state: "queued" };
      case "SUCCESS":
        return { id, state: "done", output: (found.output ?? null) as Json };
      case "ERROR":
        return { id, state: "failed", error: errorText(found.error) };
      case "CANCELLED":
        return { id, state: "canceled" };
      case "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return { id, state: "failed", error: errorText(givenUp(id, found.recoveryAttempts ?? 0)) };
      default:
        return { id, state: "running" };
    }
  }

  async wait(id: string, signal?: AbortSignal): Promise<WorkflowStatus> {
    const either = signal === undefined ? this.#stopped.signal : AbortSignal.any([signal, this.#stopped.signal]);
    for (;;) {
      either.throwIfAborted();
      // Listening begins before asking: an end between the two must not be slept through.
      const pause = this.#pause(id, either);
      try {
        const status = await this.#statusUnlessAway(id);
        if (status === undefined) throw unknownWorkflow(id);
        if (status !== "away" && status.state !== "queued" && status.state !== "running") return status;
        await pause.over;
      } finally {
        pause.end();
      }
    }
  }

  /** An outage of the database ends no wait: the workflow itself waits for its end too. */
  async #statusUnlessAway(id: string): Promise<WorkflowStatus | undefined | "away"> {
    try {
      return await this.status(id);
    } catch (error) {
      if (error instanceof RetrainError && error.code.startsWith("STORE_") && error.retryable) return "away";
      throw error;
    }
  }

  /** Over when the workflow ended here, or when it is time to ask again because it may run elsewhere. */
  #pause(id: string, signal: AbortSignal): { readonly over: Promise<void>; end(): void } {
    const listeners = this.#endListeners.get(id) ?? new Set();
    this.#endListeners.set(id, listeners);
    let end = () => {};
    const over = new Promise<void>((resolve) => {
      end = () => {
        clearTimeout(timer);
        listeners.delete(end);
        if (listeners.size === 0) this.#endListeners.delete(id);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(() => end(), WAIT_POLL_MS);
      listeners.add(end);
      signal.addEventListener("abort", end, { once: true });
    });
    return { over, end: () => end() };
  }

  async steps(id: string): ReturnType<Engine["steps"]> {
    const steps = await this.#running().steps(id);
    return steps.map((step) => ({
      name: step.name,
      startedAt: step.startedAtEpochMs ?? null,
      endedAt: step.completedAtEpochMs ?? null,
      ...(step.error ? { error: errorText(step.error) } : {}),
    }));
  }

  async prune(before: Instant): Promise<number> {
    const count = await this.#running().prune(before);
    await this.#workers?.forgetOld();
    return count;
  }
}
