/**
 * Target copies: a feature that alone predicts the label almost perfectly was usually filled in after the answer was known.
 * Such a model shines in every test and fails in production, so it deserves a loud remark; it does not stop the run, because
 * some honest tasks are that easy.
 */
import type { Anomaly, Task } from "../core/index.ts";
import type { Dataset, FrameColumn } from "../data/index.ts";
import { cellValue, isNumeric } from "../data/index.ts";
import { computeMetric } from "../stats/index.ts";

/** Rows looked at, evenly spaced: a copy shows in any 5,000. */
const LEAK_ROWS = 5_000;
const LEAK_MIN_ROWS = 100;
/** One feature alone at this AUC (or |correlation| for numbers) is suspicious. */
const LEAK_AUC = 0.995;
const LEAK_CORRELATION = 0.999;
/** A category must hold this many rows on average, else each text trivially "predicts" its own label. */
const LEAK_ROWS_PER_CATEGORY = 20;

export function findTargetCopies(dataset: Dataset, task: Task): Anomaly[] {
  if (dataset.rows < LEAK_MIN_ROWS) return [];
  const step = Math.max(1, Math.ceil(dataset.rows / LEAK_ROWS));
  const rows = Uint32Array.from({ length: Math.ceil(dataset.rows / step) }, (_, i) => i * step);
  const outputs = task === "multiclass" ? dataset.classes.length : 1;
  return dataset.frame.columns.flatMap((column): Anomaly[] => {
    let strongest = 0;
    for (let output = 0; output < outputs; output++) {
      const labels = Float64Array.from(rows, (row) =>
        task === "multiclass" ? Number(dataset.target[row] === output) : (dataset.target[row] as number),
      );
      const scores = scoresOf(column, rows, labels);
      if (scores === undefined) continue;
      strongest = Math.max(strongest, isNumeric(task) ? correlation(scores, labels) : strengthOf(scores, labels));
    }
    const limit = isNumeric(task) ? LEAK_CORRELATION : LEAK_AUC;
    if (strongest < limit) return [];
    return [
      {
        code: "TARGET_COPY",
        column: column.name,
        message: `"${column.name}" alone predicts the label with ${isNumeric(task) ? "a correlation" : "a ROC AUC"} of ${strongest.toFixed(4)}. Is it known when the prediction is asked for?`,
        blocking: false,
        details: { strength: strongest },
      },
    ];
  });
}

/** A score per row from one column: the number itself, or the mean label of the category. */
function scoresOf(column: FrameColumn, rows: Uint32Array, labels: Float64Array): Float64Array | undefined {
  if (column.kind === "number") {
    // Missing values would need a place in the ranking; they stand at the mean.
    let sum = 0;
    let count = 0;
    for (const row of rows) {
      const value = column.values[row] as number;
      if (value === value) {
        sum += value;
        count++;
      }
    }
    const mean = count === 0 ? 0 : sum / count;
    return Float64Array.from(rows, (row) => {
      const value = column.values[row] as number;
      return value === value ? value : mean;
    });
  }
  const sums = new Map<unknown, { sum: number; count: number }>();
  rows.forEach((row, i) => {
    const key = cellValue(column, row);
    const entry = sums.get(key) ?? { sum: 0, count: 0 };
    entry.sum += labels[i] as number;
    entry.count++;
    sums.set(key, entry);
  });
  if (sums.size * LEAK_ROWS_PER_CATEGORY > rows.length) return undefined;
  return Float64Array.from(rows, (row) => {
    const entry = sums.get(cellValue(column, row)) as { sum: number; count: number };
    return entry.sum / entry.count;
  });
}

function strengthOf(scores: Float64Array, labels: Float64Array): number {
  const auc = computeMetric("rocAuc", { labels, scores });
  return auc === null ? 0 : Math.max(auc, 1 - auc);
}

function correlation(x: Float64Array, y: Float64Array): number {
  const n = x.length;
  let meanX = 0;
  let meanY = 0;
  for (let i = 0; i < n; i++) {
    meanX += (x[i] as number) / n;
    meanY += (y[i] as number) / n;
  }
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (let i = 0; i < n; i++) {
    const dx = (x[i] as number) - meanX;
    const dy = (y[i] as number) - meanY;
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  return xx === 0 || yy === 0 ? 0 : Math.abs(xy) / Math.sqrt(xx * yy);
}
