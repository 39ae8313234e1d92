/** A head behind a backbone: the vectors it sees, and the same answers from the exported graph. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom, type Features, sha256Hex } from "../../../src/core/index.ts";
import {
  type DataSchema,
  type Embedding,
  encodeImage,
  encodeVector,
  frameFromFeatures,
} from "../../../src/data/index.ts";
import { embedDataset, fitInputs } from "../../../src/job/embed.ts";
import { fitOnDataset } from "../../../src/job/fit.ts";
import { findTrainer } from "../../../src/learn/index.ts";
import { bindBackbone, createPredictor, exportOnnx, inspectOnnx } from "../../../src/model/index.ts";
import { concatBytes, intField, readFields, textField, writeFields } from "../../../src/model/onnx/proto.ts";
import { loadRuntime } from "../../../src/model/onnx/runtime.ts";
import { backboneFile } from "../../../src/train/index.ts";
import { convolution, dense, words } from "./backbones.ts";

const ROWS = 600;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "retrain-embed-"));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

interface Case {
  readonly name: string;
  readonly backbone: Uint8Array;
  readonly features: DataSchema["features"];
  readonly options?: object;
  readonly trainer: "mlp" | "linear";
  readonly task: "binary" | "multiclass" | "regression";
  readonly row: (random: ReturnType<typeof createRandom>) => Features;
}

const age = { name: "age", spec: { kind: "number" } } as const;
const kind = { name: "kind", spec: { kind: "category" } } as const;
const sometimes = <T>(random: ReturnType<typeof createRandom>, value: T) => (random.nextInt(12) === 0 ? null : value);
const scalars = (random: ReturnType<typeof createRandom>) => ({
  age: sometimes(random, random.nextInt(80)),
  kind: sometimes(random, ["a", "b", "c"][random.nextInt(3)] as string),
});

const CASES: readonly Case[] = [
  {
    name: "a color image, channels first, scaled per channel",
    backbone: convolution({ channels: 3, size: 6, filters: 4 }),
    features: [{ name: "photo", spec: { kind: "image", width: 6, height: 6, channels: 3 } }, age, kind],
    options: { mean: [0.4, 0.5, 0.6], deviation: [0.2, 0.25, 0.3] },
    trainer: "mlp",
    task: "multiclass",
    row: (random) => ({
      ...scalars(random),
      photo: sometimes(random, encodeImage(Uint8Array.from({ length: 108 }, () => random.nextInt(256)))),
    }),
  },
  {
    name: "a gray image",
    backbone: convolution({ channels: 1, size: 8, filters: 3 }),
    features: [{ name: "photo", spec: { kind: "image", width: 8, height: 8, channels: 1 } }, kind],
    options: { mean: [0.5] },
    trainer: "linear",
    task: "binary",
    row: (random) => ({
      kind: "a",
      photo: sometimes(random, encodeImage(Uint8Array.from({ length: 64 }, () => random.nextInt(256)))),
    }),
  },
  {
    name: "a vector beside another one",
    backbone: dense(5, 7),
    features: [
      { name: "sound", spec: { kind: "vector", size: 5 } },
      { name: "place", spec: { kind: "vector", size: 2 } },
      age,
    ],
    options: { of: ["sound"] },
    trainer: "mlp",
    task: "regression",
    row: (random) => ({
      ...scalars(random),
      sound: sometimes(random, encodeVector(Float32Array.from({ length: 5 }, () => random.nextFloat() - 0.5))),
      place: encodeVector(Float32Array.of(random.nextFloat(), random.nextFloat())),
    }),
  },
  {
    name: "numbers, of which some are missing",
    backbone: dense(3, 4),
    features: [age, { name: "x", spec: { kind: "number" } }, { name: "y", spec: { kind: "number" } }, kind],
    trainer: "mlp",
    task: "binary",
    row: (random) => ({ ...scalars(random), x: sometimes(random, random.nextFloat()), y: random.nextFloat() * 3 }),
  },
  {
    name: "a text as a string",
    backbone: words(["refund", "thanks", "broken"]),
    features: [{ name: "note", spec: { kind: "text", buckets: 64, words: 2, characters: 4 } }, age],
    trainer: "linear",
    task: "multiclass",
    row: (random) => ({
      ...scalars(random),
      note: sometimes(random, ["refund", "thanks", "broken", "other", ""][random.nextInt(5)] as string),
    }),
  },
];
const CLASSES = { binary: [false, true], multiclass: ["high", "low", "middle"], regression: [] } as const;

async function trainCase({ backbone, features, options, trainer: name, task, row }: Case) {
  const sha256 = sha256Hex(backbone);
  await writeFile(backboneFile(folder, sha256), backbone);
  const embedding: Embedding = bindBackbone({ file: inspectOnnx(backbone), sha256, features, ...options });
  const random = createRandom(11);
  const rows = Array.from({ length: ROWS }, () => row(random));
  const frame = frameFromFeatures({ features }, rows);
  const classes = CLASSES[task];
  const target = Float64Array.from({ length: ROWS }, () =>
    task === "regression" ? random.nextFloat() * 10 : random.nextInt(classes.length),
  );
  const dataset = { frame, target, classes, rows: ROWS, hash: sha256Hex(name + sha256) } as never;
  const trainer = findTrainer(name);
  const { signal } = new AbortController();
  const all = Uint32Array.from({ length: ROWS }, (_, i) => i);
  const embedded = await embedDataset(dataset, embedding, { folder, signal });
  const preparation = fitInputs({ dataset: embedded, rows: all, input: trainer.input, features, embedding });
  const weights = await fitOnDataset({
    task,
    trainer,
    params: trainer.resolveParams({ epochs: 4 }),
    seed: 1,
    dataset,
    preparation,
    train: all.subarray(0, 500),
    validation: all.subarray(500),
    folder,
    signal,
    onPoint: async () => {},
  });
  return { task, classes, frame, rows, all, preparation, weights, embedding };
}

/** What the exported graph is given: every feature under its own name. */
async function feedsOf(
  features: DataSchema["features"],
  frame: ReturnType<typeof frameFromFeatures>,
  rows: readonly Features[],
) {
  const { Tensor } = await loadRuntime();
  return Object.fromEntries(
    features.map(({ name, spec }) => {
      const values = rows.map((row) => row[name] ?? null);
      if (spec.kind === "category" || spec.kind === "text")
        return [
          name,
          new Tensor(
            "string",
            values.map((one) => one ?? ""),
            [rows.length, 1],
          ),
        ];
      if (spec.kind === "number")
        return [
          name,
          new Tensor(
            "float32",
            Float32Array.from(values, (one) => (one === null ? Number.NaN : Number(one))),
            [rows.length, 1],
          ),
        ];
      const column = frame.wide?.find((one) => one.name === name);
      if (column === undefined || column.kind === "text") throw new Error(name);
      const given = spec.kind === "image" ? column.values.map((value) => Math.round(value * 255)) : column.values;
      return [name, new Tensor("float32", given, [rows.length, column.size])];
    }),
  );
}

describe("a head behind a backbone", () => {
  it.each(CASES)("answers as its exported graph does, rows that miss something too: $name", async (one) => {
    const { task, classes, frame, rows, all, preparation, weights } = await trainCase(one);
    const predictor = createPredictor({ task, classes, preparation, weights });
    const manifest = { model: "m", task, classes, modelHash: "h", engine: { node: "20", retrain: "0" } } as never;
    const exported = exportOnnx({ manifest, preparation, weights });
    const names = inspectOnnx(exported).inputs.map(({ name }) => name);
    expect([...names].sort()).toEqual(one.features.map(({ name }) => name).sort());
    const { InferenceSession } = await loadRuntime();
    const session = await InferenceSession.create(exported, {});
    const answer = await session.run(await feedsOf(one.features, frame, rows), undefined as never);
    const found = (answer[task === "regression" ? "value" : "probabilities"]?.data ?? []) as ArrayLike<number>;
    const width = task === "regression" ? 1 : classes.length;
    const own = predictor.scoreFrame(frame, all);
    let worst = 0;
    for (let row = 0; row < ROWS; row++) {
      const alone = predictor.predictRow(rows[row] as Features).scores;
      for (let i = 0; i < width; i++) {
        const unit = Math.max(1, Math.abs(alone[i] as number));
        worst = Math.max(worst, Math.abs((found[row * width + i] as number) - (alone[i] as number)) / unit);
      }
      const asFrame = task === "multiclass" ? own[row * width] : own[row];
      const single = (task === "multiclass" ? alone[0] : alone[width - 1]) as number;
      expect(Math.abs((asFrame as number) - single) / Math.max(1, Math.abs(single))).toBeLessThan(1e-5);
    }
    expect(worst).toBeLessThan(1e-5);
    // The answers are no constants: the vectors arrive.
    expect(new Set(Array.from(own, (value) => value.toFixed(6))).size).toBeGreaterThan(4);
  });

  it("sees pixels scaled and turned: a backbone that sums what it is given says so", async () => {
    const features = [{ name: "photo", spec: { kind: "image", width: 2, height: 1, channels: 3 } }] as const;
    // Six weights that tell every place apart; ONNX wants [rows, 3, 1, 2].
    const { GraphBuilder } = await import("../../../src/model/onnx/graph.ts");
    const graph = new GraphBuilder();
    const flat = graph.node("Flatten", [graph.input("p", "float", [3, 1, 2])], { axis: { int: 1 } });
    const places = graph.constant({ type: "float", dims: [6, 1], values: [1, 10, 100, 1000, 10_000, 100_000] });
    graph.node("MatMul", [flat, places], {}, { output: "sum" });
    graph.output("sum", "float", 1);
    const bytes = graph.encode({ name: "sum", producer: "test", notes: {} });
    const embedding = bindBackbone({
      file: inspectOnnx(bytes),
      sha256: sha256Hex(bytes),
      features,
      mean: [0, 0, 0],
      deviation: [1 / 255, 1 / 255, 1 / 255],
    });
    await writeFile(backboneFile(folder, embedding.sha256), bytes);
    // Pixel 1: red 1, green 2, blue 3; pixel 2: red 4, green 5, blue 6.
    const rows = [{ photo: encodeImage(Uint8Array.of(1, 2, 3, 4, 5, 6)) }];
    const frame = frameFromFeatures({ features }, rows);
    const dataset = { frame, rows: 1, hash: "one" } as never;
    const { frame: seen } = await embedDataset(dataset, embedding, { folder, signal: new AbortController().signal });
    const column = seen.wide?.[0];
    // Channels first: reds 1 and 4, greens 2 and 5, blues 3 and 6.
    const expected = 1 + 4 * 10 + 2 * 100 + 5 * 1000 + 3 * 10_000 + 6 * 100_000;
    expect(column?.kind === "vector" ? column.values[0] : 0).toBeCloseTo(expected, 0);
  });

  it("keeps a constant place of the vector constant, whatever the rounding of a batch", async () => {
    const features = [{ name: "v", spec: { kind: "vector", size: 2 } }] as const;
    const embedding = bindBackbone({ file: inspectOnnx(dense(2, 2)), sha256: "0", features });
    // As after a batch of another size: the same number but for its last bits.
    const values = Float32Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 3 + (i % 3) * 2.4e-7 : i));
    const frame = { rows: 100, columns: [], wide: [{ kind: "vector", name: "v", size: 2, values }] } as const;
    const rows = Uint32Array.from({ length: 100 }, (_, i) => i);
    const fitted = fitInputs({ dataset: { frame, classes: [] } as never, rows, input: "dense", features, embedding });
    const [vector] = fitted.wide ?? [];
    expect(vector?.kind === "vector" ? vector.inverseDeviations.map((one) => one > 0) : []).toEqual([false, true]);
  });

  it("refuses vectors that are no numbers for a row that misses nothing", async () => {
    const features = [age] as const;
    const bytes = dense(1, 2, "age");
    const embedding = bindBackbone({ file: inspectOnnx(bytes), sha256: sha256Hex(bytes), features });
    await writeFile(backboneFile(folder, embedding.sha256), bytes);
    const ask = (value: number | null) => {
      const frame = frameFromFeatures({ features }, [{ age: value }]);
      const dataset = { frame, rows: 1, hash: `row ${value}` } as never;
      return embedDataset(dataset, embedding, { folder, signal: new AbortController().signal });
    };
    const missing = (await ask(null)).frame.wide?.[0];
    expect(missing?.kind === "vector" ? [...missing.values] : []).toEqual([Number.NaN, Number.NaN]);
    await expect(ask(Number.POSITIVE_INFINITY)).resolves.toBeDefined();
  });

  it("does not export behind operators too old for one graph, and says how to convert", async () => {
    const one = CASES[1] as Case;
    const trained = await trainCase(one);
    const { task, classes, preparation } = trained;
    const model = readFields(one.backbone).map((field) =>
      field.field === 8 ? { ...field, bytes: concatBytes([textField(1, ""), intField(2, 11)]) } : field,
    );
    const weights = { ...trained.weights, arrays: { ...trained.weights.arrays, backbone: writeFields(model) } };
    const manifest = { model: "m", task, classes, modelHash: "h", engine: { node: "20", retrain: "0" } } as never;
    expect(() => exportOnnx({ manifest, preparation, weights })).toThrow(
      expect.objectContaining({ code: "EXPORT_UNSUPPORTED", message: expect.stringContaining("opset 11") }),
    );
  });
});
