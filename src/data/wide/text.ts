/**
 * Texts as numbers by hashing, after K. Weinberger et al., "Feature hashing for large scale multitask learning" (2009): every word,
 * pair of words and run of characters falls into one of a fixed number of buckets, with a sign, so that collisions cancel on
 * average. Counts are damped (1 + ln), weighted by how rare the bucket is in training (inverse document frequency as scikit-learn
 * smooths it), and the row is brought to one length. Only the rarities are learned; no vocabulary is kept.
 */
import { log1pDeterministic, logDeterministic } from "../../stats/index.ts";

export interface TextShape {
  readonly buckets: number;
  /** Longest run of words, 0: no words. */
  readonly words: number;
  /** Longest run of characters within a word, from 3 on; 0: none. */
  readonly characters: number;
}

const WORD = /[\p{L}\p{N}]+/gu;
const SHORTEST_RUN = 3;
/** Length of a row: about that of ten scaled numeric columns, so that texts and numbers learn at one pace. */
export const TEXT_ROW_LENGTH = 3;

/** Words of a text, folded for case and compatibility forms. */
export function wordsOf(text: string): readonly string[] {
  return text.normalize("NFKC").toLowerCase().match(WORD) ?? [];
}

/** 32-bit FNV-1a over UTF-16 units with the finalizer of MurmurHash3. Stable for ever: stored models depend on it. */
export function hashText(term: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < term.length; i++) hash = Math.imul(hash ^ term.charCodeAt(i), 0x01000193);
  let z = hash >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b) >>> 0;
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35) >>> 0;
  return (z ^ (z >>> 16)) >>> 0;
}

/** Calls `see` for every term of a text with its bucket and sign. Case and compatibility forms are folded. */
export function eachTerm(
  text: string,
  shape: TextShape,
  see: (bucket: number, sign: number, term: string) => void,
): void {
  const { buckets, characters } = shape;
  const tokens = wordsOf(text);
  const add = (term: string, seed: number) => {
    const hash = hashText(term, seed);
    see((hash >>> 1) % buckets, (hash & 1) === 0 ? 1 : -1, term);
  };
  for (let i = 0; i < tokens.length; i++) {
    let run = "";
    for (let length = 1; length <= shape.words && i + length <= tokens.length; length++) {
      run = length === 1 ? (tokens[i] as string) : `${run} ${tokens[i + length - 1] as string}`;
      add(run, 1);
    }
    if (characters < SHORTEST_RUN) continue;
    const word = ` ${tokens[i] as string} `;
    for (let start = 0; start + SHORTEST_RUN <= word.length; start++) {
      const longest = Math.min(characters, word.length - start);
      for (let length = SHORTEST_RUN; length <= longest; length++) add(word.slice(start, start + length), 2);
    }
  }
}

/** Inverse document frequency of each bucket: ln((1 + n) / (1 + rows with the bucket)) + 1. */
export function fitRarity(texts: Iterable<string | null>, shape: TextShape): number[] {
  const rows = new Float64Array(shape.buckets);
  const seenIn = new Int32Array(shape.buckets).fill(-1);
  let n = 0;
  for (const text of texts) {
    if (text === null) continue;
    const row = n++;
    eachTerm(text, shape, (bucket) => {
      if (seenIn[bucket] === row) return;
      seenIn[bucket] = row;
      rows[bucket] = (rows[bucket] as number) + 1;
    });
  }
  return Array.from(rows, (count) => logDeterministic((1 + n) / (1 + count)) + 1);
}

/**
 * The signed number of a text's terms in each bucket: what an ONNX file exported as `onnx-counts` takes in the place of the text.
 * Stable for ever, as stored models are.
 * @returns `buckets` float32. Cost: linear in the length of the text.
 */
export function countTerms(text: string, shape: TextShape): Float32Array {
  const counts = new Float32Array(shape.buckets);
  eachTerm(text, shape, (bucket, sign) => {
    counts[bucket] = (counts[bucket] as number) + sign;
  });
  return counts;
}

/** A function that writes the buckets of a text to `out[offset ...]`, which is zero there. */
export function textWriter(shape: TextShape, rarity: readonly number[]) {
  const counts = new Float64Array(shape.buckets);
  const weights = Float64Array.from(rarity);
  return (text: string, out: Float32Array, offset: number): void => {
    const touched: number[] = [];
    eachTerm(text, shape, (bucket, sign) => {
      if (counts[bucket] === 0) touched.push(bucket);
      counts[bucket] = (counts[bucket] as number) + sign;
    });
    let squares = 0;
    const written: number[] = [];
    for (const bucket of touched) {
      // A bucket whose signs cancelled for a while stands in the list twice; the second time its count is 0 again.
      const count = counts[bucket] as number;
      counts[bucket] = 0;
      if (count === 0) continue;
      const size = log1pDeterministic(Math.abs(count)) * (weights[bucket] as number);
      squares += size * size;
      out[offset + bucket] = count < 0 ? -size : size;
      written.push(offset + bucket);
    }
    const factor = squares === 0 ? 0 : TEXT_ROW_LENGTH / Math.sqrt(squares);
    for (const at of written) out[at] = (out[at] as number) * factor;
  };
}
