/** `retrain.how`: what is read, and what is refused with which words. */
import { describe, expect, it } from "vitest";
import { best, defineModel, f, gbdt, linear, mlp, resolveConfig, transfer } from "../../src/config/index.ts";

const plain = { name: "m", task: "binary", features: { a: f.number() }, label: f.boolean() } as const;
const resolve = (model: unknown) => resolveConfig({ models: [model] }, { folder: "/", environment: {}, flags: {} });
const messageOf = (model: unknown): string => {
  try {
    resolve(model);
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing was refused";
};

describe("retrain.how", () => {
  it("is full unless something else is said, and says where it comes from", () => {
    const { models, origins } = resolve(plain);
    expect(models[0]?.retrain.how).toBe("full");
    expect(origins["models.m.retrain.how"]).toBe("default");
  });

  it("reads a transfer and the ways of best, filling in the model's own trainer", () => {
    const moved = defineModel({
      ...plain,
      trainer: mlp({ hidden: [8, 4] }),
      retrain: { how: transfer({ from: "other@v3", freeze: ["hidden2"] }) },
    });
    expect(resolve(moved).models[0]?.retrain).toMatchObject({
      how: "transfer",
      transfer: { from: { model: "other", version: "v3" }, freeze: ["hidden2"] },
    });
    const tried = defineModel({
      ...plain,
      trainer: linear(),
      retrain: { how: best({ of: ["full", "warm-start", { trainer: gbdt({ epochs: 5 }) }], budget: "10m" }) },
    });
    const { retrain } = resolve(tried).models[0] as NonNullable<ReturnType<typeof resolve>["models"][0]>;
    expect(retrain.best?.of.map(({ how, trainer }) => `${trainer.name} ${how}`)).toEqual([
      "linear full",
      "linear warm-start",
      "gbdt full",
    ]);
    expect(retrain.best?.budgetMs).toBe(600_000);
  });

  it("refuses what cannot be done, and names what can", () => {
    const how = (value: unknown, more: object = {}) => messageOf({ ...plain, ...more, retrain: { how: value } });
    const network = { trainer: mlp({ hidden: [8] }) };
    expect(how("finetune")).toContain('"full", "warm-start", "incremental"');
    expect(how({ kind: "distill" })).toContain("transfer({ from, freeze })");
    expect(how({ kind: "transfer", from: "other" }, network)).toContain('such as "digits@champion"');
    expect(how({ kind: "transfer", from: "m@champion" }, network)).toContain("the model itself");
    expect(how({ kind: "transfer", from: "o@v1" }, { trainer: linear() })).toContain(
      'the trainer "linear" can only do full, warm-start, incremental',
    );
    expect(how({ kind: "transfer", from: "o@v1", freeze: ["hidden2"] }, network)).toContain('Closest: "hidden1"');
    expect(how({ kind: "transfer", from: "o@v1", freeze: ["output"] }, network)).toContain("the head is new");
    expect(how({ kind: "best", of: ["full"] })).toContain("a list of at least 2");
    expect(how({ kind: "best", of: ["full", "full"] })).toContain("twice");
    expect(how({ kind: "best", of: ["full", { how: "incremental", trainer: gbdt() }] })).toContain(
      'the trainer "gbdt"',
    );
  });
});
