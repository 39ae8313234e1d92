// Which examples each strategy chooses, compared with a plain computation of its measure over the same pool.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Features, type JsonObject, sha256Hex } from "../../src/core/index.ts";
import type { ModelSpec } from "../../src/config/spec.ts";
import { createPreparedWriter } from "../../src/data/index.ts";
import type { ExampleRow } from "../../src/data/index.ts";
import type { LabelingSpec, QueueStrategy } from "../../src/feedback/spec.ts";
import { readArtifactFolder } from "../../src/job/folder.ts";
import { openDuckDb } from "../../src/job/dataset-file.ts";
import { JOB_HANDLERS } from "../../src/job/handlers.ts";
import { readPoolFile } from "../../src/job/pool-file.ts";
import type { QueueResult } from "../../src/job/queue.ts";
import { findTrainer } from "../../src/learn/index.ts";
import { loadArtifact, predictorOf } from "../../src/model/index.ts";
import { expectedErrors, type LossModel, parseCalibration, quantileWidths } from "../../src/monitor/index.ts";
import { committeeDisagreement, entropy, leastConfidence, margin } from "../../src/stats/index.ts";
import { customers, customerSchema, customerSpec, writeDatasetFile } from "./support/dataset.ts";

const POOL_ROWS = 300;
const COUNT = 40;
let root: string;
let pool: string;
const rows = customers(POOL_ROWS, { seed: 99 });
const policy: LabelingSpec = {
  strategy: "margin",
  sampling: "top",
  diversity: false,
  density: false,
  perDay: 0,
  random: 0,
  overlap: 0,
  gold: 0,
  windowMs: 1e12,
  hidePrediction: false,
  leaseMs: 1000,
};

const run = (type: string, input: JsonObject) =>
  (JOB_HANDLERS[type] as NonNullable<(typeof JOB_HANDLERS)[string]>)(input, {
    signal: new AbortController().signal,
    progress: () => {},
  });

/** A trained version's artifact folder. */
async function trained(spec: ModelSpec, seed: number, task: "binary" | "regression" = "binary"): Promise<string> {
  const folder = await mkdtemp(join(root, "job-"));
  await writeDatasetFile(folder, spec.schema, customers(500, { seed, task }));
  const body = { folder, spec: spec as unknown as JsonObject, seed, strategy: "full", asOf: 1e12 };
  for (const step of ["open", "assess", "prepare", "train", "evaluate"]) await run(step, body);
  return join(folder, "artifact");
}

const gbdt = (task: "binary" | "regression") =>
  customerSpec(customerSchema(task), { trainer: { name: "gbdt", params: { epochs: 24, maxLeaves: 8 } } });

async function choose(strategy: QueueStrategy, spec: ModelSpec, versions: readonly string[]): Promise<QueueResult> {
  const own = { ...policy, strategy };
  const input = { pool, spec, policy: own, count: COUNT, mostShare: 1, seed: 3, asked: [], versions };
  return (await run("queue", input as unknown as JsonObject)) as unknown as QueueResult;
}

/** The examples of the largest values; ties are cut, so values are compared, not ids. */
function expectLargest(result: QueueResult, values: ReadonlyMap<string, number>): void {
  const sorted = [...values.values()].sort((left, right) => right - left);
  const smallest = sorted[COUNT - 1] as number;
  expect(result.picks).toHaveLength(COUNT);
  for (const { exampleId } of result.picks) expect(values.get(exampleId)).toBeGreaterThanOrEqual(smallest - 1e-12);
  expect(sorted[0]).toBeGreaterThan(sorted.at(-1) as number);
}

const loaded = async (folder: string) => loadArtifact((name) => readFile(join(folder, name)));

/** Scores of every member of a boosted model's committee, by example. */
async function opinions(folder: string, task: "binary" | "regression"): Promise<Map<string, number[][]>> {
  const artifact = await readArtifactFolder(folder);
  const read = await readPoolFile(pool, customerSchema(task));
  const writer = createPreparedWriter(artifact.preparation);
  const x = writer.writeFrame(
    read.frame,
    Uint32Array.from({ length: POOL_ROWS }, (_, i) => i),
  );
  const members = findTrainer("gbdt").committee?.(artifact.weights, task) ?? [];
  expect(members.length).toBeGreaterThan(2);
  const width = task === "binary" ? 2 : 1;
  return new Map(
    read.exampleIds.map((id, i) => {
      const own = members.map((score) => {
        const out = new Float64Array(width);
        score(x, i * writer.width, out);
        return [...out];
      });
      return [id, own];
    }),
  );
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "retrain-queue-"));
  const schema = customerSchema();
  const folder = await mkdtemp(join(root, "pool-"));
  await writeDatasetFile(folder, schema, rows);
  pool = join(folder, "pool.parquet");
  const duckdb = await openDuckDb();
  await duckdb.run(
    `COPY (SELECT example_id, 'p' || example_id AS prediction_id, * EXCLUDE (example_id)
     FROM read_parquet('${join(folder, "dataset.parquet")}')) TO '${pool}' (FORMAT parquet)`,
  );
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe("a committee", () => {
  it("of a boosted model's own trees chooses what they disagree about (BALD)", async () => {
    const folder = await trained(gbdt("binary"), 1);
    const result = await choose("committee", gbdt("binary"), [folder]);
    expect(result).toMatchObject({ strategy: "committee", poolSize: POOL_ROWS });
    const values = new Map(
      [...(await opinions(folder, "binary"))].map(([id, own]) => [id, committeeDisagreement(own).mutualInformation]),
    );
    expectLargest(result, values);
    const first = result.picks[0];
    expect(first?.acquisition).toBeCloseTo(values.get(first?.exampleId ?? "") as number, 9);
    expect(first).toMatchObject({ origin: "strategy", predictionId: `p${first?.exampleId}` });
  });

  it("for numbers chooses where its members spread most", async () => {
    const folder = await trained(gbdt("regression"), 2, "regression");
    const result = await choose("committee", gbdt("regression"), [folder]);
    expect(result.strategy).toBe("committee");
    expect(result.note).toBeUndefined();
    const values = new Map(
      [...(await opinions(folder, "regression"))].map(([id, own]) => {
        const all = own.map(([value = 0]) => value);
        const mean = all.reduce((sum, one) => sum + one, 0) / all.length;
        return [id, Math.sqrt(all.reduce((sum, one) => sum + (one - mean) * (one - mean), 0) / (all.length - 1))];
      }),
    );
    expectLargest(result, values);
  });

  it("of the live version and an older one chooses where these two disagree", async () => {
    const spec = customerSpec(customerSchema());
    const folders = [await trained(spec, 3), await trained({ ...spec, seed: 8, slices: [] }, 4)];
    const result = await choose("committee", spec, folders);
    expect(result.strategy).toBe("committee");
    const models = await Promise.all(folders.map(loaded));
    const values = new Map(
      rows.map(({ exampleId, features }) => {
        const own = models.map((model) => model.predictRow(features as Features).scores);
        return [exampleId, committeeDisagreement(own).mutualInformation];
      }),
    );
    expectLargest(result, values);
  });

  it("of one opinion falls back to the margin, and says so", async () => {
    const spec = customerSpec(customerSchema());
    const result = await choose("committee", spec, [await trained(spec, 5)]);
    expect(result.strategy).toBe("margin");
    expect(result.note).toMatch(/one opinion: the margin is used/);
  });
});

describe("one model's uncertainty", () => {
  it("chooses by margin, least confidence and entropy as their definitions say", async () => {
    const spec = customerSpec(customerSchema());
    const folder = await trained(spec, 6);
    const model = await loaded(folder);
    const scores = new Map(
      rows.map(({ exampleId, features }: ExampleRow) => [exampleId, model.predictRow(features as Features).scores]),
    );
    const measures = { margin: (p: readonly number[]) => 1 - margin(p), "least-confidence": leastConfidence, entropy };
    for (const [strategy, measure] of Object.entries(measures)) {
      const result = await choose(strategy as QueueStrategy, spec, [folder]);
      expect(result.strategy).toBe(strategy);
      expectLargest(result, new Map([...scores].map(([id, p]) => [id, measure(p)])));
    }
  });

  it("weighs each slice by the errors to expect in it", async () => {
    const spec = customerSpec(customerSchema());
    const folder = await trained(spec, 7);
    const model = await loaded(folder);
    const errors = rows.map(({ features }) => leastConfidence(model.predictRow(features as Features).scores));
    const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
    const overall = mean(errors);
    const inJob = new Map<unknown, number[]>();
    rows.forEach(({ features }, i) => {
      inJob.set(features["job"], [...(inJob.get(features["job"]) ?? []), errors[i] as number]);
    });
    const values = new Map(
      rows.map(({ exampleId, features }, i) => {
        const own = mean(inJob.get(features["job"]) as number[]);
        return [exampleId, ((errors[i] as number) * own) / overall];
      }),
    );
    const result = await choose("slices", spec, [folder]);
    expectLargest(result, values);
    // It is another choice than uncertainty alone makes.
    const plain = await choose("least-confidence", spec, [folder]);
    const ids = ({ picks }: QueueResult) => picks.map(({ exampleId }) => exampleId).sort((a, b) => a.localeCompare(b));
    expect(ids(result)).not.toEqual(ids(plain));
  });
});

describe("the interval of a number", () => {
  const holding = (rows: number) => ({
    data: { ...gbdt("regression").data, holdout: { share: 0.5, minRows: rows, maxRows: rows } },
  });
  const spec = () => ({ ...gbdt("regression"), ...holding(250) });

  /** Interval widths or expected errors of the pool, by example. */
  async function asked(folder: string, measure: typeof quantileWidths): Promise<Map<string, number>> {
    const artifact = await readArtifactFolder(folder);
    const read = await readPoolFile(pool, customerSchema("regression"));
    const all = Uint32Array.from({ length: POOL_ROWS }, (_, i) => i);
    const answers = predictorOf(artifact).scoreFrame(read.frame, all);
    const errors = parseCalibration(artifact.calibration)?.errors as LossModel;
    const values = measure(errors, { frame: read.frame, rows: all, answers }) as Float64Array;
    return new Map(read.exampleIds.map((id, i) => [id, values[i] as number]));
  }

  it("is what numbers are chosen by: the widest first", async () => {
    const folder = await trained(spec(), 11, "regression");
    const result = await choose("quantile-width", spec(), [folder]);
    expect(result.strategy).toBe("quantile-width");
    expect(result.note).toBeUndefined();
    const widths = await asked(folder, quantileWidths);
    const sorted = [...widths.values()].sort((left, right) => right - left);
    for (const { exampleId, acquisition } of result.picks) {
      expect(widths.get(exampleId)).toBeGreaterThanOrEqual(sorted[COUNT - 1] as number);
      expect(acquisition).toBe(widths.get(exampleId));
    }
    expect(sorted[0]).toBeGreaterThan(sorted.at(-1) as number);
  });

  it("gives way to a committee where too few rows were held out, and says so", async () => {
    const few = { ...gbdt("regression"), ...holding(80) };
    const result = await choose("quantile-width", few, [await trained(few, 12, "regression")]);
    expect(result.strategy).toBe("committee");
    expect(result.note).toMatch(/held too few rows out .* a committee is used instead/);
  });

  it("gives way to a spread where there is no committee either", async () => {
    const few = { ...customerSpec(customerSchema("regression")), ...holding(80) };
    const result = await choose("quantile-width", few, [await trained(few, 13, "regression")]);
    expect(result.strategy).toBe("spread");
    expect(result.note).toMatch(/too few rows out .* one opinion/);
    expect(result.picks).toHaveLength(COUNT);
  });

  it("gives way to a committee for a version that was made before there was one", async () => {
    const folder = await trained(spec(), 14, "regression");
    await forgetQuantiles(folder);
    const result = await choose("quantile-width", spec(), [folder]);
    expect(result.strategy).toBe("committee");
    expect(result.note).toMatch(/made before versions knew the width/);
  });

  it("weighs slices by the absolute error to expect of a number", async () => {
    const folder = await trained(spec(), 15, "regression");
    const errors = await asked(folder, expectedErrors);
    const jobs = new Map(rows.map(({ exampleId, features }) => [exampleId, features["job"]]));
    const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
    const inJob = (job: unknown) => [...errors].filter(([id]) => jobs.get(id) === job).map(([, error]) => error);
    const overall = mean([...errors.values()]);
    const values = new Map([...errors].map(([id, error]) => [id, (error * mean(inJob(jobs.get(id)))) / overall]));
    const result = await choose("slices", spec(), [folder]);
    expect(result.strategy).toBe("slices");
    expectLargest(result, values);
  });
});

/** Turns an artifact into one of before: the same files, without the interval. */
async function forgetQuantiles(folder: string): Promise<void> {
  const path = join(folder, "calibration.json");
  const { errors, ...rest } = JSON.parse(await readFile(path, "utf8")) as { errors: JsonObject };
  const { quantiles, ...older } = errors;
  expect(quantiles).toBeDefined();
  const text = JSON.stringify({ ...rest, errors: older });
  const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as {
    files: Record<string, JsonObject>;
  };
  manifest.files["calibration.json"] = { sha256: sha256Hex(text), sizeBytes: Buffer.byteLength(text) };
  await writeFile(path, text);
  await writeFile(join(folder, "manifest.json"), JSON.stringify(manifest));
}
