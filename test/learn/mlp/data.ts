/** Seeded requests for the tests of networks. */
import { createRandom, type JsonObject, type Task } from "../../../src/core/index.ts";
import type { FitRequest } from "../../../src/learn/index.ts";

export function networkRequest(
  task: Task,
  options: {
    readonly rows: number;
    readonly columns: number;
    readonly weighted?: boolean;
    readonly params?: JsonObject;
  },
): FitRequest {
  const { rows, columns, weighted, params } = options;
  const random = createRandom(rows * 31 + columns);
  const values = Float32Array.from({ length: rows * columns }, () => (random.nextFloat() - 0.5) * 4);
  const classCount = task === "regression" ? 0 : task === "binary" ? 2 : 3;
  const target = Float64Array.from({ length: rows }, (_, i) =>
    task === "regression" ? random.nextFloat() * 9 : i < classCount ? i : random.nextInt(classCount),
  );
  const weights = Float64Array.from({ length: rows }, () => random.nextFloat() * 2);
  const part = {
    x: { rows, columns, values },
    y: { values: target, classCount, ...(weighted === true ? { weights } : {}) },
  };
  const signal = new AbortController().signal;
  return { task, train: part, validation: part, params: params ?? {}, seed: 5, signal, onPoint: async () => {} };
}
