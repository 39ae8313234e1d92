// Labelers at work while their server is killed: every acknowledged answer is there afterwards, none twice, and each settled task
// has exactly one label in the log.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { programFile } from "./support/programs.ts";

const TASKS = 300;

interface Outcome {
  readonly lines: readonly string[];
  readonly signal: NodeJS.Signals | null;
  readonly errors: string;
}
interface Report {
  readonly repeated: number;
  readonly refused: number;
  readonly annotations: readonly string[];
  readonly done: readonly string[];
  readonly labels: readonly string[];
  readonly effects: number;
}

/** @param killAfter acknowledged answers after which the child is killed */
async function runChild(
  directory: string,
  mode: string,
  options: { readonly stopAt?: string; readonly killAfter?: number; readonly input?: string } = {},
): Promise<Outcome> {
  const { stopAt, killAfter = Number.POSITIVE_INFINITY, input = "" } = options;
  const env = { ...process.env, ...(stopAt === undefined ? {} : { RETRAIN_STOP_AT: stopAt }) };
  const child = spawn(process.execPath, [programFile("labeling-child"), directory, mode], { env, stdio: "pipe" });
  const lines: string[] = [];
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    if (lines.filter((one) => one.startsWith("ack ")).length === killAfter) child.kill("SIGKILL");
  });
  child.stdin.end(input);
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  if (code !== 0 && signal === null) throw new Error(`${mode} ended with ${code}: ${errors.slice(-2000)}`);
  return { lines, signal, errors };
}

describe("kill -9 while people label", () => {
  let home: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "retrain-labeling-kill-"));
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it("keeps every acknowledged answer once, at both stop points and at random moments", async () => {
    const directory = join(home, "data");
    await runChild(directory, "seed");
    const acked: string[] = [];
    const ends = [
      { stopAt: "labeling.answered" },
      { killAfter: 7 },
      { stopAt: "labeling.appended" },
      { killAfter: 23 },
      { killAfter: 61 },
    ];
    for (const end of ends) {
      const { lines, signal, errors } = await runChild(directory, "label", end);
      expect([signal, errors.includes(`stop point ${end.stopAt}`)]).toEqual(["SIGKILL", end.stopAt !== undefined]);
      acked.push(...lines.filter((line) => line.startsWith("ack ")));
    }
    const last = await runChild(directory, "label");
    expect(last.lines.at(-1)).toBe("finished");
    acked.push(...last.lines.filter((line) => line.startsWith("ack ")));
    expect(acked.length).toBeGreaterThan(TASKS);

    const { lines } = await runChild(directory, "report", { input: acked.join("\n") });
    const found = JSON.parse(lines.at(-1) as string) as Report;
    expect([found.repeated, found.refused, found.effects]).toEqual([0, 0, 0]);
    const kept = new Set(found.annotations);
    expect(acked.map((line) => line.slice(4)).filter((line) => !kept.has(line))).toEqual([]);
    expect(kept.size).toBe(found.annotations.length);
    // One answer a person and task; at most as many people as were asked.
    expect(new Set(found.annotations.map((line) => line.split(" ", 2).join(" "))).size).toBe(found.annotations.length);
    expect(found.annotations).toHaveLength(TASKS + TASKS / 10);
    expect(found.done).toHaveLength(TASKS);
    expect([...found.labels].sort((a, b) => a.localeCompare(b))).toEqual(
      found.done
        .map((exampleId) => `${exampleId} ${Number(exampleId.slice(2)) % 3 === 0}`)
        .sort((a, b) => a.localeCompare(b)),
    );
  }, 300_000);

  it("stores a large batch once, also when it ends in the middle and somebody has answered what was there", async () => {
    const directory = join(home, "large");
    const killed = await runChild(directory, "batch", { stopAt: "labeling.part" });
    expect([killed.signal, killed.lines]).toEqual(["SIGKILL", []]);
    const { lines } = await runChild(directory, "batch");
    expect(JSON.parse(lines.at(-1) as string)).toEqual({
      before: { tasks: 500, examples: 500, batches: 0, sums: 500, done: 0 },
      added: 1_800,
      again: 0,
      after: { tasks: 2_300, examples: 2_300, batches: 1, sums: 2_300, done: 1 },
      // Every other task is asked of two people; the first one has its two answers.
      slots: 2_300 + 1_150 - 2,
    });
  }, 120_000);
});
