/** Strategies through the whole loop: a model that starts from another model's layers, its provenance, its reproduction, its errors. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, mlp, transfer, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS } from "../../src/core/index.ts";
import { parseManifest } from "../../src/model/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);
const shared = {
  id: "part",
  time: "at",
  features: { scan: f.vector(8) },
  data: { minRows: 60, holdout: { minRows: 30 } },
  retrain: { when: when.newLabels(100_000), cooldown: "1h", maxPerDay: 50 },
  gates: [gate.betterThanBaseline("logLoss")],
  trainer: mlp({ hidden: [16], epochs: 60 }),
} as const;
const shapes = defineModel({
  ...shared,
  name: "shapes",
  task: "multiclass",
  label: f.category("a", "b", "c", "d"),
});
/** The same scans, another question, few answers. */
const defects = defineModel({
  ...shared,
  name: "defects",
  task: "binary",
  label: f.boolean(),
  retrain: { ...shared.retrain, how: transfer({ from: "shapes@champion", freeze: ["hidden1"] }) },
});
const wide = defineModel({ ...defects, name: "wide", features: { scan: f.vector(9) } });
const lost = defineModel({
  ...defects,
  name: "lost",
  retrain: { ...shared.retrain, how: transfer({ from: "shapes@v9" }) },
});
const size = defineModel({
  ...defects,
  name: "size",
  task: "regression",
  label: f.number(),
  gates: [gate.betterThanBaseline("mae")],
});

/** Two parities of pairs of the vector make four shapes; a defect is one of them turned around. */
function rows(count: number, seed: number, label: (shape: number) => unknown, width = 8) {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const scan = Array.from({ length: width }, () => random.nextFloat() * 2 - 1);
    const isAlike = (j: number) => ((scan[j] as number) > 0 === (scan[j + 1] as number) > 0 ? 1 : 0);
    return {
      part: `${seed}-${i}`,
      at: START - 20 * DAY_MS + i * 60_000,
      scan,
      label: label(2 * isAlike(0) + isAlike(2)),
    };
  });
}
const readings = (list: readonly Record<string, unknown>[]) => list.map((row, i) => ({ rowNumber: i + 1, row }));

describe("a model that starts from another model's layers", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [shapes, defects, wide, lost, size] }), START);
    const ingest = (model: string, list: ReturnType<typeof rows>) =>
      test.loop.ingest({ model, form: "observation", origin: "http", rows: readings(list) });
    await ingest(
      "shapes",
      rows(2_000, 1, (shape) => "abcd"[shape]),
    );
    for (const model of ["defects", "lost"])
      await ingest(
        model,
        rows(160, 2, (shape) => shape === 2),
      );
    await ingest(
      "wide",
      rows(160, 2, (shape) => shape === 2, 9),
    );
    await ingest(
      "size",
      rows(160, 2, (shape) => shape),
    );
  }, 60_000);
  afterAll(async () => test.dispose());

  const run = async (model: string) => {
    const started = await test.loop.requestRun(model, { reason: "a test", actor: "somebody" });
    await test.engine.wait(started.run.id);
    return await test.store.runs.get(started.run.id);
  };

  it("fails clearly while there is nothing to start from, and says what there is", async () => {
    expect((await run("defects"))?.error).toMatchObject({
      code: "TRANSFER_BASE_UNFIT",
      message: "There is no shapes@champion to start from: shapes has no version yet.",
    });
  }, 60_000);

  it("trains from the other model's champion, and its manifest says so", async () => {
    expect((await run("shapes"))?.state).toBe("promoted");
    const ran = await run("defects");
    expect(ran?.error).toBeUndefined();
    expect(ran).toMatchObject({ state: "promoted", strategy: "transfer", version: "v1" });
    expect(ran?.steps.find(({ step }) => step === "train")?.input).toContain("mlp transfer, from shapes@v1");
    const record = await test.store.registry.get("defects", "v1");
    const manifestOf = async (artifact: string) =>
      parseManifest(Buffer.from(await test.objects.get(`artifacts/${artifact}/manifest.json`)).toString("utf8"));
    const manifest = await manifestOf(record?.artifact as string);
    const base = await manifestOf((await test.store.registry.get("shapes", "v1"))?.artifact as string);
    expect(manifest).toMatchObject({
      strategy: "transfer",
      base: base.modelHash,
      transfer: { from: "shapes@v1", freeze: ["hidden1"] },
    });
    expect(manifest.chain).toBeUndefined();
  }, 60_000);

  it("reproduces the version and the one below it", async () => {
    expect(await test.loop.reproduce("defects", "v1")).toMatchObject({
      equal: true,
      bases: [{ version: "shapes@v1", equal: true }],
    });
  }, 60_000);

  it("refuses a base of another shape, of another task, or that is not there", async () => {
    const errorOf = async (model: string) => (await run(model))?.error;
    expect(await errorOf("wide")).toMatchObject({
      code: "TRANSFER_BASE_UNFIT",
      message: 'wide cannot start from shapes@v1: its feature "scan" has 8 values, this model\'s has 9.',
    });
    expect(await errorOf("size")).toMatchObject({
      code: "TRANSFER_BASE_UNFIT",
      message: expect.stringContaining("its task is multiclass, this model's is regression"),
    });
    expect(await errorOf("lost")).toMatchObject({
      code: "TRANSFER_BASE_UNFIT",
      message: "There is no shapes@v9 to start from: shapes has v1.",
    });
    await expect(
      test.loop.requestRun("shapes", { reason: "a test", actor: "somebody", strategy: "transfer" }),
    ).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  }, 60_000);

  it("counts the versions since the last full training of a warm start", async () => {
    const started = await test.loop.requestRun("shapes", { reason: "a test", actor: "x", strategy: "warm-start" });
    await test.engine.wait(started.run.id);
    const ran = await test.store.runs.get(started.run.id);
    const record = await test.store.registry.get("shapes", ran?.version as string);
    const manifest = await test.objects.get(`artifacts/${record?.artifact}/manifest.json`);
    expect(parseManifest(Buffer.from(manifest).toString("utf8"))).toMatchObject({ strategy: "warm-start", chain: 1 });
  }, 60_000);
});
