/** Importance and losses by cell of every feature, on the rows held out from training. */
import { createRandom, seedFrom } from "../core/index.ts";
import type { Frame, FrameColumn } from "../data/index.ts";
import { cellValue } from "../data/index.ts";
import { cellCount, cellOf, type FeatureNote, type LossMetric, lossOf } from "../monitor/index.ts";
import { type HeldOut, labelledRow } from "./held-out.ts";

/** Shares at which a number is cut: the tails are cells of their own, because what moves often moves there. */
const CUTS = [0.05, 0.25, 0.5, 0.75, 0.95];
/** Most frequent categories that are cells; the rest is one. */
const MAX_CATEGORIES = 10;
/** Rows shuffled per feature; with many features fewer, so that it costs seconds at most. */
const MAX_ROWS = 1_000;
const MAX_CELLS = 200_000;

export function noteFeatures(held: HeldOut, metric: LossMetric): readonly FeatureNote[] {
  const { dataset, rows } = held;
  if (rows.length === 0) return [];
  const losses = Float64Array.from(rows, (_, position) => lossOf(metric, labelledRow(held, position)));
  const importances = permutationImportance(held, metric);
  return dataset.frame.columns.map((column): FeatureNote => {
    const cells = cellsOf(column, rows);
    const count = cellCount(cells);
    const sums = new Float64Array(count);
    const counts = new Float64Array(count);
    rows.forEach((row, position) => {
      const cell = cellOf(cells, cellValue(column, row));
      sums[cell] = (sums[cell] as number) + (losses[position] as number);
      counts[cell] = (counts[cell] as number) + 1;
    });
    return {
      feature: column.name,
      ...cells,
      importance: importances.get(column.name) ?? 0,
      cells: Array.from(counts, (own, cell) => ({
        share: own / rows.length,
        meanLoss: own === 0 ? null : (sums[cell] as number) / own,
        rows: own,
      })),
    };
  });
}

function cellsOf(column: FrameColumn, rows: Uint32Array): Pick<FeatureNote, "kind" | "cuts" | "categories"> {
  if (column.kind === "boolean") return { kind: "boolean" };
  if (column.kind === "number") {
    const present = Float32Array.from(rows, (row) => column.values[row] as number)
      .filter((value) => value === value)
      .sort();
    if (present.length === 0) return { kind: "number", cuts: [] };
    const cuts = CUTS.map((share) => present[Math.floor(share * (present.length - 1))] as number);
    return { kind: "number", cuts: [...new Set(cuts)].filter((cut) => cut < (present[present.length - 1] as number)) };
  }
  const counts = new Map<string, number>();
  for (const row of rows) {
    const value = cellValue(column, row);
    if (value !== null) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  }
  const ranked = [...counts].sort(([left, one], [right, other]) => other - one || (left < right ? -1 : 1));
  return { kind: "category", categories: ranked.slice(0, MAX_CATEGORIES).map(([name]) => name) };
}

/** Growth of the mean loss when a feature's values are shuffled among the rows, as shares that sum to one. */
function permutationImportance(held: HeldOut, metric: LossMetric): ReadonlyMap<string, number> {
  const { dataset, rows, predictor, input } = held;
  const { columns } = dataset.frame;
  const count = Math.max(50, Math.min(MAX_ROWS, Math.floor(MAX_CELLS / columns.length)));
  const step = Math.max(1, Math.ceil(rows.length / count));
  const used = rows.filter((_, i) => i % step === 0);
  const lossWith = (frame: Frame) => {
    const scored: HeldOut = { ...held, rows: used, scores: predictor.scoreFrame(frame, used) };
    let sum = 0;
    for (let i = 0; i < used.length; i++) sum += lossOf(metric, labelledRow(scored, i));
    return sum / used.length;
  };
  const base = lossWith(dataset.frame);
  const random = createRandom(seedFrom(input.seed, "importance"));
  const order = Uint32Array.from(used);
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.nextInt(i + 1);
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
  const growth = columns.map((column, index) => {
    const shuffled = columns.map((one, i) => (i === index ? moved(column, used, order) : one));
    return Math.max(0, lossWith({ ...dataset.frame, columns: shuffled }) - base);
  });
  const total = growth.reduce((sum, one) => sum + one, 0);
  return new Map(columns.map(({ name }, i) => [name, total > 0 ? (growth[i] as number) / total : 0]));
}

/** The column with the values of `from` at the rows `to`. */
function moved(column: FrameColumn, to: Uint32Array, from: Uint32Array): FrameColumn {
  if (column.kind === "category") {
    const codes = Int32Array.from(column.codes);
    to.forEach((row, i) => {
      codes[row] = column.codes[from[i] as number] as number;
    });
    return { ...column, codes };
  }
  if (column.kind === "number") {
    const values = Float32Array.from(column.values);
    to.forEach((row, i) => {
      values[row] = column.values[from[i] as number] as number;
    });
    return { ...column, values };
  }
  const values = Uint8Array.from(column.values);
  to.forEach((row, i) => {
    values[row] = column.values[from[i] as number] as number;
  });
  return { ...column, values };
}
