// Labels needed to learn from people: margin with diversity against an even draw, on handwritten digits and two tables; and how long a batch of
// 1,000 out of 100,000 × 50 takes to choose. Digits: data/digits-8x8.csv.gz beside the repository, or RETRAIN_DIGITS.
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { createRandom, type LabelingTask, seedFrom, shuffleInPlace } from "../src/core/index.ts";
import { createPreparedWriter, fitPreparation } from "../src/data/index.ts";
import { estimateFromTasks } from "../src/feedback/labeled-estimate.ts";
import { selectBatch } from "../src/feedback/select-batch.ts";
import { rowUncertainty } from "../src/stats/index.ts";
import { type BenchResult, type Figure, median } from "./harness.ts";
import { type LabelledTable, learn } from "./labeling-learner.ts";
import { numberFigures, widthSelectionFigure } from "./labeling-numbers.ts";
import { tableFigures } from "./labeling-tables.ts";

const SEEDS = 10;
const TEST_ROWS = 500;
const FIRST_LABELS = 20;
const ROUND = 20;
const MOST_LABELS = 800;
/** Share of the accuracy with all labels that counts as learned. */
const ENOUGH = 0.95;
const COVERAGE_SEEDS = 500;

function readDigits(): LabelledTable | undefined {
  const path = process.env["RETRAIN_DIGITS"] ?? new URL("../../data/digits-8x8.csv.gz", import.meta.url).pathname;
  if (!existsSync(path)) return undefined;
  const [header = "", ...lines] = gunzipSync(readFileSync(path)).toString("utf8").trim().split("\n");
  const names = header.trim().split(",");
  const labelColumn = names.findIndex((name) => /^(label|digit|target|class)$/i.test(name));
  const rows = lines.map((line) => line.trim().split(","));
  const classes = [...new Set(rows.map((row) => row[labelColumn] ?? ""))].sort();
  return {
    classes,
    labels: Float64Array.from(rows, (row) => classes.indexOf(row[labelColumn] ?? "")),
    frame: {
      rows: rows.length,
      columns: names.flatMap((name, j) =>
        j === labelColumn || !name.startsWith("p")
          ? []
          : [{ kind: "number" as const, name, values: Float32Array.from(rows, (row) => Number(row[j])) }],
      ),
    },
  };
}

/** Labels until the accuracy is enough, by rounds of 20. */
async function labelsNeeded(digits: LabelledTable, seed: number, isRandom: boolean): Promise<number> {
  const order = Uint32Array.from({ length: digits.frame.rows }, (_, row) => row);
  shuffleInPlace(order, createRandom(seedFrom(seed, "digits")));
  const test = order.slice(0, TEST_ROWS);
  const pool = order.slice(TEST_ROWS);
  const full = await learn(digits, pool, test, seed);
  const preparation = fitPreparation({ frame: digits.frame, rows: pool, input: "dense", classes: [] });
  const writer = createPreparedWriter(preparation);
  let labelled = [...pool.subarray(0, FIRST_LABELS)];
  for (;;) {
    const { predictor, accuracy } = await learn(digits, Uint32Array.from(labelled).sort(), test, seed);
    if (accuracy >= ENOUGH * full.accuracy || labelled.length >= MOST_LABELS) return labelled.length;
    const known = new Set(labelled);
    const rest = pool.filter((row) => !known.has(row));
    const acquisition = rowUncertainty("margin", {
      values: predictor.scoreFrame(digits.frame, rest),
      width: digits.classes.length,
    });
    const picks = selectBatch(
      {
        rows: rest.length,
        acquisition,
        embed: (rows) => ({
          dimension: writer.width,
          values: writer.writeFrame(
            digits.frame,
            rows.map((row) => rest[row] as number),
          ),
        }),
      },
      {
        count: ROUND,
        randomShare: isRandom ? 1 : 0,
        sampling: "top",
        diversity: true,
        density: false,
        seed: seedFrom(seed, labelled.length),
      },
    );
    labelled = [...labelled, ...picks.map(({ row }) => rest[row] as number)];
  }
}

async function digitFigures(): Promise<readonly Figure[]> {
  const digits = readDigits();
  if (digits === undefined) return [];
  const chosen: number[] = [];
  const drawn: number[] = [];
  for (let seed = 0; seed < SEEDS; seed++) {
    chosen.push(await labelsNeeded(digits, seed, false));
    drawn.push(await labelsNeeded(digits, seed, true));
  }
  const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
  return [
    { name: `labels to ${ENOUGH * 100} % of full accuracy, margin and diversity`, value: mean(chosen), unit: "labels" },
    { name: "the same, drawn evenly", value: mean(drawn), unit: "labels" },
    { name: "ratio on digits", value: mean(chosen) / mean(drawn), unit: "", atMost: 0.6 },
  ];
}

function selectionFigure(): Figure {
  const rows = 100_000;
  const width = 50;
  const random = createRandom(1);
  const points = Float32Array.from({ length: rows * width }, () => random.nextFloat() * 3 - 1.5);
  const scores = new Float64Array(rows * 2);
  for (let i = 0; i < rows; i++) {
    const p = random.nextFloat();
    scores[i * 2] = 1 - p;
    scores[i * 2 + 1] = p;
  }
  const seconds = Array.from({ length: 5 }, (_, seed) => {
    const before = process.cpuUsage();
    selectBatch(
      {
        rows,
        acquisition: rowUncertainty("margin", { values: scores, width: 2 }),
        embed: (wanted) => {
          const values = new Float32Array(wanted.length * width);
          wanted.forEach((row, i) => values.set(points.subarray(row * width, (row + 1) * width), i * width));
          return { values, dimension: width };
        },
      },
      { count: 1000, randomShare: 0.2, sampling: "top", diversity: true, density: false, seed },
    );
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  });
  return { name: "choosing 1,000 of 100,000 × 50, processor time", value: median(seconds), unit: "s", atMost: 2 };
}

/** Share of seeds whose 95 % interval holds the true error rate, from a sample that is biased on purpose. */
function coverageFigures(): readonly Figure[] {
  return (["top", "weighted"] as const).map((sampling) => {
    const random = createRandom(2026);
    let covered = 0;
    for (let seed = 0; seed < COVERAGE_SEEDS; seed++) {
      const rows = 2000;
      const acquisition = Float64Array.from({ length: rows }, () => random.nextFloat());
      const isWrong = Array.from(acquisition, (value) => random.nextFloat() < 0.02 + 0.4 * value * value);
      const embed = (wanted: Uint32Array) => ({ dimension: 1, values: Float64Array.from(wanted) });
      const options = { count: 300, randomShare: 0.2, diversity: false, density: false, sampling, seed };
      const picks = selectBatch({ rows, acquisition, embed }, options);
      const { interval } = estimateFromTasks(
        picks.map(
          ({ row, origin, probability }, i) =>
            ({
              batchId: "b",
              origin,
              pick: i + 1,
              selectionProbability: probability,
              poolSize: rows,
              decision: true,
              answer: isWrong[row] !== true,
            }) as LabelingTask,
        ),
      );
      const truth = isWrong.filter(Boolean).length / rows;
      if (interval !== null && interval[0] <= truth && truth <= interval[1]) covered++;
    }
    const name = `coverage over ${COVERAGE_SEEDS} seeds, sampling "${sampling}"`;
    return { name, value: covered / COVERAGE_SEEDS, unit: "", atLeast: 0.93 };
  });
}

/** @param options `only=tables` or `only=numbers` leaves the rest out */
export async function run(options: Readonly<Record<string, string>> = {}): Promise<BenchResult> {
  if (options["only"] === "numbers") {
    const { figures, notes } = await numberFigures();
    return { figures: [await widthSelectionFigure(), ...figures], notes };
  }
  const tables = await tableFigures();
  if (options["only"] === "tables") return tables;
  const numbers = await numberFigures();
  const digits = await digitFigures();
  const missing = digits.length === 0 ? ["The digits are not here: set RETRAIN_DIGITS to digits-8x8.csv.gz."] : [];
  return {
    figures: [
      selectionFigure(),
      await widthSelectionFigure(),
      ...coverageFigures(),
      ...digits,
      ...tables.figures,
      ...numbers.figures,
    ],
    notes: [...missing, ...tables.notes, ...numbers.notes],
  };
}
