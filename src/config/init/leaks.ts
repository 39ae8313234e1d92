/**
 * Columns that give the answer away: known only after it, or another form of it. Only mentioned, because the file cannot tell
 * whether the column is known when a prediction is asked for.
 */

/** Rows looked at: enough to see 98 % and little enough to sort every column in a blink. */
export const LEAK_SAMPLE_ROWS = 20_000;
/** Real features rarely separate two classes so well alone. */
const SUSPECT_AUC = 0.98;
const SUSPECT_PURITY = 0.99;
/** With fewer rows of the rarer class the measures are noise. */
const MIN_ROWS_PER_CLASS = 10;

/** Share of pairs (positive, negative) that the column orders alike, at least one half; ties count half. Cost O(n log n). */
export function separation(values: readonly number[], positive: readonly boolean[]): number | undefined {
  const order = values.map((_, i) => i).sort((a, b) => (values[a] as number) - (values[b] as number));
  const positives = positive.filter(Boolean).length;
  const negatives = values.length - positives;
  if (Math.min(positives, negatives) < MIN_ROWS_PER_CLASS) return undefined;
  let rankSum = 0;
  for (let i = 0; i < order.length; ) {
    let end = i;
    while (end < order.length && values[order[end] as number] === values[order[i] as number]) end++;
    const rank = (i + end + 1) / 2;
    for (let j = i; j < end; j++) if (positive[order[j] as number]) rankSum += rank;
    i = end;
  }
  const auc = (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
  return Math.max(auc, 1 - auc);
}

/** Share of rows guessed right by the commonest label of each value, beside the share of the commonest label alone. */
function purity(
  texts: readonly string[],
  labels: readonly string[],
): { readonly share: number; readonly base: number } {
  const perValue = new Map<string, Map<string, number>>();
  const perLabel = new Map<string, number>();
  for (const [i, text] of texts.entries()) {
    const label = labels[i] as string;
    const counts = perValue.get(text) ?? new Map<string, number>();
    counts.set(label, (counts.get(label) ?? 0) + 1);
    perValue.set(text, counts);
    perLabel.set(label, (perLabel.get(label) ?? 0) + 1);
  }
  let right = 0;
  for (const counts of perValue.values()) right += Math.max(...counts.values());
  return { share: right / texts.length, base: Math.max(...perLabel.values()) / texts.length };
}

export interface LeakColumn {
  readonly column: string;
  readonly kind: "number" | "category";
  /** Value per sampled row, blank where missing. */
  readonly texts: readonly string[];
}

/** What to say about the column, or undefined. @param labels text per sampled row; @param positive the text of true, for two-valued labels */
export function leakWarning(
  column: LeakColumn,
  labels: readonly string[],
  positive: string | undefined,
): string | undefined {
  const kept = column.texts.flatMap((text, i) => (text === "" || labels[i] === "" ? [] : [i]));
  if (kept.length < 2 * MIN_ROWS_PER_CLASS) return undefined;
  const ask = "is it known when a prediction is asked for?";
  if (column.kind === "number") {
    if (positive === undefined) return undefined;
    const auc = separation(
      kept.map((i) => Number(column.texts[i])),
      kept.map((i) => labels[i] === positive),
    );
    return auc !== undefined && auc >= SUSPECT_AUC
      ? `tells the label almost alone (it orders ${(auc * 100).toFixed(1)} % of pairs right); ${ask}`
      : undefined;
  }
  const { share, base } = purity(
    kept.map((i) => column.texts[i] as string),
    kept.map((i) => labels[i] as string),
  );
  // Most of the way from guessing to certainty; a rare label alone makes any column look right in 99 % of rows.
  return share >= SUSPECT_PURITY && 1 - share < (1 - base) / 10
    ? `tells the label almost alone (right in ${(share * 100).toFixed(1)} % of rows); ${ask}`
    : undefined;
}
