// Is asking where the model is unsure ever worse than asking at random? Two tables on which nothing promises that it helps: German
// Credit and Adult (UCI). The policy is the product's default, a fifth of each batch drawn evenly. Files: `german-credit.csv.gz` and
// `adult.csv.gz` in the folder RETRAIN_TABLES, or data/ beside the repository.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { createRandom, seedFrom, shuffleInPlace } from "../src/core/index.ts";
import { createPreparedWriter, fitPreparation, type FrameColumn } from "../src/data/index.ts";
import { rowUncertainty, studentIsf } from "../src/stats/index.ts";
import type { Figure } from "./harness.ts";
import { type LabelledTable, learn } from "./labeling-learner.ts";
import { nextAsked } from "./labeling-round.ts";

const SEEDS = 10;
const TEST_ROWS = 400;
const FIRST_LABELS = 40;
const ROUND = 40;
const MOST_LABELS = 320;
/** Rows kept of a longer table: the pool of a batch, not the whole census. */
const MOST_ROWS = 3_000;

const TABLES = [
  { name: "German Credit", file: "german-credit.csv.gz", label: "class", leaveOut: [] as string[] },
  { name: "Adult", file: "adult.csv.gz", label: "income", leaveOut: ["split", "fnlwgt"] },
] as const;

function readTable(path: string, table: (typeof TABLES)[number]): LabelledTable {
  const [header = "", ...lines] = gunzipSync(readFileSync(path)).toString("utf8").trim().split("\n");
  const names = header.trim().split(",");
  const order = Uint32Array.from({ length: lines.length }, (_, i) => i);
  shuffleInPlace(order, createRandom(1));
  const rows = Array.from(order.subarray(0, MOST_ROWS), (i) => (lines[i] as string).trim().split(","));
  const at = names.indexOf(table.label);
  const classes = [...new Set(rows.map((row) => row[at] ?? ""))].sort((a, b) => a.localeCompare(b));
  const left: readonly string[] = table.leaveOut;
  const columns = names.flatMap((name, j): FrameColumn[] => {
    if (j === at || left.includes(name)) return [];
    const texts = rows.map((row) => row[j] ?? "");
    if (texts.every((text) => text !== "" && Number.isFinite(Number(text))))
      return [{ kind: "number" as const, name, values: Float32Array.from(texts, Number) }];
    const dictionary = [...new Set(texts)];
    const code = new Map(dictionary.map((text, i) => [text, i]));
    return [
      { kind: "category" as const, name, dictionary, codes: Int32Array.from(texts, (text) => code.get(text) ?? -1) },
    ];
  });
  return {
    frame: { rows: rows.length, columns },
    classes,
    labels: Float64Array.from(rows, (row) => classes.indexOf(row[at] ?? "")),
  };
}

/** Mean accuracy over the rounds of one simulated team: the height of its learning curve. */
async function curveHeight(table: LabelledTable, seed: number, randomShare: number): Promise<number> {
  const { frame, classes } = table;
  const order = Uint32Array.from({ length: frame.rows }, (_, row) => row);
  shuffleInPlace(order, createRandom(seedFrom(seed, "table")));
  const test = order.slice(0, TEST_ROWS);
  const pool = order.slice(TEST_ROWS);
  const preparation = fitPreparation({ frame, rows: pool, input: "dense", classes: [] });
  const writer = createPreparedWriter(preparation);
  let labelled = [...pool.subarray(0, FIRST_LABELS)];
  const heights: number[] = [];
  for (;;) {
    const { predictor, accuracy } = await learn(table, Uint32Array.from(labelled).sort(), test, seed);
    heights.push(accuracy);
    if (labelled.length >= MOST_LABELS) return heights.reduce((sum, one) => sum + one, 0) / heights.length;
    const known = new Set(labelled);
    const rest = pool.filter((row) => !known.has(row));
    const acquisition = rowUncertainty("margin", { values: predictor.scoreFrame(frame, rest), width: classes.length });
    const ask = { frame, writer, rest, acquisition, count: ROUND, randomShare, seed: seedFrom(seed, labelled.length) };
    labelled = [...labelled, ...nextAsked(ask)];
  }
}

export async function tableFigures(): Promise<{ readonly figures: Figure[]; readonly notes: string[] }> {
  const folder = process.env["RETRAIN_TABLES"] ?? fileURLToPath(new URL("../../data/", import.meta.url));
  const figures: Figure[] = [];
  const notes: string[] = [];
  for (const table of TABLES) {
    const path = join(folder, table.file);
    if (!existsSync(path)) {
      notes.push(`${table.name} is not here: put ${table.file} into a folder and name it in RETRAIN_TABLES.`);
      continue;
    }
    const read = readTable(path, table);
    const gains: number[] = [];
    for (let seed = 0; seed < SEEDS; seed++)
      gains.push((await curveHeight(read, seed, 0.2)) - (await curveHeight(read, seed, 1)));
    const mean = gains.reduce((sum, one) => sum + one, 0) / SEEDS;
    const squares = gains.reduce((sum, gain) => sum + (gain - mean) * (gain - mean), 0);
    const half = studentIsf(0.025, SEEDS - 1) * Math.sqrt(squares / (SEEDS - 1) / SEEDS);
    figures.push(
      { name: `accuracy gained over random on ${table.name}, mean over the curve`, value: mean, unit: "" },
      // Significantly worse would be: even the upper end is below zero.
      { name: "its upper 95 % end", value: mean + half, unit: "", atLeast: 0 },
    );
  }
  return { figures, notes };
}
