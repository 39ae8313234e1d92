/**
 * Interactions as trainers take them, and the two sparse matrices made of them. Several interactions of one user with one item
 * are one observation with the sum of their strengths. What was rejected (strength 0 or less in sum) is no observation: it is
 * known to the seen list, and says nothing a count of likes could hold.
 */

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

/** Stable order of positions by key, by counting. O(n + keys). */
function countingOrder(keys: Int32Array, count: number, order?: Int32Array): Int32Array {
  const starts = new Int32Array(count + 1);
  for (const key of keys) starts[key + 1] = (starts[key + 1] as number) + 1;
  for (let i = 0; i < count; i++) starts[i + 1] = (starts[i + 1] as number) + (starts[i] as number);
  const sorted = new Int32Array(keys.length);
  for (let i = 0; i < keys.length; i++) {
    const position = order === undefined ? i : (order[i] as number);
    const key = keys[position] as number;
    const place = starts[key] as number;
    starts[key] = place + 1;
    sorted[place] = position;
  }
  return sorted;
}

/** Observations by user. O(n + users + items). */
export function observationsByUser(given: Interactions): SparseRows {
  const { userOf, itemOf, strength, users, items } = given;
  const order = countingOrder(userOf, users.length, countingOrder(itemOf, items.length));
  const starts = new Int32Array(users.length + 1);
  const indices = new Int32Array(order.length);
  const values = new Float64Array(order.length);
  let count = 0;
  let at = 0;
  for (let user = 0; user < users.length; user++) {
    starts[user] = count;
    while (at < order.length && userOf[order[at] as number] === user) {
      const item = itemOf[order[at] as number] as number;
      let sum = 0;
      while (at < order.length && userOf[order[at] as number] === user && itemOf[order[at] as number] === item) {
        sum += strength[order[at] as number] as number;
        at++;
      }
      if (!(sum > 0)) continue;
      indices[count] = item;
      values[count] = sum;
      count++;
    }
  }
  starts[users.length] = count;
  return { starts, indices: indices.slice(0, count), values: values.slice(0, count) };
}

/** The same observations by item. */
export function transposed(rows: SparseRows, columns: number): SparseRows {
  const n = rows.indices.length;
  const order = countingOrder(rows.indices, columns);
  const rowOf = rowsOfEntries(rows);
  const starts = new Int32Array(columns + 1);
  for (const column of rows.indices) starts[column + 1] = (starts[column + 1] as number) + 1;
  for (let i = 0; i < columns; i++) starts[i + 1] = (starts[i + 1] as number) + (starts[i] as number);
  const indices = new Int32Array(n);
  const values = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    indices[i] = rowOf[order[i] as number] as number;
    values[i] = rows.values[order[i] as number] as number;
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
  for (const value of values) sum += value;
  return values.length === 0 ? 1 : sum / values.length;
}
