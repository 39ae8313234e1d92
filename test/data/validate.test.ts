import { describe, expect, it } from "vitest";
import { compileLabelValidator, compileRowValidator, type DataSchema, type RowReason } from "../../src/data/index.ts";

const schema: DataSchema = {
  task: "binary",
  id: "customer",
  time: "contactedAt",
  unit: "household",
  labelColumn: "bought",
  features: [
    { name: "age", spec: { kind: "number", min: 0, max: 120 } },
    { name: "balance", spec: { kind: "number" } },
    { name: "job", spec: { kind: "category" } },
    { name: "contact", spec: { kind: "category", categories: ["cellular", "telephone"] } },
    { name: "housing", spec: { kind: "boolean" } },
    { name: "constructor", spec: { kind: "category" } },
  ],
  label: { kind: "boolean" },
};
const good = {
  customer: "c1",
  contactedAt: "2026-03-01T10:00:00Z",
  household: 17,
  bought: true,
  age: 40,
  balance: -12.5,
  job: "admin.",
  contact: "cellular",
  housing: false,
  constructor: "x",
};
const validate = compileRowValidator(schema);
const reasonsOf = (row: unknown, options?: { forPrediction: boolean }): readonly RowReason[] => {
  const result = validate(row, options);
  return result.ok ? [] : result.reasons;
};

describe("the row validator", () => {
  it("reads a good row into features, label, id, time and unit without changing a value", () => {
    expect(validate(good)).toEqual({
      ok: true,
      features: { age: 40, balance: -12.5, job: "admin.", contact: "cellular", housing: false, constructor: "x" },
      label: true,
      id: "c1",
      at: Date.parse("2026-03-01T10:00:00Z"),
      unit: "17",
    });
  });

  it.each([
    [{ age: "40" }, "TYPE_MISMATCH", "age"],
    [{ age: true }, "TYPE_MISMATCH", "age"],
    [{ age: Number.NaN }, "NUMBER_NOT_FINITE", "age"],
    [{ balance: Number.POSITIVE_INFINITY }, "NUMBER_NOT_FINITE", "balance"],
    [{ balance: 1e308 }, "NUMBER_TOO_LARGE", "balance"],
    [{ balance: -3.5e38 }, "NUMBER_TOO_LARGE", "balance"],
    [{ age: 121 }, "OUT_OF_RANGE", "age"],
    [{ age: [40] }, "TYPE_MISMATCH", "age"],
    [{ job: 3 }, "TYPE_MISMATCH", "job"],
    [{ job: "a\u0000b" }, "TEXT_INVALID", "job"],
    [{ job: "half \ud800" }, "TEXT_INVALID", "job"],
    [{ job: "x".repeat(4097) }, "TEXT_TOO_LONG", "job"],
    [{ job: "ü".repeat(2049) }, "TEXT_TOO_LONG", "job"],
    [{ contact: "celular" }, "CATEGORY_UNKNOWN", "contact"],
    [{ housing: 1 }, "TYPE_MISMATCH", "housing"],
    [{ housing: "yes" }, "TYPE_MISMATCH", "housing"],
    [{ bought: "yes" }, "LABEL_INVALID", "bought"],
    [{ bought: 1 }, "LABEL_INVALID", "bought"],
    [{ customer: "" }, "ID_INVALID", "customer"],
    [{ customer: 1.5 }, "ID_INVALID", "customer"],
    [{ customer: null }, "COLUMN_MISSING", "customer"],
    [{ contactedAt: "yesterday" }, "TIME_INVALID", "contactedAt"],
    [{ contactedAt: undefined }, "COLUMN_MISSING", "contactedAt"],
    [{ constructor: {} }, "TYPE_MISMATCH", "constructor"],
    [{ amont: 3 }, "COLUMN_UNKNOWN", "amont"],
  ])("names the column and the reason of %o", (change, code, column) => {
    expect(reasonsOf({ ...good, ...change })).toEqual([expect.objectContaining({ code, column })]);
  });

  it("gives every reason of a row at once, with the nearest name of a misspelled column", () => {
    const { age: _, ...rest } = good;
    const reasons = reasonsOf({ ...rest, agee: 41, balance: "3.5", contact: "fax" });
    expect(reasons.map((reason) => reason.code)).toEqual(["TYPE_MISMATCH", "CATEGORY_UNKNOWN", "COLUMN_UNKNOWN"]);
    expect(reasons[0]?.message).toContain("never converted");
    // A CSV file's numbers were converted: quotes are not what is wrong with this one.
    expect(reasonsOf({ ...good, age: "forty" })[0]?.message).toBe(
      '"age" is "forty" (string), but the schema says a number.',
    );
    expect(reasons[2]?.message).toContain('Closest: "age"');
  });

  it("takes null and absent features as missing, and inherited properties for nothing", () => {
    const result = validate({ customer: "c", contactedAt: 0, age: null });
    expect(result).toEqual({
      ok: true,
      features: { age: null, balance: null, job: null, contact: null, housing: null, constructor: null },
      id: "c",
      at: 0,
    });
  });

  it("lets prediction requests leave out id, time and label, and does not look at a label they carry", () => {
    expect(reasonsOf({ age: 4 }, { forPrediction: true })).toEqual([]);
    const labelled = validate({ ...good, bought: "nonsense" }, { forPrediction: true });
    expect(labelled).toMatchObject({ ok: true, id: "c1" });
    expect(labelled).not.toHaveProperty("label");
  });

  it("gives a row back as its own features where it holds them in order and nothing else, and what equals them otherwise", () => {
    const rows = compileRowValidator({
      task: "binary",
      features: schema.features,
      labelColumn: "bought",
      label: schema.label,
    });
    const featuresOf = (row: object) => {
      const checked = rows(row, { forPrediction: true });
      return checked.ok ? checked.features : checked.reasons.map(({ code }) => code);
    };
    const names = schema.features.map(({ name }) => name);
    const plain = Object.fromEntries(names.map((name) => [name, good[name as keyof typeof good] ?? null]));
    expect(featuresOf(plain)).toBe(plain);
    const turned = Object.fromEntries(Object.entries(plain).reverse());
    expect(featuresOf(turned)).toEqual(plain);
    expect(featuresOf(turned)).not.toBe(turned);
    expect(Object.keys(featuresOf(turned))).toEqual(names);
    expect(featuresOf({ ...plain, age: -0 })).toEqual({ ...plain, age: 0 });
    expect(featuresOf({ ...plain, bought: "unseen" })).toEqual(plain);
    expect(featuresOf({ ...plain, other: 1 })).toEqual(["COLUMN_UNKNOWN"]);
    expect(featuresOf({ ...plain, age: "4" })).toEqual(["TYPE_MISMATCH"]);
    expect(featuresOf(Object.create(plain) as object)).not.toEqual(Object.create(plain));
    const short = Object.fromEntries(Object.entries(plain).slice(0, -1));
    expect(featuresOf(short)).toEqual({ ...short, [names.at(-1) as string]: null });
    // A column that is also the unit is read as both.
    const both = compileRowValidator({
      task: "binary",
      features: schema.features,
      labelColumn: "bought",
      label: schema.label,
      unit: "job",
    });
    expect(both(plain, { forPrediction: true })).toMatchObject({ ok: true, unit: plain["job"] });
  });

  it("refuses features that differ only by case, which a dataset file cannot keep apart", () => {
    const features = ["Age", "age"].map((name) => ({ name, spec: { kind: "number" as const } }));
    expect(() =>
      compileRowValidator({ task: "binary", labelColumn: "y", label: { kind: "boolean" }, features }),
    ).toThrow(/"age" and "Age" differ only by case/);
  });

  it("treats __proto__ like any unknown column and never changes a prototype", () => {
    const row = JSON.parse('{"customer":"c","contactedAt":0,"__proto__":{"age":7}}') as unknown;
    expect(reasonsOf(row)).toEqual([expect.objectContaining({ code: "COLUMN_UNKNOWN", column: "__proto__" })]);
    expect(({} as Record<string, unknown>)["age"]).toBeUndefined();
    const hostile = { ...schema, features: [{ name: "__proto__", spec: { kind: "number" } as const }] };
    expect(() => compileRowValidator(hostile)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });

  it("answers a row of 10,000 unknown columns with a short list", () => {
    const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`x${i}`, i]));
    const reasons = reasonsOf({ ...good, ...wide });
    expect(reasons).toHaveLength(11);
    expect(reasons[10]?.message).toContain("9,990 more");
  });

  it.each([[null], [[]], ["row"], [5], [undefined]])("refuses %o, which is no object", (row) => {
    expect(reasonsOf(row)).toEqual([expect.objectContaining({ code: "ROW_NOT_OBJECT" })]);
  });

  it("keeps every float32-representable number, the smallest and the largest, and knows one zero, as the log does", () => {
    for (const value of [-0, 3.4028234663852886e38, 5e-324, Number.MAX_SAFE_INTEGER]) {
      const result = validate({ ...good, balance: value });
      expect(result.ok && Object.is(result.features["balance"], value === 0 ? 0 : value)).toBe(true);
    }
  });
});

describe("the label validator", () => {
  it("checks labels of label events by the same rule", () => {
    const check = compileLabelValidator({ ...schema, label: { kind: "category", categories: ["low", "high"] } });
    expect(check("low")).toBeUndefined();
    expect(check("hihg")).toMatchObject({ code: "LABEL_INVALID", message: expect.stringContaining('Closest: "high"') });
    expect(compileLabelValidator({ ...schema, label: { kind: "number", min: 0 } })(-1)).toMatchObject({
      code: "LABEL_INVALID",
    });
  });
});
