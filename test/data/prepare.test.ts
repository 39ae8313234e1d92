import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createPreparedWriter,
  type DataSchema,
  fitPreparation,
  frameFromFeatures,
  type Preparation,
  rowFeatures,
} from "../../src/data/index.ts";

type Value = number | string | boolean | null;

const schema: DataSchema = {
  task: "binary",
  labelColumn: "y",
  features: [
    { name: "age", spec: { kind: "number" } },
    { name: "job", spec: { kind: "category" } },
    { name: "vip", spec: { kind: "boolean" } },
  ],
  label: { kind: "boolean" },
};
const all = (rows: number) => Uint32Array.from({ length: rows }, (_, i) => i);
const fit = (rows: readonly Record<string, Value>[], input: Preparation["input"] = "dense", using = schema) =>
  fitPreparation({ frame: frameFromFeatures(using, rows), rows: all(rows.length), input, classes: [false, true] });

const ROWS = [
  { age: 20, job: "clerk", vip: true },
  { age: 30, job: "clerk", vip: true },
  { age: null, job: "nurse", vip: false },
  { age: 70, job: null, vip: null },
];

describe("the dense preparation", () => {
  it("fills with median and most frequent, scales by mean and deviation, and marks what was missing", () => {
    const preparation = fit(ROWS);
    expect(preparation.columns).toEqual([
      "age",
      "age is missing",
      "job=clerk",
      "job=nurse",
      "job is missing",
      "vip",
      "vip is missing",
    ]);
    // Median of 20, 30, 70 is 30; mean of 20, 30, 30, 70 is 37.5, deviation √368.75.
    const writer = createPreparedWriter(preparation);
    const out = new Float32Array(writer.width);
    writer.write({ age: null, job: "clerk", vip: false }, out, 0);
    const scaledVip = (0 - 0.75) / Math.sqrt(0.1875);
    expect([...out]).toEqual([(30 - 37.5) / Math.sqrt(368.75), 1, 1, 0, 0, scaledVip, 0].map(Math.fround));
  });

  it("gives unseen categories no column, and the column of the rare where training had rare ones", () => {
    const writer = createPreparedWriter(fit(ROWS));
    const out = new Float32Array(writer.width);
    writer.write({ age: 1, job: "pilot", vip: true }, out, 0);
    expect([...out.subarray(2, 5)]).toEqual([0, 0, 0]);
    const many = Array.from({ length: 1000 }, (_, i) => ({ age: i, job: i < 997 ? "clerk" : `rare ${i}`, vip: true }));
    const preparation = fit(many);
    expect(preparation.columns).toEqual(["age", "job=clerk", "job=(other)", "vip"]);
    const wide = createPreparedWriter(preparation);
    const row = new Float32Array(wide.width);
    wide.write({ age: 1, job: "pilot", vip: true }, row, 0);
    expect([...row.subarray(1, 3)]).toEqual([0, 1]);
  });

  it("scales a constant column to 0 and cuts at ten deviations", () => {
    const rows = Array.from({ length: 50 }, (_, i) => ({ age: 7, job: "a", vip: i % 2 === 0 }));
    const flat = createPreparedWriter(fit(rows));
    const out = new Float32Array(flat.width);
    flat.write({ age: 1e30, job: "a", vip: true }, out, 0);
    expect(out[0]).toBe(0);
    const varied = createPreparedWriter(fit(rows.map((row, i) => ({ ...row, age: i }))));
    varied.write({ age: 1e38, job: "a", vip: true }, out, 0);
    expect(out[0]).toBe(10);
  });

  it("looks at training rows only", () => {
    const rows = [...ROWS, { age: 1e6, job: "spy", vip: false }];
    const frame = frameFromFeatures(schema, rows);
    const options = { input: "dense", classes: [false, true] } as const;
    const trained = fitPreparation({ frame, rows: all(4), ...options });
    expect(trained).toEqual(fit(ROWS));
  });

  it("does not depend on the order of rows", () => {
    const turned = fit(ROWS.toReversed());
    const straight = fit(ROWS);
    expect(turned.columns).toEqual(straight.columns);
    const [left, right] = [straight, turned].map((one) => one.features[1]);
    expect(right).toEqual(left);
  });
});

describe("the preparation for trees", () => {
  it("keeps numbers, codes categories 1.. by frequency, 255 for unseen, NaN for missing", () => {
    const writer = createPreparedWriter(fit(ROWS, "codes"));
    const out = new Float32Array(3);
    writer.write({ age: 41.5, job: "nurse", vip: true }, out, 0);
    expect([...out]).toEqual([41.5, 2, 1]);
    writer.write({ age: null, job: "pilot", vip: null }, out, 0);
    expect([...out]).toEqual([Number.NaN, 255, Number.NaN]);
  });
});

const domains: readonly (readonly [string, DataSchema["features"]])[] = [
  ["numbers only", ["a", "b", "c"].map((name) => ({ name, spec: { kind: "number" } }) as const)],
  ["categories only", ["a", "b"].map((name) => ({ name, spec: { kind: "category" } }) as const)],
  ["everything", [...schema.features, { name: "score", spec: { kind: "number" } }]],
];
const valueOf = (kind: "number" | "category" | "boolean") =>
  kind === "number"
    ? fc.oneof(fc.constant(null), fc.integer({ min: -50, max: 50 }), fc.double({ noNaN: true, min: -3e38, max: 3e38 }))
    : kind === "boolean"
      ? fc.oneof(fc.constant(null), fc.boolean())
      : fc.oneof(fc.constant(null), fc.constantFrom("a", "b", "c"), fc.string({ maxLength: 4 }));

describe("training and serving", () => {
  it.each(domains)("see the same bits for %s, whatever the rows", (_name, features) => {
    const using: DataSchema = { ...schema, features };
    const row = fc.record(
      Object.fromEntries(
        features.map(({ name, spec }) => [name, valueOf(spec.kind as "number" | "category" | "boolean")]),
      ),
    );
    fc.assert(
      fc.property(fc.array(row, { minLength: 2, maxLength: 30 }), fc.constantFrom("dense", "codes"), (rows, input) => {
        const frame = frameFromFeatures(using, rows as Record<string, Value>[]);
        const half = all(Math.ceil(rows.length / 2));
        const fitted = fitPreparation({ frame, rows: half, input: input as "dense", classes: [false, true] });
        // As serving has it: from the text of the artifact.
        const served = createPreparedWriter(JSON.parse(JSON.stringify(fitted)) as Preparation);
        const trained = createPreparedWriter(fitted);
        const matrix = trained.writeFrame(frame, all(rows.length));
        const out = new Float32Array(served.width + 3);
        rows.forEach((raw, i) => {
          served.write(raw as Record<string, Value>, out, 3);
          const expected = matrix.subarray(i * served.width, (i + 1) * served.width);
          expect(Buffer.from(out.slice(3).buffer).equals(Buffer.from(expected.slice().buffer))).toBe(true);
          if (input === "dense") expect(expected.every(Number.isFinite)).toBe(true);
        });
      }),
      { numRuns: 150, seed: 9 },
    );
  });

  it("see the same bits for a row read from a frame and the row as it arrived", () => {
    const rows = [{ age: 0.1, job: "clerk", vip: true }, ...ROWS];
    const frame = frameFromFeatures(schema, rows);
    const writer = createPreparedWriter(fit(ROWS));
    const [direct, viaFrame] = [new Float32Array(writer.width), new Float32Array(writer.width)];
    writer.write(rows[0] as Record<string, Value>, direct, 0);
    writer.write(rowFeatures(frame, 0), viaFrame, 0);
    expect([...viaFrame]).toEqual([...direct]);
  });
});

describe("the explanation of a row", () => {
  it("shows raw, filled and scaled values with their columns", () => {
    const lines = createPreparedWriter(fit(ROWS)).explain({ age: null, job: "nurse", vip: true });
    expect(lines.map(({ column, raw, filled }) => [column, raw, filled])).toEqual([
      ["age", null, 30],
      ["age is missing", null, true],
      ["job=nurse", "nurse", "nurse"],
      ["vip", true, true],
    ]);
    expect(lines[0]?.scaled).toBeCloseTo(-0.39, 2);
    const unseen = createPreparedWriter(fit(ROWS)).explain({ age: 1, job: "pilot", vip: null });
    expect(unseen[1]).toMatchObject({ column: "job=(unseen)", raw: "pilot", filled: "(other)", scaled: 0 });
  });
});

describe("a preparation over another definition", () => {
  it("is refused, naming the feature", () => {
    const writer = createPreparedWriter(fit(ROWS));
    const other = frameFromFeatures({ ...schema, features: schema.features.slice(0, 2) }, ROWS);
    expect(() => writer.writeFrame(other, all(1))).toThrow(
      expect.objectContaining({ code: "COLUMN_MISSING", message: expect.stringContaining('"vip"') }),
    );
  });
});
