// The same question for numbers: is asking where the interval of the label is widest ever worse than asking at random? Rented bikes
// by hour (UCI) and fine dust in Beijing by hour (UCI), rows in random order. The policy is the product's default for numbers: the
// width, spread out, a fifth of each batch drawn evenly; held-out rows are never chosen ones. Files: `hour.csv.gz` and
// `pm25-2010-2013.csv.gz` in the folder RETRAIN_TABLES, or data/ beside the repository.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { createRandom, seedFrom, shuffleInPlace } from "../src/core/index.ts";
import { createPreparedWriter, type Dataset, fitPreparation, type FrameColumn } from "../src/data/index.ts";
import { selectBatch } from "../src/feedback/select-batch.ts";
import { fitOnDataset } from "../src/job/fit.ts";
import { fitLossModel } from "../src/job/loss-model.ts";
import { findTrainer } from "../src/learn/index.ts";
import { createPredictor, type Predictor } from "../src/model/index.ts";
import { type LossModel, quantileWidths } from "../src/monitor/index.ts";
import { studentIsf } from "../src/stats/index.ts";
import { type Figure, median } from "./harness.ts";
import { nextAsked } from "./labeling-round.ts";

const SEEDS = 10;
const TEST_ROWS = 1_500;
/** As many labels as a version needs for 200 held-out rows to learn its interval from. */
const FIRST_LABELS = 500;
const HELD_ROWS = 200;
const ROUND = 150;
const MOST_LABELS = 1_400;
const MOST_ROWS = 6_000;
const signal = new AbortController().signal;
const trainer = findTrainer("gbdt");

const TABLES = [
  {
    name: "rented bikes",
    file: "hour.csv.gz",
    label: "cnt",
    numbers: ["season", "yr", "mnth", "hr", "holiday", "weekday", "workingday", "weathersit"].concat([
      "temp",
      "atemp",
      "hum",
      "windspeed",
    ]),
    categories: [] as string[],
  },
  {
    name: "fine dust",
    file: "pm25-2010-2013.csv.gz",
    label: "pm25",
    numbers: ["month", "hour", "dewp", "temp", "pres", "wind_speed", "snow_hours", "rain_hours"],
    categories: ["wind_dir"],
  },
] as const;

function readTable(path: string, table: (typeof TABLES)[number]): Dataset {
  const [header = "", ...lines] = gunzipSync(readFileSync(path)).toString("utf8").trim().split("\n");
  const names = header.trim().split(",");
  const place = (name: string) => names.indexOf(name);
  const known = lines.map((line) => line.trim().split(",")).filter((cells) => cells[place(table.label)] !== "");
  const order = Uint32Array.from(known, (_, i) => i);
  shuffleInPlace(order, createRandom(1));
  const cells = Array.from(order.subarray(0, MOST_ROWS), (i) => known[i] as string[]);
  const columns = [
    ...table.numbers.map((name): FrameColumn => {
      const at = place(name);
      return { kind: "number", name, values: Float32Array.from(cells, (row) => Number(row[at])) };
    }),
    ...table.categories.map((name): FrameColumn => {
      const texts = cells.map((row) => row[place(name)] ?? "");
      const dictionary = [...new Set(texts)].sort((a, b) => a.localeCompare(b));
      return { kind: "category", name, dictionary, codes: Int32Array.from(texts, (text) => dictionary.indexOf(text)) };
    }),
  ];
  return {
    rows: cells.length,
    frame: { rows: cells.length, columns },
    at: Float64Array.from(cells, (_, i) => i),
    knownAt: Float64Array.from(cells, (_, i) => i),
    idHash: new Uint32Array(cells.length * 2),
    target: Float64Array.from(cells, (row) => Number(row[place(table.label)])),
    classes: [],
    hash: "",
    coarse: {},
  };
}

async function learn(dataset: Dataset, rows: Uint32Array, seed: number): Promise<Predictor> {
  const preparation = fitPreparation({ frame: dataset.frame, rows, input: trainer.input, classes: [] });
  const weights = await fitOnDataset({
    folder: "",
    task: "regression",
    trainer,
    params: trainer.resolveParams({}),
    seed,
    dataset,
    preparation,
    train: rows.filter((_, i) => i % 7 !== 6),
    validation: rows.filter((_, i) => i % 7 === 6),
    signal,
    onPoint: async () => {},
  });
  return createPredictor({ task: "regression", classes: [], preparation, weights });
}

/** What a version made of these labels knows of its errors. */
async function errorsOf(options: {
  readonly dataset: Dataset;
  readonly predictor: Predictor;
  readonly held: Uint32Array;
  readonly seed: number;
}): Promise<LossModel> {
  const { dataset, predictor, held, seed } = options;
  const model = await fitLossModel(
    {
      input: { folder: "", seed } as never,
      dataset,
      rows: held,
      predictor,
      scores: predictor.scoreFrame(dataset.frame, held),
      threshold: undefined,
    },
    signal,
  );
  if (model === undefined) throw new Error("Too few rows are held out to know an interval.");
  return model;
}

/** Mean absolute error over the rounds of one simulated team: the height of its learning curve, the lower the better. */
async function curveHeight(dataset: Dataset, seed: number, randomShare: number): Promise<number> {
  const { frame } = dataset;
  const order = Uint32Array.from({ length: dataset.rows }, (_, row) => row);
  shuffleInPlace(order, createRandom(seedFrom(seed, "table")));
  const test = order.slice(0, TEST_ROWS);
  const pool = order.slice(TEST_ROWS);
  const held = pool.slice(0, HELD_ROWS).sort();
  const preparation = fitPreparation({ frame, rows: pool, input: "dense", classes: [] });
  const writer = createPreparedWriter(preparation);
  let labelled = [...pool.subarray(HELD_ROWS, FIRST_LABELS)];
  const heights: number[] = [];
  for (;;) {
    const predictor = await learn(dataset, Uint32Array.from(labelled).sort(), seed);
    const answers = predictor.scoreFrame(frame, test);
    const errors = Array.from(test, (row, i) => Math.abs((answers[i] as number) - (dataset.target[row] as number)));
    heights.push(errors.reduce((sum, error) => sum + error, 0) / TEST_ROWS);
    if (labelled.length + HELD_ROWS >= MOST_LABELS) return heights.reduce((sum, one) => sum + one, 0) / heights.length;
    const known = new Set([...labelled, ...held]);
    const rest = pool.filter((row) => !known.has(row));
    const widths = async () => {
      const model = await errorsOf({ dataset, predictor, held, seed });
      return quantileWidths(model, { frame, rows: rest, answers: predictor.scoreFrame(frame, rest) });
    };
    const acquisition = (randomShare === 1 ? undefined : await widths()) ?? new Float64Array(rest.length);
    const ask = { frame, writer, rest, acquisition, count: ROUND, randomShare, seed: seedFrom(seed, labelled.length) };
    labelled = [...labelled, ...nextAsked(ask)];
  }
}

/** A batch by the interval's width out of a large pool: the version's answers, the widths, and the choice. */
export async function widthSelectionFigure(): Promise<Figure> {
  const [rows, columns, learned] = [100_000, 50, 4_000];
  const random = createRandom(3);
  const part = (count: number): Dataset => {
    const values = Array.from({ length: columns }, () =>
      Float32Array.from({ length: count }, () => random.nextFloat()),
    );
    const of = (j: number, i: number) => (values[j] as Float32Array)[i] as number;
    return {
      rows: count,
      frame: { rows: count, columns: values.map((own, j) => ({ kind: "number", name: `x${j}`, values: own })) },
      at: Float64Array.from({ length: count }, (_, i) => i),
      knownAt: Float64Array.from({ length: count }, (_, i) => i),
      idHash: new Uint32Array(count * 2),
      target: Float64Array.from(
        { length: count },
        (_, i) => of(0, i) + of(1, i) * of(2, i) + of(3, i) * random.nextFloat(),
      ),
      classes: [],
      hash: "",
      coarse: {},
    };
  };
  const dataset = part(learned);
  const order = Uint32Array.from({ length: learned }, (_, row) => row);
  const predictor = await learn(dataset, order.subarray(0, 3_000), 1);
  const held = order.subarray(3_000);
  const model = await errorsOf({ dataset, predictor, held, seed: 1 });
  const { frame } = part(rows);
  const all = Uint32Array.from({ length: rows }, (_, row) => row);
  const preparation = fitPreparation({ frame, rows: all.subarray(0, 20_000), input: "dense", classes: [] });
  const writer = createPreparedWriter(preparation);
  const seconds = Array.from({ length: 5 }, (_, seed) => {
    const before = process.cpuUsage();
    const acquisition = quantileWidths(model, { frame, rows: all, answers: predictor.scoreFrame(frame, all) });
    if (acquisition === undefined) throw new Error("The version knows no interval.");
    const embed = (wanted: Uint32Array) => ({ values: writer.writeFrame(frame, wanted), dimension: columns });
    selectBatch(
      { rows, acquisition, embed },
      { count: 1_000, randomShare: 0.2, sampling: "top", diversity: true, density: false, seed },
    );
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  });
  const name = "the same by the interval's width, the model's answers included";
  return { name, value: median(seconds), unit: "s", atMost: 2 };
}

export async function numberFigures(): Promise<{ readonly figures: Figure[]; readonly notes: string[] }> {
  const folder = process.env["RETRAIN_TABLES"] ?? fileURLToPath(new URL("../../data/", import.meta.url));
  const figures: Figure[] = [];
  const notes: string[] = [];
  for (const table of TABLES) {
    const path = join(folder, table.file);
    if (!existsSync(path)) {
      notes.push(`The ${table.name} are not here: put ${table.file} into a folder and name it in RETRAIN_TABLES.`);
      continue;
    }
    const dataset = readTable(path, table);
    const gains: number[] = [];
    for (let seed = 0; seed < SEEDS; seed++) {
      const drawn = await curveHeight(dataset, seed, 1);
      gains.push((drawn - (await curveHeight(dataset, seed, 0.2))) / drawn);
    }
    const mean = gains.reduce((sum, one) => sum + one, 0) / SEEDS;
    const squares = gains.reduce((sum, gain) => sum + (gain - mean) * (gain - mean), 0);
    const half = studentIsf(0.025, SEEDS - 1) * Math.sqrt(squares / (SEEDS - 1) / SEEDS);
    figures.push(
      { name: `share of the MAE saved over random on ${table.name}, mean over the curve`, value: mean, unit: "" },
      // Significantly worse would be: even the upper end is below zero.
      { name: "its upper 95 % end", value: mean + half, unit: "", atLeast: 0 },
    );
  }
  return { figures, notes };
}
