import { describe, expect, it } from "vitest";
import type { ReferenceProfile } from "../../src/data/index.ts";
import { fitPreparation, frameFromFeatures, type Preparation } from "../../src/data/index.ts";
import { gbdtImportance, type TrainedWeights } from "../../src/learn/index.ts";
import { gbdt } from "../../src/learn/gbdt/gbdt.ts";
import { importanceOf, type Manifest } from "../../src/model/index.ts";
import { COLUMNS, request } from "../learn/gbdt/data.ts";

type Parts = Parameters<typeof importanceOf>[0];
const partsOf = (parts: {
  readonly trainer: string;
  readonly preparation: Preparation;
  readonly weights?: TrainedWeights;
  readonly task?: Manifest["task"];
  readonly answers?: Readonly<Record<string, number>>;
}): Parts => {
  const { trainer, preparation, task = "binary", answers } = parts;
  const empty: TrainedWeights = { trainer, shape: {}, arrays: {}, bestEpoch: 0 };
  return {
    manifest: {
      trainer,
      task,
      classes: task === "multiclass" ? ["a", "b", "c"] : [false, true],
    } as unknown as Manifest,
    weights: parts.weights ?? empty,
    preparation,
    profile: (answers === undefined ? {} : { importance: answers }) as unknown as ReferenceProfile,
  };
};

describe("importance of the features of trees", () => {
  const number = (name: string, column: number) => ({
    kind: "number" as const,
    name,
    column,
    fill: 0,
    mean: 0,
    inverseDeviation: 1,
  });
  // Columns x0, x1 and a vector of four places, which is one feature.
  const preparation: Preparation = {
    format: 1,
    input: "codes",
    features: [number("x0", 0), number("x1", 1)],
    wide: [{ kind: "vector", name: "rest", column: 2, size: 4, means: [0], inverseDeviations: [1] }],
    columns: COLUMNS.map(({ name }) => name),
    classes: [false, true],
  };

  it("adds up the columns of a feature, as shares of the whole gain", async () => {
    const weights = await gbdt.fit(request({ params: { epochs: 20, patience: 0 } }));
    const columns = gbdtImportance(weights);
    const total = columns.reduce((sum, { gain }) => sum + gain, 0);
    const { features, reason } = importanceOf(partsOf({ trainer: "gbdt", preparation, weights }));
    expect(reason).toBeUndefined();
    expect(new Set(features.map(({ feature }) => feature))).toEqual(new Set(["x0", "x1", "rest"]));
    const rest = features.find(({ feature }) => feature === "rest");
    expect(rest?.splits).toBe(columns.slice(2).reduce((sum, { splits }) => sum + splits, 0));
    expect(rest?.gainShare).toBeCloseTo(columns.slice(2).reduce((sum, { gain }) => sum + gain, 0) / total, 12);
    const shares = features.map(({ gainShare }) => gainShare as number);
    expect(shares).toEqual(shares.toSorted((left, right) => right - left));
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
  });
});

describe("importance of the features of a line", () => {
  const rows = [
    { x: 1, c: "a" },
    { x: 2, c: "b" },
    { x: null, c: null },
    { x: 4, c: "a" },
  ];
  const schema = {
    task: "binary",
    labelColumn: "y",
    features: [
      { name: "x", spec: { kind: "number" } },
      { name: "c", spec: { kind: "category" } },
    ],
    label: { kind: "boolean" },
  } as const;
  const preparation = fitPreparation({
    frame: frameFromFeatures(schema, rows),
    rows: Uint32Array.of(0, 1, 2, 3),
    input: "dense",
    classes: [false, true],
  });
  const weightsOf = (values: readonly number[], shape: TrainedWeights["shape"] = {}): TrainedWeights => ({
    trainer: "linear",
    shape: { columns: 5, ...shape },
    arrays: { weights: Float64Array.from(values) },
    bestEpoch: 1,
  });

  it("lists the coefficients of a feature's columns, largest first, without the intercept", () => {
    // Columns: x, x is missing, c=a, c=b, c is missing; the intercept last.
    const weights = weightsOf([1.5, 0.25, -0.5, 2, -0.125, 9]);
    const found = importanceOf(partsOf({ trainer: "linear", preparation, weights }));
    expect(found.outputs).toEqual(["log-odds"]);
    expect(found.features).toEqual([
      {
        feature: "c",
        columns: 3,
        coefficients: [
          { column: "c=b", values: [2] },
          { column: "c=a", values: [-0.5] },
          { column: "c is missing", values: [-0.125] },
        ],
      },
      {
        feature: "x",
        columns: 2,
        coefficients: [
          { column: "x", values: [1.5] },
          { column: "x is missing", values: [0.25] },
        ],
      },
    ]);
  });

  it("gives one coefficient a class, and those of a number in the target's unit", () => {
    const classes = weightsOf(Array.from({ length: 18 }, (_, i) => i));
    const multi = importanceOf(partsOf({ trainer: "linear", preparation, weights: classes, task: "multiclass" }));
    expect(multi.outputs).toEqual(["a", "b", "c"]);
    expect(multi.features.flatMap(({ coefficients }) => coefficients ?? [])).toContainEqual({
      column: "x",
      values: [0, 6, 12],
    });
    const scaled = weightsOf([1.5, 0, 0, 0, 0, 0], { targetMean: 100, targetDeviation: 20 });
    const regression = importanceOf(partsOf({ trainer: "linear", preparation, weights: scaled, task: "regression" }));
    expect(regression.features[0]?.coefficients?.[0]).toEqual({ column: "x", values: [30] });
  });

  it("is led by how much the answers change, where that is known", () => {
    const weights = weightsOf([1.5, 0.25, -0.5, 2, -0.125, 9]);
    const found = importanceOf(partsOf({ trainer: "linear", preparation, weights, answers: { x: 0.7, c: 0.3 } }));
    expect(found.features.map(({ feature, answerShare }) => [feature, answerShare])).toEqual([
      ["x", 0.7],
      ["c", 0.3],
    ]);
  });

  it("of other trainers is the change of the answers alone, and says why where there is none", () => {
    const mlp = importanceOf(partsOf({ trainer: "mlp", preparation, answers: { x: 1 } }));
    expect(mlp.features).toEqual([{ feature: "x", answerShare: 1 }]);
    const none = importanceOf(partsOf({ trainer: "majority", preparation }));
    expect(none).toMatchObject({ features: [], reason: expect.stringContaining('"majority"') });
    const forecast = importanceOf(partsOf({ trainer: "forecast", preparation, task: "forecast" }));
    expect(forecast).toMatchObject({ features: [], reason: expect.stringContaining("history") });
  });
});
