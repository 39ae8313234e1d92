/** The WebAssembly kernels against their TypeScript twins: the same memory before, the same bits after. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRandom, type JsonObject, type Task } from "../../../src/core/index.ts";
import type { BinnedColumn } from "../../../src/learn/gbdt/binning.ts";
import { Crew } from "../../../src/learn/gbdt/crew.ts";
import { fitGbdt, gbdt } from "../../../src/learn/gbdt/gbdt.ts";
import { hasWasmKernels, openKernels } from "../../../src/learn/gbdt/kernels.ts";
import { openMemory } from "../../../src/learn/gbdt/memory.ts";
import { readParams } from "../../../src/learn/gbdt/params.ts";
import { canGrowAtOnce } from "../../../src/learn/gbdt/plain.ts";
import { expSingle } from "../../../src/learn/gbdt/twin.ts";
import { bytesOf, COLUMNS, request } from "./data.ts";

const BYTES = 65_536 * 4;
/** `npm test` builds the kernels first; without the file there is nothing to compare. */
const compare = describe.skipIf(!hasWasmKernels());

/** Both kernels over memories filled with the same seeded numbers. */
function pair(
  seed: number,
  fill: (floats: Float32Array, ints: Int32Array, random: ReturnType<typeof createRandom>) => void,
) {
  return (["wasm", "twin"] as const).map((choice) => {
    const kernels = openKernels(BYTES, choice);
    fill(new Float32Array(kernels.buffer), new Int32Array(kernels.buffer), createRandom(seed));
    return kernels;
  }) as [ReturnType<typeof openKernels>, ReturnType<typeof openKernels>];
}

function expectEqualMemory([wasm, twin]: ReturnType<typeof pair>, from: number, bytes: number): void {
  expect(wasm.kind).toBe("wasm");
  expect(twin.kind).toBe("twin");
  const view = (buffer: ArrayBufferLike) => new Uint8Array(buffer, from, bytes);
  expect(Buffer.compare(view(wasm.buffer), view(twin.buffer))).toBe(0);
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

compare("each kernel and its twin", () => {
  it("sort floats alike, negative zero and infinities included", () => {
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true }), { maxLength: 300 }), (values) => {
        const both = pair(1, (floats) => floats.set(values, 4));
        for (const kernels of both) kernels.sortFloats(16, 4096, 8192, values.length);
        expectEqualMemory(both, 16, values.length * 4);
      }),
      { seed: 3 },
    );
  });

  it("find the bins of any value alike", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float(), { minLength: 1, maxLength: 60 }),
        fc.uniqueArray(fc.float({ noNaN: true, noDefaultInfinity: true }), { maxLength: 254 }),
        (values, cuts) => {
          const both = pair(1, (floats) => {
            floats.set(values, 4);
            floats.fill(Infinity, 1024, 1280).set(Float32Array.from(cuts).sort(), 1024);
          });
          for (const kernels of both) kernels.binColumn(16, values.length, 1, 4096, 16_384, 4, 32_768);
          expectEqualMemory(both, 16_384, 32_768);
        },
      ),
      { seed: 3 },
    );
  });

  it.each([0, 32_768])("take logistic gradients and their sums alike (weights at %i)", (weights) => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const both = pair(seed, (floats, _ints, random) => {
          for (let i = 0; i < 2048; i++) {
            floats[4 + i] = (random.nextFloat() - 0.5) * (i % 7 === 0 ? 400 : 12);
            floats[4096 + i] = random.nextInt(2);
            floats[8192 + i] = random.nextFloat() * 3;
          }
        });
        for (const kernels of both) kernels.logisticGradients(16, 16_384, weights, 65_536, 98_304, 2048, 131_072);
        expectEqualMemory(both, 65_536, 65_600);
      }),
      { seed: 3, numRuns: 20 },
    );
  });

  it("round to fixed point, add up and subtract alike", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const both = pair(seed, (floats, ints, random) => {
          for (let i = 0; i < 512; i++) {
            floats[1024 + i] = random.nextFloat() - 0.5;
            floats[2048 + i] = random.nextFloat();
            ints[8192 + i] = i;
          }
          const bytes = new Uint8Array(ints.buffer);
          for (let i = 0; i < 512 * 8; i++) bytes[65_536 + i] = random.nextInt(256);
        });
        const left = both.map((kernels) => {
          kernels.quantize(4096, 8192, 16_384, 512, 2 ** 20, 2 ** 19);
          kernels.histogramAll(81_920, 65_536, 8, 16_384, 512);
          const bytes = new Uint8Array(kernels.buffer);
          for (let b = 0; b < 256; b++) bytes[57_344 + b] = (b * 37) % 5 < 2 ? 1 : 0;
          for (let i = 0; i < 512; i++) bytes[58_368 + i] = bytes[65_536 + i * 8 + 3] as number;
          const split = kernels.partition(32_768, 10, 400, 58_368, 57_344, 36_864);
          kernels.histogramRows(114_688, 65_536, 8, 16_384, 32_768, 10, 10 + split);
          kernels.subtractHistogram(81_920, 114_688, 8);
          kernels.addHistogram(114_688, 81_920, 8);
          kernels.countUp(49_152, 5, 900);
          const ranges = new Int32Array(kernels.buffer, 53_248, 6);
          ranges.set([10, 10 + split, 0, 0, 10 + split, 300]);
          new Float32Array(kernels.buffer, 53_280, 2).set([0.1, -0.3]);
          kernels.addLeaves(4096, 32_768, 53_248, 16, 53_280, 2);
          return split;
        });
        expect(left[0]).toBe(left[1]);
        expectEqualMemory(both, 4096, 32_768);
        expectEqualMemory(both, 49_152, 4096);
        expectEqualMemory(both, 81_920, 65_536);
      }),
      { seed: 3, numRuns: 20 },
    );
  });

  it.each([1, 2, 3])("sum up the log loss alike, one of %i rows, to the last bit", (step) => {
    const extremes = [0, -0, 88, -88, 745, -745.2, 720, -710, 1e9, -1e9, Infinity, -Infinity, NaN];
    fc.assert(
      fc.property(fc.array(fc.float({ min: -30, max: 30 }), { maxLength: 400 }), seeds, (values, seed) => {
        for (const all of [values, [...extremes, ...values], values.slice(0, 1)]) {
          const count = Math.ceil(all.length / step);
          const both = pair(seed, (floats, _ints, random) => {
            floats.set(all, 4);
            for (let i = 0; i < all.length; i++) floats[4096 + i] = random.nextInt(2);
            new Float64Array(floats.buffer)[4096] = 0.25;
          });
          const hits = both.map((kernels) => kernels.logisticLosses(16, 16_384, step, count, 32_768));
          expect(hits[0]).toBe(hits[1]);
          const [wasm, twin] = both.map(({ buffer }) => new Float64Array(buffer, 32_768, 2)) as [
            Float64Array,
            Float64Array,
          ];
          expect([...wasm]).toEqual([...twin]);
        }
      }),
      { seed: 3, numRuns: 50 },
    );
  });

  it("find the same split for any histogram, penalty and least weight, ties included", () => {
    const penalties = fc.constantFrom(0, 1e-9, 1, 1e4, 1e12);
    const weights = fc.constantFrom(0, 0.5, 3, 40);
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        penalties,
        weights,
        (seed, bins, hasMissing, l2, least) => {
          let [sumG, sumH] = [0, 0];
          const both = pair(seed, (_floats, ints, random) => {
            [sumG, sumH] = [0, 0];
            ints.fill(bins, 4, 7);
            for (let row = 0; row < 200; row++) {
              const [h, g] = [random.nextInt(4) * 1024, (random.nextInt(9) - 4) * 512];
              sumH += h;
              sumG += g;
              for (let c = 0; c < 3; c++) {
                const at = 1024 + c * 512 + (hasMissing && random.nextInt(5) === 0 ? 255 : random.nextInt(bins)) * 2;
                ints[at] = (ints[at] as number) + h;
                ints[at + 1] = (ints[at + 1] as number) + g;
              }
            }
          });
          const found = both.map((kernels) =>
            kernels.scanColumns(4096, 16, 3, sumG, sumH, 2 ** -10, 2 ** -12, l2, least, 0.001, 98_304, 65_536),
          );
          expect(found[0]).toBe(found[1]);
          expectEqualMemory(both, 65_536, found[0] === 1 ? 28 : 12);
        },
      ),
      { seed: 3, numRuns: 600 },
    );
  });
});

describe("the exponential in single precision", () => {
  it("is within two units in the last place of the true one", () => {
    const random = createRandom(9);
    for (let i = 0; i < 20_000; i++) {
      const x = Math.fround((random.nextFloat() - 0.5) * 170);
      expect(Math.abs(expSingle(x) / Math.exp(x) - 1)).toBeLessThan(2.5e-7);
    }
  });
});

const MODELS: readonly (readonly [string, Task, JsonObject])[] = [
  ["logistic, leaf-wise", "binary", {}],
  ["logistic, depth-wise, sampled", "binary", { grow: "depth", rowShare: 0.6, columnShare: 0.5 }],
  ["softmax", "multiclass", { epochs: 20 }],
  ["squared", "regression", { maxLeaves: 8 }],
  ["absolute", "regression", { loss: "absolute" }],
  ["quantile", "regression", { loss: "quantile", quantile: 0.9 }],
  ["Poisson, monotone", "regression", { loss: "poisson", monotone: { x0: 1 } }],
  ["few bins, no penalty", "binary", { bins: 7, l2: 0, minChildWeight: 0 }],
];

const NUMBERS = COLUMNS.map(({ name }) => ({ name, kind: "number" as const }));

compare("a whole model", () => {
  // Trees of plain numbers are grown by one call of the kernel, those with categories step by step.
  it.each(MODELS)("has the same bytes and trace by either kernel: %s", async (_name, task, params) => {
    for (const columns of [COLUMNS, NUMBERS]) {
      for (const weights of [false, true]) {
        const traces: [unknown[], unknown[]] = [[], []];
        const [wasm, twin] = (await Promise.all(
          (["wasm", "twin"] as const).map(async (kernels, i) => {
            const all = request({
              task,
              columns,
              params: { epochs: 30, ...params },
              table: { task, missing: 0.1, weights },
              onPoint: async (point) => void traces[i]?.push(point),
            });
            return bytesOf(await fitGbdt(all, kernels));
          }),
        )) as [string, string];
        expect(wasm).toBe(twin);
        expect(traces[0]).toEqual(traces[1]);
      }
    }
  });

  it("is grown by one call for each tree where it is small and plain, and else step by step", async () => {
    const can = (options: {
      rows?: number;
      columns?: readonly BinnedColumn[];
      directions?: number[];
      maxLeaves?: number;
    }) => {
      const { rows = 1000, columns = [plain, plain], directions = [0, 0], maxLeaves = 31 } = options;
      const params = readParams(gbdt.resolveParams({ maxLeaves }));
      const size = { rows, columns: 2, outputs: 1, validationRows: 0, hasWeights: false, threads: 1 };
      const crew = new Crew(openMemory({ ...size, params, kernels: "auto" }));
      const allowed = Uint8Array.of(1, 1);
      return canGrowAtOnce({
        crew,
        columns,
        allowed,
        directions: Int8Array.from(directions),
        params,
        scaleG: 1,
        scaleH: 1,
      });
    };
    const plain: BinnedColumn = { source: 0, kind: "number", count: 3, edges: Float32Array.of(1, 2) };
    expect(can({})).toBe(true);
    expect(can({ columns: [plain, { ...plain, kind: "category" }] })).toBe(false);
    expect(can({ directions: [0, -1] })).toBe(false);
    expect(can({ rows: 300_000 })).toBe(false);
  });
});
