/**
 * The main thread's side of the embedded database: hands out streams, passes requests to the worker thread and replies
 * back, and replaces the thread when the database dies.
 *
 * | state   | means                                         | moved on by                          |
 * |---------|-----------------------------------------------|--------------------------------------|
 * | opening | a thread starts; connections are refused      | ready: up; failed: down (or thrown)  |
 * | up      | requests are answered                         | PANIC, FATAL, thread gone: down      |
 * | down    | connections are refused; a pause, then again  | the next try: opening                |
 * | closed  | for good                                      |                                      |
 *
 * PostgreSQL answers a full disk or a failed fsync by PANIC: it kills itself, because its memory may now differ from the
 * disk. In WebAssembly nothing dies: PGlite would go on, show rows that never committed and acknowledge inserts that are
 * gone at the next start. So the thread is ended before the reply is delivered, and every open request fails.
 */
import { type MessagePort, receiveMessageOnPort, type Worker } from "node:worker_threads";
import { fail, type Logger, type SystemClock } from "../../core/index.ts";
import { type HealthMonitor, unavailable } from "../health.ts";
import type { FromWorker, Reply, ToWorker } from "./messages.ts";
import type { RequestBatch } from "./protocol.ts";
import { PgliteStream, type StreamOwner } from "./stream.ts";
import { openThread } from "./thread.ts";

/** First and longest pause before the next try to open, ms. A full disk needs a person; a second's delay does not matter then. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** Replaying the log after a crash takes about a second per 100 MB; a thread silent for longer has hung. */
const OPEN_TIMEOUT_MS = 60_000;

export interface HubOptions {
  readonly directory: string;
  /** Folder of the template for a cluster that is not there yet. */
  readonly template: string;
  readonly clock: SystemClock;
  readonly logger: Logger;
  readonly health: HealthMonitor;
  readonly fault?: string | undefined;
}

export class PgliteHub implements StreamOwner {
  /** Requests passed on so far: tells the maintenance whether anything happened since it last ran. */
  requests = 0;
  readonly #options: HubOptions;
  readonly #streams = new Map<number, PgliteStream>();
  readonly #closing = new AbortController();
  #worker: Worker | undefined;
  #replies: MessagePort | undefined;
  /** Requests without a reply yet. */
  #open = 0;
  #isLooking = false;
  #state: "opening" | "up" | "down" | "closed" = "opening";
  #nextConnection = 1;
  #onClosed: (() => void) | undefined;

  constructor(options: HubOptions) {
    this.#options = options;
  }

  /** Starts the thread. @throws STORE_NOT_DURABLE, STORE_UNAVAILABLE */
  async open(): Promise<void> {
    this.#state = "opening";
    const { directory, template, fault } = this.#options;
    const { worker, replies } = openThread({ directory, template, fault });
    try {
      await this.#ready(worker);
    } catch (error) {
      this.#state = "down";
      replies.close();
      await worker.terminate();
      throw error;
    }
    if (this.#closing.signal.aborted) {
      replies.close();
      await worker.terminate();
      throw unavailable("it was closed");
    }
    this.#worker = worker;
    this.#replies = replies;
    this.#open = 0;
    this.#state = "up";
    replies.on("message", (reply: Reply) => this.#deliver(replies, reply));
    replies.unref();
    worker.on("message", (message: FromWorker) => this.#receive(worker, message));
    worker.on("error", (error) => void this.#crash(worker, error.message));
    worker.on("exit", (code) => void this.#crash(worker, `its thread ended with status ${code}`));
  }

  /** The driver calls this for each connection, as it would make a socket. */
  createStream(): PgliteStream {
    const stream = new PgliteStream(this.#nextConnection++, this);
    this.#streams.set(stream.connection, stream);
    return stream;
  }

  refusal(): Error | undefined {
    if (this.#state === "up") return undefined;
    const { current } = this.#options.health;
    return unavailable(current.state === "down" ? current.reason : `it is ${this.#state}`);
  }

  /**
   * Takes in what the thread has answered by now, once this turn of the event loop's callback has ended. A busy loop comes to its
   * messages only after all its sockets; a transaction of ten statements, which everybody else waits for, would wait for ten rounds.
   */
  look(): void {
    if (this.#open === 0 || this.#isLooking) return;
    this.#isLooking = true;
    process.nextTick(() => {
      this.#isLooking = false;
      this.#take();
    });
  }

  submit(connection: number, { bytes, prepares, listens }: RequestBatch): void {
    this.requests += 1;
    this.#open += 1;
    // Handed over, not copied: a batch of rows is megabytes, and the request was cut out into a buffer of its own.
    this.#tell({ kind: "batch", connection, bytes, prepares, listens }, [bytes.buffer as ArrayBuffer]);
  }

  drop(connection: number): void {
    if (this.#streams.delete(connection)) this.#tell({ kind: "drop", connection });
  }

  /** Writes the last checkpoint and ends the thread. */
  async close(): Promise<void> {
    const wasUp = this.#state === "up";
    this.#state = "closed";
    this.#closing.abort(new Error("closing"));
    const worker = this.#worker;
    this.#worker = undefined;
    this.#replies?.close();
    this.#replies = undefined;
    if (!worker) return;
    if (wasUp) {
      const closed = new Promise<void>((resolve) => {
        this.#onClosed = resolve;
        worker.once("exit", () => resolve());
      });
      worker.postMessage({ kind: "close" } satisfies ToWorker);
      await closed;
    }
    await worker.terminate();
  }

  #tell(message: ToWorker, handedOver: readonly ArrayBuffer[] = []): void {
    this.#worker?.postMessage(message, handedOver);
  }

  #receive(worker: Worker, message: FromWorker): void {
    if (message.kind === "closed") this.#onClosed?.();
    if (worker !== this.#worker || message.kind !== "fatal") return;
    // What it answered before it died is true.
    this.#take();
    void this.#crash(worker, message.reason);
  }

  #take(): void {
    const replies = this.#replies;
    if (replies === undefined) return;
    for (let next = receiveMessageOnPort(replies); next !== undefined; next = receiveMessageOnPort(replies)) {
      this.#deliver(replies, next.message as Reply);
    }
  }

  #deliver(from: MessagePort, { connection, bytes }: Reply): void {
    if (from !== this.#replies) return;
    // Notifications come unasked.
    this.#open = Math.max(0, this.#open - 1);
    this.#streams.get(connection)?.receive(bytes);
  }

  async #crash(worker: Worker, reason: string): Promise<void> {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    this.#replies?.close();
    this.#replies = undefined;
    this.#state = "down";
    // First the thread, then the news: nobody may act on a dead database's answers.
    await worker.terminate();
    this.#options.health.down(reason.split("\n")[0] as string);
    this.#options.logger.error({ reason }, "The embedded database died; it is opened again");
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.destroy(unavailable(reason));
    await this.#reopen();
  }

  async #reopen(): Promise<void> {
    const { clock, health, logger } = this.#options;
    for (
      let pauseMs = FIRST_PAUSE_MS;
      !this.#closing.signal.aborted;
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
    ) {
      try {
        await clock.sleep(pauseMs, this.#closing.signal);
        await this.open();
        health.up();
        logger.info({}, "The embedded database answers again");
        return;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        health.down((error as Error).message);
        logger.warn(
          { error: (error as Error).message },
          "The embedded database could not be opened; another try follows",
        );
      }
    }
  }

  async #ready(worker: Worker): Promise<void> {
    const timeout = new AbortController();
    const timedOut = this.#options.clock.sleep(OPEN_TIMEOUT_MS, timeout.signal).then(() => {
      throw unavailable(`it did not open within ${OPEN_TIMEOUT_MS / 1000} s`);
    });
    timedOut.catch(() => {});
    try {
      const probeFsyncs = await Promise.race([firstMessage(worker), timedOut]);
      if (probeFsyncs === 0) throw notDurable();
    } finally {
      timeout.abort(new Error("done"));
    }
  }
}

/** The number of fsyncs the probe saw; rejects when the thread ends or reports a failure first. */
function firstMessage(worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.once("message", (message: FromWorker) => {
      if (message.kind === "ready") resolve(message.probeFsyncs);
      else reject(unavailable(message.kind === "fatal" ? message.reason : "it did not open"));
    });
    worker.once("error", (error) => reject(unavailable(`it could not be opened: ${error.message}`, error)));
    worker.once("exit", (code) => reject(unavailable(`its thread ended with status ${code} while opening`)));
  });
}

function notDurable(): Error {
  return fail("STORE_NOT_DURABLE", {
    message:
      "The embedded database committed a test record without asking the disk to keep it (0 fsync calls): a power cut would lose acknowledged data.",
    remedy: "Reinstall with the exact versions of the lockfile, or set DATABASE_URL to a PostgreSQL server.",
  });
}
