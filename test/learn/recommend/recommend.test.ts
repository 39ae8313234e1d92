/**
 * Matrix factorization and popularity. Golden numbers: one half-step against the normal equations of Hu, Koren and Volinsky
 * (2008, eq. 4) solved by elimination in float64; everything else are properties.
 */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.ts";
import {
  createRecommender,
  type Interactions,
  matrixFactorization,
  observationsByUser,
  popularity,
  type RecommendRequest,
  type TrainedWeights,
  transposed,
} from "../../../src/learn/index.ts";
import { groupedInteractions } from "./data.ts";

const data = groupedInteractions({ users: 60, items: 48, groups: 4, perUser: 12, seed: 3 });
const small = { factors: 8, epochs: 4, l2: 0.02 };
const fit = (change: Partial<RecommendRequest> = {}, trainer: typeof matrixFactorization = matrixFactorization) =>
  trainer.fit({
    interactions: data,
    params: small,
    seed: 7,
    signal: new AbortController().signal,
    onPoint: async () => {},
    ...change,
  });
const methods = ["als", "bpr"] as const;

/** Solves A·x = b by elimination with pivots. */
function solve(a: number[][], b: number[]): number[] {
  const n = b.length;
  const m = a.map((row, i) => [...row, b[i] as number]);
  for (let c = 0; c < n; c++) {
    let pivot = c;
    for (let r = c + 1; r < n; r++) if (Math.abs(m[r]?.[c] as number) > Math.abs(m[pivot]?.[c] as number)) pivot = r;
    [m[c], m[pivot]] = [m[pivot] as number[], m[c] as number[]];
    for (let r = 0; r < n; r++) {
      if (r === c) continue;
      const share = (m[r]?.[c] as number) / (m[c]?.[c] as number);
      for (let k = c; k <= n; k++) (m[r] as number[])[k] = (m[r]?.[k] as number) - share * (m[c]?.[k] as number);
    }
  }
  return m.map((row, i) => (row[n] as number) / (row[i] as number));
}

describe("observations", () => {
  it("are sums per user and item, without what was rejected", () => {
    const given: Interactions = {
      users: ["a", "b"],
      items: ["x", "y", "z"],
      userOf: Int32Array.of(0, 1, 0, 0, 1),
      itemOf: Int32Array.of(2, 0, 0, 2, 1),
      strength: Float64Array.of(1, 2, 3, 4, -1),
    };
    const rows = observationsByUser(given);
    expect([...rows.starts]).toEqual([0, 2, 3]);
    expect([...rows.indices]).toEqual([0, 2, 0]);
    expect([...rows.values]).toEqual([3, 5, 2]);
    const turned = transposed(rows, 3);
    expect([...turned.starts]).toEqual([0, 2, 2, 3]);
    expect([...turned.indices]).toEqual([0, 1, 0]);
    expect([...turned.values]).toEqual([3, 2, 5]);
  });
});

describe("matrix factorization", () => {
  it("solves a user to the normal equations", async () => {
    const weights = await fit();
    const model = createRecommender(weights);
    const { width, confidence, unit, penalty } = weights.shape as Record<string, number>;
    const items = weights.arrays["items"] as Float32Array;
    const row = (i: number) => [...items.subarray(i * (width as number), (i + 1) * (width as number))];
    const taste = { items: [1, 5, 9, 17], strengths: [1, 2, 3, 1] };
    const n = width as number;
    const a = Array.from({ length: n }, (_, i) =>
      Array.from({ length: n }, (_unused, j) => (i === j ? (penalty as number) : 0)),
    );
    const b = new Array<number>(n).fill(0);
    for (let item = 0; item < model.trainedItems; item++) {
      const at = taste.items.indexOf(item);
      const extra = at < 0 ? 0 : ((confidence as number) * (taste.strengths[at] as number)) / (unit as number);
      const y = row(item);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++)
          (a[i] as number[])[j] = (a[i]?.[j] as number) + (1 + extra) * (y[i] as number) * (y[j] as number);
        if (at >= 0) b[i] = (b[i] as number) + (1 + extra) * (y[i] as number);
      }
    }
    const exact = solve(a, b);
    const vector = model.userVector(taste) as Float32Array;
    for (let i = 0; i < n; i++) expect(vector[i]).toBeCloseTo(exact[i] as number, 2);
  });

  it("costs less with every round", async () => {
    const losses: number[] = [];
    await fit({
      params: { ...small, epochs: 8 },
      onPoint: async ({ metrics }) => void losses.push(metrics["trainLoss"] as number),
    });
    expect(losses).toHaveLength(8);
    for (let i = 1; i < losses.length; i++) expect(losses[i] as number).toBeLessThan(losses[i - 1] as number);
  });

  it.each(methods)("by %s ranks a user's own group above the rest", async (method) => {
    const model = createRecommender(await fit({ params: { ...small, method, epochs: method === "als" ? 6 : 40 } }));
    let own = 0;
    for (let group = 0; group < 4; group++) {
      const liked = [group, group + 4, group + 8];
      const vector = model.userVector({ items: liked, strengths: [1, 1, 1] });
      const best = model.rank({ vector, k: 5, isExcluded: (i) => liked.includes(i) });
      own += best.filter(({ index }) => index % 4 === group).length;
    }
    expect(own).toBeGreaterThanOrEqual(16);
  });

  it.each(methods)("by %s gives the same bits from WebAssembly and its twin, and for the same seed", async (method) => {
    const params = { ...small, method };
    const wasm = await fit({ params, kernels: "wasm" });
    expect(await fit({ params, kernels: "twin" })).toEqual(wasm);
    expect((await fit({ params, seed: 8 })).arrays).not.toEqual(wasm.arrays);
    const taste = { items: [1, 2, 3, 9, 30], strengths: [1, 2, 1, 1, 5] };
    const [fast, slow] = (["wasm", "twin"] as const).map((kernels) => createRecommender(wasm, kernels));
    const vector = fast?.userVector(taste);
    expect(slow?.userVector(taste)).toEqual(vector);
    const question = { vector, k: 48, isExcluded: () => false };
    expect(slow?.rank(question)).toEqual(fast?.rank(question));
  });

  it.each(methods)("by %s goes on from a checkpoint to the bits of an undisturbed training", async (method) => {
    const params = { ...small, method, epochs: 5 };
    const states: TrainedWeights[] = [];
    const whole = await fit({ params, onCheckpoint: async (state) => void states.push(state()) });
    expect(states).toHaveLength(4);
    const points: number[] = [];
    const resumed = await fit({
      params,
      resume: states[1] as TrainedWeights,
      onPoint: async ({ epoch }) => void points.push(epoch),
    });
    expect(points).toEqual([3, 4, 5]);
    expect(resumed).toEqual(whole);
  });

  it("does not mind the order of rows, and leaves its input alone", async () => {
    const n = data.userOf.length;
    const turned = {
      ...data,
      userOf: data.userOf.slice().reverse(),
      itemOf: data.itemOf.slice().reverse(),
      strength: data.strength.slice().reverse(),
    };
    const before = structuredClone(data);
    expect(await fit({ interactions: turned })).toEqual(await fit());
    expect(data).toEqual(before);
    expect(n).toBe(720);
  });

  it("counts a repeated interaction like a stronger one", async () => {
    const doubled = {
      ...data,
      userOf: Int32Array.of(...data.userOf, data.userOf[0] as number),
      itemOf: Int32Array.of(...data.itemOf, data.itemOf[0] as number),
      strength: Float64Array.of(...data.strength, 1),
    };
    const stronger = { ...data, strength: data.strength.slice() };
    stronger.strength[0] = (stronger.strength[0] as number) + 1;
    expect(await fit({ interactions: doubled })).toEqual(await fit({ interactions: stronger }));
  });

  it("starts warm from the items an earlier version knows, and learns the new ones", async () => {
    const base = await fit({ params: { ...small, epochs: 10 } });
    const grown: Interactions = {
      users: [...data.users, "u9999"],
      items: [...data.items, "i9999"],
      userOf: Int32Array.of(...data.userOf, 60, 60, 60),
      itemOf: Int32Array.of(...data.itemOf, 0, 4, 48),
      strength: Float64Array.of(...data.strength, 1, 1, 1),
    };
    const first: number[] = [];
    const remember = async (point: { metrics: Readonly<Record<string, number>> }) =>
      void first.push(point.metrics["trainLoss"] as number);
    await fit({ interactions: grown, params: { ...small, epochs: 1 }, onPoint: remember });
    const warm = await fit({ interactions: grown, params: { ...small, epochs: 1 }, base, onPoint: remember });
    expect(first[1] as number).toBeLessThan((first[0] as number) * 0.8);
    expect(warm.shape["items"]).toHaveLength(49);
    expect((warm.arrays["items"] as Float32Array).subarray(48 * 8).some((value) => value !== 0)).toBe(true);
  });

  it.each(methods)("by %s stops within a turn when canceled", async (method) => {
    const abort = new AbortController();
    const running = fit({
      params: { ...small, method, epochs: 1000 },
      signal: abort.signal,
      onPoint: async ({ epoch }) => {
        if (epoch === 2) abort.abort();
      },
    });
    await expect(running).rejects.toMatchObject({ code: "TRAINER_CANCELED" });
  });

  it("refuses interactions that like nothing, and unknown parameters", async () => {
    const none = { ...data, strength: data.strength.map(() => 0) };
    await expect(fit({ interactions: none })).rejects.toMatchObject({ code: "DATASET_EMPTY" });
    expect(() => matrixFactorization.resolveParams({ factor: 8 })).toThrow(/Closest: "factors"/);
    expect(() => matrixFactorization.resolveParams({ method: "svd" })).toThrow(/als/);
  });

  it.each([Number.NaN, Infinity, -1e200])("names who has the strength %d with what", async (strength) => {
    const broken = { ...data, strength: data.strength.map((value, i) => (i === 5 ? strength : value)) };
    for (const trainer of [matrixFactorization, popularity] as const) {
      const params = trainer === popularity ? {} : small;
      await expect(fit({ interactions: broken, params }, trainer as typeof matrixFactorization)).rejects.toMatchObject({
        code: "TRAINER_FAILED",
        message: expect.stringMatching(/The strength of "u0000" with "i\d{4}" is /u),
      });
    }
  });

  it("stays finite for a strength far beyond those of training", async () => {
    const model = createRecommender(await fit());
    for (const strength of [1e12, 1e308, Infinity]) {
      const vector = model.userVector({ items: [3, 5], strengths: [1, strength] });
      const [best] = model.rank({ vector, isExcluded: () => false, k: 3 });
      expect(vector?.every(Number.isFinite)).toBe(true);
      expect(best?.score).toBeGreaterThan(0);
      model.foldItem("new", [{ vector: vector as Float32Array, strength }]);
      expect(model.rank({ vector, isExcluded: () => false, k: 60 }).every(({ score }) => Number.isFinite(score))).toBe(
        true,
      );
    }
  });

  it("keeps to a sensible model for one user and one item", async () => {
    const one: Interactions = {
      users: ["u"],
      items: ["i"],
      userOf: Int32Array.of(0),
      itemOf: Int32Array.of(0),
      strength: Float64Array.of(1),
    };
    for (const method of methods) {
      const model = createRecommender(await fit({ interactions: one, params: { ...small, method } }));
      const vector = model.userVector({ items: [0], strengths: [1] });
      expect(model.rank({ vector, k: 5, isExcluded: () => false })).toHaveLength(1);
      for (const { score } of model.rank({ vector, k: 5, isExcluded: () => false }))
        expect(Number.isFinite(score)).toBe(true);
    }
  });
});

describe("fold-in", () => {
  it("brings a new item to the users whose likes took it", async () => {
    const model = createRecommender(await fit({ params: { ...small, epochs: 8 } }));
    const vectorOf = (items: number[]) => model.userVector({ items, strengths: items.map(() => 1) }) as Float32Array;
    const fans = [0, 1, 2, 3, 4, 5].map((i) => ({
      vector: vectorOf([2 + 4 * i, 6 + 4 * i, 10 + 4 * i]),
      strength: 1,
    }));
    expect(model.indexOf("new")).toBeUndefined();
    const index = model.foldItem("new", fans) as number;
    expect(index).toBe(48);
    expect(model.countOf(index)).toBe(6);
    const placeFor = (group: number) => {
      const liked = [group, group + 8, group + 16];
      return model.placeOf(index, { vector: vectorOf(liked), k: 49, isExcluded: (i) => liked.includes(i) });
    };
    expect(placeFor(2)).toBeLessThan(placeFor(1));
    expect(placeFor(2)).toBeLessThan(placeFor(3));
    expect(model.foldItem("new", fans)).toBe(index);
  });

  it("leaves cold users to popularity, and new items of other methods to the next training", async () => {
    const model = createRecommender(await fit());
    expect(model.userVector({ items: [], strengths: [] })).toBeUndefined();
    expect(model.userVector({ items: [3], strengths: [0] })).toBeUndefined();
    const cold = model.rank({ vector: undefined, k: 3, isExcluded: () => false });
    const counts = Array.from({ length: 48 }, (_, i) => model.countOf(i)).sort((a, b) => b - a);
    expect(cold.map(({ index }) => model.countOf(index))).toEqual(counts.slice(0, 3));
    const ranking = createRecommender(await fit({ params: { ...small, method: "bpr" } }));
    expect(ranking.foldItem("new", [])).toBeUndefined();
  });
});

describe("popularity and ranks", () => {
  it("is what most users took", async () => {
    const weights = await popularity.fit({
      interactions: data,
      params: {},
      seed: 1,
      signal: new AbortController().signal,
      onPoint: async () => {},
    });
    const model = createRecommender(weights);
    const byHand = new Map<number, Set<number>>();
    data.itemOf.forEach((item, i) => {
      byHand.set(item, (byHand.get(item) ?? new Set()).add(data.userOf[i] as number));
    });
    for (const [item, users] of byHand) expect(model.countOf(item)).toBe(users.size);
    expect(model.userVector({ items: [1], strengths: [1] })).toBeUndefined();
  });

  it("answers the best of any set as sorting would, ties by index, within candidates and without the excluded", async () => {
    const model = createRecommender(await fit());
    const random = createRandom(5);
    for (let round = 0; round < 20; round++) {
      const taste = { items: [random.nextInt(48), random.nextInt(48)], strengths: [1, 2] };
      const vector = model.userVector(taste);
      const excluded = new Set(Array.from({ length: 10 }, () => random.nextInt(48)));
      const isExcluded = (i: number) => excluded.has(i);
      const all = model.rank({ vector, k: 48, isExcluded: () => false });
      const expected = all.filter(({ index }) => !excluded.has(index));
      expect(model.rank({ vector, k: 7, isExcluded })).toEqual(expected.slice(0, 7));
      const candidates = [1, 5, 9, 30, 31];
      expect(model.rank({ vector, k: 3, isExcluded, candidates })).toEqual(
        expected.filter(({ index }) => candidates.includes(index)).slice(0, 3),
      );
      expected.forEach(({ index }, place) => {
        expect(model.placeOf(index, { vector, k: 10, isExcluded })).toBe(place < 10 ? place + 1 : 0);
      });
    }
  });
});
