/** Threads of a training: they change when it is done, never what comes out, and none outlives it. */
import { setImmediate } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import type { JsonObject, Task } from "../../../src/core/index.ts";
import { countThreads, Crew } from "../../../src/learn/gbdt/crew.ts";
import { fitGbdt, gbdt } from "../../../src/learn/gbdt/gbdt.ts";
import { hasSharedKernels } from "../../../src/learn/gbdt/kernels.ts";
import { openMemory } from "../../../src/learn/gbdt/memory.ts";
import { readParams } from "../../../src/learn/gbdt/params.ts";
import { COMMANDS, CONTROL } from "../../../src/learn/gbdt/share.ts";
import type { TrainedWeights } from "../../../src/learn/index.ts";
import { bytesOf, request } from "./data.ts";

const shared = describe.skipIf(!hasSharedKernels("auto"));

/** Not a multiple of anything a thread's rows begin at. */
const ROWS = 9001;

const MODELS: readonly (readonly [string, Task, JsonObject])[] = [
  ["logistic, sampled", "binary", { epochs: 6, rowShare: 0.7, columnShare: 0.8 }],
  ["softmax, by depth", "multiclass", { epochs: 2, grow: "depth" }],
  ["quantile, monotone", "regression", { epochs: 4, loss: "quantile", quantile: 0.8, monotone: { x0: 1 } }],
];

function largeRequest(task: Task, params: JsonObject) {
  return request({ task, params, table: { rows: ROWS, task, missing: 0.1, weights: true } });
}

/** Threads started and not yet ended, from now on. */
function watchThreads() {
  const alive = new Set<Worker>();
  let started = 0;
  const count = (worker: Worker) => {
    started++;
    alive.add(worker);
    worker.once("exit", () => alive.delete(worker));
  };
  process.on("worker", count);
  return { alive, started: () => started, stop: () => process.off("worker", count) };
}

function openTwo(): Crew {
  const params = readParams(gbdt.resolveParams({}));
  const size = { rows: ROWS, columns: 4, outputs: 1, validationRows: 0, hasWeights: false };
  return new Crew(openMemory({ ...size, params, kernels: "auto", threads: 2 }));
}

shared("several threads", () => {
  it.each(MODELS)("train the model of one thread, bit for bit: %s", async (_name, task, params) => {
    const one = await fitGbdt(largeRequest(task, { ...params, threads: 1 }));
    for (const threads of [2, 3]) {
      expect(bytesOf(await fitGbdt(largeRequest(task, { ...params, threads })))).toBe(bytesOf(one));
    }
    expect(bytesOf(await fitGbdt(largeRequest(task, { ...params, threads: 2 }), "twin"))).toBe(bytesOf(one));
  });

  it("go on from a checkpoint of another number of threads to the same bits", async () => {
    const params = { epochs: 6, patience: 0 };
    const whole = await gbdt.fit(largeRequest("binary", { ...params, threads: 1 }));
    const states: TrainedWeights[] = [];
    await gbdt.fit({
      ...largeRequest("binary", { ...params, threads: 2 }),
      onCheckpoint: async (state) => void states.push(state()),
    });
    const resume = states[2] as TrainedWeights;
    expect(bytesOf(await gbdt.fit({ ...largeRequest("binary", { ...params, threads: 3 }), resume }))).toBe(
      bytesOf(whole),
    );
  });

  it("are gone when the training ends, and when it is canceled", async () => {
    const watch = watchThreads();
    const cancel = new AbortController();
    const canceled = gbdt.fit({
      ...largeRequest("binary", { epochs: 5000, patience: 0, threads: 2 }),
      signal: cancel.signal,
      onPoint: async ({ epoch }) => {
        if (epoch === 3) cancel.abort();
      },
    });
    await expect(canceled).rejects.toMatchObject({ code: "TRAINER_CANCELED" });
    expect([watch.started(), watch.alive.size]).toEqual([1, 0]);
    await gbdt.fit(largeRequest("binary", { epochs: 2, threads: 3 }));
    expect([watch.started(), watch.alive.size]).toEqual([3, 0]);
    watch.stop();
  });

  it("do a step once, however often they are woken", async () => {
    const crew = openTwo();
    await crew.join();
    const { ints, layout } = crew.memory;
    const control = layout.control >>> 2;
    crew.run(COMMANDS.gradients);
    for (let woken = 0; woken < 3; ) {
      // Woken while asleep, with nothing new to do; asleep again means that it looked.
      woken += Atomics.notify(ints, control + CONTROL.sequence);
      await setImmediate();
    }
    expect(ints[control + CONTROL.done]).toBe(1);
    await crew.close();
  });

  it("that end in the middle of a training end it with an error", async () => {
    const crew = openTwo();
    await crew.join();
    expect(crew.threads).toBe(2);
    crew.run(COMMANDS.gradients);
    const { ints, layout } = crew.memory;
    ints[(layout.control >>> 2) + CONTROL.hasFailed] = 1;
    expect(() => crew.run(COMMANDS.gradients)).toThrow(expect.objectContaining({ code: "TRAINER_FAILED" }));
    await crew.close();
  });
});

describe("the number of threads", () => {
  it("is what was asked for, as far as there are rows to share", () => {
    expect(countThreads(1, 1e6)).toBe(1);
    expect(countThreads(4, 1e6)).toBe(4);
    expect(countThreads(4, 8000)).toBe(2);
    expect(countThreads(4, 3)).toBe(1);
  });

  it("is one by default where there are few rows", () => {
    expect(countThreads(0, 19_999)).toBe(1);
    expect(countThreads(0, 1e6)).toBeGreaterThanOrEqual(1);
  });
});
