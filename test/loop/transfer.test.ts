import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, linear, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, type Json, type JsonObject, sha256Hex } from "../../src/core/index.ts";
import { signingKey } from "../../src/loop/transfer.ts";
import { packVersion, unpackVersion } from "../../src/model/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);
const definition = (name: string, bar: number) =>
  defineModel({
    name,
    task: "binary",
    id: "customer",
    time: "at",
    features: { x: f.number(), job: f.category() },
    label: f.boolean(),
    trainer: linear({ epochs: 5 }),
    data: { minRows: 300 },
    retrain: { when: when.manual() },
    gates: [gate.atLeast("accuracy", bar)],
  });
const other = defineModel({
  name: "other",
  task: "binary",
  features: { x: f.category(), age: f.number() },
  label: f.boolean(),
});

function rows(count: number, seed: number) {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const x = random.nextFloat() * 4 - 2;
    const job = ["clerk", "nurse"][random.nextInt(2)] as string;
    const label = random.nextFloat() < 1 / (1 + Math.exp(-3 * x));
    return { rowNumber: i + 1, row: { customer: `${seed}-${i}`, at: START - 5 * DAY_MS + i * 60_000, x, job, label } };
  });
}

describe("a version between two servers", () => {
  let dev: TestLoop;
  let prod: TestLoop;
  let archive: Uint8Array;
  beforeAll(async () => {
    dev = await openTestLoop(defineConfig({ models: [definition("purchases", 0.6)], alerts: [] }), START);
    const trust = [await dev.loop.exportKey()];
    const models = [definition("purchases", 0.6), definition("strict", 0.99), definition("empty", 0.6), other];
    prod = await openTestLoop(defineConfig({ models, alerts: [], imports: { trust } }), START + 60_000);
    await dev.loop.ingest({ model: "purchases", form: "observation", origin: "test", rows: rows(1_000, 1) });
    const { run } = await dev.loop.requestRun("purchases", { reason: "first", actor: "test" });
    await dev.engine.wait(run.id);
    expect((await dev.store.registry.champion("purchases"))?.name).toBe("v1");
    for (const model of ["purchases", "strict"])
      await prod.loop.ingest({ model, form: "observation", origin: "test", rows: rows(1_200, 2) });
    archive = await dev.loop.exportVersion("purchases", "v1");
  }, 60_000);
  afterAll(async () => {
    await dev?.dispose();
    await prod?.dispose();
  });

  const importInto = async (model: string, bytes = archive) => {
    const imported = await prod.loop.importVersion(model, bytes, "operator");
    if (imported.runId !== null) await prod.engine.wait(imported.runId);
    return { ...imported, run: await prod.store.runs.get(imported.runId ?? "") };
  };

  it("is judged by the target's own gate on the target's rows, and goes live there", async () => {
    const { version, run, signedBy } = await importInto("purchases");
    expect(signedBy).toBe(await dev.loop.exportKey());
    expect(version).toMatchObject({
      name: "v1",
      imported: { model: "purchases", version: "v1" },
      gate: { outcome: "hold" },
    });
    expect(run).toMatchObject({ state: "promoted", version: "v1", cause: { trigger: "import" } });
    expect(run?.gate?.checks[0]?.gate).toBe("atLeast(accuracy, 0.6)");
    const [here, there] = [
      await prod.store.registry.champion("purchases"),
      await dev.store.registry.champion("purchases"),
    ];
    expect(here).toMatchObject({
      artifact: there?.artifact,
      trainedThrough: there?.trainedThrough,
      gate: { outcome: "promote" },
    });
    const row = { x: 0.4, job: "nurse" };
    const ask = async (test: TestLoop) =>
      (await test.loop.predict({ model: "purchases", rows: [row], log: false })).predictions[0]?.score;
    expect(await ask(prod)).toBe(await ask(dev));
    const audit = await prod.store.settings.auditLog({ limit: 20 });
    expect(audit.find(({ action }) => action === "version.import")).toMatchObject({
      actor: "operator",
      subject: "purchases/v1",
    });
  }, 60_000);

  it("is the same version when it is imported twice", async () => {
    const { version, runId } = await importInto("purchases");
    expect(version.name).toBe("v1");
    expect(runId).toBeNull();
    expect(await prod.store.registry.list("purchases")).toHaveLength(1);
  });

  it("stays a candidate where the target's gate refuses it or there are no rows to judge it on", async () => {
    expect((await importInto("strict")).run).toMatchObject({ state: "rejected" });
    expect(await prod.store.registry.champion("strict")).toBeUndefined();
    expect((await importInto("empty")).run).toMatchObject({ state: "stopped", error: { code: "DATASET_TOO_SMALL" } });
    await prod.loop.promote("empty", "v1", "operator", "no rows here yet");
    expect((await prod.store.registry.champion("empty"))?.name).toBe("v1");
  }, 60_000);

  it("is refused with every difference of the definitions and what to do", async () => {
    await expect(importInto("other")).rejects.toMatchObject({
      code: "IMPORT_REFUSED",
      message: expect.stringMatching(
        /feature "x" is a number, here it is a category; it needs the feature "job" .*; it does not know the feature "age"/,
      ),
      remedy: expect.stringMatching(
        /^Define "x" here as f\.number, as it was trained\. Add "job" to the features of other as f\.category\. Take "age" out of the features here, .*revision/,
      ),
    });
    expect(await prod.store.registry.list("other")).toEqual([]);
  });

  it("is refused by dependencies this server lacks, naming each", async () => {
    const key = await signingKey(dev.directory);
    const { description, files } = unpackVersion(archive, [key.publicKey]);
    const dependencies = { retrain: "99.1.0", node: "20.19.0", artifactFormat: 1, trainer: "oracle" };
    const newer = packVersion({ ...description, dependencies }, files, key);
    await expect(importInto("purchases", newer)).rejects.toMatchObject({
      code: "IMPORT_REFUSED",
      message: expect.stringMatching(/made by retrain 99\.1\.0; this server runs .* trained by "oracle"/),
      remedy: expect.stringContaining("Install retrain 99.1.0 or newer here."),
    });
  });

  it("is refused when this server does not trust its signer", async () => {
    await expect(
      dev.loop.importVersion("purchases", await prod.loop.exportVersion("purchases", "v1"), "x"),
    ).rejects.toMatchObject({
      code: "IMPORT_UNTRUSTED",
    });
  });

  it("is refused when its model answers its probes differently, although all hashes fit", async () => {
    const key = await signingKey(dev.directory);
    const { description, files } = unpackVersion(archive, [key.publicKey]);
    const json = <T>(name: string) => JSON.parse(Buffer.from(files.get(name) as Uint8Array).toString("utf8")) as T;
    const probes = Buffer.from(
      JSON.stringify({
        probes: json<{ probes: object[] }>("artifact/probes.json").probes.map((one: object) => ({
          ...one,
          scores: [0.5, 0.5],
        })),
      }),
    );
    const manifest = json<{ files: Record<string, Json> }>("artifact/manifest.json");
    manifest.files["probes.json"] = { sha256: sha256Hex(probes), sizeBytes: probes.byteLength };
    const text = Buffer.from(JSON.stringify(manifest));
    const altered = new Map(files).set("artifact/probes.json", probes).set("artifact/manifest.json", text);
    const record = { ...(description["record"] as JsonObject), artifact: sha256Hex(text) };
    await expect(importInto("purchases", packVersion({ ...description, record }, altered, key))).rejects.toMatchObject({
      code: "PROBE_MISMATCH",
    });
  });
});
