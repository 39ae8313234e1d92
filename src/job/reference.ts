/** What a version remembers of its time: its reference rows over the model's grid, its scores, its labels, what it looks at. */
import type { FeatureGrid, Frame, FrameColumn, Dataset, ReferenceColumn, ReferenceProfile } from "../data/index.ts";
import {
  buildReferenceProfile,
  extendGrid,
  isNumeric,
  profiledFrame,
  referenceColumn,
  sampleFrame,
  scoreGrid,
  takeWide,
} from "../data/index.ts";
import type { Predictor } from "../model/index.ts";
import { createRandom, shuffleInPlace, type Task } from "../core/index.ts";

/** Beyond this share of values beside the grid it no longer describes the data: it is extended. */
export const OVERFLOW_SHARE = 0.01;
/** Rows asked again with one feature exchanged: shares within some percent, in tens of milliseconds. */
const IMPORTANCE_ROWS = 256;

export interface ReferenceParts {
  readonly task: Task;
  readonly dataset: Dataset;
  /** Rows the version learned from. */
  readonly rows: Uint32Array;
  /** Rows it never saw. */
  readonly holdout: Uint32Array;
  readonly predictor: Predictor;
  /** The grid the model's counters use, if there is one. */
  readonly grid?: readonly FeatureGrid[];
  readonly seed: number;
}

export function describeReference(parts: ReferenceParts): ReferenceProfile {
  const { task, dataset, rows, holdout, predictor } = parts;
  const { frame } = dataset;
  // Users and items of later rows are others by nature: a recommender's rows are not compared by column.
  const counted = task === "recommend" ? { rows: frame.rows, columns: [] } : profiledFrame(frame);
  const grid = parts.grid === undefined ? undefined : usableGrid(parts.grid, counted, rows);
  const profile = { ...buildReferenceProfile(counted, rows, grid), sample: sampleFrame(counted, rows) };
  const labels = labelsOf(task, dataset, rows);
  // The answers of a forecast hang on histories; a row alone has none.
  if (task === "forecast" || task === "recommend") return { ...profile, labels };
  const importance = importanceOf(parts);
  return {
    ...profile,
    scores: scoresOf(task, predictor, frame, holdout),
    labels,
    ...(importance === undefined ? {} : { importance }),
  };
}

/** The model's grid where it describes the same features; extended where the training rows leave it. */
function usableGrid(grid: readonly FeatureGrid[], frame: Frame, rows: Uint32Array): readonly FeatureGrid[] | undefined {
  const same =
    grid.length === frame.columns.length &&
    frame.columns.every((column, i) => grid[i]?.name === column.name && grid[i]?.kind === column.kind);
  if (!same) return undefined;
  const { reference } = buildReferenceProfile(frame, rows, grid);
  const leaves = reference.features.some((feature) => {
    const beside = feature.below + feature.above + feature.unseen;
    return beside > OVERFLOW_SHARE * reference.rows || (beside > 0 && feature.counts.length === 0);
  });
  return leaves ? extendGrid(grid, frame, rows) : grid;
}

function scoresOf(task: Task, predictor: Predictor, frame: Frame, rows: Uint32Array): ReferenceColumn {
  const scores = predictor.scoreFrame(frame, rows);
  if (task !== "multiclass") {
    const column: FrameColumn = { kind: "number", name: "prediction", values: Float32Array.from(scores) };
    return task === "binary" ? referenceColumn(column, scoreGrid()) : referenceColumn(column);
  }
  const width = predictor.classes.length;
  const codes = Int32Array.from(rows, (_, i) => {
    let best = 0;
    for (let j = 1; j < width; j++)
      if ((scores[i * width + j] as number) > (scores[i * width + best] as number)) best = j;
    return best;
  });
  const dictionary = predictor.classes.map(String);
  return referenceColumn(
    { kind: "category", name: "prediction", codes, dictionary },
    { kind: "category", name: "prediction", categories: dictionary },
  );
}

function labelsOf(task: Task, dataset: Dataset, rows: Uint32Array): ReferenceColumn {
  const values = Float64Array.from(rows, (row) => dataset.target[row] as number);
  const name = "label";
  if (isNumeric(task)) return referenceColumn({ kind: "number", name, values: Float32Array.from(values) });
  if (task === "binary") return referenceColumn({ kind: "boolean", name, values: Uint8Array.from(values) });
  const dictionary = dataset.classes.map(String);
  return referenceColumn(
    { kind: "category", name, codes: Int32Array.from(values), dictionary },
    { kind: "category", name, categories: dictionary },
  );
}

/**
 * How much the answers change, on average, when one feature's value comes from another row (L. Breiman 2001, "Random forests",
 * section 10, with the change of the answer in place of the loss: labels may come late). Undefined for models that look at nothing.
 */
function importanceOf(parts: ReferenceParts): Record<string, number> | undefined {
  const { dataset, holdout, predictor, seed } = parts;
  const step = Math.max(1, Math.floor(holdout.length / IMPORTANCE_ROWS));
  const rows = holdout.filter((_, i) => i % step === 0).subarray(0, IMPORTANCE_ROWS);
  // Recorded predictions belong to their rows: they cannot answer rows with a value exchanged.
  if (rows.length < 2 || predictor.isRecorded === true) return undefined;
  const wide = (dataset.frame.wide ?? []).map((column) => takeWide(column, rows));
  const columns = dataset.frame.columns.map((column) => taken(column, rows));
  const sample: Frame = { rows: rows.length, columns, wide };
  const all = Uint32Array.from({ length: rows.length }, (_, i) => i);
  const turned = all.slice();
  shuffleInPlace(turned, createRandom(seed));
  const before = predictor.scoreFrame(sample, all);
  const turnedFrames: readonly Frame[] = [
    ...columns.map((column) => ({
      ...sample,
      columns: columns.map((other) => (other === column ? taken(column, turned) : other)),
    })),
    ...wide.map((column) => ({
      ...sample,
      wide: wide.map((other) => (other === column ? takeWide(column, turned) : other)),
    })),
  ];
  const changes = turnedFrames.map((frame) => {
    const after = predictor.scoreFrame(frame, all);
    return after.reduce((sum, score, k) => sum + Math.abs(score - (before[k] as number)), 0);
  });
  const total = changes.reduce((sum, change) => sum + change, 0);
  if (!(total > 0) || total === Infinity) return undefined;
  const names = [...columns, ...wide].map(({ name }) => name);
  return Object.fromEntries(names.map((name, i) => [name, (changes[i] as number) / total]));
}

/** The column at the given rows, in their order. */
function taken(column: FrameColumn, rows: Uint32Array): FrameColumn {
  switch (column.kind) {
    case "number":
      return { ...column, values: Float32Array.from(rows, (row) => column.values[row] as number) };
    case "category":
      return { ...column, codes: Int32Array.from(rows, (row) => column.codes[row] as number) };
    case "boolean":
      return { ...column, values: Uint8Array.from(rows, (row) => column.values[row] as number) };
  }
}
