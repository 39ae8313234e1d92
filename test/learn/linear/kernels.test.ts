/** The WebAssembly kernels of `linear` against their TypeScript twin: whole trainings, the same bits. */
import { describe, expect, it } from "vitest";
import { createRandom, type JsonObject, type Task } from "../../../src/core/index.ts";
import type { FitRequest } from "../../../src/learn/index.ts";
import { LINEAR_KERNEL_VERSION, openLinearKernels } from "../../../src/learn/linear/kernels.ts";
import { fitLinear } from "../../../src/learn/linear/linear.ts";
import { hasWasm } from "../../../src/learn/wasm.ts";

/** `npm test` builds the kernels first; without the file there is nothing to compare. */
const compare = describe.skipIf(!hasWasm("linear", LINEAR_KERNEL_VERSION));

function requestOf(task: Task, rows: number, columns: number, weighted: boolean, params: JsonObject): FitRequest {
  const random = createRandom(rows * 31 + columns);
  const values = Float32Array.from({ length: rows * columns }, () => (random.nextFloat() - 0.5) * 6);
  const classCount = task === "regression" ? 0 : task === "binary" ? 2 : 3;
  const target = Float64Array.from({ length: rows }, (_, i) =>
    task === "regression" ? random.nextFloat() * 9 : i < classCount ? i : random.nextInt(classCount),
  );
  const weights = Float64Array.from({ length: rows }, () => random.nextFloat() * 2);
  const part = {
    x: { rows, columns, values },
    y: { values: target, classCount, ...(weighted ? { weights } : {}) },
  };
  const signal = new AbortController().signal;
  return {
    task,
    train: part,
    validation: part,
    params: { epochs: 4, ...params },
    seed: 5,
    signal,
    onPoint: async () => {},
  };
}

const cases = (["binary", "multiclass", "regression"] as const).flatMap((task) =>
  [
    [3, 1],
    [16, 2],
    [101, 7],
    [250, 20],
    // Too many bytes for one cache: epochs go over blocks.
    [9001, 9],
  ].map(([rows, columns]) => [task, rows as number, columns as number] as const),
);

compare("the kernels of linear and their twin", () => {
  it.each(cases)("train the same bits on a %s task of %i rows × %i columns", async (task, rows, columns) => {
    for (const [weighted, params] of [
      [false, {}],
      [true, { l1: 3, l2: 0.5 }],
    ] as const) {
      const request = requestOf(task, rows, columns, weighted, params);
      expect(await fitLinear(request, "wasm")).toEqual(await fitLinear(request, "twin"));
    }
  });

  it("shuffle alike, and evenly: each row comes first about as often as any other", () => {
    const both = (["wasm", "twin"] as const).map((choice) => openLinearKernels(1024, choice));
    const firsts = new Float64Array(10);
    for (let round = 0; round < 2000; round++) {
      const orders = both.map((kernels) => {
        const words = new Uint32Array(kernels.buffer);
        words.set(createRandom(round).state(), 4);
        for (let i = 0; i < 10; i++) words[8 + i] = i;
        kernels.shuffle(32, 10, 16);
        return [...words.subarray(4, 18)];
      });
      expect(orders[0]).toEqual(orders[1]);
      const first = orders[0]?.[4] as number;
      firsts[first] = (firsts[first] as number) + 1;
    }
    // 2,000 rounds of chance 1/10: four standard deviations are 54.
    for (const count of firsts) expect(Math.abs(count - 200)).toBeLessThan(54);
  });

  it("go over every row once an epoch, block by block, from another row each time", () => {
    const [count, blockRows, seeds] = [1000, 64, 40];
    const starts = new Set<number>();
    for (let seed = 0; seed < seeds; seed++) {
      const orders = (["wasm", "twin"] as const).map((choice) => {
        const kernels = openLinearKernels(8192, choice);
        const words = new Uint32Array(kernels.buffer);
        words.set(createRandom(seed).state(), 4);
        kernels.shuffleBlocks(64, count, 4160, blockRows, 16);
        return [...words.subarray(16, 16 + count)];
      });
      expect(orders[0]).toEqual(orders[1]);
      const order = orders[0] as number[];
      expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      const breaks = order.filter((row, i) => i > 0 && row !== (order[i - 1] as number) + 1).length;
      expect(breaks).toBeLessThanOrEqual(2 * Math.ceil(count / blockRows));
      starts.add(order[0] as number);
    }
    // 40 of 1,000 rows are 39 different ones on average.
    expect(starts.size).toBeGreaterThan(30);
  });
});
