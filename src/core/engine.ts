/** The ports of durable execution and of killable child processes, which `engine/` implements. */
import type { Instant, Json, JsonObject } from "./records.ts";

/** One step's context inside a workflow. */
export interface StepControl {
  readonly attempt: number;
  /** Aborted when the run is canceled or the process shuts down. */
  readonly signal: AbortSignal;
}
export interface WorkflowContext {
  readonly workflowId: string;
  /** Runs the function once and records its JSON result; after a crash a recorded step is not run again, an unfinished one is. */
  step<T extends Json>(
    name: string,
    run: (control: StepControl) => Promise<T>,
    options?: { maxAttempts?: number },
  ): Promise<T>;
  readonly signal: AbortSignal;
}
export type Workflow = (context: WorkflowContext, input: Json) => Promise<Json>;

export interface WorkflowStatus {
  readonly id: string;
  readonly state: "queued" | "running" | "done" | "failed" | "canceled";
  readonly error?: string;
  readonly output?: Json;
}
/** Durable execution. The DBOS engine and the in-process virtual engine implement it; one contract suite runs over both. */
export interface Engine {
  /** Registers workflows before `start`. */
  register(name: string, workflow: Workflow): void;
  start(): Promise<void>;
  /** Waits for steps under way up to the grace time, then aborts them; unfinished workflows resume at the next start. */
  stop(graceMs?: number): Promise<void>;
  /** Idempotent by id. Workflows of one queue and partition run one at a time, different partitions up to the queue's limit. */
  enqueue(request: { workflow: string; id: string; queue: string; partition?: string; input: Json }): Promise<void>;
  cancel(id: string): Promise<boolean>;
  status(id: string): Promise<WorkflowStatus | undefined>;
  /** Resolves when the workflow has ended; rejects on abort. */
  wait(id: string, signal?: AbortSignal): Promise<WorkflowStatus>;
  steps(id: string): Promise<
    readonly {
      readonly name: string;
      readonly startedAt: Instant | null;
      readonly endedAt: Instant | null;
      readonly error?: string;
    }[]
  >;
  /** Durable cron on the system clock; a missed tick after downtime fires once. */
  schedule(name: string, cron: string, timeZone: string, run: (scheduledAt: Instant) => Promise<void>): void;
  /** Deletes finished workflows older than the instant. */
  prune(before: Instant): Promise<number>;
}

/** Work for a killable child process; `type` picks the handler in `job/`, `input` is plain JSON. */
export interface JobRequest {
  readonly type: string;
  /** Requests with the same affinity go to the same child while it lives, so that a loaded dataset is reused. */
  readonly affinity: string;
  readonly input: JsonObject;
}
export interface JobLimits {
  readonly timeoutMs: number;
  /** Resident memory, sampled by the parent. */
  readonly memoryBytes: number;
}
export interface JobOptions {
  readonly signal?: AbortSignal;
  readonly limits?: JobLimits;
  readonly onProgress?: (message: JsonObject) => void;
}
/** Pre-started killable children. A dead, hung, canceled or over-limit child is replaced; its last output lines are in the error. */
export interface JobPool {
  /** @throws TRAINER_CRASHED, TRAINER_TIMEOUT, TRAINER_OUT_OF_MEMORY, TRAINER_CANCELED, or the error the job threw */
  run(request: JobRequest, options?: JobOptions): Promise<JsonObject>;
  /**
   * Starts children until there are `count` (default: every one) and waits until they can take jobs; the others start when jobs wait.
   * @throws TRAINER_CRASHED when the entry does not load
   */
  warm(count?: number): Promise<void>;
  close(): Promise<void>;
}
