// Tables for the benchmark of `gbdt`: made ones of any size, and real ones out of gzipped CSV files.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { createRandom, type SeededRandom } from "../src/core/index.ts";
import type { ColumnInfo, FitRequest } from "../src/learn/index.ts";

export type Part = FitRequest["train"];

export interface TableOptions {
  /** Share of values that four of the columns lose. */
  readonly missing?: number;
  /** Added to the score; −1 gives about a third positive. */
  readonly intercept?: number;
}

/** Interactions, a wave and noise columns of mixed scales. */
export function table(rows: number, columns: number, seed: number, options: TableOptions = {}): Part {
  const { missing = 0, intercept = -1 } = options;
  const random = createRandom(seed);
  const values = new Float32Array(rows * columns);
  const target = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const row = values.subarray(i * columns, (i + 1) * columns);
    for (let j = 0; j < columns; j++) row[j] = bell(random) * (j % 3 === 0 ? 1 : j % 3 === 1 ? 100 : 0.01);
    const x = (j: number) => (row[j] as number) / (j % 3 === 0 ? 1 : j % 3 === 1 ? 100 : 0.01);
    const waves = 2 * x(0) * x(1) + 1.5 * Math.sin(3 * x(2)) + x(3) - x(4) * x(5) * x(6);
    const score = waves + 0.5 * Math.abs(x(7)) + 0.4 * x(8) + intercept;
    target[i] = random.nextFloat() < 1 / (1 + Math.exp(-score)) ? 1 : 0;
    for (let j = 0; j < 4 && missing > 0; j++) if (random.nextFloat() < missing) row[j * 2] = Number.NaN;
  }
  return { x: { rows, columns, values }, y: { values: target, classCount: 2 } };
}

const bell = (random: SeededRandom) => (random.nextFloat() + random.nextFloat() + random.nextFloat() - 1.5) * 2;

/** As the peers read it: float32, columns row by row, then the label. */
export function save(path: string, { x, y }: Part): string {
  const all = new Float32Array(x.rows * (x.columns + 1));
  for (let i = 0; i < x.rows; i++) {
    all.set(x.values.subarray(i * x.columns, (i + 1) * x.columns), i * (x.columns + 1));
    all[i * (x.columns + 1) + x.columns] = y.values[i] as number;
  }
  writeFileSync(path, new Uint8Array(all.buffer));
  return path;
}

interface DataSet {
  readonly name: string;
  readonly file: string;
  readonly numbers: readonly string[];
  readonly categories: readonly string[];
  /** 1 or 0; undefined leaves the row out. */
  readonly label: (cell: (column: string) => string) => number | undefined;
}

/** What of the folder of data sets is used, without columns that know the answer (bank-marketing's `duration`). */
const DATA_SETS: readonly DataSet[] = [
  {
    name: "adult-census (categories)",
    file: "adult-census/adult.csv.gz",
    numbers: ["age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week"],
    categories: [
      "workclass",
      "education",
      "marital_status",
      "occupation",
      "relationship",
      "race",
      "sex",
      "native_country",
    ],
    label: (cell) => Number(cell("income") === ">50K"),
  },
  {
    name: "bank-marketing (categories)",
    file: "bank-marketing/bank-marketing.csv.gz",
    numbers: ["age", "balance", "day", "campaign", "pdays", "previous"],
    categories: ["job", "marital", "education", "default", "housing", "loan", "contact", "month", "poutcome"],
    label: (cell) => Number(cell("y") === "yes"),
  },
  {
    name: "credit-default (numbers)",
    file: "credit-default/credit-default.csv.gz",
    numbers: ["LIMIT_BAL", "AGE", "PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6"].concat(
      [1, 2, 3, 4, 5, 6].flatMap((i) => [`BILL_AMT${i}`, `PAY_AMT${i}`]),
    ),
    categories: ["SEX", "EDUCATION", "MARRIAGE"],
    label: (cell) => Number(cell("default_next_month")),
  },
  {
    name: "beijing-pm25, 20 % of the weather missing",
    file: "beijing-pm25/pm25-2010-2013.csv.gz",
    numbers: ["month", "hour", "dewp", "temp", "pres", "wind_speed", "snow_hours", "rain_hours"],
    categories: ["wind_dir"],
    label: (cell) => (cell("pm25") === "" ? undefined : Number(Number(cell("pm25")) > 150)),
  },
];

export interface RealData {
  readonly name: string;
  readonly columns: readonly ColumnInfo[];
  readonly train: Part;
  readonly test: Part;
}

const MISSING_TEXTS = ["", "?", "NA"];

/** The data sets of a folder, 70 % of the rows for training, drawn by seed. */
export function* readDataSets(folder: string): Generator<RealData> {
  for (const set of DATA_SETS) {
    const path = join(folder, set.file);
    if (existsSync(path)) yield readDataSet(set, gunzipSync(readFileSync(path)).toString("utf8"));
  }
}

function readDataSet(set: DataSet, text: string): RealData {
  const lines = text.split(/\r?\n/u).filter((line) => line !== "");
  const header = (lines.shift() as string).split(",");
  const places = new Map(header.map((name, i) => [name, i]));
  const columns = [
    ...set.numbers.map((name) => ({ name, kind: "number" as const })),
    ...set.categories.map((name) => ({ name, kind: "category" as const })),
  ];
  const codes = columns.map(() => new Map<string, number>());
  const random = createRandom(12);
  const isHoley = set.name.includes("missing");
  const parts = [false, true].map(() => ({ values: [] as number[], labels: [] as number[] }));
  for (const line of lines) {
    const cells = line.split(",");
    const label = set.label((column) => cells[places.get(column) as number] as string);
    if (label === undefined) continue;
    const part = parts[random.nextFloat() < 0.7 ? 0 : 1] as (typeof parts)[number];
    part.labels.push(label);
    columns.forEach(({ name, kind }, c) => {
      const cell = cells[places.get(name) as number] as string;
      const isLost = isHoley && random.nextFloat() < 0.2 && kind === "number";
      if (isLost || MISSING_TEXTS.includes(cell)) part.values.push(Number.NaN);
      else part.values.push(kind === "number" ? Number(cell) : codeOf(codes[c] as Map<string, number>, cell));
    });
  }
  const [train, test] = parts.map(({ values, labels }) => ({
    x: { rows: labels.length, columns: columns.length, values: Float32Array.from(values) },
    y: { values: Float64Array.from(labels), classCount: 2 },
  })) as [Part, Part];
  return { name: set.name, columns, train, test };
}

function codeOf(codes: Map<string, number>, text: string): number {
  const code = codes.get(text) ?? codes.size + 1;
  codes.set(text, code);
  return code;
}
