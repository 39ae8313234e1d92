/** Kept copies of backbones go when no model, version or open run has named them for a day, wherever a crash falls. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, mlp, onnx, resolveConfig, when } from "../../src/config/index.ts";
import {
  DAY_MS,
  type ObjectStore,
  type RunRecord,
  sha256Hex,
  silentLogger,
  systemClock,
} from "../../src/core/index.ts";
import { keepBackbones } from "../../src/loop/backbones.ts";
import type { LoopContext } from "../../src/loop/context.ts";
import { applyRetention } from "../../src/loop/retention.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { convolution } from "../model/onnx/backbones.ts";

const START = Date.UTC(2026, 0, 1);
const home = mkdtempSync(join(tmpdir(), "retrain-backbone-pruning-"));
const [first = "", second = "", third = ""] = [10, 11, 12].map((filters) => {
  const bytes = convolution({ channels: 1, size: 8, filters });
  const file = join(home, `${filters}.onnx`);
  writeFileSync(file, bytes);
  return file;
});
const configOf = (...files: readonly string[]) =>
  defineConfig({
    models: files.map((file, i) =>
      defineModel({
        name: `m${i}`,
        task: "binary",
        features: { photo: f.image({ width: 8, height: 8 }) },
        label: f.boolean(),
        trainer: mlp({ hidden: [4], embed: onnx(file) }),
        retrain: { when: when.manual() },
        gates: [gate.betterThanBaseline("logLoss")],
      }),
    ),
    alerts: [],
  });

describe("kept backbones", () => {
  let test: TestLoop;
  let now = START;
  beforeAll(async () => {
    test = await openTestLoop(configOf(first), START);
  }, 60_000);
  afterAll(async () => {
    await test.dispose();
    rmSync(home, { recursive: true, force: true });
  });

  const contextOf = (files: readonly string[], objects: ObjectStore = test.objects) => {
    const spec = resolveConfig(configOf(...files), { folder: home, environment: {}, flags: {} });
    const { store, engine, clock } = test;
    const clocks = { worldClock: clock, systemClock: { ...systemClock, now: () => now } };
    return { store, objects, engine, ...clocks, logger: silentLogger, emit: () => {}, spec } as unknown as LoopContext;
  };
  const prune = (files: readonly string[], objects?: ObjectStore) => applyRetention(contextOf(files, objects));
  const shaOf = async (file: string) => {
    const [model] = resolveConfig(configOf(file), { folder: home, environment: {}, flags: {} }).models;
    return model?.trainer.embed?.sha256 as string;
  };
  const isKept = async (file: string) => test.objects.exists(`backbones/${await shaOf(file)}.onnx`);
  const paths = async () =>
    Object.keys(JSON.parse(Buffer.from(await test.objects.get("backbones/paths.json")).toString("utf8")) as object);

  it("stay while a configuration names them, and for a day afterwards", async () => {
    await keepBackbones(contextOf([first, second]));
    await prune([first, second]);
    now += 2 * DAY_MS;
    await prune([first, second]);
    expect(await Promise.all([isKept(first), isKept(second)])).toEqual([true, true]);
    // Nothing names the second any more; the pruning that finds that out does not drop it yet.
    await prune([first]);
    expect(await isKept(second)).toBe(true);
    now += DAY_MS / 2;
    await prune([first]);
    expect(await isKept(second)).toBe(true);
    now += DAY_MS / 2;
    await prune([first]);
    expect(await Promise.all([isKept(first), isKept(second)])).toEqual([true, false]);
    expect(await paths()).toEqual([first]);
  });

  it("stay when a configuration takes them back within the day", async () => {
    await keepBackbones(contextOf([first, second]));
    await prune([first]);
    await prune([first, second]);
    now += 2 * DAY_MS;
    await prune([first]);
    expect(await isKept(second)).toBe(true);
  });

  it("stay while a run that was begun under an earlier definition is open", async () => {
    await keepBackbones(contextOf([third]));
    const { models } = contextOf([third]).spec;
    const definition = models[0] as unknown as Parameters<typeof test.store.registry.saveDefinition>[0]["definition"];
    const revision = "0123456789ab";
    await test.store.registry.saveDefinition({ model: "m0", revision, definition, createdAt: START });
    const run: RunRecord = {
      id: "019b0000-0000-7000-8000-000000000001",
      model: "m0",
      definitionRevision: revision,
      state: "queued",
      strategy: "full",
      cause: { trigger: "manual", reason: "a test", decisionIds: [] },
      queuedAt: START,
      asOf: START,
      seed: 1,
      steps: [],
      attempt: 0,
    };
    expect(await test.store.runs.create(run)).toBe(true);
    for (let day = 0; day < 3; day++) {
      await prune([first]);
      now += DAY_MS;
    }
    expect(await isKept(third)).toBe(true);
    const attempt = await test.store.runs.beginAttempt(run.id, START);
    await test.store.runs.update(run.id, attempt, { state: "canceled", endedAt: START });
    for (let day = 0; day < 2; day++) {
      await prune([first]);
      now += DAY_MS;
    }
    expect(await isKept(third)).toBe(false);
  });

  it.each([1, 2, 3])("are pruned by the next one when write %d of a pruning is its last", async (last) => {
    await keepBackbones(contextOf([first, second, third]));
    await prune([first]);
    now += DAY_MS;
    let writes = 0;
    const dies = async <Answer>(write: Promise<Answer>): Promise<Answer> => {
      const answer = await write;
      if (++writes === last) throw new Error("killed");
      return answer;
    };
    const dying: ObjectStore = {
      ...test.objects,
      put: (key, content) => dies(test.objects.put(key, content)),
      deletePrefix: (prefix) => dies(test.objects.deletePrefix(prefix)),
    };
    await expect(prune([first], dying)).rejects.toThrow("killed");
    // A path never leads to a copy that is gone.
    for (const path of await paths()) expect([path, await isKept(path)]).toEqual([path, true]);
    await prune([first]);
    expect(await Promise.all([isKept(first), isKept(second), isKept(third)])).toEqual([true, false, false]);
    expect(await paths()).toEqual([first]);
    expect(sha256Hex(await test.objects.get(`backbones/${await shaOf(first)}.onnx`))).toBe(await shaOf(first));
  });
});
