/**
 * Exported forecasters against our own, by onnxruntime: thousands of histories, short and long ones, with missing values, of
 * series that training knew and of others.
 */
import { describe, expect, it } from "vitest";
import { createRandom, type Features } from "../../../src/core/index.ts";
import {
  createPreparedWriter,
  type DataSchema,
  fitPreparation,
  frameFromFeatures,
  type Preparation,
} from "../../../src/data/index.ts";
import { type Frequency, periodOf, SEASON } from "../../../src/data/calendar.ts";
import {
  createForecaster,
  forecast,
  HISTORY_PERIODS,
  type Panel,
  QUANTILES,
  type TrainedWeights,
} from "../../../src/learn/index.ts";
import { exportOnnx, inspectOnnx } from "../../../src/model/index.ts";
import { SMOOTHING_FORMS } from "../../../src/learn/forecast/smoothing.ts";
import { loadRuntime } from "../../../src/model/onnx/runtime.ts";
import { notesOf } from "./notes.ts";

const manifest = { model: "m", task: "forecast", classes: [], modelHash: "h", engine: { retrain: "0" } } as never;
const WEATHER = ["sun", "rain", "snow", "Föhn"];
const HORIZON: Readonly<Record<Frequency, number>> = { daily: 16, monthly: 14, quarterly: 9 };
const LENGTH: Readonly<Record<Frequency, number>> = { daily: 500, monthly: 120, quarterly: 70 };

const schema: DataSchema = {
  task: "regression",
  labelColumn: "y",
  label: { kind: "number" },
  features: [
    { name: "promo", spec: { kind: "number" } },
    { name: "weather", spec: { kind: "category" } },
    { name: "series", spec: { kind: "boolean" } },
  ],
};

type Random = ReturnType<typeof createRandom>;

function covariateRow(random: Random, isTraining: boolean): Features {
  const draw = random.nextInt(12);
  return {
    promo: draw === 0 ? null : random.nextInt(4),
    weather: draw === 1 ? null : !isTraining && draw === 2 ? "hail" : (WEATHER[random.nextInt(4)] as string),
    series: draw === 3 ? null : random.nextInt(2) === 0,
  };
}

/** Values with a season, a trend and noise; some series are small, some may fall below zero, some are whole numbers. */
function makeValues(random: Random, season: number, length: number): Float64Array {
  const size = 10 ** random.nextInt(4);
  const level = 1 + 4 * random.nextFloat();
  const places = Array.from({ length: season }, () => random.nextFloat());
  const growth = 0.01 * (random.nextFloat() - 0.3);
  const isWhole = random.nextInt(2) === 0;
  return Float64Array.from({ length }, (_, t) => {
    const value = size * (level + growth * t + (places[t % season] as number) + 0.4 * random.nextFloat());
    return isWhole ? Math.round(value) : value;
  });
}

interface Trained {
  readonly weights: TrainedWeights;
  readonly preparation: Preparation;
}

async function fit(frequency: Frequency, method: string, hasCovariates: boolean): Promise<Trained> {
  const random = createRandom(31);
  const season = SEASON[frequency];
  const length = LENGTH[frequency];
  const horizon = HORIZON[frequency];
  const used = hasCovariates ? schema : { ...schema, features: [] };
  const rows = Array.from({ length: 12 }, () =>
    Array.from({ length: length + horizon }, () => (hasCovariates ? covariateRow(random, true) : {})),
  );
  const all = frameFromFeatures(used, rows.flat());
  const preparation = fitPreparation({
    frame: all,
    rows: Uint32Array.from({ length: all.rows }, (_, i) => i),
    input: "codes",
    classes: [],
  });
  const writer = createPreparedWriter(preparation);
  const start = periodOf(Date.UTC(2019, 1, 17), frequency);
  const series = rows.map((own, s) => {
    const values = makeValues(random, season, length);
    const covariates = new Float32Array(own.length * writer.width);
    own.forEach((row, t) => {
      writer.write(row, covariates, t * writer.width);
      if (t < length && row["promo"] === 3) values[t] = (values[t] as number) * 1.5;
      if (t < length && random.nextInt(25) === 0) values[t] = Number.NaN;
    });
    return { name: s === 3 ? "Läden, groß" : `store ${s}`, start, values, covariates };
  });
  const panel: Panel = {
    frequency,
    horizon,
    series,
    covariates: preparation.features.map(({ name, kind }) => ({ name, kind: kind === "category" ? kind : "number" })),
  };
  const weights = await forecast.fit({
    panel,
    trainTo: start + length - 2 * horizon - 1,
    validationTo: start + length - 1,
    params: forecast.resolveParams({ method, epochs: 25, minChildWeight: 5 }),
    seed: 3,
    signal: new AbortController().signal,
    onPoint: async () => {},
  });
  return { weights, preparation };
}

interface Question {
  readonly name: string;
  /** Newest last. */
  readonly history: Float64Array;
  readonly originAt: number;
  readonly future: readonly Features[];
}

function makeQuestions(frequency: Frequency, count: number, periods: number, seed: number): Question[] {
  const random = createRandom(seed);
  const season = SEASON[frequency];
  return Array.from({ length: count }, (_, i) => {
    const known =
      random.nextInt(6) === 0 ? random.nextInt(Math.min(periods, 2 * season) + 1) : random.nextInt(periods + 1);
    const history = new Float64Array(periods).fill(Number.NaN);
    history.set(makeValues(random, season, known), periods - known);
    const gaps = [0, 0.05, 0.6][random.nextInt(3)] as number;
    for (let t = 0; t < periods; t++) if (random.nextFloat() < gaps) history[t] = Number.NaN;
    // A series that stands still, one of zeros, one whose newest values are missing, one below zero.
    if (i % 23 === 0) history.fill(i % 2 === 0 ? 7.3 : 0, periods - known);
    if (i % 29 === 0) history.fill(Number.NaN, Math.max(0, periods - 1 - random.nextInt(season)));
    if (i % 31 === 0) history.forEach((value, t) => (history[t] = 3 - value));
    return {
      name:
        random.nextInt(8) === 0
          ? "never seen"
          : random.nextInt(8) === 0
            ? "Läden, groß"
            : `store ${random.nextInt(12)}`,
      history,
      // From 1935 to 2110, at any hour.
      originAt: (random.nextFloat() * 175 - 35) * 31_556_952_000,
      future: Array.from({ length: HORIZON[frequency] }, () => covariateRow(random, false)),
    };
  });
}

async function askGraph(bytes: Uint8Array, questions: readonly Question[]) {
  const { Tensor, InferenceSession } = await loadRuntime();
  const session = await InferenceSession.create(bytes, {});
  const rows = questions.length;
  const horizon = questions[0]?.future.length as number;
  const periods = questions[0]?.history.length as number;
  const flat = <T>(pick: (row: Features) => T) => questions.flatMap(({ future }) => future.map(pick));
  const floats = (values: readonly unknown[]) =>
    Float32Array.from(values, (value) => (value === null ? Number.NaN : Number(value)));
  const all: Readonly<Record<string, () => unknown>> = {
    history: () =>
      new Tensor("float64", Float64Array.from(questions.flatMap(({ history }) => [...history])), [rows, periods]),
    series: () =>
      new Tensor(
        "string",
        questions.map(({ name }) => name),
        [rows, 1],
      ),
    origin: () =>
      new Tensor(
        "int64",
        BigInt64Array.from(questions, ({ originAt }) => BigInt(Math.floor(originAt))),
        [rows, 1],
      ),
    promo: () => new Tensor("float32", floats(flat((row) => row["promo"])), [rows, horizon]),
    weather: () =>
      new Tensor(
        "string",
        flat((row) => row["weather"] ?? ""),
        [rows, horizon],
      ),
    "covariate series": () => new Tensor("float32", floats(flat((row) => row["series"])), [rows, horizon]),
  };
  const feeds = Object.fromEntries(inspectOnnx(bytes).inputs.map(({ name }) => [name, all[name]?.()]));
  return session.run(feeds, undefined as never);
}

/** As the server asks: from the first known value of what it keeps, to the origin. */
function askOurs({ weights, preparation }: Trained, frequency: Frequency, question: Question) {
  const forecaster = createForecaster(weights);
  const kept = question.history.slice(-HISTORY_PERIODS[frequency]);
  const from = kept.findIndex((value) => !Number.isNaN(value));
  const values = from < 0 ? new Float64Array(0) : kept.slice(from);
  const writer = createPreparedWriter(preparation);
  const covariates = new Float32Array((values.length + question.future.length) * writer.width).fill(Number.NaN);
  question.future.forEach((row, i) => writer.write(row, covariates, (values.length + i) * writer.width));
  const start = periodOf(question.originAt, frequency) - values.length + 1;
  return forecaster.forecast({ name: question.name, start, values, covariates }, forecaster.horizon);
}

/**
 * Every form of smoothing has some series, whichever fitted best; values below zero are allowed or not; the trees are asked of
 * series that have a code of their own and of some that came too late for one.
 */
function varied({ weights, preparation }: Trained, options: { isNonNegative: boolean; isOld: boolean }): Trained {
  const others = Array.from({ length: 250 }, (_, i) => `other ${i}`);
  const names = [...others, ...(weights.shape["series"] as readonly string[])];
  const spare = (array: unknown, width: number) => [
    ...new Array<number>(250 * width).fill(1),
    ...(array as Float64Array),
  ];
  const { unit, ...shape } = weights.shape;
  return {
    preparation,
    weights: {
      ...weights,
      shape: {
        ...shape,
        ...(options.isOld || unit === undefined ? {} : { unit }),
        series: names,
        nonNegative: options.isNonNegative,
      },
      arrays: {
        ...weights.arrays,
        scale: Float64Array.from(spare(weights.arrays["scale"], 1)),
        form: Int32Array.from(names, (_, i) => i % SMOOTHING_FORMS.length),
        smoothing: Float64Array.from(
          names.flatMap((_, i) => [0.1 + 0.05 * (i % 12), 0.05, 0.2, 0.8 + 0.01 * (i % 17)]),
        ),
      },
    },
  };
}

const CASES: readonly (readonly [Frequency, string, boolean])[] = [
  ["daily", "gbdt", true],
  ["daily", "combined", false],
  ["daily", "smoothing", false],
  ["daily", "seasonal-naive", false],
  ["monthly", "gbdt", false],
  ["monthly", "combined", true],
  ["quarterly", "gbdt", true],
  ["quarterly", "smoothing", false],
];

describe("exported forecasters", () => {
  it.each(CASES)("a %s forecast by %s (covariates: %s) answers like ours", async (frequency, method, hasCovariates) => {
    const isOld = method === "smoothing";
    const trained = varied(await fit(frequency, method, hasCovariates), { isNonNegative: hasCovariates, isOld });
    const bytes = exportOnnx({ manifest, ...trained });
    const horizon = HORIZON[frequency];
    const worst = { forecast: 0, lower: 0, upper: 0, quantiles: 0 };
    let compared = 0;
    // More periods than are kept, as many as a season, and one.
    for (const [periods, count] of [
      [HISTORY_PERIODS[frequency] + 30, 250],
      [3 * SEASON[frequency] + 2, 250],
      [1, 40],
    ] as const) {
      const questions = makeQuestions(frequency, count, periods, periods);
      const outputs = await askGraph(bytes, questions);
      const dataOf = (name: string) => outputs[name]?.data as Float64Array;
      expect(outputs["quantiles"]?.dims).toEqual([count, horizon, QUANTILES.length]);
      questions.forEach((question, row) => {
        const points = askOurs(trained, frequency, question);
        const size = Math.max(1, ...points.map(({ value }) => Math.abs(value)));
        const compare = (name: keyof typeof worst, at: number, own: number) => {
          const difference = Math.abs((dataOf(name)[at] as number) - own) / Math.max(size, Math.abs(own));
          // A NaN of theirs must not pass.
          worst[name] = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst[name], difference);
          compared++;
        };
        points.forEach(({ value, low, high, quantiles }, step) => {
          const at = row * horizon + step;
          compare("forecast", at, value);
          compare("lower", at, low);
          compare("upper", at, high);
          quantiles.forEach((quantile, q) => compare("quantiles", at * QUANTILES.length + q, quantile));
        });
      });
    }
    expect(compared).toBeGreaterThan(30_000);
    for (const name of ["forecast", "lower", "upper", "quantiles"] as const) expect(worst[name]).toBeLessThan(1e-5);
  });

  it("say what goes in and out, and what they are", async () => {
    const bytes = exportOnnx({ manifest, ...(await fit("quarterly", "gbdt", true)) });
    const { inputs, outputs } = inspectOnnx(bytes);
    expect(inputs.map(({ name, type, dims }) => [name, type, dims])).toEqual([
      ["history", "float64", [-1, -1]],
      ["series", "string", [-1, 1]],
      ["promo", "float32", [-1, 9]],
      ["weather", "string", [-1, 9]],
      ["covariate series", "float32", [-1, 9]],
      ["origin", "int64", [-1, 1]],
    ]);
    expect(outputs.map(({ name, type, dims }) => [name, type, dims])).toEqual([
      ["forecast", "float64", [-1, 9]],
      ["lower", "float64", [-1, 9]],
      ["upper", "float64", [-1, 9]],
      ["quantiles", "float64", [-1, 9, 5]],
    ]);
    const notes = { task: "forecast", method: "gbdt", frequency: "quarterly", horizon: "9", level: "0.9" };
    expect(notesOf(bytes)).toMatchObject(notes);
  });

  it("needs no time where no calendar is looked at", async () => {
    const bytes = exportOnnx({ manifest, ...(await fit("monthly", "smoothing", true)) });
    expect(inspectOnnx(bytes).inputs.map(({ name }) => name)).toEqual(["history", "series"]);
  });
});
