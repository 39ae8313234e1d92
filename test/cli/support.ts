/** Runs a command line in this process and catches what it prints. */
import { vi } from "vitest";
import { runProgram } from "../../src/cli/program.ts";

export interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runCommand(...words: readonly string[]): Promise<Printed> {
  const caught = { stdout: "", stderr: "" };
  const catchOn = (name: "stdout" | "stderr") =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      caught[name] += String(text);
      return true;
    });
  const spies = [catchOn("stdout"), catchOn("stderr")];
  try {
    return { code: await runProgram(words), ...caught };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
