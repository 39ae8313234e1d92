/** Exported recommenders against our own, by onnxruntime: slates of thousands of users, of whom some are unknown to the model. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.ts";
import {
  createRecommender,
  matrixFactorization,
  popularity,
  type Ranked,
  type TrainedWeights,
} from "../../../src/learn/index.ts";
import { exportOnnx, inspectOnnx } from "../../../src/model/index.ts";
import { loadRuntime } from "../../../src/model/onnx/runtime.ts";
import { groupedInteractions } from "../../learn/recommend/data.ts";
import { notesOf } from "./notes.ts";

const ITEMS = 150;
const data = groupedInteractions({ users: 200, items: ITEMS, groups: 6, perUser: 14, seed: 3 });
const manifest = { model: "m", task: "recommend", classes: [], modelHash: "h", engine: { retrain: "0" } } as never;
const TRAINERS = {
  "als of 32 factors": [matrixFactorization, { factors: 32, epochs: 5 }],
  "als of 5 factors, strongly confident": [matrixFactorization, { factors: 5, epochs: 4, l2: 0.001, confidence: 40 }],
  "bpr of 16 factors": [matrixFactorization, { method: "bpr", factors: 16, epochs: 30 }],
  popularity: [popularity, {}],
} as const;
type Name = keyof typeof TRAINERS;

function fit(name: Name, interactions = data): Promise<TrainedWeights> {
  const [trainer, params] = TRAINERS[name];
  return trainer.fit({
    interactions,
    params: trainer.resolveParams(params),
    seed: 7,
    signal: new AbortController().signal,
    onPoint: async () => {},
  });
}

/** Item and strength, oldest first; a strength that nobody told counts 1. */
type Taken = readonly (readonly [item: string, strength: number | null])[];

/** Users with nothing, with rejections, with items that training never saw, with almost everything. */
function makeHistories(count: number, seed: number): Taken[] {
  const random = createRandom(seed);
  const name = (i: number) => `i${String(i).padStart(4, "0")}`;
  return Array.from({ length: count }, () => {
    const size =
      random.nextInt(50) === 0 ? ITEMS - 4 : random.nextInt(4) === 0 ? random.nextInt(60) : random.nextInt(9);
    const names = new Set(Array.from({ length: size }, () => name(random.nextInt(ITEMS + 12))));
    return [...names].map((item) => {
      const kind = random.nextInt(10);
      return [item, kind === 0 ? 0 : kind === 1 ? -2 : kind === 2 ? null : 1 + random.nextInt(5)] as const;
    });
  });
}

async function askGraph(bytes: Uint8Array, histories: readonly Taken[], k: number) {
  const { Tensor, InferenceSession } = await loadRuntime();
  const session = await InferenceSession.create(bytes, {});
  const taken = Math.max(1, ...histories.map(({ length }) => length));
  const names = new Array<string>(histories.length * taken).fill("");
  const strengths = new Float32Array(names.length).fill(Number.NaN);
  histories.forEach((history, row) => {
    // Anywhere in the row: fillers say nothing.
    const from = row % 2 === 0 ? 0 : taken - history.length;
    history.forEach(([item, strength], i) => {
      names[row * taken + from + i] = item;
      if (strength !== null) strengths[row * taken + from + i] = strength;
    });
  });
  const dims = [histories.length, taken];
  const feeds = {
    history: new Tensor("string", names, dims),
    strengths: new Tensor("float32", strengths, dims),
    k: new Tensor("int64", BigInt64Array.of(BigInt(k)), []),
  };
  const outputs = await session.run(feeds, undefined as never);
  expect(outputs["items"]?.dims).toEqual([histories.length, k]);
  return { items: outputs["items"]?.data as readonly string[], scores: outputs["scores"]?.data as Float32Array };
}

/** What the server answers, and the score of every item for the user. */
function askOurs(weights: TrainedWeights, histories: readonly Taken[], k: number) {
  const model = createRecommender(weights);
  return histories.map((history) => {
    const known = history.flatMap(([item, strength]) => {
      const index = model.indexOf(item);
      return index === undefined ? [] : [[index, strength ?? 1] as const];
    });
    const vector = model.userVector({
      items: known.map(([index]) => index),
      strengths: known.map(([, strength]) => strength),
    });
    const seen = new Set(known.map(([index]) => index));
    const slate: readonly Ranked[] = model.rank({ vector, k, isExcluded: (index) => seen.has(index) });
    return slate.map(({ index, score }) => ({ item: model.items[index] as string, score }));
  });
}

describe("exported recommenders", () => {
  it.each(Object.keys(TRAINERS) as Name[])("%s offers what ours offers", async (name) => {
    const weights = await fit(name);
    const histories = makeHistories(1_000, 5);
    const k = 12;
    const { items, scores } = await askGraph(exportOnnx({ manifest, preparation: {} as never, weights }), histories, k);
    const ours = askOurs(weights, histories, k);
    let worst = 0;
    let swapped = 0;
    let offered = 0;
    ours.forEach((slate, row) => {
      const scoreOf = new Map(slate.map(({ item, score }) => [item, score]));
      for (let place = 0; place < k; place++) {
        const at = row * k + place;
        const own = slate[place];
        if (own === undefined) {
          expect([items[at], scores[at]]).toEqual(["", Number.NaN]);
          continue;
        }
        offered++;
        worst = Math.max(worst, Math.abs((scores[at] as number) - own.score) / Math.max(1, Math.abs(own.score)));
        if (items[at] === own.item) continue;
        swapped++;
        // Another order is right only between scores that are equal but for rounding.
        const theirs = scoreOf.get(items[at] as string) ?? (slate.at(-1)?.score as number);
        expect(Math.abs(theirs - own.score)).toBeLessThan(1e-5 * Math.max(1, Math.abs(own.score)));
      }
    });
    expect(offered).toBeGreaterThan(10_000);
    expect(worst).toBeLessThan(1e-5);
    expect(swapped / offered).toBeLessThan(0.001);
  });

  it.each(["als", "bpr"] as const)(
    "%s follows the newest 1,024 items of a user, and whoever took everything is offered nothing",
    async (method) => {
      const many = groupedInteractions({ users: 300, items: 1_300, groups: 5, perUser: 30, seed: 8 });
      const weights = await matrixFactorization.fit({
        interactions: many,
        params: matrixFactorization.resolveParams({ method, factors: 6, epochs: 3 }),
        seed: 7,
        signal: new AbortController().signal,
        onPoint: async () => {},
      });
      const everything = many.items.map((item): readonly [string, number] => [item, 2]);
      const random = createRandom(9);
      const most = everything.filter(() => random.nextInt(20) > 0);
      const histories: Taken[] = [most, [...most].reverse(), everything, []];
      const bytes = exportOnnx({ manifest, preparation: {} as never, weights });
      const { items, scores } = await askGraph(bytes, histories, 8);
      const ours = askOurs(weights, histories, 8);
      expect(ours[0]?.map(({ score }) => score)).not.toEqual(ours[1]?.map(({ score }) => score));
      ours.forEach((slate, row) => {
        expect(items.slice(row * 8, row * 8 + slate.length)).toEqual(slate.map(({ item }) => item));
        slate.forEach(({ score }, place) => expect(scores[row * 8 + place]).toBeCloseTo(score, 5));
      });
      expect(ours[2]).toEqual([]);
      expect(items.slice(16, 24)).toEqual(new Array(8).fill(""));
    },
  );

  it("offers in the order of items what is equally popular, and fewer than are wanted of a small catalog", async () => {
    const interactions = {
      users: ["a", "b"],
      items: ["", "x", "y", "z"],
      userOf: Int32Array.of(0, 1, 0, 1, 1),
      itemOf: Int32Array.of(3, 3, 2, 1, 0),
      strength: new Float64Array(5).fill(1),
    };
    const weights = await fit("popularity", interactions);
    const bytes = exportOnnx({ manifest, preparation: {} as never, weights });
    const { items, scores } = await askGraph(bytes, [[], [["z", 1]], [["unheard of", 1]]], 6);
    expect(items).toEqual(["z", "", "x", "y", "", "", "", "x", "y", "", "", "", "z", "", "x", "y", "", ""]);
    expect([...scores.subarray(0, 6)]).toEqual([1, 0.5, 0.5, 0.5, Number.NaN, Number.NaN]);
  });

  it("say what goes in and out, and what they are", async () => {
    const bytes = exportOnnx({ manifest, preparation: {} as never, weights: await fit("als of 32 factors") });
    const { inputs, outputs } = inspectOnnx(bytes);
    expect(inputs).toEqual([
      { name: "history", type: "string", dims: [-1, -1] },
      { name: "strengths", type: "float32", dims: [-1, -1] },
      { name: "k", type: "int64", dims: [] },
    ]);
    expect(outputs).toEqual([
      { name: "items", type: "string", dims: [-1, -1] },
      { name: "scores", type: "float32", dims: [-1, -1] },
    ]);
    expect(notesOf(bytes)).toMatchObject({ model: "m", modelHash: "h", task: "recommend", method: "als" });
  });
});
