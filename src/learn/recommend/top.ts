/** The k best of many scores. */

export interface Ranked {
  readonly index: number;
  readonly score: number;
}

/** Best first; equal scores in index order. O(n) for small k: most scores fail the first comparison. */
export function topRanked(
  scores: Float32Array,
  k: number,
  isExcluded: (index: number) => boolean,
  candidates?: readonly number[],
): Ranked[] {
  const best: Ranked[] = [];
  const count = candidates?.length ?? scores.length;
  let last = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const index = candidates === undefined ? i : (candidates[i] as number);
    const score = scores[index];
    if (score === undefined || (best.length === k && !(score > last || (score === last && isBefore(index, best)))))
      continue;
    if (isExcluded(index)) continue;
    let place = best.length;
    while (place > 0 && isBehind(best[place - 1] as Ranked, score, index)) place--;
    best.splice(place, 0, { index, score });
    if (best.length > k) best.pop();
    if (best.length === k) last = (best[k - 1] as Ranked).score;
  }
  return best;
}

const isBefore = (index: number, best: readonly Ranked[]) => index < (best.at(-1) as Ranked).index;
const isBehind = (one: Ranked, score: number, index: number) =>
  one.score < score || (one.score === score && one.index > index);
