import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import process from "node:process";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type JobPool, type JsonObject, RetrainError, silentLogger, systemClock } from "../../src/core/index.ts";
import { createJobPool } from "../../src/engine/index.ts";
import { type Bundle, bundle } from "../engine/support/bundle.ts";

let entry: Bundle;
let parent: Bundle;
let pool: JobPool;

beforeAll(async () => {
  entry = await bundle(new URL("../engine/support/job-entry.ts", import.meta.url));
  parent = await bundle(new URL("../engine/support/pool-parent.ts", import.meta.url));
});
afterAll(() => {
  entry.remove();
  parent.remove();
});
afterEach(() => pool?.close());

const limits = { timeoutMs: 60_000, memoryBytes: 2 ** 31 };
function open(path = entry.path): JobPool {
  pool = createJobPool({ entry: path, size: 1, systemClock, logger: silentLogger, defaultLimits: limits });
  return pool;
}
const run = (type: string, input: JsonObject = {}, options = {}) => pool.run({ type, affinity: "a", input }, options);
async function failure(promise: Promise<unknown>): Promise<RetrainError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RetrainError);
  return error as RetrainError;
}
/** The pool is as good as new: another child answers. */
async function stillServes(): Promise<void> {
  expect((await run("echo", { after: true })).input).toEqual({ after: true });
}
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A zombie waits to be collected by whoever inherited it; it runs no more.
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, "latin1"));
}

describe("a trainer that misbehaves is contained", () => {
  it("reports a crash with exit code and last lines", async () => {
    open();
    const error = await failure(run("crash", { code: 3 }));
    expect(error.code).toBe("TRAINER_CRASHED");
    expect(error.message).toContain("exit code 3");
    expect(error.message).toContain("MatrixError: singular");
    expect(error.details).toMatchObject({
      exitCode: 3,
      signal: null,
      output: ["loading the data", "MatrixError: singular"],
    });
    await stillServes();
  });

  it("reports a death by signal", async () => {
    open();
    const error = await failure(run("signal"));
    expect(error.code).toBe("TRAINER_CRASHED");
    expect(error.details.signal).toBe("SIGSEGV");
    await stillServes();
  });

  it("kills a job that never yields when its time is over", async () => {
    open();
    await pool.warm();
    const error = await failure(run("spin", {}, { limits: { ...limits, timeoutMs: 300 } }));
    expect(error.code).toBe("TRAINER_TIMEOUT");
    expect(error.message).toContain("300 ms");
    await stillServes();
  });

  it("kills a canceled job that does not listen, two seconds later", async () => {
    open();
    await pool.warm();
    for (const type of ["spin", "deaf"]) {
      const abort = new AbortController();
      const job = failure(run(type, {}, { signal: abort.signal }));
      const begun = systemClock.monotonicMs();
      abort.abort();
      expect((await job).code).toBe("TRAINER_CANCELED");
      expect(systemClock.monotonicMs() - begun).toBeGreaterThan(1500);
      await stillServes();
    }
  });

  it("kills a job that passes its memory limit", async () => {
    open();
    await pool.warm();
    const error = await failure(run("hog", { bytes: 8e6 }, { limits: { timeoutMs: 60_000, memoryBytes: 300e6 } }));
    expect(error.code).toBe("TRAINER_OUT_OF_MEMORY");
    expect(error.message).toContain("its limit is 286 MB");
    expect(Number(error.details.memoryBytes)).toBeGreaterThan(300e6);
    await stillServes();
  });

  it("never takes what a job prints for an answer", async () => {
    open();
    expect(await run("garbage")).toEqual({ fine: true });
    await stillServes();
  });

  it("refuses a result that holds NaN and names the place", async () => {
    open();
    const error = await failure(run("nan"));
    expect(error.code).toBe("OUTPUT_INVALID");
    expect(error.message).toContain("metrics.logLoss.1");
    await stillServes();
  });

  it("drops a progress message that holds an infinity and keeps the others", async () => {
    open();
    const seen: JsonObject[] = [];
    await run("nan-progress", {}, { onProgress: (message: JsonObject) => seen.push(message) });
    expect(seen).toEqual([{ loss: 1 }]);
  });

  it("survives a progress listener that throws", async () => {
    open();
    const listener = vi.fn(() => {
      throw new Error("console is gone");
    });
    await run("epochs", { epochs: 2 }, { onProgress: listener });
    expect(listener).toHaveBeenCalledTimes(2);
  });

  it("reports an entry that does not load to the job that waited, and to each after it", async () => {
    open(`${entry.path}.missing.mjs`);
    for (let i = 0; i < 2; i++) {
      const error = await failure(run("echo"));
      expect(error.code).toBe("TRAINER_CRASHED");
      expect(error.message).toContain("Cannot find module");
    }
    expect((await failure(pool.warm())).code).toBe("TRAINER_CRASHED");
  });

  it("takes along what the job had started when it is killed", async () => {
    open();
    await pool.warm();
    let grandchild = 0;
    const abort = new AbortController();
    const onProgress = (message: JsonObject) => {
      grandchild = Number(message.grandchild);
      abort.abort();
    };
    expect((await failure(run("grandchild", {}, { signal: abort.signal, onProgress }))).code).toBe("TRAINER_CANCELED");
    expect(grandchild).toBeGreaterThan(0);
    await vi.waitFor(() => expect(alive(grandchild)).toBe(false), { timeout: 5000 });
  });

  it("runs children at a lower priority than serving, from their first module on", async () => {
    open();
    const { pid, firstPriority } = await run("echo");
    expect(getPriority(Number(pid))).toBeGreaterThan(getPriority());
    expect(Number(firstPriority)).toBeGreaterThan(getPriority());
  });

  it("leaves no orphan when the parent is killed, not even one inside a loop that never yields", async () => {
    const server = spawn(process.execPath, [parent.path, entry.path], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    server.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    // One busy child with a child of its own, and one idle one.
    const pids = await vi.waitFor(
      () => {
        const lines = text.trim().split("\n");
        expect(lines.length).toBe(2);
        return lines.flatMap((line) => JSON.parse(line) as number[]);
      },
      { timeout: 15_000, interval: 20 },
    );
    expect(pids.length).toBe(3);
    expect(pids.every(alive)).toBe(true);
    server.kill("SIGKILL");
    await vi.waitFor(() => expect(pids.filter(alive)).toEqual([]), { timeout: 10_000, interval: 50 });
  });
});
