/** Fits a preparation on the training rows of a frame. Sums run in row order in float64, so the result has one value only. */
import { fail } from "../../core/index.ts";
import type { LabelValue } from "../../core/index.ts";
import { BOOLEAN_MISSING, CATEGORY_MISSING } from "../frame.ts";
import type { BooleanColumn, CategoryColumn, Frame, NumberColumn } from "../frame.ts";
import type { DataSchema } from "../schema.ts";
import { isWide } from "../wide/columns.ts";
import { fitWide } from "../wide/prepare.ts";
import { MAX_CATEGORIES } from "./preparation.ts";
import type { FeaturePreparation, Preparation } from "./preparation.ts";

/**
 * From this many training rows on, a category needs 5 of them to get a column of its own; below, every category has one. Five
 * rows bound the standard error of its effect; a column per spelling mistake only fits noise.
 */
const ROWS_FOR_RARITY = 1000;
const RARE_BELOW_ROWS = 5;
/** Medians are exact up to this many present values; above, of an evenly spaced sample (rank error about 0.2 %). */
const MEDIAN_SAMPLE = 65_536;

interface Builder {
  readonly names: string[];
}

function addColumn(builder: Builder, name: string): number {
  builder.names.push(name);
  return builder.names.length - 1;
}

/**
 * @param rows indices of training rows; nothing else is looked at
 * @returns a plain-JSON preparation. Cost: O(rows × features).
 */
export function fitPreparation(options: {
  readonly frame: Frame;
  readonly rows: Uint32Array;
  readonly input: Preparation["input"];
  readonly classes: readonly LabelValue[];
  /** The schema's features; needed where the frame has wide columns. */
  readonly wide?: DataSchema["features"];
}): Preparation {
  const { frame, rows, input, classes } = options;
  const builder: Builder = { names: [] };
  const features = frame.columns.map((column): FeaturePreparation => {
    switch (column.kind) {
      case "number":
        return fitNumber(column, rows, builder);
      case "boolean":
        return fitBoolean(column, rows, builder);
      case "category":
        return fitCategory(column, rows, builder);
    }
  });
  const columns = input === "dense" ? builder.names : input === "codes" ? features.map((feature) => feature.name) : [];
  if (input === "none" || frame.wide === undefined) return { format: 1, input, features, columns, classes };
  const addColumns = (names: readonly string[]) => {
    for (const name of names) columns.push(name);
    return columns.length - names.length;
  };
  const wide = frame.wide.map((column) => {
    const spec = options.wide?.find((feature) => feature.name === column.name)?.spec;
    if (spec !== undefined && isWide(spec)) return fitWide({ column, spec, rows, form: input, addColumns });
    throw fail("COLUMN_MISSING", {
      message: `The frame has the ${column.kind} column "${column.name}", which the schema does not describe.`,
      remedy: "Pass the schema's features as `wide`.",
    });
  });
  return { format: 1, input, features, wide, columns, classes };
}

/** Mean and 1/deviation by two passes. A deviation that is lost in the rounding of the mean counts as constant. */
function meanAndScale(values: Float32Array, rows: Uint32Array, fill: number) {
  if (rows.length === 0) return { mean: 0, inverseDeviation: 0 };
  let sum = 0;
  for (let i = 0; i < rows.length; i++) {
    const value = values[rows[i] as number] as number;
    sum += value === value ? value : fill;
  }
  // "+ 0" turns −0 into 0, which JSON would do anyway: the stored preparation then gives the very same bits.
  const mean = sum / rows.length + 0;
  let squares = 0;
  for (let i = 0; i < rows.length; i++) {
    const value = values[rows[i] as number] as number;
    const difference = (value === value ? value : fill) - mean;
    squares += difference * difference;
  }
  const deviation = Math.sqrt(squares / rows.length);
  const isConstant = !(deviation > Math.abs(mean) * 1e-12) || !Number.isFinite(deviation);
  return { mean, inverseDeviation: isConstant ? 0 : 1 / deviation };
}

function medianOf(values: Float32Array, rows: Uint32Array): number {
  const step = Math.max(1, Math.ceil(rows.length / MEDIAN_SAMPLE));
  const sample = new Float32Array(Math.ceil(rows.length / step));
  let count = 0;
  for (let i = 0; i < rows.length; i += step) {
    const value = values[rows[i] as number] as number;
    if (value === value) sample[count++] = value;
  }
  if (count === 0) return 0;
  const sorted = sample.subarray(0, count).sort();
  const middle = count >> 1;
  const upper = sorted[middle] as number;
  return Math.fround(count % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2) + 0;
}

function fitNumber(column: NumberColumn, rows: Uint32Array, builder: Builder): FeaturePreparation {
  const { name, values } = column;
  let missing = 0;
  for (const row of rows) if (Number.isNaN(values[row])) missing++;
  const fill = medianOf(values, rows);
  const scale = meanAndScale(values, rows, fill);
  const position = addColumn(builder, name);
  return {
    kind: "number",
    name,
    fill,
    ...scale,
    column: position,
    ...(missing > 0 ? { missingColumn: addColumn(builder, `${name} is missing`) } : {}),
  };
}

function fitBoolean(column: BooleanColumn, rows: Uint32Array, builder: Builder): FeaturePreparation {
  const { name } = column;
  const values = new Float32Array(column.values.length);
  let missing = 0;
  let ones = 0;
  for (const row of rows) {
    const value = column.values[row] as number;
    values[row] = value === BOOLEAN_MISSING ? Number.NaN : value;
    if (value === BOOLEAN_MISSING) missing++;
    else ones += value;
  }
  const fill = ones * 2 > rows.length - missing ? 1 : 0;
  const position = addColumn(builder, name);
  return {
    kind: "boolean",
    name,
    fill,
    ...meanAndScale(values, rows, fill),
    column: position,
    ...(missing > 0 ? { missingColumn: addColumn(builder, `${name} is missing`) } : {}),
  };
}

function fitCategory(column: CategoryColumn, rows: Uint32Array, builder: Builder): FeaturePreparation {
  const { name, codes, dictionary } = column;
  const counts = new Float64Array(dictionary.length);
  let missing = 0;
  for (const row of rows) {
    const code = codes[row] as number;
    if (code === CATEGORY_MISSING) missing++;
    else counts[code] = (counts[code] as number) + 1;
  }
  const least = rows.length >= ROWS_FOR_RARITY ? RARE_BELOW_ROWS : 1;
  // By count, then by text: the order of rows and of the dictionary must not matter.
  const ranked = dictionary
    .map((text, code) => ({ text, count: counts[code] as number }))
    .filter(({ count }) => count > 0)
    .sort((left, right) => right.count - left.count || (left.text < right.text ? -1 : 1));
  const kept = ranked.filter(({ count }) => count >= least).slice(0, MAX_CATEGORIES);
  const first = builder.names.length;
  for (const { text } of kept) addColumn(builder, `${name}=${text}`);
  return {
    kind: "category",
    name,
    categories: kept.map(({ text }) => text),
    fill: kept.length > 0 ? 1 : 0,
    column: first,
    ...(ranked.length > kept.length ? { otherColumn: addColumn(builder, `${name}=(other)`) } : {}),
    ...(missing > 0 ? { missingColumn: addColumn(builder, `${name} is missing`) } : {}),
  };
}
