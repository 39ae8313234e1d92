/**
 * Which examples of a pool people are asked about. First the random share, drawn evenly from the whole pool, so that it alone
 * can say how good the model is; then the strategy's picks from the rest: the most uncertain three times over, spread by
 * farthest-first selection, so that a batch teaches many things once instead of one thing many times, and holds no two rows
 * that are nearly the same. Every pick keeps the probability it was picked with.
 *
 * Sources: B. Settles 2009 (measures), O. Sener and S. Savarese 2018 (k-center), S. Farquhar et al. 2021 (probabilities),
 * P. Efraimidis and P. Spirakis 2006 (weighted draws without replacement).
 */
import { createRandom, type SeededRandom, seedFrom, shuffleInPlace } from "../core/index.ts";
import { expDeterministic, kCenter, logDeterministic, type PointSet } from "../stats/index.ts";

export interface SelectionPool {
  readonly rows: number;
  /** How much a label of each row would tell; absent: nothing is known (cold start), rows are spread over the data. */
  readonly acquisition?: Float64Array;
  /** The given rows as points, columns scaled to a deviation of about one. */
  readonly embed: (rows: Uint32Array) => PointSet;
}
export interface SelectionOptions {
  readonly count: number;
  readonly randomShare: number;
  readonly sampling: "top" | "weighted";
  readonly diversity: boolean;
  readonly density: boolean;
  readonly seed: number;
}
export interface Pick {
  readonly row: number;
  readonly origin: "strategy" | "random";
  readonly acquisition: number | null;
  readonly probability: number;
}

/** Candidates per wanted pick that go into the spreading: three keep it uncertain and leave it a choice. */
const CANDIDATES_PER_PICK = 3;
/** Two rows nearer than this, in deviations per column, are one question asked twice. */
const NEAR_DUPLICATE = 0.05;
/** Distances the spreading may compute: a second's work. Beyond, fewer candidates are looked at. */
const MOST_DISTANCES = 4e8;
/** Rows whose crowd is measured against so many others of the pool. */
const DENSITY_ANCHORS = 200;
/** Part of the mean weight that every row has at least: no row is impossible, so no estimate can miss it. */
const WEIGHT_FLOOR = 0.1;

/** @returns at most `count` picks, in the order they were picked; fewer where the rest are near-duplicates. */
export function selectBatch(pool: SelectionPool, options: SelectionOptions): readonly Pick[] {
  const count = Math.min(options.count, pool.rows);
  const randomCount = Math.round(options.randomShare * count);
  const random = createRandom(seedFrom(options.seed, "random share"));
  const drawn = drawEvenly(pool.rows, randomCount, random);
  const isTaken = new Uint8Array(pool.rows);
  for (const row of drawn) isTaken[row] = 1;
  const picks: Pick[] = drawn.map((row, i) => ({
    row,
    origin: "random",
    acquisition: pool.acquisition?.[row] ?? null,
    probability: 1 / (pool.rows - i),
  }));
  const wanted = count - randomCount;
  if (wanted === 0) return picks;
  const rest = Uint32Array.from({ length: pool.rows }, (_, row) => row).filter((row) => isTaken[row] === 0);
  return [...picks, ...pickByStrategy(pool, rest, { ...options, count: wanted }, Uint32Array.from(drawn))];
}

/** The first `count` of a shuffle, without shuffling the rest. */
function drawEvenly(rows: number, count: number, random: SeededRandom): number[] {
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  for (let i = 0; i < count; i++) {
    const j = i + random.nextInt(rows - i);
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
  return [...order.subarray(0, count)];
}

function pickByStrategy(
  pool: SelectionPool,
  rest: Uint32Array,
  options: SelectionOptions,
  drawn: Uint32Array,
): readonly Pick[] {
  const { acquisition } = pool;
  if (acquisition === undefined) return spread(pool, shuffled(rest, options.seed), options.count, drawn);
  if (options.sampling === "weighted") return drawWeighted(acquisition, rest, options);
  const ranked = rest.slice().sort((a, b) => (acquisition[b] as number) - (acquisition[a] as number) || a - b);
  const near = ranked.subarray(0, Math.max(options.count * CANDIDATES_PER_PICK, options.count));
  const ordered = options.density ? byDensity(pool, acquisition, near, rest) : near;
  if (!options.diversity) return [...ordered.subarray(0, options.count)].map((row) => certain(pool, row));
  const picked = spread(pool, ordered, options.count, drawn);
  // The most uncertain rows may be copies of each other: then the next ones fill the batch.
  for (let from = near.length; picked.length < options.count && from < ranked.length; ) {
    const more = ranked.subarray(from, from + near.length);
    from += near.length;
    const before = Uint32Array.from([...drawn, ...picked.map(({ row }) => row)]);
    picked.push(...spread(pool, more, options.count - picked.length, before));
  }
  return picked;
}

const certain = (pool: SelectionPool, row: number): Pick => ({
  row,
  origin: "strategy",
  acquisition: pool.acquisition?.[row] ?? null,
  probability: 1,
});

function shuffled(rows: Uint32Array, seed: number): Uint32Array {
  const copy = rows.slice();
  shuffleInPlace(copy, createRandom(seedFrom(seed, "cold start")));
  return copy;
}

/** Farthest-first among the candidates, away from what is taken; ends where only near-duplicates are left. */
function spread(pool: SelectionPool, candidates: Uint32Array, count: number, taken: Uint32Array): Pick[] {
  if (candidates.length === 0 || count === 0) return [];
  const probe = pool.embed(candidates.subarray(0, 1));
  const affordable = Math.max(count, Math.floor(MOST_DISTANCES / ((count + taken.length) * probe.dimension)));
  const used = candidates.subarray(0, Math.min(candidates.length, affordable));
  // Of many rows taken already the nearest in order are enough to keep away from.
  const centers = taken.subarray(Math.max(0, taken.length - count * CANDIDATES_PER_PICK));
  const all = new Uint32Array(centers.length + used.length);
  all.set(centers);
  all.set(used, centers.length);
  const points = pool.embed(all);
  const labelled = Array.from(centers, (_, i) => i);
  // Without a center the first candidate, the most uncertain one, is the first pick.
  const first = labelled.length === 0 ? [0] : [];
  const { picks, radii } = kCenter(points, first.length > 0 ? first : labelled, count - first.length);
  const least = NEAR_DUPLICATE * Math.sqrt(points.dimension);
  const kept = picks.filter((_, i) => (radii[i] as number) >= least);
  return [...first, ...kept].map((i) => certain(pool, all[i] as number));
}

/** Uncertainty times the mean likeness to the pool, so that an outlier nobody will meet again does not cost a label. */
function byDensity(pool: SelectionPool, acquisition: Float64Array, rows: Uint32Array, rest: Uint32Array): Uint32Array {
  const step = Math.max(1, Math.floor(rest.length / DENSITY_ANCHORS));
  const anchors = rest.filter((_, i) => i % step === 0);
  const { values, dimension } = pool.embed(Uint32Array.from([...rows, ...anchors]));
  const weighted = new Map<number, number>();
  for (let i = 0; i < rows.length; i++) {
    let sum = 0;
    for (let k = 0; k < anchors.length; k++) {
      let squares = 0;
      for (let j = 0; j < dimension; j++) {
        const other = (rows.length + k) * dimension + j;
        const gap = (values[i * dimension + j] as number) - (values[other] as number);
        squares += gap * gap;
      }
      // Per column, so that the likeness does not vanish as columns are added.
      sum += expDeterministic(-Math.sqrt(squares / dimension));
    }
    const row = rows[i] as number;
    weighted.set(row, ((acquisition[row] as number) * sum) / anchors.length);
  }
  return rows.slice().sort((a, b) => (weighted.get(b) as number) - (weighted.get(a) as number) || a - b);
}

/** Draws in proportion to the acquisition, one after the other, each with its probability among the rows then left. */
function drawWeighted(acquisition: Float64Array, rest: Uint32Array, options: SelectionOptions): Pick[] {
  const random = createRandom(seedFrom(options.seed, "weighted draws"));
  let mean = 0;
  for (const row of rest) mean += (acquisition[row] as number) / rest.length;
  const floor = mean > 0 ? mean * WEIGHT_FLOOR : 1;
  const weightOf = (row: number) => (acquisition[row] as number) + floor;
  const keys = new Map<number, number>();
  let left = 0;
  for (const row of rest) {
    keys.set(row, -logDeterministic(1 - random.nextFloat()) / weightOf(row));
    left += weightOf(row);
  }
  const order = rest.slice().sort((a, b) => (keys.get(a) as number) - (keys.get(b) as number) || a - b);
  return [...order.subarray(0, options.count)].map((row) => {
    const probability = Math.min(1, weightOf(row) / left);
    left -= weightOf(row);
    return { row, origin: "strategy", acquisition: acquisition[row] as number, probability };
  });
}
