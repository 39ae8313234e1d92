/** A model of an external trainer through the whole loop: trained by a program, gated, promoted, served by a process of its own. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command, defineConfig, defineModel, f, gate, linear, when } from "../../src/config/index.ts";
import { createRandom } from "../../src/core/index.ts";
import { GraphBuilder } from "../../src/model/onnx/graph.ts";
import { inspectOnnx } from "../../src/model/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { registerWithFalseProbes } from "./support/false-probes.ts";

const PROGRAM = fileURLToPath(new URL("../job/support/external-trainer.mjs", import.meta.url));
const START = Date.UTC(2026, 0, 1);

/** @param fills whether the graph fills a missing x; without that its answer is NaN */
function logistic(fills = true): Uint8Array {
  const graph = new GraphBuilder();
  graph.input("x", "float");
  graph.input("kind", "string");
  const isA = graph.node(
    "Cast",
    [graph.node("Equal", ["kind", graph.constant({ type: "string", dims: [1], values: ["a"] })])],
    {
      to: { int: 1 },
    },
  );
  const filled = fills ? graph.node("Where", [graph.node("IsNaN", ["x"]), graph.scalar("float", 0), "x"]) : "x";
  const score = graph.node("Add", [graph.node("Mul", [filled, graph.scalar("float", 2)]), isA]);
  graph.node("Sigmoid", [score], {}, { output: "probability" });
  graph.output("probability", "float", 1);
  return graph.encode({ name: "logistic", producer: "test", notes: {} });
}

describe("an external trainer in the loop", () => {
  let home: string;
  let test: TestLoop;
  const params: Record<string, string> = {};

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "retrain-external-loop-"));
    const model = join(home, "model.onnx");
    await writeFile(model, logistic());
    const define = (name: string, how: string) =>
      defineModel({
        name,
        task: "binary",
        id: "id",
        features: { x: f.number(), kind: f.category() },
        label: f.boolean(),
        trainer: command({ run: ["node", PROGRAM], format: "csv", params: { how, model, ...params } }),
        data: { minRows: 300 },
        retrain: { when: when.manual(), cooldown: "0s", maxPerDay: 100 },
        gates: [gate.betterThanBaseline("logLoss")],
      });
    const ours = (name: string) =>
      defineModel({
        name,
        task: "binary",
        id: "id",
        features: { x: f.number(), kind: f.category() },
        label: f.boolean(),
        trainer: linear({ epochs: 3 }),
        data: { minRows: 300 },
        retrain: { when: when.manual(), cooldown: "0s", maxPerDay: 100 },
        gates: [gate.betterThanBaseline("logLoss")],
      });
    const models = [define("served", "model"), define("compared", "predictions"), ours("made"), ours("empty")] as const;
    test = await openTestLoop(defineConfig({ models }), START);
    const random = createRandom(1);
    const rows = Array.from({ length: 600 }, (_, i) => {
      const x = random.nextFloat() * 4 - 2;
      const kind = random.nextFloat() < 0.5 ? "a" : "b";
      const p = 1 / (1 + Math.exp(-2 * x - (kind === "a" ? 1 : 0)));
      return { rowNumber: i + 1, row: { id: `r${i}`, x, kind, label: random.nextFloat() < p } };
    });
    for (const { name } of models.slice(0, 3))
      await test.loop.ingest({ model: name, form: "observation", origin: "test", rows });
  });
  afterAll(async () => {
    await test.dispose();
    await rm(home, { recursive: true, force: true });
  });
  const train = async (name: string) => {
    const { run } = await test.loop.requestRun(name, { reason: "test", actor: "test" });
    await test.engine.wait(run.id);
    return (await test.store.runs.get(run.id)) as NonNullable<Awaited<ReturnType<typeof test.store.runs.get>>>;
  };

  it("is trained, promoted and served; many callers share batches", { timeout: 120_000 }, async () => {
    const run = await train("served");
    expect(run).toMatchObject({ state: "promoted", version: "v1" });
    expect((await test.store.runs.trace(run.id)).map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    // The program is handed the features as they are; what ours prepare would be none.
    expect(run.steps.find(({ step }) => step === "prepare")).toMatchObject({
      input: "600 × 2",
      output: expect.stringMatching(/, holdout \d+ × 2$/),
    });
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        test.loop.predict({
          model: "served",
          rows: [{ x: i / 100, kind: i % 2 === 0 ? "a" : "never seen" }],
          log: false,
        }),
      ),
    );
    answers.forEach(({ predictions }, i) => {
      const wanted = 1 / (1 + Math.exp(-2 * Math.fround(i / 100) - (i % 2 === 0 ? 1 : 0)));
      expect(predictions[0]?.score).toBeCloseTo(wanted, 5);
    });
  });

  it("traces an answer back to its input, and refuses a bad row by its place", async () => {
    const [row] = (await test.loop.predict({ model: "served", rows: [{ x: null, kind: "b" }], trace: true }))
      .predictions;
    expect(row?.score).toBeCloseTo(0.5, 6);
    expect(row?.trace?.prepared.map(({ from }) => from)).toEqual(["x", "kind"]);
    const bad = test.loop.predict({
      model: "served",
      rows: [
        { x: 1, kind: "a" },
        { x: "one", kind: "a" },
      ],
    });
    await expect(bad).rejects.toMatchObject({ code: "ROW_INVALID" });
  });

  it("scores labelled rows that nobody asked about before they can train", async () => {
    test.clock.advanceTo(test.clock.now() + 3_600_000);
    const rows = [{ rowNumber: 1, row: { id: "late", x: 1, kind: "a", label: true } }];
    await test.loop.ingest({ model: "served", form: "observation", origin: "test", rows });
    await test.loop.tick("served", test.clock.now());
    const [found] = await test.store.log.findPredictions("served", { exampleIds: ["late"] });
    expect(found).toMatchObject({ origin: "system", version: "v1" });
    expect(found?.scores[1]).toBeCloseTo(1 / (1 + Math.exp(-3)), 5);
  });

  it("may leave and come in as a file: a version of ours is exported as ONNX and imported as a first champion", {
    timeout: 120_000,
  }, async () => {
    await expect(test.loop.importOnnx("empty", logistic(), "operator")).rejects.toMatchObject({
      code: "DATASET_EMPTY",
    });
    await expect(test.loop.importOnnx("made", new Uint8Array(9), "operator")).rejects.toMatchObject({
      code: "MODEL_INVALID",
    });
    await expect(test.loop.importOnnx("made", logistic(false), "operator")).rejects.toMatchObject({
      code: "OUTPUT_INVALID",
      message:
        "The imported ONNX model answers NaN for a row whose every feature is missing; a finite number is expected.",
      remedy: expect.stringContaining("fill them inside the graph"),
    });
    const { version, runId } = await test.loop.importOnnx("made", logistic(), "operator");
    expect(version).toMatchObject({ name: "v1", trainer: "command", imported: { model: "onnx" } });
    await test.engine.wait(runId as string);
    const judged = await test.store.runs.get(runId as string);
    expect(judged).toMatchObject({ state: "promoted", version: "v1" });
    expect(judged?.gate?.checks[0]?.rows).toBeGreaterThan(100);
    const answer = await test.loop.predict({ model: "made", rows: [{ x: 1, kind: "a" }], log: false });
    expect(answer.predictions[0]?.score).toBeCloseTo(1 / (1 + Math.exp(-3)), 5);
    // The file that came in leaves as it came; a version trained here leaves as ONNX too, and is a better second version.
    expect(await test.loop.exportOnnx("made", "v1")).toEqual(logistic());
    const again = await train("made");
    const exported = await test.loop.exportOnnx("made", again.version as string);
    expect(inspectOnnx(exported).inputs.map(({ name, type }) => [name, type])).toEqual([
      ["x", "float32"],
      ["kind", "string"],
    ]);
    const twice = await test.loop.importOnnx("made", logistic(), "operator");
    expect(twice.version.name).toBe("v1");
  });

  it("that leaves predictions only is compared and refused, and cannot be promoted by hand", {
    timeout: 120_000,
  }, async () => {
    const run = await train("compared");
    expect(run.state).toBe("rejected");
    expect(run.gate?.reason).toMatch(/predictions and no model/);
    await expect(test.loop.promote("compared", "v1", "test", "by hand")).rejects.toMatchObject({
      code: "PREDICTIONS_ONLY",
    });
  });

  it("is refused when it does not give the answers it gave when it was made", { timeout: 60_000 }, async () => {
    const champion = await test.store.registry.champion("served");
    const name = await registerWithFalseProbes(test, champion as NonNullable<typeof champion>);
    const promoted = test.loop.promote("served", name, "test", "by hand");
    await expect(promoted).rejects.toMatchObject({ code: "PROBE_MISMATCH" });
    expect(await test.store.registry.champion("served")).toEqual(champion);
  });
});
