/** What a recommender's definition may say, and what is refused. */
import { describe, expect, it } from "vitest";
import { best, defineModel, f, gate, matrixFactorization, resolveConfig, stage, when } from "../../src/config/index.ts";
import type { MatrixFactorizationParams } from "../../src/config/trainers.ts";
import { describeTrainer } from "../../src/learn/index.ts";

const base = {
  name: "films",
  task: "recommend",
  user: "viewer",
  item: "film",
  time: "at",
  features: {},
  label: f.number(),
} as const;
const resolve = (change: Record<string, unknown>) =>
  resolveConfig({ models: [{ ...base, ...change }] }, { folder: "/", environment: {}, flags: {} }).models[0];

describe("a recommender's definition", () => {
  it("is complete with user, item and time", () => {
    const spec = resolveConfig({ models: [defineModel(base)] }, { folder: "/", environment: {}, flags: {} }).models[0];
    expect(spec?.trainer).toMatchObject({ name: "matrixFactorization", params: { method: "als", factors: 32 } });
    expect(spec?.schema.features.map(({ name }) => name)).toEqual(["viewer", "film"]);
    expect(spec?.schema.recommend).toEqual({ user: "viewer", item: "film", k: 10, outcomeWindowMs: 604_800_000 });
    expect(spec?.gates).toMatchObject([
      { kind: "betterThanBaseline", metric: "ndcg" },
      { kind: "noWorseThanChampion", metric: "ndcg" },
    ]);
    expect(spec?.monitors).toMatchObject({ dataDrift: null, conceptDrift: { metric: "hitShare" } });
    expect(spec?.retrain.when).toMatchObject({ of: [{ kind: "newLabels" }, { metric: "hitShare" }] });
    expect(resolve({ trainer: { name: "popularity" } })?.trainer.name).toBe("popularity");
    expect(resolve({ k: 20, outcomeWindow: "1d" })?.schema.recommend).toMatchObject({ k: 20 });
    expect(resolve({ retrain: { how: "warm-start" } })?.retrain.how).toBe("warm-start");
    expect(resolve({ monitors: { conceptDrift: { detector: "ddm" } } })?.monitors.conceptDrift?.metric).toBe(
      "hitShare",
    );
  });

  it.each([
    [{ user: undefined }, /user/],
    [{ item: undefined }, /item/],
    [{ item: "viewer" }, /which is the user/],
    [{ time: undefined }, /later interactions judge earlier ones/],
    [{ k: 0 }, /k/],
    [{ features: { genre: f.category() } }, /genre/],
    [{ trainer: { name: "gbdt" } }, /trainer.name` is "gbdt"/],
    [{ trainer: matrixFactorization({ factors: 1 }) }, /factors/],
    [{ data: { refit: true } }, /folds newer interactions in/],
    [{ retrain: { how: "incremental" } }, /can only do full, warm-start/],
    [{ retrain: { how: best({ of: ["full", "warm-start"] }) } }, /compares trainers of rows/],
    [{ review: {} }, /review/],
    [{ gates: [gate.latency("5ms")] }, /judges rows one by one/],
    [{ gates: [gate.atLeast("wape", 1)] }, /ndcg/],
    [{ rollout: [stage.shadow("1d")] }, /slates of two versions/],
    [{ labeling: {} }, /interactions arrive by themselves/],
    [{ slices: ["film"] }, /a recommender has none/],
    [{ monitors: { dataDrift: {} } }, /differ from old ones by nature/],
    [{ retrain: { when: when.dataDrift() } }, /no columns to compare/],
    [{ retrain: { when: when.performanceDrop("ndcg" as never) } }, /held-out users only/],
    [{ retrain: { when: when.worthIt({ pricePerLoss: 1, pricePerRun: 1 }) } }, /prices losses of single rows/],
    [{ threshold: 0.5 }, /no decision threshold/],
    [{ label: f.boolean() }, /number/],
    [{ horizon: 3 }, /is no forecast/],
  ])("refuses %j", (change, message) => {
    expect(() => resolve(change)).toThrow(message);
  });

  it("keeps its fields from other tasks", () => {
    const row = { name: "prices", task: "regression", features: { size: f.number() }, label: f.number(), user: "x" };
    expect(() => resolveConfig({ models: [row] }, { folder: "/", environment: {}, flags: {} })).toThrow(
      /is no recommender/,
    );
  });

  it("knows the trainer's parameters by name", () => {
    const all: Required<MatrixFactorizationParams> = {
      method: "bpr",
      factors: 16,
      epochs: 3,
      l2: 1,
      confidence: 2,
      steps: 2,
      learningRate: 0.1,
      rankL2: 0.1,
    };
    const trainer = describeTrainer("matrixFactorization");
    expect(Object.keys(all).sort()).toEqual(Object.keys(trainer.defaults).sort());
    expect(trainer.resolveParams({ ...all })).toEqual(all);
  });
});
