/** The WebAssembly kernels of `mlp` against their TypeScript twin: whole trainings, the same bits. */
import { describe, expect, it } from "vitest";
import type { JsonObject, Task } from "../../../src/core/index.ts";
import { fitMlp } from "../../../src/learn/mlp/mlp.ts";
import { MLP_KERNEL_VERSION } from "../../../src/learn/mlp/kernels.ts";
import { hasWasm } from "../../../src/learn/wasm.ts";
import { networkRequest } from "./data.ts";

/** `npm test` builds the kernels first; without the file there is nothing to compare. */
const compare = describe.skipIf(!hasWasm("mlp", MLP_KERNEL_VERSION));

const cases: readonly (readonly [Task, number, number, JsonObject])[] = [
  ["binary", 101, 7, { hidden: [5] }],
  ["binary", 60, 3, { hidden: [9, 4], activation: "tanh", dropout: 0.3 }],
  ["multiclass", 90, 20, { hidden: [16, 8, 8], batch: 16 }],
  ["multiclass", 33, 1, { activation: "tanh", hidden: [3] }],
  // Batches of 45 rows and layers of 40 units: long enough for factors to be packed.
  ["binary", 900, 9, { hidden: [40, 12], batch: 64 }],
  ["multiclass", 900, 13, { hidden: [40], batch: 64, dropout: 0.2 }],
  ["regression", 130, 11, { hidden: [12, 10], dropout: 0.1 }],
];

compare("the kernels of mlp and their twin", () => {
  it.each(cases)(
    "train the same bits on a %s task of %i rows × %i columns, %o",
    async (task, rows, columns, params) => {
      for (const weighted of [false, true]) {
        const request = networkRequest(task, { rows, columns, weighted, params: { epochs: 3, ...params } });
        const wasm = await fitMlp(request, "wasm");
        expect(await fitMlp(request, "twin")).toEqual(wasm);
        for (const array of Object.values(wasm.arrays)) expect([...array].every(Number.isFinite)).toBe(true);
      }
    },
  );
});
