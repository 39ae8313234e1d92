/**
 * Reconstruction error: the reference's main directions (principal components) are learned on one half of it; how far its other half
 * lies from them is what the current rows should do, too. Where columns no longer go together as they did, the error
 * grows (or shrinks) although every column alone looks the same. Categories count as their share in the reference; components hold 65 % of the
 * variance, as in NannyML. It sees linear relations only; the classifier sees the others.
 */
import type { ReconstructionShift } from "../../core/index.ts";
import { BOOLEAN_MISSING, CATEGORY_MISSING, type FrameColumn } from "../../data/index.ts";
import { normalIsf, normalSf, symmetricEigen } from "../../stats/index.ts";
import type { MultivariateOptions } from "./options.ts";
import type { JoinedRows } from "./rows.ts";

const KEPT_VARIANCE = 0.65;
/** Beyond so many columns the rotations take seconds. */
const MAX_COLUMNS = 128;
/** One wild value must not make the error of its window. */
const LIMIT = 10;

export function reconstructionShift(joined: JoinedRows, options: MultivariateOptions): ReconstructionShift {
  const { frame, reference, current } = joined;
  const learned = Math.floor(reference / 2);
  const columns = frame.columns.map((column) => encoded(column, learned)).filter((column) => column !== undefined);
  if (columns.length < 2) return unable("Fewer than two columns vary: there is nothing for them to do together.");
  if (columns.length > MAX_COLUMNS)
    return unable(`${columns.length} columns are more than the ${MAX_COLUMNS} it looks at.`);
  const { vectors, kept, explained } = mainDirections(columns, learned);
  const errors = errorsOf(columns, vectors, kept);
  const before = momentsOf(errors.subarray(learned, reference));
  const now = momentsOf(errors.subarray(reference, reference + current));
  const deviation = Math.sqrt(before.variance);
  if (!(deviation > 0))
    return unable("Every reference row is rebuilt equally well: its errors have no spread to measure by.");
  const value = (now.mean - before.mean) / deviation;
  const noise = Math.sqrt(1 / before.rows + now.variance / before.variance / Math.max(1, now.rows));
  const floor = normalIsf(options.level / 2) * noise;
  const threshold = Math.max(options.minimumShift, floor);
  const isDrift = Math.abs(value) > threshold;
  const isBetween = Math.abs(value) > options.minimumShift && !isDrift;
  const verdict = isDrift ? "drift" : isBetween ? "cannot-tell" : "no-drift";
  const from = floor > options.minimumShift ? "sampling noise" : "minimum effect";
  const moved = `Rows lie ${Math.abs(value).toFixed(2)} standard deviations ${value < 0 ? "nearer to" : "further from"} the reference's main directions than its own do`;
  const reason = {
    drift: `${moved} (threshold ${threshold.toFixed(2)}): columns no longer go together as they did.`,
    "no-drift": `${moved}; beyond ${threshold.toFixed(2)} it would matter (${from}).`,
    "cannot-tell": `${moved}, which chance alone can do with so few rows (${threshold.toFixed(2)}).`,
  }[verdict];
  const half = 1.959963984540054 * noise;
  const p = Math.min(1, 2 * normalSf(Math.abs(value) / noise));
  return {
    verdict,
    reason,
    value,
    interval: [value - half, value + half],
    threshold,
    thresholdFrom: from,
    p,
    components: kept,
    explained,
  };
}

export function unable(reason: string): ReconstructionShift {
  const nothing = { value: null, interval: null, threshold: null, thresholdFrom: null, p: null };
  return { verdict: "cannot-tell", reason, ...nothing, components: 0, explained: 0 };
}

/** The column with mean 0 and deviation 1 over the first `learned` rows, missing at the mean; undefined for a constant. */
function encoded(column: FrameColumn, learned: number): Float64Array | undefined {
  const values = numbersOf(column, learned);
  let rows = 0;
  let mean = 0;
  for (let i = 0; i < learned; i++) {
    const value = values[i] as number;
    if (value - value !== 0) continue;
    rows++;
    mean += (value - mean) / rows;
  }
  let squares = 0;
  for (let i = 0; i < learned; i++) {
    const gap = (values[i] as number) - mean;
    if (gap - gap === 0) squares += gap * gap;
  }
  const deviation = Math.sqrt(squares / Math.max(1, rows));
  if (!(deviation > Math.abs(mean) * 1e-9)) return undefined;
  return values.map((value) =>
    value - value === 0 ? Math.max(-LIMIT, Math.min(LIMIT, (value - mean) / deviation)) : 0,
  );
}

function numbersOf(column: FrameColumn, learned: number): Float64Array {
  if (column.kind === "number") return Float64Array.from(column.values);
  if (column.kind === "boolean")
    return Float64Array.from(column.values, (value) => (value === BOOLEAN_MISSING ? Number.NaN : value));
  const counts = new Float64Array(column.dictionary.length);
  for (let i = 0; i < learned; i++) {
    const code = column.codes[i] as number;
    if (code !== CATEGORY_MISSING) counts[code] = (counts[code] as number) + 1;
  }
  return Float64Array.from(column.codes, (code) =>
    code === CATEGORY_MISSING ? Number.NaN : (counts[code] as number) / learned,
  );
}

function mainDirections(columns: readonly Float64Array[], rows: number) {
  const n = columns.length;
  const covariance = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      const [left, right] = [columns[i] as Float64Array, columns[j] as Float64Array];
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += (left[row] as number) * (right[row] as number);
      covariance[i * n + j] = sum / rows;
      covariance[j * n + i] = sum / rows;
    }
  }
  const { values, vectors } = symmetricEigen(covariance, n);
  const total = values.reduce((sum, value) => sum + Math.max(0, value), 0);
  let kept = 0;
  let held = 0;
  // One direction at least is left out, or nothing could be lost.
  while (kept < n - 1 && held < KEPT_VARIANCE * total) held += Math.max(0, values[kept++] as number);
  return { vectors, kept, explained: total > 0 ? held / total : 0 };
}

/** Length of what the kept directions do not hold, row by row. */
function errorsOf(columns: readonly Float64Array[], vectors: Float64Array, kept: number): Float64Array {
  const n = columns.length;
  const rows = columns[0]?.length ?? 0;
  const errors = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let squares = 0;
    for (const column of columns) squares += (column[row] as number) * (column[row] as number);
    for (let k = 0; k < kept; k++) {
      let product = 0;
      for (let i = 0; i < n; i++) product += (columns[i]?.[row] as number) * (vectors[k * n + i] as number);
      squares -= product * product;
    }
    errors[row] = Math.sqrt(Math.max(0, squares));
  }
  return errors;
}

function momentsOf(values: Float64Array): { readonly rows: number; readonly mean: number; readonly variance: number } {
  const rows = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, rows);
  const squares = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0);
  return { rows, mean, variance: squares / Math.max(1, rows - 1) };
}
