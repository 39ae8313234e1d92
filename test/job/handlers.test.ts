import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EvaluationReport, JsonObject } from "../../src/core/index.ts";
import { datasetFromRows } from "../../src/data/index.ts";
import { JOB_HANDLERS } from "../../src/job/handlers.ts";
import { loadArtifact } from "../../src/model/index.ts";
import { customers, customerSchema, customerSpec, writeDatasetFile } from "./support/dataset.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "retrain-job-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const folderOf = () => mkdtemp(join(root, "job-"));
const control = () => {
  const progress: JsonObject[] = [];
  return {
    signal: new AbortController().signal,
    progress: (message: JsonObject) => void progress.push(message),
    seen: progress,
  };
};
const run = (type: string, input: JsonObject, use = control()) =>
  (JOB_HANDLERS[type] as NonNullable<(typeof JOB_HANDLERS)[string]>)(input, use);
const bodyOf = (folder: string, spec: unknown, extra: JsonObject = {}): JsonObject => ({
  folder,
  spec: spec as JsonObject,
  seed: 7,
  strategy: "full",
  asOf: 1e12,
  ...extra,
});

async function wholeRun(body: JsonObject) {
  const folder = body["folder"] as string;
  const opened = await run("open", body);
  const assessed = await run("assess", body);
  const prepared = await run("prepare", body);
  const use = control();
  const trained = await run("train", body, use);
  const evaluated = await run("evaluate", body);
  return { folder, opened, assessed, prepared, trained, evaluated, progress: use.seen };
}

describe.each(["binary", "multiclass", "regression"] as const)("a whole job of a %s model", (task) => {
  it("goes from the frozen file to an artifact that answers as its probes say", async () => {
    const folder = await folderOf();
    const schema = customerSchema(task);
    const rows = customers(600, { task });
    await writeDatasetFile(folder, schema, rows);
    const result = await wholeRun(bodyOf(folder, customerSpec(schema)));

    expect(result.opened).toMatchObject({ rows: 600, columns: 4, hash: datasetFromRows(schema, rows).hash });
    expect(result.assessed).toMatchObject({ newRows: 600, anomalies: [] });
    expect(result.prepared).toMatchObject({ holdoutRows: 150, trainRows: 382, validationRows: 68, scaledColumns: 3 });
    expect(result.progress).toHaveLength(5);
    const report = result.evaluated["report"] as unknown as EvaluationReport;
    const metric = task === "regression" ? "mae" : "logLoss";
    expect(report.rows).toBe(150);
    expect(report.candidate[metric]).toBeLessThan(report.baseline.metrics[metric] as number);
    const model = await loadArtifact(
      (name) => readFile(join(folder, "artifact", name)),
      result.evaluated["artifactHash"] as string,
    );
    expect(model.manifest.modelHash).toBe(result.trained["modelHash"]);
    const features = { age: 30, balance: 100, job: "student", housing: false };
    const answer = model.predictRow(features);
    expect(answer.scores.every(Number.isFinite)).toBe(true);
    expect(model.trace(features)).toMatchObject({ scores: answer.scores, decision: answer.decision });
  });
});

describe("training jobs", () => {
  it("give the same bits when a step is run again, and when the whole run is reproduced", async () => {
    const folder = await folderOf();
    const schema = customerSchema();
    await writeDatasetFile(folder, schema, customers(500));
    const body = bodyOf(folder, customerSpec(schema));
    const first = await wholeRun(body);
    const second = await wholeRun(body);
    expect(second.trained["modelHash"]).toBe(first.trained["modelHash"]);
    expect(second.evaluated["artifactHash"]).toBe(first.evaluated["artifactHash"]);
    const copy = await folderOf();
    await writeDatasetFile(copy, schema, customers(500));
    const again = await run("reproduce", { ...body, folder: copy, artifactFolder: join(folder, "artifact") });
    expect(again).toMatchObject({ equal: true, modelHash: first.trained["modelHash"] });
  });
});
