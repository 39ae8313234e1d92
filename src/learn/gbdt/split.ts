/**
 * Splits of a node. Plain numeric columns are scanned by the kernel. Categorical columns, and every column of a model with
 * monotone constraints, are scanned here, once for both kernels: they are rare, and one text cannot differ from itself.
 *
 * Categories are ordered by their mean gradient, G / (H + smoothing), and cut like numbers, which finds the best of all subsets
 * (W. Fisher, "On grouping for maximum homogeneity", 1958; smoothing as LightGBM's `cat_smooth` and `cat_l2`). A missing value
 * is one more category there.
 */
import { CATEGORY_BINS, MISSING_BIN } from "./category.ts";
import type { BinnedColumn } from "./binning.ts";
import type { Crew } from "./crew.ts";
import type { GbdtParams } from "./params.ts";
import { COMMANDS, outPlace } from "./share.ts";

export interface Split {
  /** Sum of the children's scores; the gain is what it has more than the parent's. */
  readonly score: number;
  gain: number;
  readonly column: number;
  /** Numeric: the last bin to the left. */
  readonly bin: number;
  readonly missingLeft: boolean;
  /** Categorical: 1 for bins to the left. */
  readonly set: Uint8Array | undefined;
  readonly leftG: number;
  readonly leftH: number;
}

/** What a leaf knows about itself: sums as integers, and the range its answer must keep under monotone constraints. */
export interface LeafSums {
  readonly histogram: number;
  readonly g: number;
  readonly h: number;
  readonly lower: number;
  readonly upper: number;
}

/** Leaves whose rows have just been counted. */
export interface Counted {
  /** The histogram the rows were counted in. */
  readonly counted: number;
  /** The one it is to be taken from, which leaves the sibling's; 0: none. */
  readonly parent: number;
  /** Leaves to look at; undefined: not worth it. */
  readonly leaves: readonly [LeafSums | undefined, LeafSums | undefined];
}

export interface SplitFinder {
  /** Ends the counting and gives each leaf's best split by (score, lower column, lower bin), or undefined where none gains. */
  find(counted: Counted): readonly [Split | undefined, Split | undefined];
  /** The answer of a leaf before the learning rate. */
  leafValue(leaf: LeafSums): number;
}

export interface SplitContext {
  readonly crew: Crew;
  readonly columns: readonly BinnedColumn[];
  /** Columns this tree may use: 1 or 0. */
  readonly allowed: Uint8Array;
  /** Direction of each column: 1, −1 or 0. */
  readonly directions: Int8Array;
  readonly params: GbdtParams;
  readonly scaleG: number;
  readonly scaleH: number;
}

/** Below this a gain is the rounding of its own computation; XGBoost's kRtEps. */
const LEAST_GAIN = 1e-6;

/** What a split must gain. */
export function leastGainOf(params: GbdtParams): number {
  return Math.max(params.minSplitGain, LEAST_GAIN);
}

export function createSplitFinder(context: SplitContext): SplitFinder {
  const { crew, columns, allowed, directions, params } = context;
  const { layout, ints } = crew.memory;
  const [unitG, unitH] = [1 / context.scaleG, 1 / context.scaleH];
  const isBounded = directions.some((direction) => direction !== 0);
  // The kernel skips columns of 0 bins.
  for (let c = 0; c < columns.length; c++) {
    const isPlain = !isBounded && allowed[c] === 1 && columns[c]?.kind === "number";
    ints[(layout.binCounts >>> 2) + c] = isPlain ? (columns[c] as BinnedColumn).count : 0;
  }
  const special = columns
    .map((_, c) => c)
    .filter((c) => allowed[c] === 1 && (isBounded || columns[c]?.kind === "category"));
  crew.prepare([], "l2", [params.l2, params.minChildWeight]);

  const answer = (g: number, h: number, l2: number) => (h * unitH + l2 > 0 ? -(g * unitG) / (h * unitH + l2) : 0);
  const leastGain = leastGainOf(params);
  const parentScore = (leaf: LeafSums) =>
    scoreAt(leaf.g * unitG, leaf.h * unitH + params.l2, clampAnswer(answer(leaf.g, leaf.h, params.l2), leaf));
  const finish = (leaf: LeafSums, place: number, parent: number): Split | undefined => {
    const least = parent + leastGain;
    let best = readPlain(context, leaf, place);
    for (const column of special) {
      const scan: Scan = { context, leaf, column, unitG, unitH, parent, least: best?.score ?? least };
      const found = columns[column]?.kind === "category" ? scanCategories(scan) : scanBounded(scan);
      if (found !== undefined && beats(found, best)) best = found;
    }
    if (best !== undefined) best.gain = best.score - parent;
    return best;
  };
  const find = ({ counted, parent, leaves: [first, second] }: Counted) => {
    const scoreA = first === undefined ? 0 : parentScore(first);
    const scoreB = second === undefined ? 0 : parentScore(second);
    const about = (leaf: LeafSums | undefined) =>
      leaf === undefined ? ([0, 0, 0] as const) : ([leaf.histogram, leaf.g, leaf.h] as const);
    crew.prepare([counted, parent, ...about(first), ...about(second)], "least", [
      scoreA + leastGain,
      scoreB + leastGain,
    ]);
    crew.run(COMMANDS.scan);
    return [
      first === undefined ? undefined : finish(first, 0, scoreA),
      second === undefined ? undefined : finish(second, 1, scoreB),
    ] as const;
  };
  return { find, leafValue: (leaf) => clampAnswer(answer(leaf.g, leaf.h, params.l2), leaf) };
}

function beats(found: Split, best: Split | undefined): boolean {
  if (best === undefined || found.score > best.score) return true;
  return found.score === best.score && found.column < best.column;
}

function clampAnswer(value: number, { lower, upper }: LeafSums): number {
  return value < lower ? lower : value > upper ? upper : value;
}

/** What an answer w is worth: −(2Gw + (H + λ)w²), which is G²/(H + λ) at its best w. */
function scoreAt(g: number, h: number, w: number): number {
  return -(2 * g * w + h * w * w);
}

/** Where a node has no missing value, later ones go with the heavier child. */
function missingGoesLeft(leftH: number, sumH: number): boolean {
  return leftH > sumH - leftH;
}

/** What the kernels found among the plain columns: threads look at columns in order, so the first best one wins. */
function readPlain({ crew }: SplitContext, leaf: LeafSums, place: number): Split | undefined {
  const { memory, threads } = crew;
  const { ints, doubles } = memory;
  let score = -Infinity;
  let first = -1;
  for (let thread = 0; thread < threads; thread++) {
    const out = outPlace(memory, place, thread);
    if ((ints[(out >>> 2) + 2] as number) < 0 || !((doubles[out >>> 3] as number) > score)) continue;
    score = doubles[out >>> 3] as number;
    first = (out >>> 2) + 2;
  }
  if (first < 0) return undefined;
  const column = ints[first] as number;
  const bin = ints[first + 1] as number;
  const leftG = ints[first + 3] as number;
  const leftH = ints[first + 4] as number;
  const at = (leaf.histogram >>> 2) + column * 512 + MISSING_BIN * 2;
  const hasMissing = ints[at] !== 0 || ints[at + 1] !== 0;
  const missingLeft = hasMissing ? ints[first + 2] === 1 : missingGoesLeft(leftH, leaf.h);
  return { score, gain: 0, column, bin, missingLeft, set: undefined, leftG, leftH };
}

interface Scan {
  readonly context: SplitContext;
  readonly leaf: LeafSums;
  readonly column: number;
  readonly unitG: number;
  readonly unitH: number;
  readonly parent: number;
  readonly least: number;
}

/** Numeric columns where answers must stay in the leaf's range and rise or fall with a constrained column. */
function scanBounded({ context, leaf, column, unitG, unitH, least }: Scan): Split | undefined {
  const { crew, params, columns, directions } = context;
  const { ints } = crew.memory;
  const direction = directions[column] as number;
  const base = (leaf.histogram >>> 2) + column * 512;
  const missingH = ints[base + MISSING_BIN * 2] as number;
  const missingG = ints[base + MISSING_BIN * 2 + 1] as number;
  const hasMissing = missingH !== 0 || missingG !== 0;
  let best: Split | undefined;
  let score = least;
  const consider = (bin: number, missing: number, g: number, h: number) => {
    const [left, right] = [h * unitH, (leaf.h - h) * unitH];
    if (left < params.minChildWeight || right < params.minChildWeight) return;
    const [leftG, rightG] = [g * unitG, (leaf.g - g) * unitG];
    const [leftL2, rightL2] = [left + params.l2, right + params.l2];
    const leftAnswer = clampAnswer(leftL2 > 0 ? -leftG / leftL2 : 0, leaf);
    const rightAnswer = clampAnswer(rightL2 > 0 ? -rightG / rightL2 : 0, leaf);
    if (direction * (rightAnswer - leftAnswer) < 0) return;
    const found = scoreAt(leftG, leftL2, leftAnswer) + scoreAt(rightG, rightL2, rightAnswer);
    if (!(found > score)) return;
    score = found;
    const missingLeft = hasMissing ? missing === 1 : missingGoesLeft(h, leaf.h);
    best = { score, gain: 0, column, bin, missingLeft, set: undefined, leftG: g, leftH: h };
  };
  let g = 0;
  let h = 0;
  for (let b = 0; b < (columns[column] as BinnedColumn).count; b++) {
    const binH = ints[base + b * 2] as number;
    const binG = ints[base + b * 2 + 1] as number;
    if (binH === 0 && binG === 0) continue;
    h += binH;
    g += binG;
    consider(b, 0, g, h);
    if (hasMissing) consider(b, 1, g + missingG, h + missingH);
  }
  return best;
}

/** Categories in the order of their smoothed mean gradient; every prefix of the order is a candidate. */
function scanCategories({ context, leaf, column, unitG, unitH, least }: Scan): Split | undefined {
  const { crew, params } = context;
  const { ints } = crew.memory;
  const base = (leaf.histogram >>> 2) + column * 512;
  const present: { readonly bin: number; readonly g: number; readonly h: number; readonly rank: number }[] = [];
  for (let bin = 0; bin <= MISSING_BIN; bin++) {
    const h = ints[base + bin * 2] as number;
    const g = ints[base + bin * 2 + 1] as number;
    if (h === 0 && g === 0) continue;
    const weight = h * unitH + params.categorySmoothing;
    present.push({ bin, g, h, rank: weight > 0 ? (g * unitG) / weight : 0 });
  }
  present.sort((a, b) => a.rank - b.rank || a.bin - b.bin);
  const l2 = params.l2 + params.categorySmoothing;
  let score = least;
  let taken = 0;
  let [leftG, leftH, g, h] = [0, 0, 0, 0];
  for (let i = 0; i + 1 < present.length; i++) {
    const one = present[i] as (typeof present)[number];
    g += one.g;
    h += one.h;
    const [left, right] = [h * unitH, (leaf.h - h) * unitH];
    if (left < params.minChildWeight || right < params.minChildWeight) continue;
    const [gl, gr] = [g * unitG, (leaf.g - g) * unitG];
    const [leftAnswer, rightAnswer] = [clampAnswer(-gl / (left + l2), leaf), clampAnswer(-gr / (right + l2), leaf)];
    const found = scoreAt(gl, left + l2, leftAnswer) + scoreAt(gr, right + l2, rightAnswer);
    if (!(found > score)) continue;
    score = found;
    taken = i + 1;
    leftG = g;
    leftH = h;
  }
  if (taken === 0) return undefined;
  // Categories this node never saw go with the heavier child, as missing values do.
  const set = new Uint8Array(256).fill(missingGoesLeft(leftH, leaf.h) ? 1 : 0, 0, CATEGORY_BINS + 1);
  present.forEach(({ bin }, i) => {
    set[bin] = i < taken ? 1 : 0;
  });
  return { score, gain: 0, column, bin: 0, missingLeft: set[MISSING_BIN] === 1, set, leftG, leftH };
}
