/** The last lines a child printed. A child may print anything, in any amount, with or without line ends: memory stays bounded. */
import type { Readable } from "node:stream";

/** Enough for a stack trace and what led to it. */
const KEPT_LINES = 40;
/** A longer line is cut: a printed matrix must not fill the error, nor a stream without line ends the memory. */
const MAX_LINE_LENGTH = 2000;

export class OutputTail {
  #lines: string[] = [];
  #partial = new Map<Readable, string>();

  follow(stream: Readable): void {
    stream.setEncoding("utf8");
    this.#partial.set(stream, "");
    stream.on("data", (chunk: string) => {
      const pieces = ((this.#partial.get(stream) ?? "") + chunk).split("\n");
      const rest = pieces.pop() ?? "";
      this.#partial.set(stream, rest.slice(0, MAX_LINE_LENGTH));
      for (const line of pieces) this.#keep(line);
    });
    // A broken pipe of a dying child is not an event of ours; its exit is.
    stream.on("error", () => {});
  }

  #keep(line: string): void {
    this.#lines.push(line.slice(0, MAX_LINE_LENGTH));
    if (this.#lines.length > KEPT_LINES) this.#lines.splice(0, this.#lines.length - KEPT_LINES);
  }

  lines(): readonly string[] {
    const open = [...this.#partial.values()].filter((text) => text !== "");
    return [...this.#lines, ...open].slice(-KEPT_LINES);
  }

  /** Called between jobs, so that an error shows the lines of its own job only. */
  clear(): void {
    this.#lines = [];
    for (const stream of this.#partial.keys()) this.#partial.set(stream, "");
  }
}
