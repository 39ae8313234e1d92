import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type InitOptions,
  type InitPlan,
  initFromCsv,
  loadConfig,
  modelNameOf,
  writeInit,
} from "../../src/config/index.ts";
import { compileRowValidator, compileTextConverter } from "../../src/data/index.ts";
import { createSource } from "../../src/collect/index.ts";
import { RetrainError, systemClock } from "../../src/core/index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "init-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Rows by a function of the row number, with a label that alternates. */
function csv(columns: Readonly<Record<string, (i: number) => string | number>>, rows = 400): string {
  const names = Object.keys(columns);
  const lines = Array.from({ length: rows }, (_, i) => names.map((name) => columns[name]?.(i)).join(","));
  return `${names.join(",")}\n${lines.join("\n")}\n`;
}
async function plan(text: string, options: Partial<InitOptions> = {}, name = "data.csv"): Promise<InitPlan> {
  writeFileSync(join(folder, name), text);
  return await initFromCsv(join(folder, name), { label: "y", folder, ...options });
}
const use = (made: InitPlan, column: string) => made.decisions.find((one) => one.column === column)?.use.as;
const reason = (made: InitPlan, column: string) => made.decisions.find((one) => one.column === column)?.reason;
const noisy = (i: number) => (i * 7919) % 97;
const y = (i: number) => (noisy(i) < 30 ? 1 : 0);

describe("what a column becomes", () => {
  it.each<[string, (i: number) => string | number, string, RegExp]>([
    ["age", (i) => noisy(i), "number", /^0 to 96$/],
    ["price", (i) => (i % 5 === 0 ? "" : i / 8), "number", /80 rows missing/],
    ["half", (i) => (i % 9 === 0 ? "?" : noisy(i)), "number", /"\?" taken for missing/],
    ["flag", (i) => i % 2, "number", /^0 to 1$/],
    ["job", (i) => `job ${i % 12}`, "category", /^12 values: /],
    ["agrees", (i) => (i % 3 === 0 ? "yes" : "no"), "category", /^2 values: no, yes$/],
    ["active", (i) => (i % 3 === 0 ? "True" : "False"), "boolean", /"False" or "True"/],
    ["kind", (i) => (i % 4 === 0 ? "?" : `k${i % 3}`), "category", /if "\?" means missing, pass --missing "\?"/],
    ["shop_id", (i) => i % 8, "category", /^8 values/],
    ["user_id", (i) => 1000 + (i % 390), "left-out", /not unique/],
    ["city", (i) => `city ${i % 300}`, "left-out", /^300 different texts in 400 rows$/],
    [
      "note",
      (i) => `this is a longer text that a person wrote about case ${i % 9}`,
      "left-out",
      /^free text, 5\d characters/,
    ],
    ["row", (i) => i + 1, "left-out", /^counts the rows$/],
    ["version", () => "v1", "left-out", /^always "v1"$/],
    ["empty", () => "NA", "left-out", /^always missing$/],
    ["due", (i) => `2026/03/${(i % 28) + 1}`, "left-out", /^a date of another form; write 2026-03-01$/],
    [
      "paid",
      (i) => (i % 9 === 0 ? "" : `2026-03-${10 + (i % 18)}`),
      "left-out",
      /^a date, 45 rows missing; an event time/,
    ],
    ["preis", (i) => `"${i},50"`, "left-out", /^numbers with signs of their own, such as "0,50"; write 1234.5$/],
    ["dollars", (i) => `"$1,${100 + i}.00"`, "left-out", /such as "\$1,100.00"/],
    ["rate", (i) => `${i} %`, "left-out", /such as "0 %"/],
    ["born", (i) => `${(i % 28) + 1}.03.1980`, "left-out", /different days in different countries/],
  ])("reads %s", async (name, value, as, words) => {
    const made = await plan(csv({ x: noisy, [name]: value, y }));
    expect(use(made, name)).toBe(as);
    expect(reason(made, name)).toMatch(words);
  });

  it("takes the unique column named like an id, and no other", async () => {
    for (const name of ["id", "ID", "customer_id", "customer id", "customerID", "customerId"]) {
      expect(use(await plan(csv({ [name]: (i) => `c${i}`, x: noisy, y })), name)).toBe("id");
    }
    const made = await plan(csv({ code: (i) => `c${i}`, x: noisy, y }));
    expect(use(made, "code")).toBe("left-out");
    expect(made.lines.at(-2)).toContain("every row of the file is an example");
  });

  it("takes a date column as event time, the one whose name says so before others", async () => {
    const day = (i: number) => `2026-0${1 + (i % 9)}-1${i % 9}`;
    expect(use(await plan(csv({ day, x: noisy, y })), "day")).toBe("time");
    const two = await plan(csv({ day, created_at: (i) => `${day(i)}T10:00:00Z`, x: noisy, y }));
    expect([use(two, "day"), use(two, "created_at")]).toEqual(["left-out", "time"]);
    expect(reason(two, "created_at")).toBe("from 2026-01-10T10:00:00Z to 2026-09-18T10:00:00Z");
    const gaps = await plan(csv({ day: (i) => (i === 3 ? "" : day(i)), x: noisy, y }));
    expect(use(gaps, "day")).toBe("left-out");
    expect(gaps.lines.at(-1)).toContain("order of the file");
  });
});

describe("the label", () => {
  it.each<[string, (i: number) => string | number, string, string]>([
    ["0/1", y, "binary", '"0" is false, "1" is true'],
    ["yes/no", (i) => (y(i) ? "Yes" : "No"), "binary", '"No" is false, "Yes" is true'],
    ["true/false", (i) => (y(i) ? "TRUE" : "FALSE"), "binary", '"FALSE" is false, "TRUE" is true'],
    [
      "two other texts",
      (i) => (y(i) ? "spam" : "ham"),
      "binary",
      '"ham" is false, "spam" is true (31 % of rows); true is the rarer',
    ],
    [
      "0.0/1.0, as programs write a column with gaps",
      (i) => (y(i) ? "0.0" : "1.0"),
      "binary",
      '"0.0" is false, "1.0" is true',
    ],
    ["signs", (i) => (y(i) ? -1 : 1), "binary", '"-1" is false, "1" is true (69 % of rows)'],
    ["other numbers", (i) => (y(i) ? 1 : 2), "binary", '"2" is false, "1" is true (31 % of rows); true is the rarer'],
    ["a slip of the pen", (i) => (i === 7 ? "maybe" : y(i)), "multiclass", '; "maybe" is in 1 row only'],
    ["three texts", (i) => ["a", "b", "c"][i % 3] as string, "multiclass", "3 classes"],
    ["a few whole numbers", (i) => i % 5, "multiclass", 'task: "regression"'],
    ["an amount", (i) => i / 3, "regression", "number, 0 to 133"],
    ["a label that is missing at times", (i) => (i % 4 === 0 ? "" : y(i)), "binary", "100 rows without a label"],
  ])("becomes the right task for %s", async (_, value, task, words) => {
    const made = await plan(csv({ x: noisy, y: value }));
    expect(made.task).toBe(task);
    expect(reason(made, "y")).toContain(words);
  });

  it.each<[string, string, string, string]>([
    ["a column that is not there", "x,yy\n1,2\n", "COLUMN_UNKNOWN", "It has x, yy."],
    ["one value only", "x,y\n1,1\n2,1\n", "COLUMN_TYPE_UNDECIDED", 'only the value "1"'],
    ["too many texts", csv({ x: noisy, y: (i) => `t${i}` }), "COLUMN_TYPE_UNDECIDED", "too many for classes"],
    [
      "one value in two spellings",
      csv({ x: noisy, y: (i) => (i % 5 === 0 ? "yes" : y(i) ? "Yes" : "No") }),
      "COLUMN_TYPE_UNDECIDED",
      "differ by case alone",
    ],
    ["no row", "x,y\n", "FILE_INVALID", "no row"],
    [
      "no row that can be read",
      "x,y\n1\n",
      "FILE_INVALID",
      "(1 line: Line 2 has 1 field; the header names 2 columns.)",
    ],
    ["lines of old Macs", "x,y\r1,1\r2,0\r", "FILE_INVALID", "carriage return alone"],
    ["a header with a column twice", "x,x,y\n1,2,3\n", "HEADER_DUPLICATE", '"x" twice'],
    [
      "nothing to predict from",
      csv({ text: (i) => `${"long ".repeat(20)}${i}`, y }),
      "COLUMN_TYPE_UNDECIDED",
      "No column",
    ],
  ])("refuses %s", async (_, text, code, words) => {
    const error: unknown = await plan(text).catch((one: unknown) => one);
    expect(error).toBeInstanceOf(RetrainError);
    expect((error as RetrainError).code).toBe(code);
    expect((error as RetrainError).message).toContain(words);
  });
});

describe("columns that give the answer away", () => {
  it("are mentioned and kept", async () => {
    const made = await plan(
      csv({
        x: (i) => (i * 31) % 89,
        refunded: (i) => (y(i) ? "yes" : "no"),
        days_after: (i) => (y(i) ? 100 + i : i / 8),
        y,
      }),
    );
    expect(use(made, "refunded")).toBe("category");
    expect(made.decisions.filter((one) => one.warning !== undefined).map((one) => one.column)).toEqual([
      "refunded",
      "days_after",
    ]);
    expect(made.lines.find((line) => line.startsWith("refunded"))).toContain(
      "is it known when a prediction is asked for?",
    );
    expect(made.files[0]?.content).toContain("// Look: refunded tells the label almost alone");
  });

  it("are not seen in honest columns, nor where the label is rare", async () => {
    const made = await plan(
      csv({ x: (i) => (i * 31) % 89, rare: (i) => `r${i % 5}`, y: (i) => (i % 300 === 0 ? 1 : 0) }),
    );
    expect(made.decisions.filter((one) => one.warning !== undefined)).toEqual([]);
  });
});

describe("the written configuration", () => {
  it("loads, and every row of the file is valid under it", async () => {
    const text = csv({
      "customer no": (i) => `c${i}`,
      "Größe (cm)": noisy,
      id: (i) => `i${i}`,
      "a-b": (i) => (i % 4 === 0 ? "unknown" : `x"${"y".repeat(i % 3)}`.replaceAll('"', "'")),
      class: (i) => (i % 3 === 0 ? "true" : "false"),
      note: (i) => `${"words ".repeat(9)}${i}`,
      y,
    });
    const made = await plan(text, { missing: ["unknown"] }, "Kunden & Co.csv");
    writeInit(made);
    const { spec } = await loadConfig(folder);
    const model = spec.models[0] as (typeof spec.models)[number];
    expect(model.name).toBe("kunden-co");
    expect(model.schema).toMatchObject({ id: "id", labelColumn: "y", label: { kind: "boolean", texts: ["0", "1"] } });
    expect(model.retrain).toMatchObject({ cooldownMs: 60_000, maxPerDay: 24 });
    const source = spec.sources[0] as (typeof spec.sources)[number];
    expect(source).toMatchObject({ kind: "file", missing: ["unknown"] });
    expect(model.schema.ignore).toEqual(["customer no", "note"]);
    const convert = compileTextConverter(model.schema, source.missing);
    const validate = compileRowValidator(model.schema);
    let count = 0;
    for await (const batch of createSource(source, systemClock).poll(undefined)) {
      for (const reading of batch.rows) {
        if ("problem" in reading) throw new Error(reading.problem.message);
        const checked = validate(convert(reading.row as Record<string, string>));
        expect(checked).toMatchObject({ ok: true });
        if (checked.ok && count === 0) expect(checked.features["a-b"]).toBeNull();
        count++;
      }
    }
    expect(count).toBe(400);
  });

  it("never overwrites work without being told to, and only adds to .gitignore", async () => {
    const made = await plan(csv({ x: noisy, y }));
    writeFileSync(join(folder, ".gitignore"), "dist");
    const again = await plan(csv({ x: noisy, y }));
    writeInit(again);
    expect(readFileSync(join(folder, ".gitignore"), "utf8")).toBe("dist\n.retrain/\n.env\n");
    writeFileSync(join(folder, "retrain.config.ts"), "mine");
    expect(() => writeInit(made)).toThrow(expect.objectContaining({ code: "FILE_EXISTS" }) as Error);
    expect(readFileSync(join(folder, "retrain.config.ts"), "utf8")).toBe("mine");
    writeInit(made, { force: true });
    expect(readFileSync(join(folder, "retrain.config.ts"), "utf8")).toContain("defineModel");
    expect((await plan(csv({ x: noisy, y }))).files[1]?.content).toBe(readFileSync(join(folder, ".gitignore"), "utf8"));
  });

  it("cannot be broken by what the file holds", async () => {
    const evil = ['a"; process.exit(1); //', "b\u2028process.exit(1)", "*/ x"];
    const made = await plan(
      `x,k,"we ""ird\n name",y\n${Array.from({ length: 400 }, (_, i) => `${noisy(i)},"${(evil[i % 3] as string).replaceAll('"', '""')}",${i % 7},${y(i)}`).join("\n")}\n`,
    );
    writeInit(made);
    const { spec } = await loadConfig(folder);
    expect(spec.models[0]?.schema.features.map((one) => one.name)).toEqual(["x", "k", 'we "ird\n name']);
    expect(made.lines.every((line) => !/[\n\r]/.test(line))).toBe(true);
  });

  it("writes a smaller holdout for a small file", async () => {
    writeInit(await plan(csv({ x: noisy, y }, 120)));
    const { spec } = await loadConfig(folder);
    expect(spec.models[0]?.data).toMatchObject({ minRows: 108, holdout: { minRows: 30 } });
  });

  it("is written for regression and many classes too", async () => {
    writeInit(await plan(csv({ x: noisy, y: (i) => i / 3 })));
    expect((await loadConfig(folder)).spec.models[0]?.gates[0]).toMatchObject({ metric: "mae" });
    writeInit(await plan(csv({ x: noisy, y: (i) => `c${i % 4}` })), { force: true });
    expect((await loadConfig(folder)).spec.models[0]?.schema.task).toBe("multiclass");
  });
});

describe("names", () => {
  it.each([
    ["customers.csv", "customers"],
    ["Kunden Übersicht 2026.CSV", "kunden-ubersicht-2026"],
    ["...csv", "model"],
    ["_private..v2.tsv", "private.v2"],
    ["日本.csv", "model"],
    [`${"a".repeat(90)}.csv`, "a".repeat(64)],
  ])("make of %s the model %s", (file, name) => {
    expect(modelNameOf(file)).toBe(name);
  });
});

const customers = fileURLToPath(new URL("../../../shared/data/bank-marketing/customers-1000.csv", import.meta.url));

describe.skipIf(!existsSync(customers))(
  "the Bank Marketing customers (needs the shared data folder beside the repository)",
  () => {
    it("become a binary model with id, ten features and missing values", async () => {
      const made = await initFromCsv(customers, { label: "purchased", missing: ["unknown"], folder });
      expect(made).toMatchObject({ task: "binary", rows: 1000, labelledRows: 1000, unreadableRows: 0 });
      const uses = made.decisions.map((one) => `${one.column}: ${one.use.as}`);
      expect(uses).toEqual([
        "customer_id: id",
        "age: number",
        "job: category",
        "marital: category",
        "education: category",
        "balance: number",
        "housing: category",
        "contact: category",
        "duration: number",
        "campaign: number",
        "previous: number",
        "purchased: label",
      ]);
      expect(made.lines).toHaveLength(13);
    });
  },
);
