/**
 * A trained recommender at work. A user is solved from its interactions by the very half-step that training takes (fold-in), so
 * an event counts from the next question on; so is an item that training never saw, from the users who took it. A user whose
 * items nobody knows is cold: popularity answers.
 */
import { createRandom } from "../../core/index.ts";
import { expDeterministic } from "../../stats/index.ts";
import type { TrainedWeights } from "../trainer.ts";
import { type KernelChoice, MemoryPlan } from "../wasm.ts";
import { confidenceOf } from "./interactions.ts";
import { openRecommendKernels } from "./kernels.ts";
import { type Ranked, topRanked } from "./top.ts";

/** What a user did: item indices and strengths, newest last; strengths of 0 or less are seen, not liked. */
export interface Taste {
  readonly items: ArrayLike<number>;
  readonly strengths: ArrayLike<number>;
}

export interface Recommender {
  readonly method: "als" | "bpr" | "popularity";
  /** Trained items in code-unit order, then folded-in ones as they came. */
  readonly items: readonly string[];
  readonly trainedItems: number;
  indexOf(item: string): number | undefined;
  /** Users per trained item; folded-in items have their own. */
  countOf(index: number): number;
  /** Whether items can be folded in: least squares can, ranking and popularity wait for the next training. */
  readonly foldsItems: boolean;
  /** The vector of a user; undefined where none of its items is known. About 5 µs for 20 items and 32 factors. */
  userVector(taste: Taste): Float32Array | undefined;
  /** Adds an item, or solves it anew. @returns its index, or undefined where the session has no room left. */
  foldItem(
    item: string,
    users: readonly { readonly vector: Float32Array; readonly strength: number }[],
  ): number | undefined;
  /** The best items, best first. Without a vector by popularity. O(items · factors). */
  rank(question: RankQuestion): readonly Ranked[];
  /** Place (1 is best) of an item among all that `isExcluded` leaves; 0 beyond k. */
  placeOf(item: number, question: Omit<RankQuestion, "candidates">): number;
}
export interface RankQuestion {
  readonly vector: Float32Array | undefined;
  readonly isExcluded: (index: number) => boolean;
  readonly k: number;
  /** Indices to choose from; absent: all. */
  readonly candidates?: readonly number[];
}

/** Interactions a user vector is solved from, the newest; users an item is solved from. */
export const MOST_OBSERVATIONS = 1024;
/** Items a session folds in before the next training must take them. */
const SPARE_ITEMS = 2048;
/** Conjugate-gradient steps from zero: the vector is then within 1e-3 of the exact solution. */
export const FOLD_STEPS = 6;
/** Steps of ranking a user is given, at most. */
export const RANK_STEPS = 240;
/** Steps of ranking for each item of a user. */
export const RANK_STEPS_EACH = 20;
/** How often an item that the user has is drawn anew as the one it has not, at most. */
export const REDRAWS = 8;

/** What a trained recommender says of itself beside its arrays. */
export interface RecommenderShape {
  readonly method: Recommender["method"];
  readonly items: readonly string[];
  readonly users: number;
  readonly width?: number;
  readonly penalty?: number;
  readonly confidence?: number;
  readonly unit?: number;
  readonly learningRate?: number;
  readonly rankL2?: number;
}

/** A session over trained weights: it holds the items in memory, and folded-in items belong to it alone. */
export function createRecommender(weights: TrainedWeights, choice: KernelChoice = "auto"): Recommender {
  const shape = weights.shape as unknown as RecommenderShape;
  const trained = shape.items.length;
  const items = [...shape.items];
  const indexOf = new Map(items.map((name, i) => [name, i]));
  const counts = [...(weights.arrays["counts"] as Int32Array)];
  const vectors = shape.method === "popularity" ? undefined : openVectors(weights, shape, choice);
  const popular = popularScores(weights);
  const scoresOf = (vector: Float32Array | undefined): Float32Array =>
    vector === undefined || vectors === undefined ? popular : vectors.scores(vector, items.length);
  return {
    method: shape.method,
    items,
    trainedItems: trained,
    foldsItems: shape.method === "als",
    indexOf: (item) => indexOf.get(item),
    countOf: (index) => counts[index] ?? 0,
    userVector: (taste) => vectors?.user(taste),
    foldItem(item, users) {
      if (vectors === undefined || shape.method !== "als") return undefined;
      const index = indexOf.get(item) ?? items.length;
      if (index >= trained + SPARE_ITEMS) return undefined;
      if (index === items.length) {
        items.push(item);
        indexOf.set(item, index);
      }
      counts[index] = users.length;
      vectors.solveItem(index, users);
      return index;
    },
    rank: ({ vector, isExcluded, k, candidates }) => topRanked(scoresOf(vector), k, isExcluded, candidates),
    placeOf(item, { vector, isExcluded, k }) {
      const scores = scoresOf(vector);
      const own = scores[item];
      if (own === undefined) return 0;
      let place = 1;
      for (let i = 0; i < scores.length && place <= k; i++) {
        const isAhead = (scores[i] as number) > own || (scores[i] === own && i < item);
        if (isAhead && !isExcluded(i)) place++;
      }
      return place <= k ? place : 0;
    },
  };
}

/** What a cold user is offered by: the share of users who took each trained item. */
export function popularScores({ arrays, shape }: TrainedWeights): Float32Array {
  const total = Math.max(1, shape["users"] as number);
  return Float32Array.from(arrays["counts"] as Int32Array, (count) => count / total);
}

/** Both halves of a symmetric matrix whose upper one was summed, with the penalty on its diagonal. */
function mirrored(sums: Float64Array, width: number, penalty: number, out: Float32Array): void {
  for (let i = 0; i < width; i++) {
    for (let j = 0; j < width; j++) {
      const upper = Math.min(i, j) * width + Math.max(i, j);
      out[i * width + j] = (sums[upper] as number) + (i === j ? penalty : 0);
    }
  }
}

/** What all items together pull a user with, and the penalty: width × width, as `userVector` of least squares sees it. */
export function itemGram(weights: TrainedWeights, choice: KernelChoice = "auto"): Float32Array {
  const { width = 0, penalty = 0, items } = weights.shape as unknown as RecommenderShape;
  const plan = new MemoryPlan();
  const at = {
    items: plan.reserve(items.length * width * 4),
    sums: plan.reserve(width * width * 8),
    scratch: plan.reserve(width * width * 4),
  };
  const kernels = openRecommendKernels(plan.used, choice);
  new Float32Array(kernels.buffer).set(weights.arrays["items"] as Float32Array, at.items / 4);
  kernels.gram(at.items, 0, items.length, width, at.sums, at.scratch);
  const gram = new Float32Array(width * width);
  mirrored(new Float64Array(kernels.buffer, at.sums, width * width), width, penalty, gram);
  return gram;
}

/** The vectors of all items in the memory of the kernels. */
function openVectors(weights: TrainedWeights, shape: RecommenderShape, choice: KernelChoice) {
  const width = shape.width as number;
  const penalty = shape.penalty as number;
  const scale = { confidence: shape.confidence as number, unit: shape.unit as number };
  const trained = shape.items.length;
  const capacity = trained + SPARE_ITEMS;
  const plan = new MemoryPlan();
  const at = {
    items: plan.reserve(capacity * width * 4),
    scores: plan.reserve(capacity * 4),
    others: plan.reserve(MOST_OBSERVATIONS * width * 4),
    user: plan.reserve(width * 4),
    starts: plan.reserve(8),
    indices: plan.reserve(MOST_OBSERVATIONS * 4),
    extra: plan.reserve(MOST_OBSERVATIONS * 4),
    itemGram: plan.reserve(width * width * 4),
    userGram: plan.reserve(width * width * 4),
    sums: plan.reserve(width * width * 8),
    scratch: plan.reserve(Math.max(3 * width, width * width) * 4),
    loss: plan.reserve(8),
  };
  const kernels = openRecommendKernels(plan.used, choice);
  const floats = new Float32Array(kernels.buffer);
  const whole = new Int32Array(kernels.buffer);
  const sums = new Float64Array(kernels.buffer, at.sums, width * width);
  floats.set(weights.arrays["items"] as Float32Array, at.items / 4);
  kernels.gram(at.items, 0, trained, width, at.sums, at.scratch);
  const gramAt = (place: number) => floats.subarray(place / 4, place / 4 + width * width);
  mirrored(sums, width, penalty, gramAt(at.itemGram));
  mirrored(weights.arrays["userGram"] as Float64Array, width, penalty, gramAt(at.userGram));
  const solve = (x: number, others: number, gram: number, count: number) => {
    whole[at.starts / 4 + 1] = count;
    floats.fill(0, x / 4, x / 4 + width);
    kernels.solveRows(x, others, gram, at.starts, at.indices, at.extra, 0, 1, width, FOLD_STEPS, at.scratch, at.loss);
  };
  const liked = (taste: Taste): number => {
    let count = 0;
    for (let i = taste.items.length - 1; i >= 0 && count < MOST_OBSERVATIONS; i--) {
      const strength = taste.strengths[i] as number;
      if (!(strength > 0)) continue;
      whole[at.indices / 4 + count] = taste.items[i] as number;
      floats[at.extra / 4 + count] = confidenceOf(strength, scale);
      count++;
    }
    return count;
  };
  return {
    user(taste: Taste): Float32Array | undefined {
      const count = liked(taste);
      if (count === 0) return undefined;
      if (shape.method === "als") {
        solve(at.user, at.items, at.itemGram, count);
        return floats.slice(at.user / 4, at.user / 4 + width);
      }
      const own = whole.subarray(at.indices / 4, at.indices / 4 + count);
      return rankedUser(floats.subarray(at.items / 4, at.items / 4 + trained * width), own, {
        width,
        rate: shape.learningRate as number,
        l2: shape.rankL2 as number,
      });
    },
    solveItem(index: number, users: readonly { readonly vector: Float32Array; readonly strength: number }[]): void {
      const used = users.slice(-MOST_OBSERVATIONS);
      used.forEach(({ vector, strength }, i) => {
        floats.set(vector, at.others / 4 + i * width);
        whole[at.indices / 4 + i] = i;
        floats[at.extra / 4 + i] = confidenceOf(strength, scale);
      });
      solve(at.items + index * width * 4, at.others, at.userGram, used.length);
    },
    scores(vector: Float32Array, count: number): Float32Array {
      floats.set(vector, at.user / 4);
      kernels.scoreRows(at.user, at.items, count, width, at.scores);
      return floats.subarray(at.scores / 4, at.scores / 4 + count);
    },
  };
}

/** The user's half of the ranking steps of training, items held still; the same pairs for the same items. */
function rankedUser(
  items: Float32Array,
  own: Int32Array,
  { width, rate, l2 }: { readonly width: number; readonly rate: number; readonly l2: number },
): Float32Array {
  const vector = new Float32Array(width);
  vector[width - 1] = 1;
  const count = items.length / width;
  const owned = new Set(own);
  if (owned.size >= count) return vector;
  const random = createRandom(own[0] as number);
  const steps = Math.min(RANK_STEPS, RANK_STEPS_EACH * own.length);
  for (let step = 0; step < steps; step++) {
    const liked = (own[step % own.length] as number) * width;
    let negative = random.nextInt(count);
    for (let draws = 0; draws < REDRAWS && owned.has(negative); draws++) negative = random.nextInt(count);
    const other = negative * width;
    let margin = 0;
    for (let j = 0; j < width; j++)
      margin += (vector[j] as number) * ((items[liked + j] as number) - (items[other + j] as number));
    const e = expDeterministic(-Math.abs(margin));
    const error = margin >= 0 ? e / (1 + e) : 1 / (1 + e);
    for (let j = 0; j < width - 1; j++) {
      const pull = error * ((items[liked + j] as number) - (items[other + j] as number));
      vector[j] = (vector[j] as number) + rate * (pull - l2 * (vector[j] as number));
    }
  }
  return vector;
}
