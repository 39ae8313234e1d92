import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type JobPool, type JsonObject, RetrainError, silentLogger, systemClock } from "../../src/core/index.ts";
import { createJobPool, type JobPoolOptions } from "../../src/engine/index.ts";
import { type Bundle, bundle } from "../engine/support/bundle.ts";

let entry: Bundle;
let pool: JobPool;

beforeAll(async () => {
  entry = await bundle(new URL("../engine/support/job-entry.ts", import.meta.url));
});
afterAll(() => entry.remove());
afterEach(() => pool.close());

function open(options: Partial<JobPoolOptions> = {}): JobPool {
  pool = createJobPool({ entry: entry.path, size: 1, systemClock, logger: silentLogger, ...options });
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

describe("a pool of job children", () => {
  it("runs a job in another process and hands back its result", async () => {
    open();
    const result = await run("echo", { rows: [1, 2], text: "é\u0000" });
    expect(result.input).toEqual({ rows: [1, 2], text: "é\u0000" });
    expect(result.pid).not.toBe(process.pid);
  });

  it("reports progress in order before the job ends", async () => {
    open();
    const seen: JsonObject[] = [];
    await run("epochs", { epochs: 5 }, { onProgress: (message: JsonObject) => seen.push(message) });
    expect(seen.map((message) => message.epoch)).toEqual([1, 2, 3, 4, 5]);
  });

  it("keeps one child for jobs of one affinity and spreads others", async () => {
    open({ size: 2 });
    await pool.warm();
    const call = (affinity: string) => pool.run({ type: "echo", affinity, input: {} });
    const [first, second] = await Promise.all([call("a"), call("b")]);
    expect(first.pid).not.toBe(second.pid);
    for (let i = 0; i < 3; i++) {
      expect((await call("b")).pid).toBe(second.pid);
      expect((await call("a")).pid).toBe(first.pid);
    }
  });

  it("replaces a child after its share of jobs", async () => {
    open({ maxJobsPerChild: 2 });
    const pids = [];
    for (let i = 0; i < 5; i++) pids.push((await run("echo")).pid);
    expect(pids[0]).toBe(pids[1]);
    expect(pids[2]).toBe(pids[3]);
    expect(new Set(pids).size).toBe(3);
  });

  it("hands an error of the job over with code, message, remedy and details", async () => {
    open();
    const error = await failure(run("refuse"));
    expect(error).toMatchObject({
      code: "CLASS_MISSING",
      message: "The training split lacks the class true.",
      remedy: "Widen the window.",
      details: { classes: ["false"] },
    });
    const bug = await failure(run("bug"));
    expect(bug.code).toBe("INTERNAL");
    expect(bug.message).toContain("x is not a function");
    expect(bug.details.stack).toContain("TypeError");
    // The child that threw is as good as before.
    expect((await run("echo")).served).toBe(1);
  });

  it("refuses a job type that the child does not know and names the nearest", async () => {
    open();
    const error = await failure(run("ecko"));
    expect(error.code).toBe("INTERNAL");
    expect(error.message).toContain('"echo"');
  });

  it("cancels a waiting job at once and a running one that listens, and replaces the child", async () => {
    open();
    const before = (await run("echo")).pid;
    const abort = new AbortController();
    const running = run("obey", {}, { signal: abort.signal, onProgress: () => abort.abort() });
    const waiting = new AbortController();
    const queued = run("echo", {}, { signal: waiting.signal });
    waiting.abort();
    expect((await failure(queued)).code).toBe("TRAINER_CANCELED");
    expect((await failure(running)).code).toBe("TRAINER_CANCELED");
    expect((await run("echo")).pid).not.toBe(before);
  });

  it("refuses a job whose signal was aborted before", async () => {
    open();
    expect((await failure(run("echo", {}, { signal: AbortSignal.abort() }))).code).toBe("TRAINER_CANCELED");
  });

  it("shows a child only the variables on the list", async () => {
    process.env.RETRAIN_TEST_SECRET = "hidden";
    process.env.RETRAIN_TEST_SHOWN = "shown";
    open({ environment: ["RETRAIN_TEST_SHOWN"] });
    const { names } = await run("environment");
    expect(names).toContain("PATH");
    expect(names).toContain("RETRAIN_TEST_SHOWN");
    expect(names).not.toContain("RETRAIN_TEST_SECRET");
    expect((names as string[]).filter((name) => name.startsWith("VITEST"))).toEqual([]);
  });

  it("fails waiting and running jobs on close and takes no more", async () => {
    open();
    const running = failure(run("deaf"));
    const waiting = failure(run("echo"));
    await pool.close();
    expect((await running).code).toBe("ENGINE_STOPPED");
    expect((await waiting).code).toBe("ENGINE_STOPPED");
    expect((await failure(run("echo"))).code).toBe("ENGINE_STOPPED");
  });
});
