/**
 * How good a version is, from labels people were asked for. Picks by uncertainty are the hard rows, so a mean over them makes
 * every model look worse than it is. Only picks with a known chance count: the evenly drawn share, and weighted draws with the
 * LURE weights of S. Farquhar et al. 2021. Batches are weighed by the size of the pool they stand for.
 */
import type { LabelingTask, LabelValue } from "../core/index.ts";
import { groupedBy } from "./grouping.ts";
import { lureWeights, studentIsf, wilsonInterval } from "../stats/index.ts";

export interface LabeledEstimate {
  /** `errorRate`, or `mae` for regression. */
  readonly metric: "errorRate" | "mae";
  readonly value: number | null;
  /** 95 % interval; null with fewer than two labels. */
  readonly interval: readonly [number, number] | null;
  readonly labels: number;
  /** Labels left out because their rows were chosen for their score. */
  readonly leftOut: number;
}

interface Weighted {
  /** Rows of the pool this label stands for. */
  readonly rows: number;
  /** Loss times its LURE weight. */
  readonly loss: number;
}

/** The mean loss of one version over the pools its labelled tasks were drawn from. Tasks without answer or scores do not count. */
export function estimateFromTasks(tasks: readonly LabelingTask[]): LabeledEstimate {
  const answered = tasks.filter((task) => task.answer !== undefined && task.decision !== undefined);
  const metric = answered.some((task) => typeof task.decision === "number") ? "mae" : "errorRate";
  const byBatch = groupedBy(answered, (task) => task.batchId);
  const weighted: Weighted[] = [];
  let isEven = true;
  for (const batch of byBatch.values()) {
    const usable = usableOf(batch);
    for (const { task, weight } of usable) {
      if (weight !== 1) isEven = false;
      const loss = weight * lossOf(task.decision as LabelValue, task.answer as LabelValue);
      weighted.push({ rows: task.poolSize / usable.length, loss });
    }
  }
  const leftOut = answered.length - weighted.length;
  return { metric, labels: weighted.length, leftOut, ...weightedMean(weighted, metric === "errorRate" && isEven) };
}

/** Evenly drawn tasks count as they are; weighted draws of a batch need the probabilities of all its picks before them. */
function usableOf(batch: readonly LabelingTask[]): { readonly task: LabelingTask; readonly weight: number }[] {
  const picked = batch.filter((task) => task.origin === "random" || task.origin === "strategy");
  const isDrawn = picked.every((task) => task.origin === "random" || task.selectionProbability < 1);
  if (!isDrawn) return picked.filter((task) => task.origin === "random").map((task) => ({ task, weight: 1 }));
  if (picked.every((task) => task.origin === "random")) return picked.map((task) => ({ task, weight: 1 }));
  // Answers come in a shuffled order, so those that are there are an even part of the picks: the weights of all picks hold.
  const ordered = [...picked].sort((left, right) => left.pick - right.pick);
  const picks = Math.max(...ordered.map((task) => task.pick));
  const poolSize = ordered[0]?.poolSize ?? 0;
  const probabilities = new Float64Array(picks).fill(1 / poolSize);
  for (const task of ordered) probabilities[task.pick - 1] = task.selectionProbability;
  const weights = lureWeights(probabilities, poolSize);
  return ordered.map((task) => ({ task, weight: weights[task.pick - 1] as number }));
}

function lossOf(decision: LabelValue, answer: LabelValue): number {
  if (typeof decision === "number" && typeof answer === "number") return Math.abs(decision - answer);
  return decision === answer ? 0 : 1;
}

function weightedMean(values: readonly Weighted[], isShare: boolean): Pick<LabeledEstimate, "value" | "interval"> {
  const count = values.length;
  const total = values.reduce((sum, one) => sum + one.rows, 0);
  if (count === 0) return { value: null, interval: null };
  const mean = values.reduce((sum, one) => sum + one.rows * one.loss, 0) / total;
  if (count < 2) return { value: mean, interval: null };
  const effective = (total * total) / values.reduce((sum, one) => sum + one.rows * one.rows, 0);
  if (isShare) return { value: mean, interval: wilsonInterval(mean * effective, effective) };
  // Linearization of the weighted mean; the t quantile for the labels there are.
  const squares = values.reduce((sum, one) => {
    const part = one.rows * (one.loss - mean);
    return sum + part * part;
  }, 0);
  const error = (Math.sqrt(squares) / total) * Math.sqrt(count / (count - 1));
  const half = studentIsf(0.025, count - 1) * error;
  return { value: mean, interval: [Math.max(0, mean - half), mean + half] };
}
