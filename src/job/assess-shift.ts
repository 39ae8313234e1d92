/** New rows against old ones: how the champion does on each, and whether a classifier can tell them apart. */
import type { Task } from "../core/index.ts";
import type { Dataset } from "../data/index.ts";
import { frameOfSample, sampleFrame } from "../data/index.ts";
import { predictorOf } from "../model/index.ts";
import type { Artifact } from "../model/index.ts";
import { multivariateDrift } from "../monitor/index.ts";
import { computeMetric } from "../stats/index.ts";

/** Rows scored per side: enough for a loss within a few percent, in some milliseconds. */
const MAX_ROWS = 2_000;
/** Rows the classifier sees per side: the AUC is then known within ±0.03, and the run waits some hundred milliseconds. */
const MAX_COMPARED = 1_000;
/** Fewer rows on a side and neither figure means anything. */
const MIN_ROWS = 50;

function capped(rows: Uint32Array): Uint32Array {
  const step = Math.max(1, Math.ceil(rows.length / MAX_ROWS));
  return rows.filter((_, i) => i % step === 0);
}

/** Mean log loss (squared error for regression) of the champion; null where a side has no rows. */
export function championLosses(champion: Artifact, dataset: Dataset, task: Task, old: Uint32Array, fresh: Uint32Array) {
  const predictor = predictorOf(champion);
  const lossOf = (all: Uint32Array): number | null => {
    const rows = capped(all);
    if (rows.length === 0) return null;
    const labels = Float64Array.from(rows, (row) => dataset.target[row] as number);
    const scores = predictor.scoreFrame(dataset.frame, rows);
    return computeMetric(task === "regression" ? "mae" : "logLoss", {
      labels,
      scores,
      classCount: task === "multiclass" ? predictor.classes.length : 1,
    });
  };
  const sameColumns = champion.manifest.signature.features.every(({ name, kind }) =>
    dataset.frame.columns.some((column) => column.name === name && column.kind === kind),
  );
  const sameClasses = JSON.stringify(champion.manifest.classes) === JSON.stringify(dataset.classes);
  if (!sameColumns || !sameClasses) return null;
  return { old: lossOf(old), new: lossOf(fresh), metric: task === "regression" ? "mae" : "logLoss" };
}

/**
 * ROC AUC with which the domain classifier of the multivariate comparison tells new rows from old ones, on rows it was not trained on:
 * 0.5 means it cannot, 1 means every row gives itself away. Null where a side has too few rows.
 */
export async function domainAuc(
  dataset: Dataset,
  old: Uint32Array,
  fresh: Uint32Array,
  options: { readonly seed: number; readonly signal: AbortSignal },
): Promise<number | null> {
  if (old.length < MIN_ROWS || fresh.length < MIN_ROWS) return null;
  // Texts, vectors and images are not compared: telling their sides apart takes more rows than an assessment has.
  const frame = { rows: dataset.frame.rows, columns: dataset.frame.columns };
  const sideOf = (rows: Uint32Array) => frameOfSample(sampleFrame(frame, rows));
  const found = await multivariateDrift(sideOf(old), sideOf(fresh), {
    ...options,
    minRows: MIN_ROWS,
    maxRows: MAX_COMPARED,
  });
  return found.classifier.auc;
}
