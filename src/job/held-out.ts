/** The rows held out from training with the candidate's answers, as monitors will see rows later. */
import { type Dataset, isNumeric } from "../data/index.ts";
import type { Predictor } from "../model/index.ts";
import type { JobInput } from "./input.ts";

export interface HeldOut {
  readonly input: JobInput;
  readonly dataset: Dataset;
  /** Dataset rows, ascending in event time. */
  readonly rows: Uint32Array;
  readonly predictor: Predictor;
  /** n × width, as `scoreFrame` gives them. */
  readonly scores: Float64Array;
  readonly threshold: number | undefined;
}

/** One row as the monitors will see it later. */
export function labelledRow(held: HeldOut, position: number) {
  const { input, dataset, rows, scores, threshold } = held;
  const { task } = input.spec.schema;
  const classes = task === "binary" ? [false, true] : dataset.classes;
  const target = dataset.target[rows[position] as number] as number;
  const width = task === "multiclass" ? classes.length : 1;
  const own = Array.from(scores.subarray(position * width, (position + 1) * width));
  const score = own[0] as number;
  if (isNumeric(task)) return { task, classes, scores: own, decision: score, label: target };
  const label = classes[target] as string | boolean;
  if (task === "binary") {
    return { task, classes, scores: [1 - score, score], decision: score >= (threshold ?? 0.5), label };
  }
  let best = 0;
  for (let j = 1; j < width; j++) if ((own[j] as number) > (own[best] as number)) best = j;
  return { task, classes, scores: own, decision: classes[best] as string | boolean, label };
}
