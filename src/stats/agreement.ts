/** How far annotators agree beyond chance. Below 0.6, fix the guidelines before labeling more. */
import { RetrainError } from "../core/errors.ts";

export type KappaWeights = "none" | "linear" | "quadratic";

/**
 * Cohen's kappa (1960) of two raters over the same items; weighted for ordered categories (1968), where near misses cost less.
 * Values are category numbers. Null without items, or when chance agreement is certain. Throws STATISTIC_UNDEFINED for
 * unequal lengths.
 */
export function cohenKappa(a: ArrayLike<number>, b: ArrayLike<number>, weights: KappaWeights = "none"): number | null {
  if (a.length !== b.length) {
    throw new RetrainError("STATISTIC_UNDEFINED", {
      message: `Agreement needs the same items, but one rater has ${a.length} and the other ${b.length}.`,
      remedy: "Keep only the items both have rated.",
    });
  }
  const n = a.length;
  const categories = [...new Set([...Array.from(a), ...Array.from(b)])].sort((x, y) => x - y);
  const indexOf = new Map(categories.map((category, i) => [category, i]));
  const countA = new Float64Array(categories.length);
  const countB = new Float64Array(categories.length);
  let observed = 0;
  for (let i = 0; i < n; i++) {
    const row = indexOf.get(a[i] as number) as number;
    const column = indexOf.get(b[i] as number) as number;
    countA[row] = (countA[row] as number) + 1;
    countB[column] = (countB[column] as number) + 1;
    observed += disagreement(row, column, weights);
  }
  let expected = 0;
  for (let row = 0; row < categories.length; row++) {
    for (let column = 0; column < categories.length; column++) {
      expected += (countA[row] as number) * (countB[column] as number) * disagreement(row, column, weights);
    }
  }
  return expected > 0 ? 1 - (observed * n) / expected : null;
}

function disagreement(a: number, b: number, weights: KappaWeights): number {
  if (weights === "none") return a === b ? 0 : 1;
  const gap = Math.abs(a - b);
  return weights === "linear" ? gap : gap * gap;
}

/**
 * Fleiss' kappa (1971) of items rated by equally many raters each: `table[i][j]` counts the raters who put item i in category j.
 * Null when chance agreement is certain or there are fewer than two raters.
 */
export function fleissKappa(table: readonly (readonly number[])[]): number | null {
  const raters = (table[0] ?? []).reduce((sum, count) => sum + count, 0);
  if (table.length === 0 || raters < 2) return null;
  const totals = new Float64Array((table[0] as readonly number[]).length);
  let agreement = 0;
  for (const row of table) {
    let squares = 0;
    row.forEach((count, j) => {
      squares += count * count;
      totals[j] = (totals[j] as number) + count;
    });
    agreement += (squares - raters) / (raters * (raters - 1));
  }
  let chance = 0;
  for (const total of totals) chance += (total / (table.length * raters)) * (total / (table.length * raters));
  return chance < 1 ? (agreement / table.length - chance) / (1 - chance) : null;
}

/**
 * Krippendorff's alpha for nominal values: any number of raters, missing values allowed. `ratings[r][i]` is what rater r said
 * of item i, or null. Items with fewer than two ratings do not count. Null when nothing could disagree.
 */
export function krippendorffAlpha(ratings: readonly (readonly (number | null)[])[]): number | null {
  const totals = new Map<number, number>();
  let observed = 0;
  let pairable = 0;
  for (let item = 0; item < (ratings[0]?.length ?? 0); item++) {
    const values = ratings.map((row) => row[item]).filter((value): value is number => value != null);
    if (values.length < 2) continue;
    pairable += values.length;
    const counts = new Map<number, number>();
    for (const value of values) {
      counts.set(value, (counts.get(value) ?? 0) + 1);
      totals.set(value, (totals.get(value) ?? 0) + 1);
    }
    let agreeing = 0;
    for (const count of counts.values()) agreeing += count * (count - 1);
    observed += (values.length * (values.length - 1) - agreeing) / (values.length - 1);
  }
  if (pairable < 2) return null;
  let agreeingByChance = 0;
  for (const total of totals.values()) agreeingByChance += total * (total - 1);
  const expected = (pairable * (pairable - 1) - agreeingByChance) / (pairable - 1);
  return expected > 0 ? 1 - observed / expected : null;
}
