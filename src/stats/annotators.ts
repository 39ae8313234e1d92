/**
 * How good annotators are and what is true, when nobody knows either: A. Dawid and A. Skene, "Maximum likelihood estimation of
 * observer error-rates using the EM algorithm", 1979. Truth is first the majority; then each annotator's confusions are counted
 * against it, then truth is weighed by the confusions, until nothing moves.
 */
import { expDeterministic, logDeterministic } from "./exp.ts";

export interface AnnotatorEstimate {
  /** Probability per class of each item; items × classes. */
  readonly posterior: readonly (readonly number[])[];
  /** Most likely class per item; the lowest where two are equally likely. */
  readonly consensus: readonly number[];
  /** Estimated share of right answers per annotator, weighted by how often each class is true. */
  readonly accuracy: readonly number[];
  readonly prevalence: readonly number[];
}

/** Added to every count, so that one right answer is no proof of infallibility. */
const SMOOTHING = 0.5;
const ROUNDS = 50;
const CONVERGED = 1e-6;

/**
 * @param ratings `ratings[r][i]` is the class annotator r gave item i, or null; annotators × items
 * @param classes number of classes, at least 1
 * @returns consensus and qualities; uniform for items nobody answered. Cost O(rounds · answers · classes).
 * Misleads where most annotators share one error: then the error is the consensus.
 */
export function estimateAnnotators(
  ratings: readonly (readonly (number | null)[])[],
  classes: number,
): AnnotatorEstimate {
  const items = ratings[0]?.length ?? 0;
  let posterior = Array.from({ length: items }, (_, i) => {
    const counts = new Array<number>(classes).fill(0);
    for (const row of ratings) {
      const value = row[i];
      if (value != null) counts[value] = (counts[value] as number) + 1;
    }
    return normalized(counts);
  });
  let confusions: number[][][] = [];
  let prevalence: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    prevalence = normalized(
      Array.from({ length: classes }, (_, k) => SMOOTHING + posterior.reduce((sum, p) => sum + (p[k] as number), 0)),
    );
    confusions = ratings.map((row) => confusionOf(row, posterior, classes));
    const next = Array.from({ length: items }, (_, i) => itemPosterior(ratings, i, { confusions, prevalence }));
    const moved = next.reduce(
      (most, p, i) => Math.max(most, ...p.map((one, k) => Math.abs(one - (posterior[i]?.[k] as number)))),
      0,
    );
    posterior = next;
    if (moved < CONVERGED) break;
  }
  return {
    posterior,
    consensus: posterior.map((p) => p.indexOf(Math.max(...p))),
    accuracy: confusions.map((confusion) =>
      confusion.reduce((sum, row, k) => sum + (prevalence[k] as number) * (row[k] as number), 0),
    ),
    prevalence,
  };
}

function normalized(values: readonly number[]): number[] {
  const sum = values.reduce((total, one) => total + one, 0);
  return values.map((one) => (sum > 0 ? one / sum : 1 / values.length));
}

/** Rows: what was true; columns: what the annotator said. */
function confusionOf(
  row: readonly (number | null)[],
  posterior: readonly (readonly number[])[],
  classes: number,
): number[][] {
  const counts = Array.from({ length: classes }, (_, k) =>
    Array.from({ length: classes }, (__, j) => (k === j ? SMOOTHING * 2 : SMOOTHING)),
  );
  row.forEach((value, i) => {
    if (value == null) return;
    for (let k = 0; k < classes; k++) {
      const counted = counts[k] as number[];
      counted[value] = (counted[value] as number) + (posterior[i]?.[k] as number);
    }
  });
  return counts.map(normalized);
}

function itemPosterior(
  ratings: readonly (readonly (number | null)[])[],
  item: number,
  model: { readonly confusions: readonly number[][][]; readonly prevalence: readonly number[] },
): number[] {
  const logs = model.prevalence.map((p, k) => {
    let sum = logDeterministic(p);
    ratings.forEach((row, r) => {
      const value = row[item];
      if (value != null) sum += logDeterministic(model.confusions[r]?.[k]?.[value] as number);
    });
    return sum;
  });
  const most = Math.max(...logs);
  return normalized(logs.map((one) => expDeterministic(one - most)));
}
