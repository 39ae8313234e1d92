/** Rows that repeat another row's features and label. */
import type { Dataset } from "../data/index.ts";
import { hashExampleId } from "../data/index.ts";

const MIX = 0x9e3779b1;
const bits = new Float64Array(1);
const words = new Uint32Array(bits.buffer);

/** How many rows equal an earlier one in every feature and the label. By a 53-bit hash: the chance of one false meeting among a million rows is about 6e-5. */
export function countDuplicates(dataset: Dataset): number {
  const { rows, frame, target } = dataset;
  const low = new Uint32Array(rows);
  const high = new Uint32Array(rows);
  const mix = (row: number, value: number) => {
    bits[0] = value;
    const a = (words[0] as number) ^ (words[1] as number);
    low[row] = Math.imul((low[row] as number) ^ a, 0x85ebca6b);
    low[row] = (low[row] as number) ^ ((low[row] as number) >>> 13);
    high[row] =
      Math.imul((high[row] as number) + (words[0] as number), MIX) ^ Math.imul(words[1] as number, 0xc2b2ae35);
    high[row] = (high[row] as number) ^ ((high[row] as number) >>> 15);
  };
  for (const column of frame.columns) {
    const values = column.kind === "category" ? column.codes : column.values;
    for (let row = 0; row < rows; row++) mix(row, values[row] as number);
  }
  for (const column of frame.wide ?? []) {
    for (let row = 0; row < rows; row++) {
      if (column.kind === "text") for (const half of hashExampleId(column.values[row] ?? "")) mix(row, half);
      else for (let i = 0; i < column.size; i++) mix(row, column.values[row * column.size + i] as number);
    }
  }
  for (let row = 0; row < rows; row++) mix(row, target[row] as number);
  const keys = new Float64Array(rows);
  for (let row = 0; row < rows; row++) keys[row] = (high[row] as number) * 2_097_152 + ((low[row] as number) >>> 11);
  keys.sort();
  let duplicates = 0;
  for (let row = 1; row < rows; row++) if (keys[row] === keys[row - 1]) duplicates++;
  return duplicates;
}
