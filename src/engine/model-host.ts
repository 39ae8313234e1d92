/**
 * Hosts ONNX models, each in a process of its own. A request that is not answered in time, a crash or a growth beyond the memory
 * limit ends that process; what was asked of it fails, and the next request starts another. A model that keeps failing is left
 * alone for a while, so that it costs an error and not a processor.
 */
import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { allowedEnvironment, type ErrorCode, fail, OutputTail } from "../core/index.ts";
import type { HostedModel, Logger, ModelHost, SystemClock, TensorFeed } from "../core/index.ts";
import { killGroup, residentBytes } from "./children/process-tree.ts";
import type { HostAnswer, HostRequest } from "./model-host-child.ts";

export interface ModelHostOptions {
  readonly systemClock: SystemClock;
  readonly logger: Logger;
  /** Plain JavaScript of model-host-child; found by itself beside the built files. */
  readonly entry?: string;
  /** One answer at most; default 5 s: a caller of a prediction has given up by then. */
  readonly runLimitMs?: number;
  /** Loading at most; default 60 s: files of 100 MB take about one. */
  readonly loadLimitMs?: number;
  /** Default 2 GiB. */
  readonly memoryBytes?: number;
}

const RUN_LIMIT_MS = 5_000;
const LOAD_LIMIT_MS = 60_000;
const MEMORY_BYTES = 2_147_483_648;
const MEMORY_SAMPLE_MS = 1_000;
/** Failures in a row after which a model rests, and for how long: a restart costs about half a second of a core. */
const PATIENCE = 3;
const REST_MS = 10_000;

export function createModelHost(options: ModelHostOptions): ModelHost {
  const open = new Set<Hosted>();
  return {
    async open(onnx) {
      const hosted = new Hosted(onnx, options, () => open.delete(hosted));
      open.add(hosted);
      try {
        await hosted.start();
      } catch (error) {
        hosted.close();
        throw error;
      }
      return hosted;
    },
    async close() {
      for (const hosted of open) hosted.close();
    },
  };
}

interface Pending {
  readonly resolve: (data: ArrayLike<number>) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

class Hosted implements HostedModel {
  readonly #onnx: Uint8Array;
  readonly #options: ModelHostOptions;
  readonly #onClose: () => void;
  readonly #pending = new Map<number, Pending>();
  #process: ChildProcess | undefined;
  #output = new OutputTail();
  #starting: Promise<void> | undefined;
  #nextId = 1;
  #failures = 0;
  #restUntil = 0;
  #closed = false;

  constructor(onnx: Uint8Array, options: ModelHostOptions, onClose: () => void) {
    this.#onnx = onnx;
    this.#options = options;
    this.#onClose = onClose;
  }

  start(): Promise<void> {
    this.#starting ??= this.#begin().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  async run(feeds: readonly TensorFeed[], output: string): Promise<ArrayLike<number>> {
    const { systemClock, runLimitMs = RUN_LIMIT_MS } = this.#options;
    if (this.#closed) throw hostFailed("It was closed.", "Ask the version that took its place.");
    if (systemClock.monotonicMs() < this.#restUntil) {
      throw hostFailed(
        `It failed ${this.#failures} times in a row and rests for ${REST_MS / 1000} s.`,
        "Roll back to another version.",
      );
    }
    await this.start();
    const answer = await this.#ask({ kind: "run", id: this.#nextId++, feeds, output }, runLimitMs);
    this.#failures = 0;
    return answer;
  }

  close(): void {
    this.#closed = true;
    this.#onClose();
    this.#end(hostFailed("It was closed.", "Ask the version that took its place."));
  }

  async #begin(): Promise<void> {
    const { entry, logger, loadLimitMs = LOAD_LIMIT_MS, memoryBytes = MEMORY_BYTES } = this.#options;
    const child = fork(entry ?? builtEntry(), {
      env: allowedEnvironment([]),
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      serialization: "advanced",
      execArgv: [],
      detached: true,
    });
    this.#process = child;
    this.#output = new OutputTail();
    for (const stream of [child.stdout, child.stderr]) if (stream) this.#output.follow(stream);
    child.on("message", (answer: HostAnswer) => this.#settle(answer));
    const gone = (how: string) => {
      if (this.#process !== child) return;
      const lines = this.#output.lines();
      logger.warn({ how, lines: lines.join("\n") }, "The process of an ONNX model ended.");
      this.#fail(`Its process ended with ${how}.${lines.length === 0 ? "" : ` Its last lines:\n${lines.join("\n")}`}`);
    };
    child.once("exit", (code, signal) => gone(signal === null ? `exit code ${code ?? "unknown"}` : `signal ${signal}`));
    child.once("error", (error) => gone(error.message));
    this.#watchMemory(child, memoryBytes);
    await this.#ask({ kind: "open", id: this.#nextId++, model: this.#onnx }, loadLimitMs);
    // An idle model must not keep a finished command alive.
    child.unref();
    child.channel?.unref();
    for (const stream of [child.stdout, child.stderr]) (stream as { unref?(): void } | null)?.unref?.();
  }

  #watchMemory(child: ChildProcess, limit: number): void {
    const timer = setInterval(() => {
      if (child.pid === undefined) return;
      void residentBytes(child.pid).then((bytes) => {
        if (bytes <= limit || this.#process !== child) return;
        this.#fail(
          `It used ${Math.round(bytes / 1_048_576)} MB of memory; its limit is ${Math.round(limit / 1_048_576)} MB.`,
        );
      });
    }, MEMORY_SAMPLE_MS);
    timer.unref();
    child.once("exit", () => clearInterval(timer));
  }

  #ask(request: HostRequest, limitMs: number): Promise<ArrayLike<number>> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(`It did not answer within ${limitMs} ms.`), limitMs);
      this.#pending.set(request.id, { resolve, reject, timer });
      this.#process?.channel?.ref();
      this.#process?.send(request, (error) => {
        if (error)
          this.#settle({
            id: request.id,
            error: { code: "MODEL_HOST_FAILED", message: error.message, remedy: "Ask again." },
          });
      });
    });
  }

  #settle({ id, data, error }: HostAnswer): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (this.#pending.size === 0) this.#process?.channel?.unref();
    if (data !== undefined) pending.resolve(data);
    else pending.reject(refusal(error));
  }

  /** A failure of the process, not of one request: everything under way fails with it. */
  #fail(why: string): void {
    this.#failures++;
    if (this.#failures >= PATIENCE) this.#restUntil = this.#options.systemClock.monotonicMs() + REST_MS;
    this.#end(hostFailed(why, "It is loaded anew for the next request; roll back if it repeats."));
  }

  #end(error: Error): void {
    const child = this.#process;
    this.#process = undefined;
    this.#starting = undefined;
    if (child?.pid !== undefined) killGroup(child.pid);
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject, timer } of pending) {
      clearTimeout(timer);
      reject(error);
    }
  }
}

function hostFailed(why: string, remedy: string): Error {
  return fail("MODEL_HOST_FAILED", { message: `The ONNX model could not answer. ${why}`, remedy, retryable: true });
}

/** What the child said about one request: our own codes stay, words of the runtime mean that it refused the file or the rows. */
function refusal(error: HostAnswer["error"]): Error {
  const message = error?.message ?? "no reason given";
  if (error !== undefined && error.code !== "INTERNAL") {
    return fail(error.code as ErrorCode, { message, remedy: error.remedy });
  }
  return fail("OUTPUT_INVALID", {
    message: `The ONNX model refused what it was given: ${message}`,
    remedy: "Look at the features of the request; a model must answer missing and unseen values too.",
  });
}

/** Beside this file when built; else where the build puts it as seen from the sources. */
function builtEntry(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const besides = join(here, "model-host-child.js");
  return existsSync(besides) ? besides : join(here, "..", "..", "dist", "src", "engine", "model-host-child.js");
}
