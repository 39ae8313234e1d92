/**
 * The child's side of the job pool: receive one job, run its handler, answer, wait for the next.
 *
 * A child must never outlive its parent. A closed IPC channel ends it at once while its event loop turns; training blocks the
 * loop for minutes, so a small watchdog thread also compares the parent's process id and kills the whole process group, which
 * takes external trainers along. What is printed on stdout or stderr is captured by the parent and never parsed.
 */
import { Worker } from "node:worker_threads";
import { asRetrainError, fail, nearestWord } from "./errors.ts";
import type { ChildMessage, JobErrorMessage, ParentMessage } from "./job-protocol.ts";
import type { JsonObject } from "./records.ts";

export interface JobControl {
  /** Aborted when the parent cancels the job. A handler that ignores it is killed two seconds later. */
  readonly signal: AbortSignal;
  /** Sends one message to the parent's `onProgress`: trace points, stage names. Plain JSON, finite numbers only. */
  progress(message: JsonObject): void;
}
export type JobHandler = (input: JsonObject, control: JobControl) => Promise<JsonObject>;

/** How often the watchdog thread looks whether the parent is alive, ms: an orphan lives at most about this long. */
const WATCHDOG_MS = 1000;

/**
 * Serves jobs until the parent disconnects; call it once, from the child's main module. Prints nothing.
 * A handler's RetrainError reaches the caller of `JobPool.run` with code, message, remedy and details; any other error becomes INTERNAL.
 *
 * @throws USAGE when the process was not started by a job pool (it has no IPC channel).
 */
export function serveJobs(handlers: Readonly<Record<string, JobHandler>>): void {
  const send = process.send?.bind(process);
  if (send === undefined) {
    throw fail("USAGE", {
      message: "The job child was started by hand, without a parent to take jobs from.",
      remedy: "Let the server start it; to rerun one job by hand use `retrain train --run ID --keep`.",
    });
  }
  let current: { id: string; abort: AbortController } | undefined;
  // A send after the parent has gone must not throw: the disconnect handler is about to end the process.
  const tell = (message: ChildMessage) => {
    if (process.connected) send(message, undefined, undefined, () => {});
  };
  process.once("disconnect", endProcessGroup);
  // The parent decides when a child ends; Ctrl-C in a terminal reaches the parent, which stops in order.
  for (const name of ["SIGINT", "SIGHUP"] as const) process.on(name, () => {});
  process.on("message", (raw) => {
    const message = raw as ParentMessage;
    if (message.kind === "cancel") {
      if (current?.id === message.id) current.abort.abort(new Error("The job was canceled."));
      return;
    }
    const { id, type, input } = message;
    const abort = new AbortController();
    current = { id, abort };
    const control: JobControl = {
      signal: abort.signal,
      progress: (progress) => tell({ kind: "progress", id, message: progress }),
    };
    void runHandler(handlers, type, input, control).then((outcome) => {
      current = undefined;
      tell({ id, ...outcome });
    });
  });
  startWatchdog();
  tell({ kind: "ready" });
}

type Outcome =
  | { readonly kind: "done"; readonly result: JsonObject }
  | { readonly kind: "failed"; readonly error: JobErrorMessage };

async function runHandler(
  handlers: Readonly<Record<string, JobHandler>>,
  type: string,
  input: JsonObject,
  control: JobControl,
): Promise<Outcome> {
  try {
    const handler = Object.hasOwn(handlers, type) ? handlers[type] : undefined;
    if (handler === undefined) {
      const near = nearestWord(type, Object.keys(handlers));
      throw fail("INTERNAL", {
        message: `The job child has no handler for jobs of type "${type}".${near === undefined ? "" : ` The nearest it has is "${near}".`}`,
        remedy: "Rebuild: parent and child come from different builds.",
      });
    }
    return { kind: "done", result: await handler(input, control) };
  } catch (error) {
    const known = asRetrainError(error);
    const stack = known.cause instanceof Error ? known.cause.stack : undefined;
    return {
      kind: "failed",
      error: {
        code: known.code,
        message: known.message,
        remedy: known.remedy,
        details: stack === undefined ? known.details : { ...known.details, stack },
      },
    };
  }
}

/** The pool starts each child as the leader of a process group, so this also ends what the job itself has started. */
function endProcessGroup(): void {
  try {
    process.kill(-process.pid, "SIGKILL");
  } catch {
    process.exit(1);
  }
}

/**
 * A thread of its own, because the main thread may be inside a training loop that never yields. It runs from text so that no
 * second file has to be found after bundling, and keeps neither the process nor its output open.
 */
export function startWatchdog(): void {
  const source = `
    const parent = ${process.ppid};
    setInterval(() => {
      if (process.ppid === parent) return;
      try { process.kill(-process.pid, "SIGKILL"); } catch { process.kill(process.pid, "SIGKILL"); }
    }, ${WATCHDOG_MS});`;
  const worker = new Worker(source, { eval: true, stdout: false, stderr: false, env: {}, execArgv: [] });
  worker.unref();
  // Without the thread (no memory, no threads allowed) the disconnect handler still ends an idle child.
  worker.on("error", () => {});
}
