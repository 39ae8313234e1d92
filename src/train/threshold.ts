/** The decision threshold of a binary model, fitted on validation rows and stored with the version. */

/**
 * The threshold t, deciding `true` for scores ≥ t, that maximizes F1 or accuracy; of equally good ones the nearest to 0.5.
 * Cuts lie halfway between neighboring scores, so that a score a bit off its validation value is not decided by rounding.
 * @returns 0.5 where there is nothing to fit (no row, or one class only). Cost O(n log n).
 */
export function fitThreshold(labels: Float64Array, scores: Float64Array, maximize: "f1" | "accuracy"): number {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort(
    (left, right) => (scores[right] as number) - (scores[left] as number) || left - right,
  );
  let positives = 0;
  for (const label of labels) positives += label;
  const negatives = labels.length - positives;
  if (positives === 0 || negatives === 0) return 0.5;
  const quality = (hits: number, falseAlarms: number) =>
    maximize === "f1"
      ? (2 * hits) / (positives + hits + falseAlarms)
      : (hits + negatives - falseAlarms) / labels.length;
  let best = 0.5;
  let bestQuality = -1;
  let hits = 0;
  let falseAlarms = 0;
  const consider = (threshold: number) => {
    const value = quality(hits, falseAlarms);
    if (value < bestQuality || (value === bestQuality && Math.abs(threshold - 0.5) >= Math.abs(best - 0.5))) return;
    best = threshold;
    bestQuality = value;
  };
  // Nothing is decided `true`: only worth offering where accuracy counts.
  if (maximize === "accuracy") consider(1);
  for (let i = 0; i < order.length; i++) {
    const row = order[i] as number;
    if (labels[row] === 1) hits++;
    else falseAlarms++;
    const score = scores[row] as number;
    const next = i + 1 < order.length ? (scores[order[i + 1] as number] as number) : 0;
    if (next === score) continue;
    // A flat stretch around 0.5 may as well be cut exactly there.
    consider(next < 0.5 && score >= 0.5 ? 0.5 : (score + next) / 2);
  }
  return best;
}
