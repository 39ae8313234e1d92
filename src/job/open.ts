/** `open`: reads the frozen dataset, hashes it, and says what is in it. */
import type { JobHandler } from "../core/job-child.ts";
import type { JsonObject } from "../core/index.ts";
import type { Dataset } from "../data/index.ts";
import { loadDataset } from "./folder.ts";
import { parseJobInput } from "./input.ts";

export const open: JobHandler = async (raw) => {
  const input = parseJobInput(raw);
  const dataset = await loadDataset(input.folder, input.spec);
  return {
    hash: dataset.hash,
    rows: dataset.rows,
    columns: dataset.frame.columns.length,
    classes: [...dataset.classes],
    labels: summarizeLabels(dataset),
    minAt: dataset.at[0] ?? null,
    maxAt: dataset.at[dataset.rows - 1] ?? null,
  };
};

/** Counts per class, or the range and mean of a numeric label. */
function summarizeLabels(dataset: Dataset): JsonObject {
  const { target, classes, rows } = dataset;
  if (classes.length > 0) {
    const counts = new Array<number>(classes.length).fill(0);
    for (const index of target) counts[index] = (counts[index] as number) + 1;
    return Object.fromEntries(classes.map((value, i) => [String(value), counts[i] as number]));
  }
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  for (const value of target) {
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
  }
  return { min, max, mean: sum / rows };
}
