import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type Engine, type JsonObject, type Logger, systemClock } from "../../src/core/index.ts";
import { createDbosEngine, type DbosEngineOptions } from "../../src/engine/index.ts";
import { openTestDatabase, type TestDatabase } from "../../src/testing/database.ts";

let test: TestDatabase;
let engine: Engine | undefined;
const logged: { level: string; fields: JsonObject; message: string }[] = [];
const note = (level: string) => (fields: JsonObject, message: string) => void logged.push({ level, fields, message });
const logger: Logger = { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") };

beforeAll(async () => {
  test = await openTestDatabase({ isMigrated: false });
});
afterAll(() => test?.dispose());
afterEach(() => engine?.stop(0));

function open(options: Partial<DbosEngineOptions> = {}): Engine {
  engine = createDbosEngine({
    pool: test.database.pool,
    systemClock,
    logger,
    executorId: "one",
    applicationVersion: "1",
    ...options,
  });
  return engine;
}

describe("the durable engine", () => {
  it("logs through the given logger and prints nothing", async () => {
    const printed = [
      vi.spyOn(console, "log"),
      vi.spyOn(console, "info"),
      vi.spyOn(console, "warn"),
      vi.spyOn(console, "error"),
    ];
    const written = [vi.spyOn(process.stdout, "write"), vi.spyOn(process.stderr, "write")];
    const first = open();
    first.register("fails", async () => {
      throw new TypeError("a mistake of ours");
    });
    await first.start();
    await first.enqueue({ workflow: "fails", id: "fails", queue: "runs", input: null });
    await first.wait("fails");
    for (const spy of [...printed, ...written]) expect(spy).not.toHaveBeenCalled();
    for (const spy of [...printed, ...written]) spy.mockRestore();
    expect(logged.some((entry) => entry.level === "debug" && entry.message.startsWith("Executor ID"))).toBe(true);
    expect(logged.some((entry) => entry.level === "error" && entry.message.includes("a mistake of ours"))).toBe(true);
  });

  it("refuses a second engine in one process and says why", async () => {
    await open().start();
    const second = createDbosEngine({
      pool: test.database.pool,
      systemClock,
      logger,
      executorId: "two",
      applicationVersion: "1",
    });
    await expect(second.start()).rejects.toMatchObject({ code: "CONFLICT" });
    // The refusal left the first one alone; when that has stopped, the second may start.
    await engine?.status("any");
    await engine?.stop();
    engine = second;
    await second.start();
  });

  it("in the role api takes workflows, and a process that runs them finds them", async () => {
    const define = (e: Engine) => e.register("double", async (_context, input) => (input as number) * 2);
    const api = open({ role: "api", executorId: "api" });
    define(api);
    await api.start();
    await api.enqueue({ workflow: "double", id: "from-api", queue: "elsewhere", input: 21 });
    const abort = AbortSignal.timeout(1200);
    await expect(api.wait("from-api", abort)).rejects.toThrow();
    expect((await api.status("from-api"))?.state).toBe("queued");
    await api.stop();
    const worker = open({ role: "worker" });
    define(worker);
    await worker.start();
    expect((await worker.wait("from-api")).output).toBe(42);
  });

  it("starts again and again on a database it knows", async () => {
    for (let i = 0; i < 3; i++) {
      const again = open();
      again.register("double", async (_context, input) => (input as number) * 2);
      await again.start();
      await again.enqueue({ workflow: "double", id: `again-${i}`, queue: "runs", input: 21 });
      expect((await again.wait(`again-${i}`)).output).toBe(42);
      await again.stop();
    }
  });

  it("refuses what is registered twice or too late", async () => {
    const one = open();
    one.register("once", async () => null);
    expect(() => one.register("once", async () => null)).toThrow("registered already");
    one.schedule("nightly", "0 3 * * *", "UTC", async () => {});
    expect(() => one.schedule("nightly", "0 4 * * *", "UTC", async () => {})).toThrow("registered already");
    await one.start();
    expect(() => one.register("late", async () => null)).toThrow("after the engine had started");
  });
});
