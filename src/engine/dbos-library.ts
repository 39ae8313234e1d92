/**
 * The only file that touches @dbos-inc/dbos-sdk. Its API is process-wide statics, so there is one of it per process; this file
 * gives it an instance's shape, our log, our pool, plain JSON for storage, and the two things its public API lacks: looking at a queue
 * at once instead of at its next poll, and knowing what runs here. Both reach into `internal/*`, which it exports;
 * the version is pinned for that reason.
 *
 * Every call runs outside the caller's async context: made inside a workflow, the library would record it as a step of that
 * workflow, and the next replay would find its steps renumbered.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { createRequire } from "node:module";
import type * as sdk from "@dbos-inc/dbos-sdk";
import type { WorkflowStatus as LibraryStatus } from "@dbos-inc/dbos-sdk";
import type * as context from "@dbos-inc/dbos-sdk/internal/context";
import type * as executors from "@dbos-inc/dbos-sdk/internal/dbos-executor";
import type { DBOSExecutor } from "@dbos-inc/dbos-sdk/internal/dbos-executor";
import type * as utilities from "@dbos-inc/dbos-sdk/internal/utils";
import type * as queueing from "@dbos-inc/dbos-sdk/internal/wfqueue";
import type { WorkflowQueue } from "@dbos-inc/dbos-sdk/internal/wfqueue";
import type { StepInfo } from "@dbos-inc/dbos-sdk/internal/workflow";
import type { Pool } from "pg";
import { fail, type Instant, type Json, type Logger, RetrainError } from "../core/index.ts";
import { LibraryStorage } from "./library-storage.ts";
import { fromLibrary, retryingPool } from "./retrying-pool.ts";

type Sdk = typeof sdk;
type Context = typeof context;
type Body = (input: Json, place: string) => Promise<Json>;
interface QueueRunner {
  pollQueue(executor: DBOSExecutor, queue: WorkflowQueue): Promise<boolean>;
  stop(): void;
}

export interface LibraryOptions {
  readonly pool: Pool;
  readonly logger: Logger;
  readonly executorId: string;
  readonly applicationVersion: string;
  /** False in a process that only enqueues and asks. */
  readonly dispatches: boolean;
}
export interface QueueLimits {
  readonly perProcess: number;
  readonly overall?: number | undefined;
}

/** Seldom needed, as enqueuing looks at once; this finds what another process enqueued. */
const POLL_MS = 500;
/** While the database is away, seconds between tries: an embedded one is back in one or two, and a minute's wait would be felt. */
const RETRY_SECONDS = { initialBackoffSec: 0.1, maxBackoffSec: 2 };
const AT_ONCE = AbortSignal.abort(new Error("not waiting for the database"));
const ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"] as const;
const PRUNE_BATCH = 500;

/**
 * Loads the library, once. It takes a tenth of a second, which commands without a server need not pay and a server pays while it waits
 * for something else.
 */
export function loadEngine() {
  // Required, not imported: for an import Node would read all of its sources a second time, to guess their names.
  const load = createRequire(import.meta.url);
  return {
    sdk: withLibraryStorage(load, () => load("@dbos-inc/dbos-sdk") as Sdk),
    executor: load("@dbos-inc/dbos-sdk/internal/dbos-executor") as typeof executors,
    queues: load("@dbos-inc/dbos-sdk/internal/wfqueue") as typeof queueing,
    context: load("@dbos-inc/dbos-sdk/internal/context") as Context,
    utils: load("@dbos-inc/dbos-sdk/internal/utils") as typeof utilities,
  };
}

/** The engine that holds the library's statics in this process. */
let holder: DbosLibrary | undefined;

export class DbosLibrary {
  readonly #options: LibraryOptions;
  readonly #sdk: Sdk;
  readonly #context: Context;
  readonly #executorClass: typeof DBOSExecutor;
  readonly #runner: QueueRunner;
  readonly #snapshot = AsyncLocalStorage.snapshot();
  readonly #workflows = new Map<string, Body>();
  readonly #declared = new Map<string, Promise<void>>();
  readonly #queues = new Map<string, WorkflowQueue>();
  readonly #looking = new Map<string, { again: boolean }>();

  private constructor(
    options: LibraryOptions,
    sdk: Sdk,
    context: Context,
    executorClass: typeof DBOSExecutor,
    runner: QueueRunner,
  ) {
    this.#options = options;
    this.#sdk = sdk;
    this.#context = context;
    this.#executorClass = executorClass;
    this.#runner = runner;
  }

  static open(options: LibraryOptions): DbosLibrary {
    if (holder !== undefined) throw secondEngine();
    const { sdk, executor, queues, context, utils } = loadEngine();
    if (sdk.DBOS.isInitialized()) throw secondEngine();
    Object.assign(utils.dbRetryConfig, RETRY_SECONDS);
    holder = new DbosLibrary(
      options,
      sdk,
      context,
      executor.DBOSExecutor,
      queues.wfQueueRunner as unknown as QueueRunner,
    );
    return holder;
  }

  #outside<T>(call: () => Promise<T>): Promise<T> {
    return this.#snapshot(call);
  }

  /** For callers that want to hear of an outage: the library would wait for its end, as it does inside workflows. */
  async #now<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await this.#snapshot(() => this.#context.runWithAbortableDbRetries(AT_ONCE, call));
    } catch (error) {
      throw fromLibrary(error);
    }
  }

  register(name: string, maxRecoveryAttempts: number, body: Body): void {
    this.#workflows.set(name, this.#sdk.DBOS.registerWorkflow(body, { name, maxRecoveryAttempts }));
  }

  /** Migrates the library's schema `dbos`, puts this executor's unfinished workflows back into their queues, starts dispatching. */
  async launch(): Promise<void> {
    const { pool, logger, executorId, applicationVersion, dispatches } = this.#options;
    this.#sdk.DBOS.setConfig({
      name: "retrain",
      systemDatabasePool: retryingPool(pool),
      executorID: executorId,
      applicationVersion,
      logger: libraryLogger(logger),
      serializer: PLAIN_JSON,
      enableOTLP: false,
      tracingEnabled: false,
      // Only its messages, events and streams need LISTEN, and a connection of its own for it; none is used here.
      useListenNotify: false,
      ...(dispatches ? {} : { listenQueues: [] }),
    });
    await this.#outside(() => this.#sdk.DBOS.launch());
  }

  /** From here on nothing new is started. */
  stopDispatching(): void {
    this.#runner.stop();
  }

  async shutdown(): Promise<void> {
    try {
      await this.#outside(() => this.#sdk.DBOS.shutdown({ deregister: true }));
    } finally {
      if (holder === this) holder = undefined;
    }
  }

  get #executor(): DBOSExecutor {
    const executor = this.#executorClass.globalInstance;
    if (executor === undefined) throw new Error("the durable engine is not launched");
    return executor;
  }

  /** Declares the queue: within a partition one at a time, partitions up to the limits. */
  declareQueue(name: string, limits: QueueLimits): Promise<void> {
    let declared = this.#declared.get(name);
    if (declared === undefined) {
      const queue = this.#now(() =>
        this.#sdk.DBOS.registerQueue(name, {
          partitionConcurrency: 1,
          workerConcurrency: limits.perProcess,
          ...(limits.overall === undefined ? {} : { globalConcurrency: limits.overall }),
          minPollingIntervalMs: POLL_MS,
          // A process that runs nothing has no say in how much others run.
          onConflict: this.#options.dispatches ? "always_update" : "never_update",
        }),
      );
      declared = queue.then((known) => void this.#queues.set(name, known));
      this.#declared.set(name, declared);
      declared.catch(() => this.#declared.delete(name));
    }
    return declared;
  }

  /** Names of all queues of earlier lives and other processes. */
  async knownQueues(): Promise<readonly string[]> {
    const queues = await this.#now(() => this.#sdk.DBOS.listQueues());
    for (const queue of queues) if (!this.#queues.has(queue.name)) this.#queues.set(queue.name, queue);
    return queues.map((queue) => queue.name);
  }

  async enqueue(request: {
    workflow: string;
    id: string;
    queue: string;
    partition: string;
    input: Json;
  }): Promise<void> {
    const body = this.#workflows.get(request.workflow) as Body;
    const start = this.#now(() =>
      this.#sdk.DBOS.startWorkflow(body, {
        workflowID: request.id,
        queueName: request.queue,
        enqueueOptions: { queuePartitionKey: request.partition },
      })(request.input, `${request.queue}/${request.partition}`),
    );
    await start;
  }

  /** Starts what the queue allows, now. Looks never overlap, so that the limit per process holds. */
  async look(queueName: string): Promise<void> {
    const queue = this.#queues.get(queueName);
    if (queue === undefined || !this.#options.dispatches) return;
    const underWay = this.#looking.get(queueName);
    if (underWay !== undefined) {
      underWay.again = true;
      return;
    }
    const look = { again: true };
    this.#looking.set(queueName, look);
    try {
      while (look.again && this.#sdk.DBOS.isInitialized()) {
        look.again = false;
        await this.#now(() => this.#runner.pollQueue(this.#executor, queue));
      }
    } finally {
      this.#looking.delete(queueName);
    }
  }

  /** False once the library is shut down, when a body may still be about to end. */
  runsHere(workflowId: string): boolean {
    return this.#executorClass.globalInstance?.systemDatabase.checkForRunningWorkflow(workflowId) ?? false;
  }

  /** Inside a workflow: its id. */
  workflowId(): string {
    return this.#sdk.DBOS.workflowID as string;
  }

  /** Inside a workflow: runs the function as its next recorded step, with the signal of a cancel from any process. */
  step(name: string, run: (canceled: AbortSignal) => Promise<Json>): Promise<Json> {
    return this.#sdk.DBOS.runStep(() => run(this.#sdk.DBOS.stepStatus?.cancelSignal ?? new AbortController().signal), {
      name,
    });
  }

  /** Whether the error says that this execution may not go on: canceled, or taken over by another worker. */
  isLostError(error: unknown): boolean {
    return (
      error instanceof this.#sdk.Error.DBOSWorkflowCancelledError ||
      error instanceof this.#sdk.DBOSWorkflowConflictError
    );
  }

  isOtherWorkflowError(error: unknown): boolean {
    return error instanceof this.#sdk.Error.DBOSConflictingWorkflowError;
  }

  async status(id: string): Promise<LibraryStatus | undefined> {
    const found = await this.#now(() => this.#sdk.DBOS.listWorkflows({ workflowIDs: [id], loadInput: false }));
    return found[0];
  }

  async cancel(id: string): Promise<void> {
    await this.#now(() => this.#sdk.DBOS.cancelWorkflow(id));
  }

  async steps(id: string): Promise<readonly StepInfo[]> {
    return (await this.#now(() => this.#sdk.DBOS.listWorkflowSteps(id))) ?? [];
  }

  async prune(before: Instant): Promise<number> {
    let count = 0;
    for (;;) {
      const found = await this.#now(() =>
        this.#sdk.DBOS.listWorkflows({
          status: [...ENDED],
          completedBefore: new Date(before).toISOString(),
          limit: PRUNE_BATCH,
          loadInput: false,
          loadOutput: false,
        }),
      );
      if (found.length === 0) return count;
      await this.#now(() => this.#sdk.DBOS.deleteWorkflows(found.map((status) => status.workflowID)));
      count += found.length;
    }
  }

  /** Back into their queues, keeping the count of attempts, so that a run that kills its workers ends some day. */
  async takeOver(executorIds: readonly string[]): Promise<number> {
    const handles = await this.#now(() => this.#executor.recoverPendingWorkflows([...executorIds]));
    return handles.length;
  }

  async release(workflowIds: readonly string[]): Promise<void> {
    await this.#options.pool.query(
      `UPDATE dbos.workflow_status SET status = 'ENQUEUED', owner_xid = NULL, started_at_epoch_ms = NULL,
         updated_at = (extract(epoch from now()) * 1000)::bigint
       WHERE workflow_uuid = ANY($1::text[]) AND status = 'PENDING' AND executor_id = $2 AND queue_name IS NOT NULL`,
      [workflowIds, this.#options.executorId],
    );
  }
}

/** The library makes its asynchronous contexts while it loads; they are of the kind that costs nothing while no workflow runs. */
function withLibraryStorage<T>(load: NodeJS.Require, run: () => T): T {
  const hooks = load("node:async_hooks") as { AsyncLocalStorage: unknown };
  // Node 24 lets nobody replace it, and its own costs nothing either.
  if (Object.getOwnPropertyDescriptor(hooks, "AsyncLocalStorage")?.writable !== true) return run();
  const own = hooks.AsyncLocalStorage;
  hooks.AsyncLocalStorage = LibraryStorage;
  try {
    return run();
  } finally {
    hooks.AsyncLocalStorage = own;
  }
}

/** What is stored is ours to read, with psql too: no library's tagging of types. */
const PLAIN_JSON = {
  name: () => "retrain_json",
  parse: (text: string | null | undefined): unknown => (text === null || text === undefined ? null : JSON.parse(text)),
  stringify: (value: unknown): string => JSON.stringify(value ?? null),
};

/** The library's chatter is our debug level. A workflow that ends with an error of ours is news for its caller, not for the log. */
function libraryLogger(logger: Logger) {
  const text = (entry: unknown) => (entry instanceof Error ? entry.message : String(entry));
  return {
    debug: () => {},
    info: (entry: unknown) => logger.debug({ from: "engine" }, text(entry)),
    warn: (entry: unknown) => logger.warn({ from: "engine" }, text(entry)),
    error: (entry: unknown, metadata?: { error?: unknown; stack?: string }) => {
      const error = metadata?.error ?? entry;
      if (error instanceof RetrainError) logger.debug({ from: "engine", code: error.code }, text(entry));
      else logger.error({ from: "engine", stack: metadata?.stack ?? "" }, text(entry));
    },
  };
}

function secondEngine(): RetrainError {
  return fail("CONFLICT", {
    message:
      "A durable engine already runs in this process, and its library keeps its state in statics: there can be one.",
    remedy: "Stop the first engine, or start the second in another process. In tests use createVirtualEngine.",
  });
}
