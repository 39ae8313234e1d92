/**
 * Starting the thread of the embedded database. A thread can be started before anybody knows where its database lies: it then loads
 * and compiles PostgreSQL on another core while the program loads itself, which is half of what a start takes.
 */
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { OpenMessage, ThreadData } from "./messages.ts";

let spare: Worker | undefined;

/**
 * Starts a thread for the next `openThread`. It keeps no program alive that ends before.
 * @param template of a cluster that is sure to be made: it is read ahead
 */
export function prepareThread(template?: string): void {
  if (spare !== undefined) return;
  const worker = startThread(template);
  worker.unref();
  spare = worker;
  const forget = () => {
    if (spare === worker) spare = undefined;
  };
  // Whoever takes another thread then hears of the same failure.
  worker.once("error", forget);
  worker.once("exit", forget);
}

/** Ends the prepared thread where there is one: the database turned out to be elsewhere. */
export async function dropPreparedThread(): Promise<void> {
  const worker = spare;
  spare = undefined;
  await worker?.terminate();
}

export interface OpenThread {
  readonly worker: Worker;
  /** Replies arrive here. */
  readonly replies: MessagePort;
}

/** The prepared thread or a fresh one, opening the cluster as the message says; its first message says how that went. */
export function openThread(request: Omit<OpenMessage, "kind" | "replies">): OpenThread {
  const worker = spare ?? startThread();
  spare = undefined;
  worker.ref();
  const { port1, port2 } = new MessageChannel();
  // The thread keeps the program alive, or not.
  port1.unref();
  const message: OpenMessage = { kind: "open", ...request, replies: port2 };
  worker.postMessage(message, [port2]);
  return { worker, replies: port1 };
}

/**
 * The thread runs the built JavaScript. Run from the TypeScript sources (tests, development), Node 20 cannot load its
 * file, so the loader that also reads the user's configuration translates it there.
 */
function startThread(template?: string): Worker {
  const workerData = { template } satisfies ThreadData;
  if (!import.meta.url.endsWith(".ts")) {
    return new Worker(new URL("./worker.js", import.meta.url), { execArgv: [], workerData });
  }
  const jiti = createRequire(import.meta.url).resolve("jiti");
  const file = fileURLToPath(new URL("./worker.ts", import.meta.url));
  const source = `require(${JSON.stringify(jiti)}).createJiti(${JSON.stringify(pathToFileURL(file).href)}).import(${JSON.stringify(file)})`;
  return new Worker(source, { execArgv: [], eval: true, workerData });
}
