/** `embed: onnx(path)` in a configuration: what is read, and every way in which a file does not fit. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  best,
  defineConfig,
  defineModel,
  definitionRevision,
  f,
  gbdt,
  linear,
  mlp,
  onnx,
  resolveConfig,
} from "../../src/config/index.ts";
import { sha256Hex } from "../../src/core/index.ts";
import { GraphBuilder } from "../../src/model/onnx/graph.ts";
import { convolution, dense, words } from "../model/onnx/backbones.ts";

let folder: string;
const photos = convolution({ channels: 1, size: 8, filters: 2 });

/** A graph of one product, with ports as given. */
function ports(input: readonly number[], output: readonly number[], type: "float" | "int64" = "float"): Uint8Array {
  const graph = new GraphBuilder();
  graph.node("Identity", [graph.input("x", type, input)], {}, { output: "y" });
  graph.output("y", type, output);
  return graph.encode({ name: "ports", producer: "test", notes: {} });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "retrain-backbone-"));
  const files = {
    "photos.onnx": photos,
    "color.onnx": convolution({ channels: 3, size: 8, filters: 2 }),
    "dense.onnx": dense(3, 4),
    "words.onnx": words(["a"]),
    "dynamic.onnx": ports([8], [-1]),
    "integers.onnx": ports([8], [8], "int64"),
    "wide.onnx": ports([64], [20_000]),
    "no.onnx": new Uint8Array(9),
  };
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const image = { photo: f.image({ width: 8, height: 8 }) };
const resolve = (features: object, trainer: object, rest: object = {}) =>
  resolveConfig(
    defineConfig({
      models: [
        defineModel({
          name: "m",
          task: "binary",
          features: features as never,
          label: f.boolean(),
          trainer: trainer as never,
          ...rest,
        }),
      ],
      storage: { dir: "data" },
    }),
    { folder, environment: {}, flags: {} },
  );

describe("a backbone in a configuration", () => {
  it("is read, bound and part of the definition by its content", () => {
    const spec = resolve(
      { ...image, age: f.number() },
      mlp({ hidden: [8], embed: onnx("photos.onnx", { mean: 0.5 }) }),
    );
    const { trainer } = spec.models[0] ?? {};
    expect(trainer?.params).not.toHaveProperty("embed");
    expect(trainer?.embed).toMatchObject({
      path: "photos.onnx",
      sha256: sha256Hex(photos),
      output: "features",
      size: 18,
      column: "photo",
    });
    expect(trainer?.embed?.inputs).toEqual([
      { name: "pixels", type: "float32", kind: "image", features: ["photo"], dims: [1, 8, 8], size: 64, mean: [0.5] },
    ]);
    expect(spec.backboneFiles).toEqual({ [sha256Hex(photos)]: join(folder, "photos.onnx") });
    const before = definitionRevision(spec.models[0] as never);
    writeFileSync(join(folder, "same.onnx"), photos);
    const again = resolve(
      { ...image, age: f.number() },
      mlp({ hidden: [8], embed: onnx("photos.onnx", { mean: 0.5 }) }),
    );
    expect(definitionRevision(again.models[0] as never)).toBe(before);
    writeFileSync(join(folder, "same.onnx"), convolution({ channels: 1, size: 8, filters: 2, seed: 9 }));
    const [one, other] = ["photos.onnx", "same.onnx"].map(
      (path) => resolve(image, mlp({ embed: onnx(path) })).models[0]?.trainer.embed?.sha256,
    );
    expect(one).not.toBe(other);
  });

  it("takes all numbers where there is nothing else, and the candidates of best have their own", () => {
    const how = best({ of: [{ trainer: linear({ embed: onnx("dense.onnx") }) }, { trainer: gbdt() }] });
    const spec = resolve({ a: f.number(), b: f.number(), c: f.number(), k: f.category() }, gbdt(), {
      retrain: { how },
    });
    const [first, second] = spec.models[0]?.retrain.best?.of ?? [];
    expect(first?.trainer.embed).toMatchObject({
      column: "embedding",
      size: 4,
      inputs: [{ kind: "numbers", features: ["a", "b", "c"] }],
    });
    expect(second?.trainer.embed).toBeUndefined();
  });

  const cases: readonly (readonly [string, object, object, object, string])[] = [
    [
      "a missing file",
      image,
      mlp({ embed: onnx("phtos.onnx") }),
      {},
      'names the file "phtos.onnx", which is not there',
    ],
    ["no ONNX model", image, mlp({ embed: onnx("no.onnx") }), {}, "no ONNX model"],
    ["another shape", image, mlp({ embed: onnx("color.onnx") }), {}, 'does not take the image "photo" of 8 × 8 × 1'],
    [
      "an output of unknown size",
      { v: f.vector(8) },
      mlp({ embed: onnx("dynamic.onnx") }),
      {},
      "has no fixed size per row",
    ],
    ["another type", { v: f.vector(8) }, mlp({ embed: onnx("integers.onnx") }), {}, "which goes in as float32"],
    ["too large a vector", { v: f.vector(64) }, mlp({ embed: onnx("wide.onnx") }), {}, "at most 16384"],
    [
      "several that it could mean",
      { ...image, v: f.vector(3) },
      mlp({ embed: onnx("dense.onnx") }),
      {},
      'Write `onnx(path, { of: "photo" })`',
    ],
    ["no feature", image, mlp({ embed: onnx("photos.onnx", { of: "phoot" }) }), {}, 'the nearest is "photo"'],
    [
      "a vector of another size",
      { v: f.vector(4) },
      mlp({ embed: onnx("dense.onnx") }),
      {},
      'does not hold the 4 numbers of "v"',
    ],
    ["numbers of another count", { a: f.number() }, mlp({ embed: onnx("dense.onnx") }), {}, "a float matrix of ? × 1"],
    ["a text for floats", { t: f.text() }, mlp({ embed: onnx("dense.onnx") }), {}, "one string per row"],
    ["a category", { k: f.category() }, mlp({ embed: onnx("dense.onnx") }), {}, "no text, vector, image or number"],
    [
      "scaling without an image",
      { v: f.vector(3) },
      mlp({ embed: onnx("dense.onnx", { mean: 1 }) }),
      {},
      "of the pixels of an image",
    ],
    ["scaling of other channels", image, mlp({ embed: onnx("photos.onnx", { mean: [1, 2, 3] }) }), {}, "1 channels"],
    ["no such output", image, mlp({ embed: onnx("photos.onnx", { output: "pooled" }) }), {}, 'no output "pooled"'],
    [
      "a trainer that takes none",
      image,
      { name: "gbdt", params: { embed: onnx("photos.onnx") } },
      {},
      "linear() and mlp() do",
    ],
    [
      "learning example by example",
      image,
      mlp({ embed: onnx("photos.onnx") }),
      { retrain: { how: "incremental" } },
      "learns example by example",
    ],
  ];
  it.each(cases)("is refused with the reason: %s", (_what, features, trainer, rest, said) => {
    let thrown: unknown;
    try {
      resolve(features, trainer, rest);
    } catch (error) {
      thrown = error;
    }
    const { code, message, remedy } = thrown as { code: string; message: string; remedy: string };
    expect(code).toBe("CONFIG_INVALID");
    expect(`${message} ${remedy}`).toContain(said);
    expect(message).toMatch(/models\.m\./);
  });

  it("is refused with a fixed number of rows, and with weights in another file", () => {
    const graph = new GraphBuilder();
    graph.node("Identity", [graph.input("x", "float", 3)], {}, { output: "y" });
    graph.output("y", "float", 3);
    const text = Buffer.from(graph.encode({ name: "fixed", producer: "test", notes: {} })).toString("latin1");
    // dim_param "rows" becomes dim_value 1 in six bytes: the field number changes, and an unknown text fills the rest.
    const fixed = text.replaceAll("\u0012\u0004rows", "\u0008\u0001\u001a\u0002ro");
    writeFileSync(join(folder, "fixed.onnx"), Buffer.from(fixed, "latin1"));
    expect(() => resolve({ v: f.vector(3) }, mlp({ embed: onnx("fixed.onnx") }))).toThrow(
      /takes exactly 1 row at a time/,
    );
  });

  it("is taken from the copy that a training kept, once its file is gone", () => {
    const kept = join(folder, "data", "objects", "backbones");
    mkdirSync(kept, { recursive: true });
    writeFileSync(join(kept, `${sha256Hex(photos)}.onnx`), photos);
    writeFileSync(join(kept, "paths.json"), JSON.stringify({ "gone.onnx": sha256Hex(photos) }));
    const spec = resolve(image, mlp({ embed: onnx("gone.onnx") }));
    expect(spec.models[0]?.trainer.embed).toMatchObject({ path: "gone.onnx", sha256: sha256Hex(photos) });
  });
});
