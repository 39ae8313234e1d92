/** Texts, vectors and images: from what a row carries to the numbers a model sees, the same in training and at serving. */
import { encode as encodePng } from "fast-png";
import fc from "fast-check";
import jpeg from "jpeg-js";
import { describe, expect, it } from "vitest";
import {
  compileRowValidator,
  compileTextConverter,
  createPreparedWriter,
  type DataSchema,
  fitPreparation,
  frameFromFeatures,
  type ValidRow,
  wideCell,
} from "../../src/data/index.ts";
import { fitRarity, textWriter } from "../../src/data/wide/text.ts";

const schema: DataSchema = {
  task: "binary",
  labelColumn: "label",
  label: { kind: "boolean" },
  features: [
    { name: "note", spec: { kind: "text", buckets: 64, words: 2, characters: 4 } },
    { name: "age", spec: { kind: "number" } },
    { name: "embedding", spec: { kind: "vector", size: 3 } },
    { name: "photo", spec: { kind: "image", width: 2, height: 2, channels: 1 } },
  ],
};
const validate = compileRowValidator(schema);
const png = (width: number, height: number, channels: number, data: readonly number[]) =>
  Buffer.from(encodePng({ width, height, channels, data: Uint8Array.from(data) })).toString("base64");
const reasonOf = (row: Record<string, unknown>) => {
  const checked = validate({ note: null, age: null, embedding: null, photo: null, ...row });
  return checked.ok ? undefined : checked.reasons[0];
};
const stored = (row: Record<string, unknown>) =>
  (validate({ note: null, age: null, embedding: null, photo: null, ...row }) as ValidRow).features;
/** The pixels a row's photo became, in [0, 1]. */
const pixelsOf = (photo: string) => {
  const frame = frameFromFeatures(schema, [stored({ photo })]);
  const column = frame.wide?.find(({ name }) => name === "photo");
  return column?.kind === "image" ? [...column.values].map((value) => Math.round(value * 255)) : [];
};

describe("images of a row", () => {
  it("are read from PNG with gray, colors, transparency and 16 bits", () => {
    expect(pixelsOf(png(2, 2, 1, [0, 64, 128, 255]))).toEqual([0, 64, 128, 255]);
    // Red, green, blue and white by the weights of BT.601.
    expect(pixelsOf(png(2, 2, 3, [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255]))).toEqual([76, 150, 29, 255]);
    // A black pixel that is transparent shows the white below; half transparent, a gray.
    expect(pixelsOf(png(2, 2, 4, [0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 128, 9, 9, 9, 0]))).toEqual([255, 0, 127, 255]);
    const deep = encodePng({
      width: 2,
      height: 2,
      channels: 1,
      depth: 16,
      data: Uint16Array.of(0, 257, 65_535, 32_768),
    });
    expect(pixelsOf(Buffer.from(deep).toString("base64"))).toEqual([0, 1, 255, 128]);
  });

  it("are read from JPEG and from data URLs", () => {
    const data = Buffer.alloc(16 * 16 * 4, 200);
    const file = jpeg.encode({ width: 16, height: 16, data }, 90).data;
    const pixels = pixelsOf(`data:image/jpeg;base64,${file.toString("base64")}`);
    for (const pixel of pixels) expect(Math.abs(pixel - 200)).toBeLessThanOrEqual(2);
    expect(pixels).toHaveLength(4);
  });

  it("of another size are averaged over the area of each pixel", () => {
    // 4 × 2 to 2 × 2: pairs beside each other. 3 × 3 to 2 × 2: each target pixel covers 1.5 × 1.5 source pixels.
    expect(pixelsOf(png(4, 2, 1, [0, 100, 50, 150, 10, 20, 30, 40]))).toEqual([50, 100, 15, 35]);
    const nine = [0, 0, 0, 0, 90, 0, 0, 0, 0];
    expect(pixelsOf(png(3, 3, 1, nine))).toEqual([10, 10, 10, 10]);
    expect(pixelsOf(png(1, 1, 1, [7]))).toEqual([7, 7, 7, 7]);
  });

  it("that cannot be read are refused with what is wrong", () => {
    const good = Buffer.from(png(2, 2, 1, [1, 2, 3, 4]), "base64");
    const broken = Buffer.from(good);
    broken[45] = (broken[45] as number) ^ 0xff;
    const wide = Buffer.from(good);
    wide.writeUInt32BE(4_000_000, 16);
    for (const [photo, code, words] of [
      [12, "TYPE_MISMATCH", "base64"],
      ["not base64!", "IMAGE_INVALID", "not base64"],
      [
        Buffer.from("plain words, padded to be long enough").toString("base64"),
        "IMAGE_INVALID",
        "neither a PNG nor a JPEG",
      ],
      [broken.toString("base64"), "IMAGE_INVALID", "broken PNG"],
      [good.subarray(0, 40).toString("base64"), "IMAGE_INVALID", "broken PNG"],
      [wide.toString("base64"), "IMAGE_INVALID", "2,000,000"],
      [
        Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0]).toString("base64"),
        "IMAGE_INVALID",
        "without a size",
      ],
      ["px8:AAAA", "IMAGE_INVALID", "stored image"],
    ] as const) {
      expect(reasonOf({ photo })).toMatchObject({ code, column: "photo", message: expect.stringContaining(words) });
    }
  });

  it("never end in an exception, whatever the bytes", () => {
    const good = Buffer.from(png(2, 2, 3, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), "base64");
    const file = jpeg.encode({ width: 8, height: 8, data: Buffer.alloc(256, 90) }, 50).data;
    fc.assert(
      fc.property(fc.constantFrom(good, file), fc.nat(600), fc.nat(255), (bytes, place, value) => {
        const changed = Buffer.from(bytes);
        changed[place % changed.length] = value;
        const checked = validate({ note: null, age: 1, embedding: null, photo: changed.toString("base64") });
        expect(checked.ok || checked.reasons.every(({ code }) => code === "IMAGE_INVALID")).toBe(true);
      }),
      { numRuns: 300, seed: 4 },
    );
  });
});

describe("vectors of a row", () => {
  it("are lists of finite numbers of the declared length, stored as 32-bit floats", () => {
    const { embedding } = stored({ embedding: [0.1, -2, 3e5] });
    expect(embedding).toMatch(/^f32:/);
    expect(stored({ embedding }).embedding).toBe(embedding);
    const [column] = frameFromFeatures(schema, [{ embedding }]).wide?.filter(({ name }) => name === "embedding") ?? [];
    expect(column).toMatchObject({ kind: "vector", values: Float32Array.of(0.1, -2, 3e5) });
    for (const [value, code] of [
      [[1, 2], "VECTOR_INVALID"],
      [[1, 2, "3"], "VECTOR_INVALID"],
      [[1, 2, 1e300], "VECTOR_INVALID"],
      ["f32:AAAA", "VECTOR_INVALID"],
      [3, "TYPE_MISMATCH"],
      [{ 0: 1 }, "TYPE_MISMATCH"],
    ] as const) {
      expect(reasonOf({ embedding: value })).toMatchObject({ code, column: "embedding" });
    }
  });

  it("come from CSV as JSON lists", () => {
    const convert = compileTextConverter(schema);
    expect(convert({ embedding: "[1, 2.5, -3]", note: "1" })).toEqual({ embedding: [1, 2.5, -3], note: "1" });
    expect(convert({ embedding: "[1, 2" })).toEqual({ embedding: "[1, 2" });
  });
});

describe("texts of a row", () => {
  const shape = { buckets: 256, words: 2, characters: 4 };
  const vectorOf = (text: string, rarity = new Array<number>(256).fill(1)) => {
    const out = new Float32Array(256);
    textWriter(shape, rarity)(text, out, 0);
    return out;
  };
  const cosine = (left: Float32Array, right: Float32Array) => {
    const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
    return dot(left, right) / Math.sqrt(dot(left, left) * dot(right, right));
  };

  it("become rows of one length, whatever their own; none for texts without words", () => {
    for (const text of ["hi", "a much longer text that says more than one thing", "ÄRGER ärger"]) {
      expect(Math.hypot(...vectorOf(text))).toBeCloseTo(3, 5);
    }
    expect(vectorOf(" ... !!! ").every((value) => value === 0)).toBe(true);
  });

  it("are near when they share words or parts of words, whatever their case", () => {
    const base = vectorOf("win a free prize now");
    expect(cosine(base, vectorOf("WIN a Free prize NOW"))).toBeCloseTo(1, 6);
    expect(cosine(base, vectorOf("win free prizes"))).toBeGreaterThan(0.4);
    expect(cosine(base, vectorOf("see you at lunch"))).toBeLessThan(0.25);
  });

  it("weigh buckets by their rarity as scikit-learn smooths it: ln((1 + n) / (1 + rows)) + 1", () => {
    const rarity = fitRarity(["common", "common", "common", null], { buckets: 16, words: 1, characters: 0 });
    expect(rarity.filter((value) => value === 1)).toHaveLength(1);
    for (const value of rarity) expect([1, Math.log(4) + 1].some((one) => Math.abs(one - value) < 1e-12)).toBe(true);
  });

  it("may be long, but not without end", () => {
    expect(reasonOf({ note: "x".repeat(60_000) })).toBeUndefined();
    expect(reasonOf({ note: "x".repeat(70_000) })).toMatchObject({ code: "TEXT_TOO_LONG" });
  });
});

describe("training and serving", () => {
  const image = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }).map((data) => png(2, 2, 1, data));
  const number = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 });
  const row = fc.record({
    note: fc.option(fc.string({ maxLength: 30 })),
    age: fc.option(number),
    embedding: fc.option(fc.array(number, { minLength: 3, maxLength: 3 })),
    photo: fc.option(image),
  });

  it.each(["dense", "codes"] as const)("see the same bits of wide features in the form %s", (input) => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 2, maxLength: 12 }), (given) => {
        const rows = given.map((one) => stored(one));
        const frame = frameFromFeatures(schema, rows);
        const all = Uint32Array.from(rows, (_, i) => i);
        const fitted = fitPreparation({ frame, rows: all, input, classes: [false, true], wide: schema.features });
        const writer = createPreparedWriter(JSON.parse(JSON.stringify(fitted)) as typeof fitted);
        const matrix = writer.writeFrame(frame, all);
        const out = new Float32Array(writer.width).fill(99);
        rows.forEach((features, i) => {
          writer.write(features, out, 0);
          expect(out).toEqual(matrix.subarray(i * writer.width, (i + 1) * writer.width));
        });
        if (input === "dense") expect(matrix.every(Number.isFinite)).toBe(true);
        for (const column of frame.wide ?? []) {
          all.forEach((i) => expect(wideCell(column, i)).toBe(rows[i]?.[column.name] ?? null));
        }
      }),
      { numRuns: 60, seed: 9 },
    );
  });
});
