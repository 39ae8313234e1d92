/** Metrics of decided classes, all read off the (weighted) confusion matrix. */
import { type MetricEvaluator, type MetricInput, type Numbers } from "./metric.ts";
import { decisions } from "./row-losses.ts";

/** Confusion matrix of k classes, k × k row by row: the label picks the row, the decision the column. */
export interface ConfusionMatrix {
  readonly classCount: number;
  readonly cells: Float64Array;
}

/** Counts (or sums the weights of) each pair of label and decision. Binary input gives a 2 × 2 matrix. */
export function confusionMatrix(input: MetricInput, weights: Numbers | null = null): ConfusionMatrix {
  return matrixOf({ labels: input.labels, decided: decisions(input), classCount: decidedClassCount(input) }, weights);
}

interface DecidedRows {
  readonly labels: Numbers;
  readonly decided: Int32Array;
  readonly classCount: number;
}

const decidedClassCount = (input: MetricInput): number => Math.max(2, input.classCount ?? 1);

function matrixOf({ labels, decided, classCount }: DecidedRows, weights: Numbers | null): ConfusionMatrix {
  const cells = new Float64Array(classCount * classCount);
  for (let i = 0; i < decided.length; i++) {
    const cell = (labels[i] as number) * classCount + (decided[i] as number);
    cells[cell] = (cells[cell] as number) + (weights === null ? 1 : (weights[i] as number));
  }
  return { classCount, cells };
}

/** True positives, decided and actual totals of one class. */
function classTotals(
  { classCount, cells }: ConfusionMatrix,
  own: number,
): { hits: number; decided: number; actual: number } {
  let decided = 0;
  let actual = 0;
  for (let j = 0; j < classCount; j++) {
    decided += cells[j * classCount + own] as number;
    actual += cells[own * classCount + j] as number;
  }
  return { hits: cells[own * classCount + own] as number, decided, actual };
}

/** Share of decided class-`own` rows that are right; null when none was decided. */
export function precisionOf(matrix: ConfusionMatrix, own = 1): number | null {
  const { hits, decided } = classTotals(matrix, own);
  return decided > 0 ? hits / decided : null;
}

/** Share of actual class-`own` rows that were found; null when there is none. */
export function recallOf(matrix: ConfusionMatrix, own = 1): number | null {
  const { hits, actual } = classTotals(matrix, own);
  return actual > 0 ? hits / actual : null;
}

/** F1 of one class: 2·hits / (decided + actual); null when the class occurs on neither side. */
export function f1Of(matrix: ConfusionMatrix, own = 1): number | null {
  const { hits, decided, actual } = classTotals(matrix, own);
  return decided + actual > 0 ? (2 * hits) / (decided + actual) : null;
}

/** F1 averaged over the classes that occur in labels or decisions: evenly (macro), or by actual count (weighted). */
export function averagedF1Of(matrix: ConfusionMatrix, kind: "macro" | "weighted"): number | null {
  let sum = 0;
  let total = 0;
  for (let own = 0; own < matrix.classCount; own++) {
    const f1 = f1Of(matrix, own);
    if (f1 === null) continue;
    const weight = kind === "macro" ? 1 : classTotals(matrix, own).actual;
    sum += weight * f1;
    total += weight;
  }
  return total > 0 ? sum / total : null;
}

/** Cohen's kappa: agreement beyond chance, (p_o − p_e)/(1 − p_e); null when chance agreement is certain. */
export function kappaOf(matrix: ConfusionMatrix): number | null {
  let total = 0;
  let agreed = 0;
  let chance = 0;
  for (const cell of matrix.cells) total += cell;
  for (let own = 0; own < matrix.classCount; own++) {
    const { hits, decided, actual } = classTotals(matrix, own);
    agreed += hits;
    chance += decided * actual;
  }
  if (total === 0) return null;
  const expected = chance / (total * total);
  return expected < 1 ? (agreed / total - expected) / (1 - expected) : null;
}

/** Matthews correlation (multiclass form of J. Gorodkin 2004); null when labels or decisions are all one class. */
export function matthewsOf(matrix: ConfusionMatrix): number | null {
  let total = 0;
  let agreed = 0;
  let cross = 0;
  let decidedSquares = 0;
  let actualSquares = 0;
  for (const cell of matrix.cells) total += cell;
  for (let own = 0; own < matrix.classCount; own++) {
    const { hits, decided, actual } = classTotals(matrix, own);
    agreed += hits;
    cross += decided * actual;
    decidedSquares += decided * decided;
    actualSquares += actual * actual;
  }
  const spread = (total * total - decidedSquares) * (total * total - actualSquares);
  return spread > 0 ? (agreed * total - cross) / Math.sqrt(spread) : null;
}

/** Prepares any function of the confusion matrix as a metric. */
export function matrixEvaluator(input: MetricInput, read: (matrix: ConfusionMatrix) => number | null): MetricEvaluator {
  const rows = { labels: input.labels, decided: decisions(input), classCount: decidedClassCount(input) };
  return (weights) => read(matrixOf(rows, weights));
}
