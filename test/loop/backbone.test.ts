/** A head behind a backbone through the whole product: trained, gated, served by a hosted process, explained, exported, reproduced. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode as encodePng } from "fast-png";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  best,
  defineConfig,
  defineModel,
  f,
  gate,
  linear,
  mlp,
  onnx,
  resolveConfig,
  transfer,
  when,
} from "../../src/config/index.ts";
import { createRandom, DAY_MS, sha256Hex, silentLogger, systemClock } from "../../src/core/index.ts";
import { inspectOnnx, readArtifact } from "../../src/model/index.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { registerWithFalseProbes } from "./support/false-probes.ts";
import { runCommand } from "../cli/support.ts";
import { convolution, picture, SHAPES } from "../model/onnx/backbones.ts";

const START = Date.UTC(2026, 0, 1);
const BACKBONE = convolution({ channels: 1, size: 8, filters: 12 });
const home = mkdtempSync(join(tmpdir(), "retrain-backbone-loop-"));
const file = join(home, "backbone.onnx");
writeFileSync(file, BACKBONE);

const embed = onnx(file, { mean: 0.3, deviation: 0.3 });
const shared = {
  id: "picture",
  time: "at",
  features: { photo: f.image({ width: 8, height: 8 }), size: f.number() },
  data: { minRows: 300 },
  retrain: { when: when.manual(), cooldown: "0s", maxPerDay: 100 },
} as const;
const shapes = {
  ...shared,
  task: "multiclass",
  label: f.category(),
  gates: [gate.betterThanBaseline("logLoss")],
} as const;
const models = () => [
  defineModel({ ...shapes, name: "shapes", trainer: mlp({ hidden: [16], epochs: 30, dropout: 0.1, embed }) }),
  defineModel({
    ...shapes,
    name: "rings",
    trainer: mlp({ hidden: [16], epochs: 20, embed }),
    retrain: { ...shared.retrain, how: transfer({ from: "shapes@champion", freeze: ["hidden1"] }) },
  }),
  defineModel({
    ...shapes,
    name: "several",
    trainer: mlp({ hidden: [16], epochs: 20 }),
    retrain: {
      ...shared.retrain,
      how: best({ of: [{ trainer: linear({ embed }) }, { trainer: linear({ epochs: 3 }) }] }),
    },
  }),
];

const random = createRandom(4);
const photo = (shape: (typeof SHAPES)[number]) =>
  Buffer.from(encodePng({ width: 8, height: 8, channels: 1, data: picture(shape, random) })).toString("base64");
function rows(count: number, from = START - 20 * DAY_MS) {
  return Array.from({ length: count }, (_, i) => {
    const label = SHAPES[random.nextInt(3)] as (typeof SHAPES)[number];
    const missing = random.nextInt(40) === 0;
    const at = from + i * 60_000;
    return { picture: `p${i}`, at, photo: missing ? null : photo(label), size: random.nextInt(100), label };
  });
}

describe("a head behind a backbone", () => {
  let test: TestLoop;
  let server: Server;
  let url: string;
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: models(), alerts: [] }), START);
    server = await createServer({ loop: test.loop, systemClock, logger: silentLogger, replay: true });
    ({ url } = await server.listen({ host: "127.0.0.1", port: 0 }));
    const list = rows(1_200).map((row, i) => ({ rowNumber: i + 1, row }));
    for (const model of ["shapes", "rings", "several"])
      await test.loop.ingest({ model, form: "observation", origin: "test", rows: list });
  }, 120_000);
  afterAll(async () => {
    await server?.close();
    await test?.dispose();
    rmSync(home, { recursive: true, force: true });
  });
  const train = async (model: string, strategy?: "full" | "warm-start") => {
    const asked = { reason: "a test", actor: "test", ...(strategy === undefined ? {} : { strategy }) };
    const { run } = await test.loop.requestRun(model, asked);
    await test.engine.wait(run.id);
    const done = await test.store.runs.get(run.id);
    expect(done?.error).toBeUndefined();
    return done;
  };
  const artifactOf = async (model: string, version: string) => {
    const record = await test.store.registry.get(model, version);
    return readArtifact((name) => test.objects.get(`artifacts/${record?.artifact}/${name}`), record?.artifact);
  };
  const ask = async (row: object, trace = false) => {
    const url = `/api/v1/models/shapes/predict?log=0&trace=${trace ? 1 : 0}`;
    const answer = await server.app.inject({ method: "POST", url, payload: { rows: [row] } });
    expect(answer.statusCode).toBe(200);
    return (answer.json() as { predictions: readonly Record<string, unknown>[] }).predictions[0] as Record<
      string,
      unknown
    >;
  };

  it("is trained on the vectors and goes live; the version carries the file", { timeout: 120_000 }, async () => {
    const run = await train("shapes");
    expect(run).toMatchObject({ state: "promoted", version: "v1" });
    expect(run?.steps.find(({ step }) => step === "prepare")?.output).toContain("108 of them by the backbone");
    const { manifest, preparation, weights } = await artifactOf("shapes", "v1");
    expect(manifest.embed).toEqual({ sha256: sha256Hex(BACKBONE), size: 108 });
    expect(preparation.embed?.column).toBe("photo");
    expect(Buffer.from(weights.arrays["backbone"] as Uint8Array).equals(Buffer.from(BACKBONE))).toBe(true);
    const record = await test.store.registry.get("shapes", "v1");
    expect(record?.metrics["accuracy"]).toBeGreaterThan(0.8);
  });

  it("answers over HTTP from a process of its own, many at once and one alone alike, and explains itself", {
    timeout: 60_000,
  }, async () => {
    const asked = SHAPES.map((shape) => ({ photo: photo(shape), size: 10 }));
    const together = await Promise.all(asked.map((row) => ask(row)));
    expect(together.map(({ decision }) => decision)).toEqual([...SHAPES]);
    for (const [i, row] of asked.entries()) {
      const alone = (await ask(row))["probabilities"] as Record<string, number>;
      for (const shape of SHAPES) {
        expect(alone[shape]).toBeCloseTo(
          ((together[i] as Record<string, unknown>)["probabilities"] as Record<string, number>)[shape] as number,
          5,
        );
      }
    }
    const { trace, decision } = await ask(asked[1] as object, true);
    const lines = (trace as { prepared: readonly { column: string; columns?: number }[] }).prepared;
    expect(decision).toBe("cross");
    expect(lines.map(({ column, columns }) => [column, columns])).toEqual([
      ["size", undefined],
      ["photo#0", 108],
    ]);
    // Nothing to see: the answer is that of an average picture, and no error.
    expect((await ask({ size: 10 }))["decision"]).toBeTypeOf("string");
  });

  it("answers the same on the command line, trace and all", { timeout: 60_000 }, async () => {
    const row = JSON.stringify({ photo: photo("ring"), size: 5 });
    const answer = await runCommand("predict", "shapes", row, "--no-log", "--json", "--url", url);
    expect(JSON.parse(answer.stdout)).toMatchObject({ ok: true, data: { decision: "ring", version: "v1" } });
    const shown = await runCommand("predict", "shapes", row, "--no-log", "--trace", "--url", url);
    expect(shown.stdout).toContain("photo#0");
  });

  it("survives the loss of its file: reproduced, exported, started again, trained again", {
    timeout: 180_000,
  }, async () => {
    rmSync(file);
    expect(await test.loop.reproduce("shapes", "v1")).toMatchObject({ equal: true });
    const exported = await test.loop.exportOnnx("shapes", "v1");
    expect(
      inspectOnnx(exported)
        .inputs.map(({ name }) => name)
        .sort(),
    ).toEqual(["photo", "size"]);
    const spec = resolveConfig(defineConfig({ models: models(), alerts: [], storage: { dir: test.directory } }), {
      folder: test.directory,
      environment: {},
      flags: {},
    });
    expect(spec.models[0]?.trainer.embed?.sha256).toBe(sha256Hex(BACKBONE));
    const run = await train("shapes", "warm-start");
    expect(run?.state).toMatch(/promoted|rejected|held/);
    const { manifest } = await artifactOf("shapes", "v2");
    expect(manifest).toMatchObject({ strategy: "warm-start", chain: 1, embed: { sha256: sha256Hex(BACKBONE) } });
  });

  it("has a learning curve, and unlabelled pictures to ask people about", { timeout: 120_000 }, async () => {
    const curve = await test.loop.labeling.drawCurve("shapes");
    const random = curve.random;
    expect(random.at(-1)?.value).toBeLessThan(random[0]?.value as number);
    const list = SHAPES.map((shape, i) => ({
      rowNumber: i + 1,
      row: { picture: `new-${i}`, at: START - DAY_MS, photo: photo(shape), size: 3 },
    }));
    for (const { row } of list) {
      await test.loop.predict({ model: "shapes", rows: [{ ...row }] });
    }
    const batch = await test.loop.labeling.build("shapes", { count: 2, actor: "test" });
    expect(batch).toMatchObject({ model: "shapes", strategy: "margin", picked: 2 });
    // The members of its committee stand behind the backbone too.
    const rest = await test.loop.labeling.build("shapes", { count: 1, strategy: "committee", actor: "test" });
    expect(rest).toMatchObject({ model: "shapes", strategy: "committee", picked: 1 });
  });

  it("lends its hidden layers to another head behind the same backbone", { timeout: 120_000 }, async () => {
    const run = await train("rings");
    expect(run).toMatchObject({ state: "promoted" });
    const [from, to] = [await artifactOf("shapes", "v1"), await artifactOf("rings", "v1")];
    expect(to.manifest.transfer).toMatchObject({ freeze: ["hidden1"] });
    const champion = (await test.store.registry.champion("shapes"))?.name as string;
    const base = champion === "v1" ? from : await artifactOf("shapes", champion);
    expect(to.weights.arrays["hidden1.weights"]).toEqual(base.weights.arrays["hidden1.weights"]);
    expect(to.weights.arrays["output.weights"]).not.toEqual(base.weights.arrays["output.weights"]);
  });

  it("wins against a model of pixels among several ways of training, and is reproduced", {
    timeout: 120_000,
  }, async () => {
    const run = await train("several");
    expect(run).toMatchObject({ state: "promoted" });
    const { manifest } = await artifactOf("several", "v1");
    expect(manifest).toMatchObject({ trainer: "linear", embed: { size: 108 } });
    expect(await test.loop.reproduce("several", "v1")).toMatchObject({ equal: true });
  });

  it("moves to another server, which has no file of its own", { timeout: 120_000 }, async () => {
    const archive = await test.loop.exportVersion("shapes", "v1");
    const target = defineModel({ ...shapes, name: "shapes", trainer: mlp({ hidden: [16], epochs: 5 }) });
    const trust = [await test.loop.exportKey()];
    const other = await openTestLoop(
      defineConfig({ models: [target], alerts: [], imports: { trust } }),
      START + 60_000,
    );
    try {
      const list = rows(600, START - 2 * DAY_MS).map((row, i) => ({ rowNumber: i + 1, row }));
      await other.loop.ingest({ model: "shapes", form: "observation", origin: "test", rows: list });
      const { runId } = await other.loop.importVersion("shapes", archive, "operator");
      await other.engine.wait(runId as string);
      expect(await other.store.runs.get(runId as string)).toMatchObject({ state: "promoted", version: "v1" });
      const row = { photo: photo("bar"), size: 1 };
      const answer = await other.loop.predict({ model: "shapes", rows: [row], log: false });
      expect(answer.predictions[0]?.decision).toBe("bar");
    } finally {
      await other.dispose();
    }
  });

  it("is refused when it does not give the answers it gave when it was made", { timeout: 60_000 }, async () => {
    const champion = await test.store.registry.champion("shapes");
    const name = await registerWithFalseProbes(test, champion as NonNullable<typeof champion>);
    const promoted = test.loop.promote("shapes", name, "test", "by hand");
    await expect(promoted).rejects.toMatchObject({ code: "PROBE_MISMATCH" });
    expect(await test.store.registry.champion("shapes")).toEqual(champion);
  });
});
