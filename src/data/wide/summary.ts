/**
 * A few plain columns that stand for a wide one where distributions are counted. Of a text: its length, and one of its words,
 * drawn by a hash of the text, so that the words of all rows are a sample of the words in use, one independent draw a row. Of a vector or
 * image: its norm, and its products with fixed random signs (D. Achlioptas 2003, "Database-friendly random projections",
 * theorem 1.1), which keep distances on average: what moves in many numbers at once moves in some of them.
 */
import { createRandom } from "../../core/index.ts";
import type { CategoryColumn, NumberColumn } from "../frame.ts";
import type { TextColumn, VectorColumn, WideColumn } from "./columns.ts";
import type { WidePart } from "./part.ts";
import { hashText, wordsOf } from "./text.ts";

/** Directions looked at: a shift spread over many numbers is 1.5 times its size in the best of four, on average. */
const DIRECTIONS = 4;
/** Characters of a word kept. */
const WORD_LENGTH = 40;
/** Draws the word; fixed for ever, because profiles of different times are compared. */
const WORD_SEED = 77;
const SIGN_SEED = 20_260;

/** The columns that stand for a wide one, each with the `part` it is. Cost O(rows × size). */
export function summaryColumns(column: WideColumn): readonly (NumberColumn | CategoryColumn)[] {
  return column.kind === "text" ? textSummary(column) : vectorSummary(column);
}

/** What the names of all parts of a feature begin with. */
export const partPrefix = (of: string): string => `${of} · `;
/** As it is shown. */
export const partName = (of: string, part: WidePart["part"]): string => `${partPrefix(of)}${part}`;

function textSummary({ name, values }: TextColumn): readonly (NumberColumn | CategoryColumn)[] {
  const codeOf = new Map<string, number>();
  const lengths = new Float32Array(values.length);
  const codes = new Int32Array(values.length);
  values.forEach((text, row) => {
    lengths[row] = text === null ? Number.NaN : text.length;
    codes[row] = -1;
    const words = text === null ? [] : wordsOf(text);
    if (text === null || words.length === 0) return;
    const word = (words[hashText(text, WORD_SEED) % words.length] as string).slice(0, WORD_LENGTH);
    const code = codeOf.get(word) ?? codeOf.size;
    codeOf.set(word, code);
    codes[row] = code;
  });
  const part = (one: WidePart["part"]): WidePart => ({ of: name, kind: "text", size: 0, part: one });
  return [
    { kind: "number", name: partName(name, "length"), values: lengths, part: part("length") },
    { kind: "category", name: partName(name, "word"), codes, dictionary: [...codeOf.keys()], part: part("word") },
  ];
}

/** Signs by size, so that every process and every time looks in the same directions. */
const signs = new Map<string, Float64Array>();

function signsOf(size: number, direction: number): Float64Array {
  const key = `${size} ${direction}`;
  let found = signs.get(key);
  if (found === undefined) {
    const random = createRandom(SIGN_SEED + direction);
    const scale = 1 / Math.sqrt(size);
    found = Float64Array.from({ length: size }, () => (random.nextFloat() < 0.5 ? -scale : scale));
    signs.set(key, found);
  }
  return found;
}

function vectorSummary({ kind, name, size, values }: VectorColumn): readonly NumberColumn[] {
  const rows = size === 0 ? 0 : values.length / size;
  const directions = Array.from({ length: DIRECTIONS }, (_, i) => signsOf(size, i));
  const found = Array.from({ length: DIRECTIONS + 1 }, () => new Float32Array(rows));
  for (let row = 0; row < rows; row++) {
    const start = row * size;
    let squares = 0;
    for (let i = 0; i < size; i++) squares += (values[start + i] as number) * (values[start + i] as number);
    (found[0] as Float32Array)[row] = Math.sqrt(squares);
    directions.forEach((direction, k) => {
      let product = 0;
      for (let i = 0; i < size; i++) product += (values[start + i] as number) * (direction[i] as number);
      (found[k + 1] as Float32Array)[row] = product;
    });
  }
  return found.map((own, k) => {
    const part: WidePart["part"] = k === 0 ? "norm" : `direction ${k}`;
    return { kind: "number", name: partName(name, part), values: own, part: { of: name, kind, size, part } };
  });
}
