import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { defineConfig, defineModel, f, gate, linear, when } from "../../src/config/index.ts";
import { canonicalJson, createRandom, sha256Hex, systemClock } from "../../src/core/index.ts";
import { LiveModels } from "../../src/deploy/live-models.ts";
import { loadChampion } from "../../src/loop/champions.ts";
import { materializeArtifact } from "../../src/loop/steps/job.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";

const START = Date.UTC(2026, 0, 1);
const model = defineModel({
  name: "m",
  task: "regression",
  id: "id",
  features: { x: f.number() },
  label: f.number(),
  trainer: linear({ epochs: 3 }),
  data: { minRows: 300 },
  retrain: { when: when.manual(), cooldown: "0s", maxPerDay: 100 },
  gates: [gate.betterThanBaseline("mae")],
});

describe("loading the champion", () => {
  let test: TestLoop;
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [model] }), START);
    const random = createRandom(1);
    const rows = Array.from({ length: 700 }, (_, i) => {
      const x = random.nextFloat() * 4 - 2;
      return { rowNumber: i + 1, row: { id: `r${i}`, x, label: 3 * x + random.nextFloat() } };
    });
    for (const part of [rows.slice(0, 400), rows.slice(400)]) {
      await test.loop.ingest({ model: "m", form: "observation", origin: "test", rows: part });
      const { run } = await test.loop.requestRun("m", { reason: "version", actor: "test" });
      await test.engine.wait(run.id);
      // A second version needs its own gate; promoting by hand makes the test about loading alone.
      const version = (await test.store.runs.get(run.id))?.version as string;
      await test.loop.promote("m", version, "test", "for the test");
    }
    expect((await test.store.registry.champion("m"))?.name).toBe("v2");
  }, 60_000);
  afterAll(async () => test.dispose());

  /** A restart's view: nothing in memory yet. */
  async function restarted(): Promise<LiveModels> {
    const live = new LiveModels(test.objects);
    const context = {
      ...test.loop,
      spec: test.loop.spec,
      store: test.store,
      objects: test.objects,
      live,
      worldClock: test.clock,
      emit: () => {},
      logger: { error: () => {} },
    };
    await loadChampion(context as never, "m");
    return live;
  }
  async function artifactFolder(name: string): Promise<string> {
    const version = await test.store.registry.get("m", name);
    return join(test.directory, "objects", "artifacts", version?.artifact as string);
  }

  it("serves it whole", async () => {
    expect((await restarted()).champion("m")?.version).toBe("v2");
  });

  it("leaves no half-written file behind in the object store", async () => {
    const names = await readdir(await artifactFolder("v2"));
    expect(names).toContain("complete.json");
    expect(names.filter((name) => name.includes("tmp"))).toEqual([]);
  });

  it.each(["model.bin", "preparation.json", "probes.json", "manifest.json"])(
    "falls back to the last good version when %s is damaged, and alerts",
    async (name) => {
      const path = join(await artifactFolder("v2"), name);
      const whole = await readFile(path);
      const damaged = Buffer.from(whole);
      damaged[Math.floor(damaged.length / 2)] = (damaged[Math.floor(damaged.length / 2)] as number) ^ 1;
      await writeFile(path, damaged);
      try {
        expect((await restarted()).champion("m")?.version).toBe("v1");
        const alerts = await test.store.alerts.list({ model: "m", state: "open", limit: 10 });
        expect(alerts.find((alert) => alert.type === "champion.unusable")?.message).toMatch(
          /v1, the last good version/,
        );
      } finally {
        await writeFile(path, whole);
      }
    },
  );

  it("refuses a model that does not reproduce its recorded answers, though every hash fits", async () => {
    const folder = await artifactFolder("v2");
    const manifestPath = join(folder, "manifest.json");
    const probesPath = join(folder, "probes.json");
    const kept = [await readFile(manifestPath), await readFile(probesPath)] as const;
    const stored = JSON.parse(kept[1].toString()) as { probes: { scores: number[] }[] };
    const probes = stored.probes.map((probe) => ({ ...probe, scores: probe.scores.map((score) => score + 1e-9) }));
    const wrong = Buffer.from(canonicalJson({ ...stored, probes }));
    const manifest = JSON.parse(kept[0].toString()) as { files: Record<string, { sha256: string; sizeBytes: number }> };
    manifest.files["probes.json"] = { sha256: sha256Hex(wrong), sizeBytes: wrong.length };
    const manifestBytes = Buffer.from(canonicalJson(manifest));
    const record = await test.store.registry.get("m", "v2");
    await writeFile(manifestPath, manifestBytes);
    await writeFile(probesPath, wrong);
    try {
      const live = new LiveModels(test.objects);
      const original = record as NonNullable<typeof record>;
      // The registry names the artifact by its manifest's hash; a forged one must fall at the probes all the same.
      const forged = {
        ...test.objects,
        get: (key: string) => test.objects.get(key.replace(sha256Hex(manifestBytes), original.artifact)),
      };
      await expect(live.load(original)).rejects.toMatchObject({ code: "ARTIFACT_CORRUPT" });
      await expect(
        new LiveModels(forged).load({ ...original, artifact: sha256Hex(manifestBytes) }),
      ).rejects.toMatchObject({ code: "PROBE_MISMATCH" });
    } finally {
      await writeFile(manifestPath, kept[0]);
      await writeFile(probesPath, kept[1]);
    }
  });

  it("hands the training process a whole copy or none", async () => {
    const { artifact } = (await test.store.registry.get("m", "v2")) as NonNullable<
      Awaited<ReturnType<typeof test.store.registry.get>>
    >;
    const context = { directory: join(test.directory, "copies"), objects: test.objects, systemClock };
    const copy = () => materializeArtifact(context as never, artifact);
    const get = test.objects.get.bind(test.objects);
    const spy = vi.spyOn(test.objects, "get").mockImplementation(async (key) => {
      if (key.endsWith("/model.bin")) throw new Error("the disk is away");
      return get(key);
    });
    await expect(copy()).rejects.toThrow("the disk is away");
    spy.mockRestore();
    expect((await readdir(await copy())).sort()).toEqual((await readdir(await artifactFolder("v2"))).sort());
    expect(await copy()).toBe(await copy());
  });

  describe("of a version that is not in memory yet", () => {
    /** A version whose artifact is the one of v1, or none that is there. */
    const registered = async (runId: string, artifact?: string) => {
      const first = await test.store.registry.get("m", "v1");
      const { name } = await test.store.registry.register(
        { ...(first as NonNullable<typeof first>), runId, ...(artifact === undefined ? {} : { artifact }) },
        0,
      );
      return name;
    };
    const answering = async () => (await test.loop.predict({ model: "m", rows: [{ x: 1 }], log: false })).version;
    const champion = async () => (await test.store.registry.champion("m"))?.name;
    let release = () => {};
    /** Files are read only once the test lets them. @returns when somebody wants one */
    const holdReads = () => {
      const get = test.objects.get.bind(test.objects);
      return new Promise<void>((asked) => {
        const released = new Promise<void>((resolve) => (release = resolve));
        vi.spyOn(test.objects, "get").mockImplementation(async (key) => {
          asked();
          await released;
          return get(key);
        });
      });
    };
    afterEach(() => {
      release();
      vi.restoreAllMocks();
    });

    it("names it champion, and answers by it, only once it is loaded", async () => {
      const before = await champion();
      const name = await registered("copy-1");
      const asked = holdReads();
      const promoted = test.loop.promote("m", name, "test", "for the test");
      await asked;
      expect([await champion(), await answering()]).toEqual([before, before]);
      release();
      await promoted;
      expect([await champion(), await answering()]).toEqual([name, name]);
    });

    it("goes on with the old one where another process promoted it, until it is loaded", async () => {
      const before = await champion();
      const name = await registered("copy-2");
      const asked = holdReads();
      const { store, clock } = test;
      const change = { model: "m", version: name, reason: "elsewhere", actor: "test", action: "promotion" } as const;
      await store.registry.promote({ ...change, at: clock.now() });
      await asked;
      expect([await champion(), await answering()]).toEqual([name, before]);
      release();
      await expect.poll(answering).toBe(name);
    });

    it("refuses one that cannot be loaded, and leaves everything as it was", async () => {
      const before = await champion();
      const { number } = await test.store.registry.routing("m");
      const name = await registered("copy-3", "0".repeat(64));
      await expect(test.loop.promote("m", name, "test", "for the test")).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(test.loop.startRollout("m", name, "test")).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect(await test.store.rollouts.active("m")).toBeUndefined();
      expect([await champion(), await answering()]).toEqual([before, before]);
      expect((await test.store.registry.routing("m")).number).toBe(number);
    });
  });
});
