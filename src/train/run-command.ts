/**
 * Runs the program of an external trainer: argv without a shell, an environment of granted names only, its last lines kept, its
 * trace followed while it works. On cancel it is asked to end, then killed with everything it started; where this process itself
 * is killed the program goes with it, since both are one process group.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { allowedEnvironment, fail, OutputTail, systemClock } from "../core/index.ts";

/** Trace lines are looked for this often: a person watches, and an epoch is rarely shorter. */
const TRACE_POLL_MS = 200;
/** From the request to end to the kill; the pool kills this process a little later. */
const STOP_GRACE_MS = 1_000;

export interface TraceLine {
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly share?: number;
}

export interface CommandRun {
  readonly run: readonly string[];
  /** Given as the last argument, and in `RETRAIN_JOB`. */
  readonly folder: string;
  /** `trace.ndjson` of the folder's `out/`. */
  readonly traceFile: string;
  readonly environment: readonly string[];
  readonly signal: AbortSignal;
  readonly onTrace: (line: TraceLine) => Promise<void>;
}

/** @returns seconds it took. @throws EXTERNAL_TRAINER_FAILED with its last lines, TRAINER_CANCELED */
export async function runCommand(options: CommandRun): Promise<number> {
  const { run, folder, signal } = options;
  const [program, ...args] = run as [string, ...string[]];
  const started = systemClock.monotonicMs();
  const tail = new OutputTail();
  const child = spawn(program, [...args, folder], {
    env: { ...allowedEnvironment(options.environment), RETRAIN_JOB: folder, PYTHONUNBUFFERED: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    shell: false,
  });
  tail.follow(child.stdout);
  tail.follow(child.stderr);
  // Also said by this process: where the pool kills it at a limit, what the program printed is all there is to go by.
  child.stdout.on("data", (text: string) => void process.stdout.write(text));
  child.stderr.on("data", (text: string) => void process.stderr.write(text));
  const ended = awaitEnd(child);
  const stopWatching = killOnAbort(child, signal);
  const trace = new TraceReader(options.traceFile, options.onTrace);
  let isRunning = true;
  const following = (async () => {
    while (isRunning) {
      await trace.poll();
      await Promise.race([ended, systemClock.sleep(TRACE_POLL_MS)]);
    }
  })();
  try {
    const { error, code, signalName } = await ended;
    isRunning = false;
    await following;
    await trace.poll();
    const seconds = (systemClock.monotonicMs() - started) / 1000;
    if (signal.aborted) {
      throw fail("TRAINER_CANCELED", { message: "The training was canceled.", remedy: "Start the run again." });
    }
    if (error === undefined && code === 0) return seconds;
    throw failed(program, { error, code, signalName, seconds }, tail.lines());
  } finally {
    isRunning = false;
    stopWatching();
  }
}

interface End {
  readonly error?: NodeJS.ErrnoException | undefined;
  readonly code: number | null;
  readonly signalName: string | null;
}

function awaitEnd(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      if (child.pid === undefined) resolve({ error, code: null, signalName: null });
    });
    child.once("close", (code, signalName) => resolve({ code, signalName }));
  });
}

function killOnAbort(child: ChildProcess, signal: AbortSignal): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    child.kill("SIGTERM");
    timer = setTimeout(() => child.kill("SIGKILL"), STOP_GRACE_MS);
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return () => {
    signal.removeEventListener("abort", stop);
    clearTimeout(timer);
  };
}

function failed(program: string, end: End & { readonly seconds: number }, lines: readonly string[]) {
  const { error, code, signalName, seconds } = end;
  if (error !== undefined) {
    return fail("EXTERNAL_TRAINER_FAILED", {
      message: `The external trainer "${program}" could not be started: ${error.code ?? error.message}.`,
      remedy:
        "Check `trainer.command.run`: the program must be on PATH, or named by a path seen from the server's folder.",
      cause: error,
    });
  }
  const how = signalName === null ? `status ${code ?? "unknown"}` : `signal ${signalName}`;
  const said = lines.length === 0 ? "It printed nothing." : `Its last lines:\n${lines.join("\n")}`;
  return fail("EXTERNAL_TRAINER_FAILED", {
    message: `The external trainer "${program}" ended with ${how} after ${seconds.toFixed(1)} s. ${said}`,
    remedy: "Correct the program; the same data trains again with the next run, and the champion keeps serving.",
    details: { exitCode: code, signal: signalName, output: [...lines] },
  });
}

/** Reads what was added to a file of JSON lines since the last time. Lines that are no trace points are passed over. */
class TraceReader {
  readonly #path: string;
  readonly #onTrace: CommandRun["onTrace"];
  readonly #decoder = new TextDecoder();
  #at = 0;
  #rest = "";

  constructor(path: string, onTrace: CommandRun["onTrace"]) {
    this.#path = path;
    this.#onTrace = onTrace;
  }

  async poll(): Promise<void> {
    const file = await open(this.#path, "r").catch(() => undefined);
    if (file === undefined) return;
    try {
      const { size } = await file.stat();
      if (size <= this.#at) return;
      const added = new Uint8Array(size - this.#at);
      const { bytesRead } = await file.read(added, 0, added.length, this.#at);
      this.#at += bytesRead;
      const lines = (this.#rest + this.#decoder.decode(added.subarray(0, bytesRead), { stream: true })).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) {
        const point = parseTraceLine(line);
        if (point !== undefined) await this.#onTrace(point);
      }
    } finally {
      await file.close();
    }
  }
}

/** `{"epoch": 3, "metrics": {"validationLoss": 0.4}, "share": 0.3}`; metrics that are no finite numbers are left out. */
export function parseTraceLine(line: string): TraceLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { epoch, metrics, share } = (value ?? {}) as { epoch?: unknown; metrics?: unknown; share?: unknown };
  if (typeof epoch !== "number" || !Number.isInteger(epoch) || epoch < 0) return undefined;
  if (typeof metrics !== "object" || metrics === null) return undefined;
  const finite = Object.entries(metrics).filter(([, one]) => typeof one === "number" && Number.isFinite(one));
  const isShare = typeof share === "number" && share >= 0 && share <= 1;
  return { epoch, metrics: Object.fromEntries(finite), ...(isShare ? { share } : {}) };
}
