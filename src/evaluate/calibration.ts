/** The calibration curve of a binary model: ten equal-width bins of the score, mean score against the share of true labels. */
const BINS = 10;

/** @returns one point per bin that holds rows. Cost O(n). */
export function calibrationCurve(
  labels: Float64Array,
  scores: Float64Array,
): readonly { readonly meanScore: number; readonly share: number; readonly count: number }[] {
  const counts = new Float64Array(BINS);
  const sums = new Float64Array(BINS);
  const positives = new Float64Array(BINS);
  for (let i = 0; i < labels.length; i++) {
    const score = scores[i] as number;
    const bin = Math.min(Math.floor(score * BINS), BINS - 1);
    counts[bin] = (counts[bin] as number) + 1;
    sums[bin] = (sums[bin] as number) + score;
    positives[bin] = (positives[bin] as number) + (labels[i] as number);
  }
  const points: { meanScore: number; share: number; count: number }[] = [];
  for (let bin = 0; bin < BINS; bin++) {
    const count = counts[bin] as number;
    if (count > 0)
      points.push({ meanScore: (sums[bin] as number) / count, share: (positives[bin] as number) / count, count });
  }
  return points;
}
