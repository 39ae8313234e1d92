import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { vi } from "vitest";
import type { ServerSettings } from "./engine-server.ts";
import { programFile } from "./support/programs.ts";

/** One life of the server in `engine-server.ts`. */
export class EngineProcess {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly ended: Promise<void>;

  constructor(settings: ServerSettings) {
    this.#child = spawn(process.execPath, [programFile("engine-server"), JSON.stringify(settings)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let rest = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      this.#lines.push(...lines);
    });
    this.ended = new Promise((resolve) => this.#child.once("close", () => resolve()));
  }

  /** The values printed after the word so far. */
  said(word: string): readonly string[] {
    return this.#lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  }

  async until(word: string, count = 1, timeout = 90_000): Promise<readonly string[]> {
    await vi.waitFor(
      () => {
        if (this.said(word).length < count)
          throw new Error(`waiting for "${word}"; so far: ${this.#lines.slice(-5).join(", ")}`);
      },
      { timeout, interval: 2 },
    );
    return this.said(word);
  }

  /** kill -9; resolves when it is gone and all it had printed was read. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}
