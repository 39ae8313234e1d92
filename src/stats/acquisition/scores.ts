/**
 * What a label of each row of a pool would tell, from the scores of one model or of a committee: the measures of
 * `uncertainty.ts` over n × k matrices, without an object a row. Larger always tells more.
 */
import { logDeterministic } from "../exp.ts";

/** Rows of k numbers, row by row: probabilities per class, or (k = 1) values of a regression. */
export interface ScoreMatrix {
  readonly values: Float64Array;
  readonly width: number;
}

export type UncertaintyMeasure = "margin" | "least-confidence" | "entropy";

/** 1 − margin, 1 − largest probability, or entropy in nats, per row. Cost O(n k). */
export function rowUncertainty(measure: UncertaintyMeasure, { values, width }: ScoreMatrix): Float64Array {
  const rows = values.length / width;
  const out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const at = i * width;
    if (measure === "entropy") out[i] = rowEntropy(values, at, width);
    else {
      let first = -Infinity;
      let second = -Infinity;
      for (let j = 0; j < width; j++) {
        const p = values[at + j] as number;
        if (p > first) {
          second = first;
          first = p;
        } else if (p > second) second = p;
      }
      out[i] = measure === "margin" ? 1 - (first - second) : 1 - first;
    }
  }
  return out;
}

function rowEntropy(values: Float64Array, at: number, width: number): number {
  let sum = 0;
  for (let j = 0; j < width; j++) {
    const p = values[at + j] as number;
    if (p > 0) sum -= p * logDeterministic(p);
  }
  return sum;
}

/**
 * Disagreement of at least two members per row: BALD (entropy of the mean minus mean entropy) of probabilities, the standard
 * deviation of values. Cost O(members n k).
 */
export function committeeUncertainty(members: readonly ScoreMatrix[]): Float64Array {
  const { values, width } = members[0] as ScoreMatrix;
  const rows = values.length / width;
  const count = members.length;
  const out = new Float64Array(rows);
  const mean = new Float64Array(width);
  for (let i = 0; i < rows; i++) {
    const at = i * width;
    mean.fill(0);
    let entropies = 0;
    for (const member of members) {
      for (let j = 0; j < width; j++) mean[j] = (mean[j] as number) + (member.values[at + j] as number) / count;
      if (width > 1) entropies += rowEntropy(member.values, at, width);
    }
    if (width > 1) out[i] = Math.max(0, rowEntropy(mean, 0, width) - entropies / count);
    else {
      let squares = 0;
      for (const member of members) {
        const gap = (member.values[at] as number) - (mean[0] as number);
        squares += gap * gap;
      }
      out[i] = Math.sqrt(squares / Math.max(1, count - 1));
    }
  }
  return out;
}
