import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { silentLogger, systemClock } from "../../src/core/index.ts";
import { createModelHost } from "../../src/engine/index.ts";

const entry = fileURLToPath(new URL("./support/host-child.mjs", import.meta.url));
const options = { systemClock, logger: silentLogger, entry, runLimitMs: 500, loadLimitMs: 1_500 };
const host = createModelHost(options);
afterAll(() => host.close());
const file = (behavior: string) => new TextEncoder().encode(behavior);
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe("the host of ONNX models", () => {
  it("gives each model a process of its own, and ends it on close", async () => {
    const [one, other] = await Promise.all([host.open(file("a")), host.open(file("b"))]);
    const [first = 0] = Array.from(await one.run([], "pid"));
    const [second = 0] = Array.from(await other.run([], "pid"));
    expect(first).not.toBe(second);
    one.close();
    await expect.poll(() => isAlive(first)).toBe(false);
    expect(isAlive(second)).toBe(true);
    await expect(one.run([], "pid")).rejects.toMatchObject({ code: "MODEL_HOST_FAILED" });
    other.close();
  });

  it.each([
    ["hangs", "hang", /did not answer within 500 ms/],
    ["crashes", "crash", /signal SIGSEGV/],
  ])("contains a model that %s: that answer fails, the next one comes from a new process", async (_what, how, text) => {
    const model = await host.open(file("a"));
    const [before = 0] = Array.from(await model.run([], "pid"));
    const failed = await model.run([], how).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "MODEL_HOST_FAILED", retryable: true });
    expect((failed as Error).message).toMatch(text);
    const [after = 0] = Array.from(await model.run([], "pid"));
    expect(after).not.toBe(before);
    await expect.poll(() => isAlive(before)).toBe(false);
    model.close();
  });

  it("ends a model that grows beyond its memory", async () => {
    const small = createModelHost({ ...options, runLimitMs: 20_000, memoryBytes: 200_000_000 });
    const model = await small.open(file("a"));
    await expect(model.run([], "grow")).rejects.toThrowError(/its limit is 191 MB/);
    await small.close();
  });

  it("leaves a model alone that fails three times in a row", async () => {
    const model = await host.open(file("a"));
    for (let i = 0; i < 3; i++) await expect(model.run([], "crash")).rejects.toThrowError(/SIGSEGV/);
    await expect(model.run([], "pid")).rejects.toThrowError(/failed 3 times in a row and rests/);
    model.close();
  });

  it("passes on what the runtime says of a file or of rows", async () => {
    await expect(host.open(file("bad file"))).rejects.toThrowError(/bad magic/);
    await expect(host.open(file("slow load"))).rejects.toMatchObject({ code: "MODEL_HOST_FAILED" });
    const model = await host.open(file("a"));
    await expect(model.run([], "refuse")).rejects.toMatchObject({ code: "OUTPUT_INVALID" });
    expect(Array.from(await model.run([], "pid"))).toHaveLength(2);
    model.close();
  });
});
