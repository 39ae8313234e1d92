/**
 * One training in the memory of the kernels: factors of users and items as float32 rows, the observations from both sides.
 *
 * `als`: Y. Hu, Y. Koren and C. Volinsky, "Collaborative filtering for implicit feedback datasets" (ICDM 2008), with the
 * conjugate-gradient half-steps of G. Takács, I. Pilászy and D. Tikk, "Applications of the conjugate gradient method for implicit
 * feedback collaborative filtering" (RecSys 2011). `bpr`: S. Rendle, C. Freudenthaler, Z. Gantner and L. Schmidt-Thieme,
 * "BPR: Bayesian personalized ranking from implicit feedback" (UAI 2009), with item biases.
 */
import { createRandom, fail, seedFrom } from "../../core/index.ts";
import { takeTurn } from "../turn.ts";
import { type KernelChoice, MAX_KERNEL_BYTES, MemoryPlan } from "../wasm.ts";
import { confidenceOf, meanStrength, rowsOfEntries, type SparseRows } from "./interactions.ts";
import { openRecommendKernels } from "./kernels.ts";
import type { RecommendParams } from "./params.ts";

/** Observations between two turns of the event loop: about 15 ms by WebAssembly, so a cancel is seen at once. */
const OBSERVATIONS_PER_TURN = 40_000;
/** Width of the first factors: small, so that nobody starts with an opinion. */
const START_WIDTH = 0.1;

export interface FactorMemory {
  /** One round. @returns the mean cost of an observation before its last half. @throws TRAINER_CANCELED */
  runEpoch(epoch: number, signal: AbortSignal): Promise<number>;
  items(): Float32Array;
  users(): Float32Array;
  /** UᵀU, float64: what a new item is folded in with. */
  userGram(): Float64Array;
}

export interface FactorOptions {
  readonly byUser: SparseRows;
  readonly byItem: SparseRows;
  readonly params: RecommendParams;
  readonly seed: number;
  readonly kernels: KernelChoice;
  /** Rows to start from; `null` where there is none and a random one takes its place. */
  readonly startItems?: readonly (Float32Array | null)[];
  readonly startUsers?: readonly (Float32Array | null)[];
}

/** Numbers of a row: padded to a multiple of 4; bpr keeps the item's bias in the last. */
export function rowWidth({ method, factors }: Pick<RecommendParams, "method" | "factors">): number {
  return Math.ceil((factors + (method === "bpr" ? 1 : 0)) / 4) * 4;
}

/**
 * What is added to the diagonal. Every user is held against all items and every item against all users, so a penalty of the same
 * effect grows with both; only the product of the two sides' penalties matters, so both get the geometric mean.
 */
export function penaltyOf({ l2 }: Pick<RecommendParams, "l2">, users: number, items: number): number {
  return l2 * Math.sqrt(users * items);
}

/** @throws TRAINER_FAILED when the training would need more than 4 GiB. */
export function openFactorMemory(options: FactorOptions): FactorMemory {
  const { byUser, byItem, params, seed } = options;
  const width = rowWidth(params);
  const users = byUser.starts.length - 1;
  const items = byItem.starts.length - 1;
  const n = byUser.indices.length;
  const plan = new MemoryPlan();
  const at = {
    users: plan.reserve(users * width * 4),
    items: plan.reserve(items * width * 4),
    userStarts: plan.reserve((users + 1) * 4),
    itemStarts: plan.reserve((items + 1) * 4),
    userIndices: plan.reserve(n * 4),
    itemIndices: plan.reserve(n * 4),
    userExtra: plan.reserve(n * 4),
    itemExtra: plan.reserve(n * 4),
    gram: plan.reserve(width * width * 4),
    sums: plan.reserve(width * width * 8),
    scratch: plan.reserve(Math.max(3 * width, width * width) * 4),
    random: plan.reserve(16),
    loss: plan.reserve(8),
  };
  if (plan.used > MAX_KERNEL_BYTES)
    throw fail("TRAINER_FAILED", {
      message: `Training ${n} observations of ${users} users and ${items} items needs ${(plan.used / 1e9).toFixed(1)} GB; one training can address 4.3 GB.`,
      remedy: "Lower `factors`, or shorten `data.window`.",
    });
  const kernels = openRecommendKernels(plan.used, options.kernels);
  const floats = new Float32Array(kernels.buffer);
  const whole = new Int32Array(kernels.buffer);
  const words = new Uint32Array(kernels.buffer);
  const doubles = new Float64Array(kernels.buffer);
  const scale = { confidence: params.confidence, unit: meanStrength(byUser) };
  const ridge = penaltyOf(params, users, items);
  whole.set(byUser.starts, at.userStarts / 4);
  whole.set(byItem.starts, at.itemStarts / 4);
  whole.set(byUser.indices, at.userIndices / 4);
  whole.set(params.method === "als" ? byItem.indices : rowsOfEntries(byUser), at.itemIndices / 4);
  const writeExtra = (place: number, { values }: SparseRows) => {
    for (let i = 0; i < values.length; i++) floats[place / 4 + i] = confidenceOf(values[i] as number, scale);
  };
  writeExtra(at.userExtra, byUser);
  writeExtra(at.itemExtra, byItem);

  const isRanking = params.method === "bpr";
  /** Users of `als` begin at zero: their first half-step solves them from the items alone. */
  const begin = (place: number, count: number, given: FactorOptions["startItems"], isUser: boolean) => {
    const random = createRandom(seedFrom(seed, isUser ? "user-factors" : "item-factors"));
    for (let row = 0; row < count; row++) {
      const own = place / 4 + row * width;
      const start = given?.[row];
      for (let j = 0; j < params.factors; j++) {
        const drawn = START_WIDTH * (random.nextFloat() - 0.5);
        if (start === undefined || start === null) floats[own + j] = isUser && !isRanking ? 0 : drawn;
      }
      if (start !== undefined && start !== null) floats.set(start, own);
      if (isUser && isRanking) floats[own + width - 1] = 1;
    }
  };
  begin(at.users, users, options.startUsers, true);
  begin(at.items, items, options.startItems, false);

  const readGram = (place: number, rows: number): Float64Array => {
    const sums = doubles.subarray(at.sums / 8, at.sums / 8 + width * width);
    sums.fill(0);
    kernels.gram(place, 0, rows, width, at.sums, at.scratch);
    return Float64Array.from(sums, (_, i) => {
      const [row, column] = [Math.floor(i / width), i % width];
      return sums[Math.min(row, column) * width + Math.max(row, column)] as number;
    });
  };
  const writeGram = (place: number, rows: number) => {
    const gram = readGram(place, rows);
    for (let i = 0; i < width; i++) gram[i * width + i] = (gram[i * width + i] as number) + ridge;
    floats.set(gram, at.gram / 4);
  };
  const half = async (isUser: boolean, signal: AbortSignal) => {
    const [own, other] = isUser ? [at.users, at.items] : [at.items, at.users];
    const [starts, indices, extra] = isUser
      ? [at.userStarts, at.userIndices, at.userExtra]
      : [at.itemStarts, at.itemIndices, at.itemExtra];
    writeGram(other, isUser ? items : users);
    const rows = isUser ? users : items;
    const first = starts / 4;
    let from = 0;
    while (from < rows) {
      let to = from + 1;
      const begun = whole[first + from] as number;
      while (to < rows && (whole[first + to + 1] as number) - begun + 8 * (to - from) < OBSERVATIONS_PER_TURN) to++;
      kernels.solveRows(
        own,
        other,
        at.gram,
        starts,
        indices,
        extra,
        from,
        to,
        width,
        params.steps,
        at.scratch,
        at.loss,
      );
      from = to;
      await takeTurn(signal);
    }
  };

  return {
    async runEpoch(epoch, signal) {
      if (params.method === "als") {
        await half(true, signal);
        doubles[at.loss / 8] = 0;
        await half(false, signal);
        return (doubles[at.loss / 8] as number) / Math.max(1, n);
      }
      words.set(createRandom(seedFrom(seed, "pairs", epoch)).state(), at.random / 4);
      doubles[at.loss / 8] = 0;
      for (let from = 0; from < n; from += OBSERVATIONS_PER_TURN) {
        kernels.rankPairs(
          at.users,
          at.items,
          items,
          at.itemIndices,
          at.userStarts,
          at.userIndices,
          n,
          width,
          Math.min(OBSERVATIONS_PER_TURN, n - from),
          params.learningRate,
          params.rankL2,
          at.random,
          at.loss,
        );
        await takeTurn(signal);
      }
      return (doubles[at.loss / 8] as number) / Math.max(1, n);
    },
    items: () => floats.slice(at.items / 4, at.items / 4 + items * width),
    users: () => floats.slice(at.users / 4, at.users / 4 + users * width),
    userGram: () => readGram(at.users, users),
  };
}
