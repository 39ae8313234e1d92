/** What every engine must do; run over the virtual one and over the durable one on the embedded database, and on a server in test/services. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type Engine, fail, type Json, RetrainError, type WorkflowStatus } from "../../src/core/index.ts";

export interface EngineHarness {
  /** An engine, not yet started, over the memory all engines of this harness share. */
  open(options?: { concurrency?: number }): Engine;
  /** Moves the engine's clock for schedules. */
  advance(engine: Engine, ms: number): Promise<void>;
  now(engine: Engine): number;
  dispose(): Promise<void>;
}

/** A promise and what settles it. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}
const aborted = (signal: AbortSignal) =>
  new Promise<never>((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
function stored(status: WorkflowStatus): { code: string; message: string; remedy: string; details: Json } {
  return JSON.parse(status.error as string) as ReturnType<typeof stored>;
}

export function describeEngine(kind: string, openHarness: () => Promise<EngineHarness>): void {
  describe(`an engine of kind ${kind}`, () => {
    let harness: EngineHarness;
    let engine: Engine;
    let count = 0;
    const id = () => `w-${++count}`;
    beforeAll(async () => {
      harness = await openHarness();
    });
    afterAll(() => harness?.dispose());
    afterEach(() => engine?.stop(0));

    async function start(setUp: (engine: Engine) => void, options?: { concurrency?: number }): Promise<Engine> {
      engine = harness.open(options);
      setUp(engine);
      await engine.start();
      return engine;
    }
    async function enqueue(workflow: string, input: Json = null, partition = "p", queue = "runs"): Promise<string> {
      const workflowId = id();
      await engine.enqueue({ workflow, id: workflowId, queue, partition, input });
      return workflowId;
    }

    it("runs the steps in order and keeps what they returned", async () => {
      await start((e) =>
        e.register("sum", async (context, input) => {
          const first = await context.step("double", async () => (input as number) * 2);
          const second = await context.step("describe", async () => ({ first, nothing: null, text: "é\u2028" }));
          return { second, id: context.workflowId };
        }),
      );
      const workflow = await enqueue("sum", 21);
      const status = await engine.wait(workflow);
      expect(status).toEqual({
        id: workflow,
        state: "done",
        output: { second: { first: 42, nothing: null, text: "é\u2028" }, id: workflow },
      });
      const steps = await engine.steps(workflow);
      expect(steps.map((step) => step.name)).toEqual(["double", "describe"]);
      for (const step of steps) expect(step.endedAt ?? 0).toBeGreaterThanOrEqual(step.startedAt as number);
      expect(await engine.status("never")).toBeUndefined();
      expect(await engine.steps("never")).toEqual([]);
    });

    it("starts a workflow once however often it is enqueued", async () => {
      let runs = 0;
      await start((e) => {
        e.register("count", async () => ++runs);
        e.register("other", async () => null);
      });
      const request = { workflow: "count", id: id(), queue: "runs", partition: "p", input: null };
      await Promise.all([engine.enqueue(request), engine.enqueue(request), engine.enqueue(request)]);
      await engine.wait(request.id);
      await engine.enqueue(request);
      expect(await engine.wait(request.id)).toMatchObject({ state: "done", output: 1 });
      expect(runs).toBe(1);
      await expect(engine.enqueue({ ...request, workflow: "other" })).rejects.toMatchObject({ code: "CONFLICT" });
    });

    it("refuses a workflow nobody registered and names the nearest", async () => {
      await start((e) => e.register("retrain", async () => null));
      await expect(enqueue("retrian")).rejects.toThrow('"retrain"');
    });

    it("runs one workflow per partition at a time, in order, and partitions side by side up to the limit", async () => {
      let now = 0;
      let most = 0;
      const inside = new Map<string, number>();
      const order: string[] = [];
      const two = gate();
      await start(
        (e) =>
          e.register("work", async (context, input) => {
            const { partition, n } = input as { partition: string; n: number };
            return await context.step("work", async () => {
              most = Math.max(most, ++now);
              inside.set(partition, (inside.get(partition) ?? 0) + 1);
              expect(inside.get(partition)).toBe(1);
              order.push(`${partition}${n}`);
              if (now === 2) two.open();
              if (n === 1) await two.opened;
              inside.set(partition, 0);
              now--;
              return n;
            });
          }),
        { concurrency: 2 },
      );
      const ids: string[] = [];
      for (const n of [1, 2, 3]) {
        for (const partition of ["a", "b", "c"])
          ids.push(await enqueue("work", { partition, n }, partition, "limited"));
      }
      for (const workflow of ids) expect((await engine.wait(workflow)).state).toBe("done");
      expect(most).toBe(2);
      for (const partition of ["a", "b", "c"]) {
        expect(order.filter((entry) => entry.startsWith(partition))).toEqual([1, 2, 3].map((n) => `${partition}${n}`));
      }
    });

    it("cancels a waiting workflow before it begins", async () => {
      const first = gate();
      const began: Json[] = [];
      await start((e) =>
        e.register("wait", async (context, input) => {
          began.push(input);
          await context.step("wait", async () => {
            await first.opened;
            return null;
          });
          return null;
        }),
      );
      const running = await enqueue("wait", "first");
      const waiting = await enqueue("wait", "second");
      expect(await engine.cancel(waiting)).toBe(true);
      expect(await engine.cancel(waiting)).toBe(false);
      expect(await engine.cancel("never")).toBe(false);
      expect((await engine.wait(waiting)).state).toBe("canceled");
      first.open();
      expect((await engine.wait(running)).state).toBe("done");
      expect(await engine.cancel(running)).toBe(false);
      expect(began).toEqual(["first"]);
    });

    it("reaches the signal of a running step within a second of the cancel, and keeps the partition until it has ended", async () => {
      const began = gate();
      const ending = gate();
      const seen: string[] = [];
      await start((e) => {
        e.register("long", async (context) => {
          try {
            await context.step("train", async ({ signal }) => {
              began.open();
              await aborted(signal).catch(() => seen.push("aborted"));
              await ending.opened;
              seen.push("ended");
              return "a result nobody wants";
            });
          } catch (error) {
            seen.push((error as RetrainError).code);
          }
          return "not canceled";
        });
        e.register("next", async () => void seen.push("next") as never);
      });
      const long = await enqueue("long");
      await began.opened;
      const next = await enqueue("next");
      expect(await engine.cancel(long)).toBe(true);
      await vi.waitFor(() => expect(seen).toEqual(["aborted"]), { timeout: 20_000, interval: 5 });
      expect(await engine.wait(long)).toEqual({ id: long, state: "canceled" });
      ending.open();
      expect((await engine.wait(next)).state).toBe("done");
      await vi.waitFor(() => expect(seen).toEqual(["aborted", "ended", "TRAINER_CANCELED", "next"]));
      expect(await engine.status(long)).toEqual({ id: long, state: "canceled" });
      expect(await engine.steps(long)).toEqual([]);
    });

    it("stores the error that ended a workflow with code, message, remedy and details", async () => {
      await start((e) => {
        e.register("known", (context) =>
          context.step("train", async () => {
            throw fail("CLASS_MISSING", { message: "No true.", remedy: "Widen.", details: { classes: ["false"] } });
          }),
        );
        e.register("foreign", async () => {
          throw new TypeError("x is not a function");
        });
      });
      const known = await enqueue("known");
      const status = await engine.wait(known);
      expect(status.state).toBe("failed");
      expect(stored(status)).toEqual({
        code: "CLASS_MISSING",
        message: "No true.",
        remedy: "Widen.",
        details: { classes: ["false"] },
      });
      expect(JSON.parse((await engine.steps(known))[0]?.error as string)).toMatchObject({ code: "CLASS_MISSING" });
      const foreign = stored(await engine.wait(await enqueue("foreign")));
      expect(foreign.code).toBe("INTERNAL");
      expect(foreign.message).toContain("x is not a function");
    });

    it("tries a step again only where trying can help", async () => {
      const tries = { passing: 0, refused: 0, lasting: 0 };
      await start((e) => {
        e.register("retry", async (context) => {
          const attempt = await context.step(
            "passing",
            async (control) => {
              tries.passing++;
              if (control.attempt < 3) throw fail("STORE_UNAVAILABLE", { message: "down", remedy: "wait" });
              return control.attempt;
            },
            { maxAttempts: 3 },
          );
          const codes: Json[] = [];
          for (const [name, error] of [
            ["refused", fail("DATASET_EMPTY", { message: "empty", remedy: "label" })],
            ["lasting", new Error("still down")],
          ] as const) {
            const step = context.step(
              name,
              async () => {
                tries[name]++;
                throw error;
              },
              { maxAttempts: 2 },
            );
            codes.push(await step.catch((reason: RetrainError) => reason.code));
          }
          return { attempt, codes };
        });
      });
      const status = await engine.wait(await enqueue("retry"));
      expect(status.output).toEqual({ attempt: 3, codes: ["DATASET_EMPTY", "INTERNAL"] });
      expect(tries).toEqual({ passing: 3, refused: 1, lasting: 2 });
    });

    it("refuses a result that JSON cannot hold instead of changing it", async () => {
      await start((e) => e.register("nan", (context) => context.step("train", async () => ({ loss: Number.NaN }))));
      expect(stored(await engine.wait(await enqueue("nan"))).code).toBe("NUMBER_NOT_FINITE");
    });

    it("goes on from the last finished step after a stop that aborted the one under way", async () => {
      const began = gate();
      const ran: string[] = [];
      let isFirstLife = true;
      const define = (e: Engine) =>
        e.register("six", async (context) => {
          const one = await context.step("one", async () => {
            ran.push("one");
            return 1;
          });
          const two = await context
            .step("two", async () => {
              ran.push("two");
              throw fail("DATASET_EMPTY", { message: "No rows.", remedy: "Label." });
            })
            .catch((error: unknown) => (error instanceof RetrainError ? error.code : "lost its class"));
          const three = await context.step("three", async ({ signal }) => {
            ran.push("three");
            if (!isFirstLife) return 3;
            began.open();
            return aborted(signal);
          });
          return { one, two, three };
        });
      await start(define);
      const workflow = await enqueue("six");
      const waiting = engine.wait(workflow);
      waiting.catch(() => {});
      await began.opened;
      await engine.stop(10);
      await expect(waiting).rejects.toMatchObject({ code: "ENGINE_STOPPED" });
      isFirstLife = false;
      await start(define);
      expect(await engine.wait(workflow)).toMatchObject({
        state: "done",
        output: { one: 1, two: "DATASET_EMPTY", three: 3 },
      });
      expect(ran).toEqual(["one", "two", "three", "three"]);
    });

    it("lets a step finish within the grace of a stop and starts no other", async () => {
      const began = gate();
      const ran: string[] = [];
      const define = (e: Engine) =>
        e.register("graceful", async (context) => {
          await context.step("short", async ({ signal }) => {
            ran.push("short");
            began.open();
            await Promise.race([new Promise((resolve) => setTimeout(resolve, 50)), aborted(signal)]);
            return null;
          });
          await context.step("later", async () => {
            ran.push("later");
            return null;
          });
          return "whole";
        });
      await start(define);
      const workflow = await enqueue("graceful");
      await began.opened;
      await engine.stop(5000);
      expect(ran).toEqual(["short"]);
      await expect(enqueue("graceful")).rejects.toMatchObject({ code: "ENGINE_STOPPED" });
      await expect(engine.status(workflow)).rejects.toMatchObject({ code: "ENGINE_STOPPED" });
      await start(define);
      expect((await engine.wait(workflow)).output).toBe("whole");
      expect(ran).toEqual(["short", "later"]);
    });

    it("ends a wait when its signal aborts and refuses to wait for what does not exist", async () => {
      const hold = gate();
      await start((e) => e.register("hold", (context) => context.step("hold", () => hold.opened.then(() => null))));
      const workflow = await enqueue("hold");
      const abort = new AbortController();
      const waiting = engine.wait(workflow, abort.signal);
      abort.abort(new Error("the request was closed"));
      await expect(waiting).rejects.toThrow("the request was closed");
      await expect(engine.wait("never")).rejects.toMatchObject({ code: "RUN_UNKNOWN" });
      hold.open();
      await engine.wait(workflow);
    });

    it("may enqueue from inside a step without disturbing the replay of that workflow", async () => {
      let fails = true;
      const began = gate();
      const define = (e: Engine) => {
        e.register("parent", async (context) => {
          await context.step("enqueue", async () => {
            await e.enqueue({
              workflow: "child",
              id: `${context.workflowId}-child`,
              queue: "runs",
              partition: "c",
              input: 1,
            });
            return null;
          });
          return context.step("after", async ({ signal }) => {
            if (!fails) return "after";
            began.open();
            return aborted(signal);
          });
        });
        e.register("child", async (_context, input) => input);
      };
      await start(define);
      const parent = await enqueue("parent");
      await began.opened;
      expect((await engine.wait(`${parent}-child`)).output).toBe(1);
      await engine.stop(0);
      fails = false;
      await start(define);
      expect((await engine.wait(parent)).output).toBe("after");
      expect((await engine.steps(parent)).map((step) => step.name)).toEqual(["enqueue", "after"]);
    });

    it("prunes finished workflows older than the instant and nothing else", async () => {
      const hold = gate();
      await start((e) => {
        e.register("quick", async () => 1);
        e.register("hold", (context) => context.step("hold", () => hold.opened.then(() => null)));
      });
      const open = await enqueue("hold", null, "open");
      const finished = [];
      for (let i = 0; i < 3; i++) finished.push(await enqueue("quick", null, "prune"));
      for (const workflow of finished) await engine.wait(workflow);
      expect(await engine.prune(0)).toBe(0);
      expect((await engine.status(finished[0] as string))?.state).toBe("done");
      expect(await engine.prune(Date.now() + 60_000)).toBeGreaterThanOrEqual(3);
      for (const workflow of finished) expect(await engine.status(workflow)).toBeUndefined();
      expect((await engine.status(open))?.state).toBe("running");
      hold.open();
      expect((await engine.wait(open)).state).toBe("done");
    });

    it("fires schedules in their time zone, each occurrence once, also after one that threw", async () => {
      const fired: number[] = [];
      await start((e) =>
        e.schedule("daily", "0 3 * * *", "Europe/Berlin", async (at) => {
          fired.push(at);
          if (fired.length === 1) throw new Error("the first one fails");
        }),
      );
      const day = 86_400_000;
      for (let i = 1; i <= 3; i++) {
        await harness.advance(engine, day);
        await vi.waitFor(() => expect(fired.length).toBe(i));
      }
      const berlin = new Intl.DateTimeFormat("en-GB", { timeZone: "Europe/Berlin", timeStyle: "medium" });
      for (const at of fired) expect(berlin.format(at)).toBe("03:00:00");
      expect(new Set(fired).size).toBe(3);
      expect(() => engine.schedule("bad", "61 * * * *", "UTC", async () => {})).toThrow(RetrainError);
      expect(() => engine.schedule("nowhere", "* * * * *", "Europe/Atlantis", async () => {})).toThrow(RetrainError);
    });

    it("fires once for all ticks missed while it was down", async () => {
      const fired: number[] = [];
      const define = (e: Engine) =>
        e.schedule("hourly", "30 * * * *", "UTC", async (at) => {
          fired.push(at);
        });
      await start(define);
      const hour = 3_600_000;
      await harness.advance(engine, hour);
      await vi.waitFor(() => expect(fired.length).toBe(1));
      const until = harness.now(engine) + 10 * hour;
      await engine.stop(0);
      await harness.advance(engine, 10 * hour);
      engine = harness.open();
      define(engine);
      await engine.start();
      await vi.waitFor(() => expect(fired.length).toBe(2));
      expect(until - (fired[1] as number)).toBeLessThanOrEqual(hour);
      await harness.advance(engine, hour);
      await vi.waitFor(() => expect(fired.length).toBe(3));
      expect((fired[2] as number) - (fired[1] as number)).toBe(hour);
    });
  });
}
