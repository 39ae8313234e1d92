/** Starts `store-writer.ts` and collects what it acknowledges, for the tests that kill it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { systemClock } from "../../src/core/index.ts";
import { programFile } from "./support/programs.ts";

export class StoreChild {
  readonly lines: string[] = [];
  acked = 0;
  readonly #process: ChildProcess;
  readonly #ackedFile: string;
  #errors = "";

  /** `home` holds the data directory and, outside it, the list of acknowledged ids. */
  constructor(options: {
    directory: string;
    ackedFile: string;
    firstId: number;
    mode: "rows" | "wal";
    fault?: string;
    /** Variables of the environment beside our own. */
    env?: Readonly<Record<string, string>>;
    /** Default: that of `store-writer.ts`. */
    program?: "store-writer" | "log-writer";
  }) {
    this.#ackedFile = options.ackedFile;
    if (!existsSync(options.ackedFile)) writeFileSync(options.ackedFile, "");
    const { RETRAIN_FAULT: _, ...env } = process.env;
    const { directory, ackedFile, firstId, mode, fault, program = "store-writer", env: more } = options;
    this.#process = spawn(process.execPath, [programFile(program), directory, ackedFile, String(firstId), mode], {
      env: { ...env, ...more, ...(fault ? { RETRAIN_FAULT: fault } : {}) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process.stderr?.on("data", (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    createInterface({ input: this.#process.stdout as NodeJS.ReadableStream }).on("line", (line) => this.#take(line));
  }

  #take(line: string): void {
    const id = /^ack (\d+)$/.exec(line)?.[1];
    if (id === undefined) {
      this.lines.push(line);
      return;
    }
    this.acked += 1;
    appendFileSync(this.#ackedFile, `${id}\n`);
  }

  /** Waits until the condition holds; fails with what the child printed when it ends or takes too long. */
  async until(what: string, condition: (child: StoreChild) => boolean, timeoutMs = 60_000): Promise<void> {
    const started = systemClock.monotonicMs();
    while (!condition(this)) {
      const hasEnded = this.#process.exitCode !== null || this.#process.signalCode !== null;
      if (hasEnded || systemClock.monotonicMs() - started > timeoutMs) {
        throw new Error(`The child never came to: ${what}. It said: ${this.lines.join("; ")}. ${this.#errors}`);
      }
      await systemClock.sleep(5);
    }
  }

  saw(pattern: RegExp): boolean {
    return this.lines.some((line) => pattern.test(line));
  }

  /** SIGKILL, then waits until every line it had printed was read. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const closed = once(this.#process, "close");
    this.#process.kill("SIGKILL");
    await closed;
  }
}

/** Opens the directory once more and returns how many acknowledged rows are gone, and whether the index agrees. */
export async function countLost(
  directory: string,
  ackedFile: string,
  firstId: number,
): Promise<{ lost: number; isIndexEqual: boolean }> {
  const child = new StoreChild({ directory, ackedFile, firstId, mode: "rows" });
  try {
    await child.until("the check of the rows", ({ lines }) => lines.includes("ready"));
    const lost = Number(child.lines.find((line) => line.startsWith("missing "))?.slice(8));
    return { lost, isIndexEqual: !child.saw(/^unequal/) };
  } finally {
    await child.kill();
  }
}

/** The file of ids lies beside the data directory, never inside it. */
export function ackedFileOf(home: string): string {
  return join(home, "acked.txt");
}
