/**
 * The Engine port in one process and in memory, for tests, backtests and replays. Workflows see what they see under the durable
 * engine: results and errors that went through JSON, recorded steps, partitions, cancel, stop and resume. What a crash would
 * lose is lost. Schedules fire on a clock of its own that only `advance` moves.
 */
import { setMaxListeners } from "node:events";
import {
  type Engine,
  fail,
  type Instant,
  type Json,
  type Logger,
  type SystemClock,
  type Workflow,
  type WorkflowContext,
  type WorkflowStatus,
} from "../core/index.ts";
import { dueOccurrence } from "./cron.ts";
import { type Execution, Executions } from "./executions.ts";
import { attemptStep, errorText, plainJson, revivedError } from "./outcomes.ts";
import { canceledError, idTaken, notRegistered, stoppedError, unknownWorkflow } from "./refusals.ts";
import { type ScheduleEntry, scheduleEntry } from "./schedules.ts";

export interface VirtualEngineOptions {
  readonly systemClock: SystemClock;
  readonly logger: Logger;
  /** Where the virtual clock begins. Default: the system clock's now. */
  readonly start?: Instant;
  /** Workflows of one queue at a time. Default 4. */
  readonly concurrency?: number;
  /** What outlives the engine: a second engine over the same memory goes on with what the first left unfinished. */
  readonly memory?: VirtualMemory;
}
export interface VirtualEngine extends Engine {
  now(): Instant;
  /**
   * Moves the clock, firing every scheduled occurrence up to `to` at its own instant and in order; after each it waits until
   * the workflows it enqueued, and those they enqueued, have ended.
   * @throws CLOCK_BACKWARD
   */
  advance(to: Instant): Promise<void>;
  /** Resolves when no workflow is queued or running. */
  idle(): Promise<void>;
}

interface RecordedStep {
  readonly name: string;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
  readonly output?: Json;
  readonly error?: string;
}
interface WorkflowRecord {
  readonly id: string;
  readonly workflow: string;
  readonly queue: string;
  readonly partition: string;
  readonly input: Json;
  readonly steps: RecordedStep[];
  state: WorkflowStatus["state"];
  output?: Json;
  error?: string;
  endedAt?: Instant;
}
/** Made by `createVirtualMemory`; opaque. */
export interface VirtualMemory {
  readonly workflows: Map<string, WorkflowRecord>;
  readonly fired: Map<string, Instant>;
}
export function createVirtualMemory(): VirtualMemory {
  return { workflows: new Map(), fired: new Map() };
}
export function createVirtualEngine(options: VirtualEngineOptions): VirtualEngine {
  return new InMemoryEngine(options);
}

class InMemoryEngine implements VirtualEngine {
  readonly #options: VirtualEngineOptions;
  readonly #memory: VirtualMemory;
  readonly #workflows = new Map<string, Workflow>();
  readonly #entries = new Map<string, ScheduleEntry>();
  readonly #executions = new Executions();
  readonly #stopped = new AbortController();
  readonly #listeners = new Set<() => void>();
  #state: "new" | "running" | "stopped" = "new";
  #now: Instant;

  constructor(options: VirtualEngineOptions) {
    this.#options = options;
    // Everyone who waits listens to it.
    setMaxListeners(0, this.#stopped.signal);
    this.#memory = options.memory ?? createVirtualMemory();
    this.#now = options.start ?? options.systemClock.now();
  }

  now(): Instant {
    return this.#now;
  }

  register(name: string, workflow: Workflow): void {
    if (this.#state !== "new" || this.#workflows.has(name)) {
      throw fail("CONFLICT", {
        message: `The workflow "${name}" is registered already, or the engine has started.`,
        remedy: "Register each workflow once, before start.",
      });
    }
    this.#workflows.set(name, workflow);
  }

  schedule(name: string, cron: string, timeZone: string, run: (scheduledAt: Instant) => Promise<void>): void {
    this.#entries.set(name, scheduleEntry(name, cron, timeZone, run));
    if (!this.#memory.fired.has(name)) this.#memory.fired.set(name, this.#now);
  }

  async start(): Promise<void> {
    if (this.#state !== "new") throw stoppedError();
    this.#state = "running";
    for (const record of this.#memory.workflows.values()) if (record.state === "running") record.state = "queued";
    this.#dispatch();
    for (const entry of this.#entries.values()) {
      const due = dueOccurrence(entry.rule, this.#memory.fired.get(entry.name) ?? this.#now, this.#now);
      if (due !== undefined) await this.#fire(entry, due);
    }
  }

  async stop(graceMs = 10_000): Promise<void> {
    if (this.#state !== "running") return;
    this.#executions.close();
    await this.#executions.quiet(AbortSignal.timeout(graceMs));
    this.#executions.abort(stoppedError());
    await this.#executions.quiet(AbortSignal.timeout(3000));
    this.#state = "stopped";
    this.#stopped.abort(stoppedError());
  }

  #checkRunning(): void {
    if (this.#state !== "running") throw stoppedError();
  }

  async enqueue(request: Parameters<Engine["enqueue"]>[0]): Promise<void> {
    this.#checkRunning();
    const { id, workflow, queue, partition = "-" } = request;
    if (!this.#workflows.has(workflow)) throw notRegistered(workflow, this.#workflows.keys());
    const known = this.#memory.workflows.get(id);
    if (known !== undefined) {
      if (known.workflow !== workflow) throw idTaken(id, known.workflow, workflow);
      return;
    }
    const input = plainJson(request.input);
    this.#memory.workflows.set(id, { id, workflow, queue, partition, input, steps: [], state: "queued" });
    this.#dispatch();
  }

  #dispatch(): void {
    if (this.#state !== "running" || this.#executions.closing) return;
    const records = [...this.#memory.workflows.values()];
    const busy = new Set<string>();
    const perQueue = new Map<string, number>();
    const place = (record: WorkflowRecord) => `${record.queue}/${record.partition}`;
    for (const record of records) {
      if (record.state !== "running") continue;
      busy.add(place(record));
      perQueue.set(record.queue, (perQueue.get(record.queue) ?? 0) + 1);
    }
    for (const record of records) {
      const running = perQueue.get(record.queue) ?? 0;
      if (record.state !== "queued" || busy.has(place(record)) || running >= (this.#options.concurrency ?? 4)) continue;
      record.state = "running";
      busy.add(place(record));
      perQueue.set(record.queue, running + 1);
      void this.#execute(record, place(record));
    }
  }

  async #execute(record: WorkflowRecord, place: string): Promise<void> {
    const workflow = this.#workflows.get(record.workflow);
    const outcome = await this.#executions.run(record.id, place, async (execution) => {
      if (record.state !== "running") return {};
      try {
        if (workflow === undefined) throw stoppedError();
        return { output: plainJson(await workflow(this.#context(record, execution), record.input)) };
      } catch (error) {
        if (this.#executions.aborting) return this.#executions.park(execution);
        return { error: errorText(error) };
      }
    });
    // A canceled workflow stays canceled, whatever its body returned.
    if (record.state === "running") {
      Object.assign(record, outcome);
      this.#end(record, outcome.error === undefined ? "done" : "failed");
    }
    this.#dispatch();
  }

  #end(record: WorkflowRecord, state: WorkflowStatus["state"]): void {
    record.state = state;
    record.endedAt = this.#options.systemClock.now();
    for (const listener of this.#listeners) listener();
  }

  #context(record: WorkflowRecord, execution: Execution): WorkflowContext {
    let index = 0;
    const step: WorkflowContext["step"] = async (name, run, options) => {
      if (this.#executions.closing) return this.#executions.park(execution);
      if (record.state !== "running") throw canceledError(record.id);
      const done = record.steps[index++];
      if (done !== undefined) return replay(record.id, done, name) as Awaited<ReturnType<typeof run>>;
      const startedAt = this.#options.systemClock.now();
      const finish = (rest: { output: Json } | { error: string }) => {
        if (record.state !== "running") throw canceledError(record.id);
        record.steps.push({ name, startedAt, endedAt: this.#options.systemClock.now(), ...rest });
      };
      try {
        const { systemClock } = this.#options;
        const signal = execution.abort.signal;
        const output = await attemptStep({ run, maxAttempts: options?.maxAttempts ?? 1, signal, systemClock });
        finish({ output });
        return output as Awaited<ReturnType<typeof run>>;
      } catch (error) {
        if (this.#executions.aborting) return this.#executions.park(execution);
        finish({ error: errorText(error) });
        throw revivedError(error);
      }
    };
    return { workflowId: record.id, step, signal: execution.abort.signal };
  }

  async cancel(id: string): Promise<boolean> {
    this.#checkRunning();
    const record = this.#memory.workflows.get(id);
    if (record === undefined || (record.state !== "queued" && record.state !== "running")) return false;
    this.#end(record, "canceled");
    this.#executions.cancel(id, canceledError(id));
    this.#dispatch();
    return true;
  }

  async status(id: string): Promise<WorkflowStatus | undefined> {
    this.#checkRunning();
    const record = this.#memory.workflows.get(id);
    return record === undefined ? undefined : statusOf(record);
  }

  async wait(id: string, signal?: AbortSignal): Promise<WorkflowStatus> {
    const either = signal === undefined ? this.#stopped.signal : AbortSignal.any([signal, this.#stopped.signal]);
    for (;;) {
      either.throwIfAborted();
      this.#checkRunning();
      const record = this.#memory.workflows.get(id);
      if (record === undefined) throw unknownWorkflow(id);
      if (record.endedAt !== undefined) return statusOf(record);
      await this.#change(either);
    }
  }

  async idle(): Promise<void> {
    while (this.#state === "running" && (this.#open() || this.#executions.working.length > 0)) {
      if (this.#open()) await this.#change(this.#stopped.signal);
      else await this.#executions.quiet(this.#stopped.signal);
    }
  }

  #open(): boolean {
    for (const { state } of this.#memory.workflows.values()) if (state === "queued" || state === "running") return true;
    return false;
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#listeners.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#listeners.add(done);
      signal.addEventListener("abort", done, { once: true });
    });
  }

  async steps(id: string): ReturnType<Engine["steps"]> {
    this.#checkRunning();
    const steps = this.#memory.workflows.get(id)?.steps ?? [];
    return steps.map(({ name, startedAt, endedAt, error }) => ({
      name,
      startedAt,
      endedAt,
      ...(error === undefined ? {} : { error }),
    }));
  }

  async prune(before: Instant): Promise<number> {
    this.#checkRunning();
    let count = 0;
    for (const record of this.#memory.workflows.values()) {
      if (record.endedAt === undefined || record.endedAt >= before) continue;
      this.#memory.workflows.delete(record.id);
      count++;
    }
    return count;
  }

  async advance(to: Instant): Promise<void> {
    this.#checkRunning();
    if (to < this.#now) {
      throw fail("CLOCK_BACKWARD", {
        message: `The engine's clock stands at ${new Date(this.#now).toISOString()} and cannot go back to ${new Date(to).toISOString()}.`,
        remedy: "Advance to a later instant.",
      });
    }
    for (;;) {
      let first: { entry: ScheduleEntry; at: Instant } | undefined;
      for (const entry of this.#entries.values()) {
        const at = entry.rule.next(this.#memory.fired.get(entry.name) ?? this.#now);
        if (at !== undefined && at <= to && (first === undefined || at < first.at)) first = { entry, at };
      }
      if (first === undefined) break;
      this.#now = first.at;
      await this.#fire(first.entry, first.at);
      await this.idle();
    }
    this.#now = to;
  }

  async #fire(entry: ScheduleEntry, at: Instant): Promise<void> {
    this.#memory.fired.set(entry.name, at);
    try {
      await entry.run(at);
    } catch (error) {
      this.#options.logger.error(
        { schedule: entry.name, scheduledAt: at, reason: String(error) },
        "A scheduled task failed.",
      );
    }
  }
}

function statusOf({ id, state, output, error }: WorkflowRecord): WorkflowStatus {
  return { id, state, ...(output === undefined ? {} : { output }), ...(error === undefined ? {} : { error }) };
}

function replay(id: string, done: RecordedStep, name: string): Json {
  if (done.name !== name) {
    throw fail("INTERNAL", {
      message: `The workflow ${id} recorded the step "${done.name}" and now runs "${name}" in its place: its order of steps must not change.`,
      remedy: "Keep the order of steps a function of the input and of earlier results alone.",
    });
  }
  if (done.error !== undefined) throw revivedError(JSON.parse(done.error));
  return plainJson(done.output);
}
