import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ModelSpec } from "../../src/config/spec.ts";
import type { Anomaly, EvaluationReport, JsonObject } from "../../src/core/index.ts";
import type { ExampleRow } from "../../src/data/index.ts";
import { JOB_HANDLERS } from "../../src/job/handlers.ts";
import { makeProbes, requireValidScores, trainedBy } from "../../src/job/checks.ts";
import { countDuplicates } from "../../src/job/duplicates.ts";
import { loadDataset } from "../../src/job/folder.ts";
import { customers, customerSchema, customerSpec, DAY, writeDatasetFile } from "./support/dataset.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "retrain-steps-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const control = (signal = new AbortController().signal) => ({ signal, progress: () => {} });
const run = (type: string, input: JsonObject, signal?: AbortSignal) =>
  (JOB_HANDLERS[type] as NonNullable<(typeof JOB_HANDLERS)[string]>)(input, control(signal));

async function folderWith(rows: readonly ExampleRow[], schema = customerSchema()): Promise<string> {
  const folder = await mkdtemp(join(root, "job-"));
  await writeDatasetFile(folder, schema, rows);
  return folder;
}
const bodyOf = (
  folder: string,
  spec: ModelSpec = customerSpec(customerSchema()),
  extra: JsonObject = {},
): JsonObject => ({
  folder,
  spec: spec as unknown as JsonObject,
  seed: 7,
  strategy: "full",
  asOf: 1e12,
  ...extra,
});

/** A version made of the first rows, as the champion of the runs below. */
async function makeVersion(rows: readonly ExampleRow[], spec?: ModelSpec): Promise<string> {
  const body = bodyOf(await folderWith(rows, spec?.schema), spec);
  for (const step of ["prepare", "train", "evaluate"]) await run(step, body);
  return join(body["folder"] as string, "artifact");
}

const codesOf = (found: JsonObject) => (found["anomalies"] as unknown as readonly Anomaly[]).map((one) => one.code);
const blockingOf = (found: JsonObject) =>
  (found["anomalies"] as unknown as readonly Anomaly[]).filter((one) => one.blocking).map((one) => one.code);

describe("assess", () => {
  it("counts new rows and compares the champion's loss on old and new rows", async () => {
    const rows = customers(800);
    const championFolder = await makeVersion(rows.slice(0, 500));
    const folder = await folderWith(rows);
    const last = rows[499]?.at as number;
    const found = await run("assess", bodyOf(folder, undefined, { championFolder, lastDatasetMaxReceivedAt: last }));
    expect(found).toMatchObject({ newRows: 300, duplicates: 0 });
    expect(blockingOf(found)).toEqual([]);
    const loss = found["championLoss"] as { old: number; new: number };
    expect(loss.new).toBeGreaterThan(0.2);
    expect(loss.old).toBeLessThan(0.69);
    expect(found["domainAuc"]).toBeGreaterThan(0.35);
    expect(found["domainAuc"]).toBeLessThan(0.65);
    // The same law, 60 % more rows: nothing was unlearned, but more rows may help.
    expect(found["expectedGain"]).toMatchObject({ outcome: "yes", newRows: 300, growth: 0.6 });
  });

  it("expects little of a few rows of the same kind, and something of rows the champion does worse on", async () => {
    const rows = customers(700);
    const championFolder = await makeVersion(rows.slice(0, 600));
    const extra = { championFolder, lastDatasetMaxReceivedAt: rows[599]?.at as number };
    const same = await run("assess", bodyOf(await folderWith(rows), undefined, extra));
    expect(same["expectedGain"]).toMatchObject({ outcome: "no", newRows: 100 });
    const turned = rows.map((row, i) => (i < 600 ? row : { ...row, label: row.label !== true }));
    const other = await run("assess", bodyOf(await folderWith(turned), undefined, extra));
    expect(other["expectedGain"]).toMatchObject({ outcome: "yes" });
    expect((other["expectedGain"] as { reason: string }).reason).toMatch(/there is something to learn\.$/);
    const first = await run("assess", bodyOf(await folderWith(rows)));
    expect(first["expectedGain"]).toMatchObject({ outcome: "cannot-tell" });
  });

  it("suspects rows from the future, and columns of times after the event", async () => {
    const offset = Date.UTC(2026, 0, 1);
    const rows = customers(300)
      .map((own) => ({ ...own, at: own.at + offset }))
      .map((row) => ({
        ...row,
        // Seconds: written down two days after the event.
        features: { ...row.features, balance: (row.at + 2 * DAY) / 1000 },
      }));
    const found = await run("assess", bodyOf(await folderWith(rows)));
    expect(codesOf(found)).toContain("COLUMN_AFTER_EVENT");
    const before = rows.map((row) => ({ ...row, features: { ...row.features, balance: (row.at - 2 * DAY) / 1000 } }));
    expect(codesOf(await run("assess", bodyOf(await folderWith(before))))).not.toContain("COLUMN_AFTER_EVENT");
    const early = customers(300).map((row, i) =>
      i < 5 ? { ...row, knownAt: row.at - DAY } : { ...row, knownAt: row.at },
    );
    expect(codesOf(await run("assess", bodyOf(await folderWith(early))))).toEqual(["TIME_IN_FUTURE"]);
  });

  it("tells shifted rows apart and names what lies outside training, without stopping the run", async () => {
    const rows = customers(500);
    const championFolder = await makeVersion(rows);
    const moved = customers(300, { seed: 2 }).map((row) => ({
      ...row,
      at: row.at + 600 * DAY,
      features: { ...row.features, balance: 1e6, job: "astronaut" },
    }));
    const folder = await folderWith([...rows, ...moved]);
    const last = rows.at(-1)?.at as number;
    const found = await run("assess", bodyOf(folder, undefined, { championFolder, lastDatasetMaxReceivedAt: last }));
    expect(codesOf(found)).toEqual(["ROWS_DUPLICATED", "OUT_OF_TRAINING_RANGE", "CATEGORY_UNSEEN"]);
    expect(blockingOf(found)).toEqual([]);
    expect(found["domainAuc"]).toBeGreaterThan(0.99);
  });

  it("stops on a column that was full and is now lost, and on a constant label", async () => {
    const rows = customers(400);
    const championFolder = await makeVersion(rows);
    const lost = customers(200, { seed: 3 }).map((row) => ({
      ...row,
      at: row.at + 600 * DAY,
      features: { ...row.features, balance: null },
    }));
    const last = rows.at(-1)?.at as number;
    const body = bodyOf(await folderWith([...rows, ...lost]), undefined, {
      championFolder,
      lastDatasetMaxReceivedAt: last,
    });
    expect(blockingOf(await run("assess", body))).toEqual(["COLUMN_LOST"]);
    const same = await folderWith(rows.map((row) => ({ ...row, label: true })));
    expect(blockingOf(await run("assess", bodyOf(same)))).toEqual(["LABEL_CONSTANT"]);
  });

  it("suspects a copy of the target and a column of ids, and counts repeated rows", async () => {
    const rows = customers(300).map((row, i) => ({
      ...row,
      features: { ...row.features, balance: row.label === true ? 1 + i / 1000 : -1 - i / 1000, job: `customer ${i}` },
    }));
    const twins = rows.slice(0, 10).map((row) => ({ ...row, exampleId: `${row.exampleId}-again` }));
    const found = await run("assess", bodyOf(await folderWith([...rows, ...twins])));
    expect(codesOf(found)).toEqual(["TARGET_COPY", "COLUMN_LIKE_ID", "ROWS_DUPLICATED"]);
    expect(found["duplicates"]).toBe(10);
  });
});

describe("whole numbers that count the rows", () => {
  const isSuspected = async (balance: (i: number) => number | null) =>
    codesOf(
      await run(
        "assess",
        bodyOf(
          await folderWith(
            customers(300).map((row, i) => ({ ...row, features: { ...row.features, balance: balance(i) } })),
          ),
        ),
      ),
    ).includes("COLUMN_LIKE_ID");

  it("are suspected to be ids, in any order and with gaps; amounts are not", async () => {
    expect(await isSuspected((i) => 5_000 + 2 * ((i * 7) % 300))).toBe(true);
    expect(await isSuspected((i) => (i % 9 === 0 ? null : i))).toBe(true);
    // One repeats; all differ but lie far apart; all differ and are no whole numbers.
    expect(await isSuspected((i) => (i === 7 ? 8 : i))).toBe(false);
    expect(await isSuspected((i) => (i * 7_919) % 100_003)).toBe(false);
    expect(await isSuspected((i) => i + 0.5)).toBe(false);
  });
});

describe("numbers that float32 merges", () => {
  it("are a remark when they are ids or times, and none when they are amounts", async () => {
    const timed = customers(200).map((row, i) => ({
      ...row,
      features: { ...row.features, balance: 1_700_000_000_001 + i },
    }));
    const found = await run("assess", bodyOf(await folderWith(timed)));
    // Merged numbers also make rows look repeated, and these are times of years after the rows.
    expect(codesOf(found)).toEqual(["NUMBER_COARSE", "COLUMN_AFTER_EVENT", "ROWS_DUPLICATED"]);
    expect(codesOf(await run("assess", bodyOf(await folderWith(customers(200)))))).toEqual([]);
  });
});

describe("prepare", () => {
  it("says which class a split lacks", async () => {
    const rows = customers(300).map((row, i) => ({ ...row, label: i < 150 }));
    await expect(run("prepare", bodyOf(await folderWith(rows)))).rejects.toMatchObject({
      code: "CLASS_MISSING",
      message: expect.stringContaining("holdout"),
    });
  });

  it("gives 300 held-out rows of 1,000 and then 200 without event times", async () => {
    const rows = [...customers(1000, { knownAt: 1 }), ...customers(200, { seed: 2, knownAt: 2 })].map((row) => ({
      ...row,
      at: 0,
    }));
    const schema = customerSchema("binary", false);
    const prepared = await run("prepare", bodyOf(await folderWith(rows, schema), customerSpec(schema)));
    expect(prepared).toMatchObject({ holdoutRows: 300, validationRows: 136, trainRows: 764 });
  });
});

describe("a warm start", () => {
  it("keeps the base's columns, trains on new and replayed rows, and names its base", async () => {
    const rows = customers(1200);
    const baseFolder = await makeVersion(rows.slice(0, 800));
    const base = JSON.parse(await readFile(join(baseFolder, "manifest.json"), "utf8")) as { modelHash: string };
    const body = bodyOf(await folderWith(rows), undefined, { strategy: "warm-start", baseFolder });
    const prepared = await run("prepare", body);
    expect(prepared).toMatchObject({ strategy: "warm-start" });
    expect(prepared["newRows"]).toBeGreaterThan(0);
    const trained = await run("train", body);
    const evaluated = await run("evaluate", {
      ...body,
      championFolder: baseFolder,
      championVersion: "v1",
      gatedMetrics: ["logLoss"],
    });
    const manifest = JSON.parse(
      await readFile(join(body["folder"] as string, "artifact/manifest.json"), "utf8"),
    ) as JsonObject;
    expect(manifest).toMatchObject({ base: base.modelHash, strategy: "warm-start", modelHash: trained["modelHash"] });
    const report = evaluated["report"] as unknown as EvaluationReport;
    expect(report.championVersion).toBe("v1");
    expect(report.differences.map((one) => one.metric)).toEqual(["logLoss"]);
  });

  it("becomes a full training, with the reason, where its base does not fit or is broken", async () => {
    const rows = customers(600);
    const baseFolder = await makeVersion(rows.slice(0, 400));
    const fewer = { ...customerSchema(), features: customerSchema().features.slice(0, 3) };
    const body = bodyOf(await folderWith(rows, fewer), customerSpec(fewer), { strategy: "warm-start", baseFolder });
    expect(await run("prepare", body)).toMatchObject({
      strategy: "full",
      fallback: expect.stringContaining("features"),
    });
    const broken = await mkdtemp(join(root, "broken-"));
    await cp(baseFolder, broken, { recursive: true });
    await writeFile(join(broken, "model.bin"), "x");
    const again = await run("prepare", {
      ...bodyOf(await folderWith(rows)),
      strategy: "incremental",
      baseFolder: broken,
    });
    expect(again).toMatchObject({ strategy: "full", fallback: expect.stringContaining("model.bin") });
  });

  it("ends its chain after the configured number of versions: the next one is full, and says why", async () => {
    const rows = customers(900);
    const spec = customerSpec(customerSchema());
    const limited = { ...spec, retrain: { ...spec.retrain, maxChain: 2 } };
    let baseFolder = await makeVersion(rows.slice(0, 500));
    const chains: unknown[] = [];
    const strategies: unknown[] = [];
    let reason: unknown;
    for (let version = 2; version <= 5; version++) {
      const folder = await folderWith(rows.slice(0, 400 + version * 100));
      const body = bodyOf(folder, limited, { strategy: "warm-start", baseFolder });
      const prepared = await run("prepare", body);
      strategies.push(prepared["strategy"]);
      reason ??= prepared["fallback"];
      for (const step of ["train", "evaluate"]) await run(step, body);
      baseFolder = join(folder, "artifact");
      const manifest = JSON.parse(await readFile(join(baseFolder, "manifest.json"), "utf8")) as JsonObject;
      chains.push(manifest["chain"] ?? 0);
    }
    expect(strategies).toEqual(["warm-start", "warm-start", "full", "warm-start"]);
    expect(chains).toEqual([1, 2, 0, 1]);
    expect(reason).toMatch(/2 versions behind the last full training, and `retrain.maxChain` is 2/);
  });

  it("becomes a full training where the network's layers have changed", async () => {
    const rows = customers(500);
    const network = (hidden: readonly number[]) =>
      customerSpec(customerSchema(), { trainer: { name: "mlp", params: { hidden: [...hidden], epochs: 2 } } });
    const baseFolder = await makeVersion(rows.slice(0, 400), network([8]));
    const prepared = async (hidden: readonly number[]) =>
      run("prepare", bodyOf(await folderWith(rows), network(hidden), { strategy: "warm-start", baseFolder }));
    expect(await prepared([8])).toMatchObject({ strategy: "warm-start" });
    expect(await prepared([9])).toMatchObject({ strategy: "full", fallback: expect.stringContaining("layers") });
  });

  it("gives the same bits when it is run again", async () => {
    const rows = customers(700);
    const baseFolder = await makeVersion(rows.slice(0, 400));
    const body = bodyOf(await folderWith(rows), undefined, { strategy: "incremental", baseFolder });
    await run("prepare", body);
    const first = await run("train", body);
    await run("prepare", body);
    expect((await run("train", body))["modelHash"]).toBe(first["modelHash"]);
  });
});

describe("a refit", () => {
  it("puts a model fitted on all rows into the artifact, says so, and can be reproduced", async () => {
    const spec = customerSpec(customerSchema());
    const refit = { ...spec, data: { ...spec.data, refit: true } };
    const body = bodyOf(await folderWith(customers(500)), refit);
    await run("prepare", body);
    const trained = await run("train", body);
    const evaluated = await run("evaluate", body);
    expect(evaluated["modelHash"]).not.toBe(trained["modelHash"]);
    const artifactFolder = join(body["folder"] as string, "artifact");
    expect(JSON.parse(await readFile(join(artifactFolder, "manifest.json"), "utf8"))).toMatchObject({ refit: true });
    const again = await run("reproduce", { ...body, folder: await folderWith(customers(500)), artifactFolder });
    expect(again).toMatchObject({ equal: true });
  });
});

describe("weights of training rows", () => {
  it("change the model of every way to train it, and are reproduced", async () => {
    const plain = customerSpec(customerSchema());
    const weighed = {
      ...plain,
      trainer: { name: "gbdt", params: { epochs: 5, threads: 2 } },
      data: { ...plain.data, refit: true, weights: { halfLifeMs: 2 * DAY } },
    };
    const rows = customers(400);
    const artifactFolder = await makeVersion(rows, weighed);
    const again = await run("reproduce", bodyOf(await folderWith(rows), weighed, { artifactFolder }));
    expect(again).toMatchObject({ equal: true });
    const { weights, ...alike } = weighed.data;
    expect(weights).toEqual({ halfLifeMs: 2 * DAY });
    const other = await run(
      "reproduce",
      bodyOf(await folderWith(rows), { ...weighed, data: alike } as ModelSpec, { artifactFolder }),
    );
    expect(other).toMatchObject({ equal: false });
  });
});

describe("the held-out rows of a comparison", () => {
  it("leave out those the champion was trained on, in a refit or because older rows arrived later", async () => {
    const spec = customerSpec(customerSchema());
    const rows = customers(900);
    const evaluateAgainst = async (championFolder: string) => {
      const body = bodyOf(await folderWith(rows), spec, { championFolder, championVersion: "v1" });
      for (const step of ["prepare", "train"]) await run(step, body);
      return await run("evaluate", body);
    };
    const refitted = await makeVersion(rows.slice(0, 750), { ...spec, data: { ...spec.data, refit: true } });
    expect(await evaluateAgainst(refitted)).toMatchObject({ holdoutRows: 150, holdoutSkippedRows: 75 });
    const onNewest = await makeVersion(rows.slice(500));
    expect(await evaluateAgainst(onNewest)).toMatchObject({ holdoutRows: 100, holdoutSkippedRows: 125 });
  });
});

describe("evaluate", () => {
  it("goes on without a champion that cannot answer, and says why", async () => {
    const rows = customers(400);
    const championFolder = await makeVersion(rows);
    const fewer = { ...customerSchema(), features: customerSchema().features.slice(0, 2) };
    const body = bodyOf(await folderWith(rows, fewer), customerSpec(fewer), { championFolder, championVersion: "v1" });
    for (const step of ["prepare", "train"]) await run(step, body);
    const evaluated = await run("evaluate", body);
    expect(evaluated["championSkipped"]).toContain('"job"');
    expect((evaluated["report"] as unknown as EvaluationReport).champion).toBeUndefined();
  });

  it("refuses scores that are no probabilities, naming the row", () => {
    const check = (task: "binary" | "multiclass" | "regression", scores: number[], width = 1) =>
      requireValidScores(task, Float64Array.from(scores), width, trainedBy("t"));
    expect(() => check("binary", [0.1, Number.NaN])).toThrow(
      expect.objectContaining({ code: "OUTPUT_INVALID", message: expect.stringContaining("row 2") }),
    );
    expect(() => check("binary", [1.5])).toThrow(expect.objectContaining({ code: "OUTPUT_INVALID" }));
    expect(() => check("multiclass", [0.5, 0.4], 2)).toThrow(expect.objectContaining({ code: "OUTPUT_INVALID" }));
    expect(() => check("regression", [Number.POSITIVE_INFINITY])).toThrow(
      expect.objectContaining({ code: "OUTPUT_INVALID" }),
    );
    expect(() => check("regression", [-1e9])).not.toThrow();
  });

  it("refuses a model that answers the same row in two ways", async () => {
    const dataset = await loadDataset(await folderWith(customers(100)), customerSpec(customerSchema()));
    let calls = 0;
    const fickle = {
      task: "binary",
      classes: [false, true],
      predictRow: () => ({ scores: [0.5, ++calls], decision: true }),
      predictRows: () => [],
      trace: () => ({ prepared: [], scores: [], decision: true }),
      scoreFrame: (_frame: unknown, rows: Uint32Array) => new Float64Array(rows.length),
    } as const;
    expect(() => makeProbes(fickle, dataset.frame, Uint32Array.of(0, 1), trainedBy("t"))).toThrow(
      expect.objectContaining({ code: "OUTPUT_INVALID" }),
    );
  });
});

describe("a step", () => {
  it("names the step that has to come before it", async () => {
    await expect(run("train", bodyOf(await folderWith(customers(100))))).rejects.toMatchObject({
      code: "FILE_INVALID",
      message: expect.stringContaining('"prepare"'),
    });
  });

  it("ends with TRAINER_CANCELED when it is canceled, and leaves no half output", async () => {
    const body = bodyOf(await folderWith(customers(400)));
    await run("prepare", body);
    const abort = new AbortController();
    abort.abort();
    await expect(run("train", body, abort.signal)).rejects.toMatchObject({ code: "TRAINER_CANCELED" });
    await expect(readFile(join(body["folder"] as string, "out/trained.json"))).rejects.toMatchObject({
      code: "ENOENT",
    });
  });

  it("refuses a file that is no dataset", async () => {
    const folder = await mkdtemp(join(root, "job-"));
    await writeFile(join(folder, "dataset.parquet"), "nonsense");
    await expect(run("open", bodyOf(folder))).rejects.toMatchObject({ code: "FILE_INVALID" });
  });
});

describe("counting duplicates", () => {
  it("agrees with comparing every row with every other", async () => {
    const rows = customers(200).map((row) => ({
      ...row,
      features: { ...row.features, age: 30, balance: Math.round((row.features["balance"] as number) / 1000) },
    }));
    const dataset = await loadDataset(await folderWith(rows), customerSpec(customerSchema()));
    const texts = rows.map((row) => JSON.stringify([row.features, row.label]));
    expect(countDuplicates(dataset)).toBe(texts.length - new Set(texts).size);
  });
});
