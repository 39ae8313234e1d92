/**
 * Interactions as trainers take them, and the two sparse matrices made of them. Several interactions of one user with one item
 * are one observation with the sum of their strengths. What was rejected (strength 0 or less in sum) is no observation: it is
 * known to the seen list, and says nothing a count of likes could hold.
 */
import { fail } from "../../core/index.ts";

export interface Interactions {
  /** Distinct names in code-unit order, so that the order of rows numbers nobody. */
  readonly users: readonly string[];
  readonly items: readonly string[];
  /** Per interaction: index of the user, of the item, and how much it says for the item. */
  readonly userOf: Int32Array;
  readonly itemOf: Int32Array;
  readonly strength: Float64Array;
}

/** Compressed rows: `indices[starts[row] .. starts[row + 1])` are the columns of a row, ascending. */
export interface SparseRows {
  readonly starts: Int32Array;
  readonly indices: Int32Array;
  /** Strength of each observation. */
  readonly values: Float64Array;
}

/** Where each key's entries begin among all of them sorted by key: keys + 1 places. */
function placesOf(keys: Int32Array, count: number): Int32Array {
  const starts = new Int32Array(count + 1);
  for (let i = 0; i < keys.length; i++) {
    const next = (keys[i] as number) + 1;
    starts[next] = (starts[next] as number) + 1;
  }
  for (let i = 0; i < count; i++) starts[i + 1] = (starts[i + 1] as number) + (starts[i] as number);
  return starts;
}

/**
 * Observations by user. O(n + users + items), by two counting sorts, by item and then by user, that carry what they sort: reading
 * through an order would miss the cache at every interaction.
 */
export function observationsByUser(given: Interactions): SparseRows {
  const { userOf, itemOf, strength, users, items } = given;
  const n = userOf.length;
  const itemPlaces = placesOf(itemOf, items.length);
  const userByItem = new Int32Array(n);
  const itemByItem = new Int32Array(n);
  const strengthByItem = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const item = itemOf[i] as number;
    const place = itemPlaces[item] as number;
    itemPlaces[item] = place + 1;
    userByItem[place] = userOf[i] as number;
    itemByItem[place] = item;
    strengthByItem[place] = strength[i] as number;
  }
  const starts = placesOf(userOf, users.length);
  const userPlaces = starts.slice();
  const indices = new Int32Array(n);
  const values = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const user = userByItem[i] as number;
    const place = userPlaces[user] as number;
    userPlaces[user] = place + 1;
    indices[place] = itemByItem[i] as number;
    values[place] = strengthByItem[i] as number;
  }
  return sumRepeated({ starts, indices, values });
}

/** Neighbors of one row and column become one entry, and entries of 0 or less none, in place. */
function sumRepeated({ starts, indices, values }: SparseRows): SparseRows {
  let count = 0;
  let at = 0;
  for (let row = 0; row + 1 < starts.length; row++) {
    const end = starts[row + 1] as number;
    starts[row] = count;
    while (at < end) {
      const column = indices[at] as number;
      let sum = 0;
      for (; at < end && indices[at] === column; at++) sum += values[at] as number;
      if (!(sum > 0)) continue;
      indices[count] = column;
      values[count] = sum;
      count++;
    }
  }
  starts[starts.length - 1] = count;
  return { starts, indices: indices.slice(0, count), values: values.slice(0, count) };
}

/** The same observations by item. */
export function transposed(rows: SparseRows, columns: number): SparseRows {
  const n = rows.indices.length;
  const starts = placesOf(rows.indices, columns);
  const places = starts.slice();
  const indices = new Int32Array(n);
  const values = new Float64Array(n);
  for (let row = 0; row + 1 < rows.starts.length; row++) {
    const end = rows.starts[row + 1] as number;
    for (let i = rows.starts[row] as number; i < end; i++) {
      const column = rows.indices[i] as number;
      const place = places[column] as number;
      places[column] = place + 1;
      indices[place] = row;
      values[place] = rows.values[i] as number;
    }
  }
  return { starts, indices, values };
}

/** The row of each entry. */
export function rowsOfEntries({ starts, indices }: SparseRows): Int32Array {
  const rowOf = new Int32Array(indices.length);
  for (let row = 0; row + 1 < starts.length; row++) rowOf.fill(row, starts[row] as number, starts[row + 1] as number);
  return rowOf;
}

/** How many users liked each item. */
export function countsOf(byItem: SparseRows): Int32Array {
  return Int32Array.from({ length: byItem.starts.length - 1 }, (_, item) => {
    return (byItem.starts[item + 1] as number) - (byItem.starts[item] as number);
  });
}

/** Mean strength of an observation: the unit confidences are counted in, so that they do not hang on the label's unit. */
export function meanStrength({ values }: SparseRows): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return values.length === 0 ? 1 : sum / values.length;
}

/** An observation may count like so many mean ones: past it the squares of single precision run out before it gains more weight. */
const MOST_UNITS = 1e6;

/** What an observation counts beyond the one that every pair has. */
export function confidenceOf(
  strength: number,
  { confidence, unit }: { readonly confidence: number; readonly unit: number },
): number {
  return Math.min((confidence * strength) / unit, confidence * MOST_UNITS);
}

/** Largest strength: sums of them stay finite. */
const MOST_STRENGTH = 1e150;

/** @throws TRAINER_FAILED naming the first interaction whose strength is no number or beyond what sums can hold. */
export function checkStrengths({ users, items, userOf, itemOf, strength }: Interactions): void {
  const at = strength.findIndex((value) => !(value >= -MOST_STRENGTH && value <= MOST_STRENGTH));
  if (at < 0) return;
  const [user, item] = [users[userOf[at] as number] ?? "", items[itemOf[at] as number] ?? ""];
  throw fail("TRAINER_FAILED", {
    message: `The strength of "${user}" with "${item}" is ${strength[at]}; it must be a number from -${MOST_STRENGTH} to ${MOST_STRENGTH}.`,
    remedy: "Correct the label of that interaction, or remove it.",
  });
}
