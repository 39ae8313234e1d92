/** External trainers by the steps of a run: the folder they get, what their results become, and how they fail. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "@uwdata/flechette";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ModelSpec } from "../../src/config/spec.ts";
import type { JsonObject } from "../../src/core/index.ts";
import { writeTable } from "../../src/job/external-files.ts";
import { JOB_HANDLERS } from "../../src/job/handlers.ts";
import { openDuckDb } from "../../src/job/dataset-file.ts";
import { readArtifactFolder } from "../../src/job/folder.ts";
import { exportOnnx, predictorOf } from "../../src/model/index.ts";
import { GraphBuilder } from "../../src/model/onnx/graph.ts";
import { parseTraceLine } from "../../src/train/index.ts";
import { customers, customerSchema, customerSpec, writeDatasetFile } from "./support/dataset.ts";

const PROGRAM = fileURLToPath(new URL("./support/external-trainer.mjs", import.meta.url));
const rows = customers(700);
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "retrain-external-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

function specOf(params: JsonObject, change: JsonObject = {}): ModelSpec {
  const trainer = {
    name: "command",
    params: { run: ["node", PROGRAM], format: "csv", input: "raw", environment: [], ...change, params },
  };
  return customerSpec(customerSchema(), { trainer });
}

interface Run {
  readonly folder: string;
  readonly step: (type: string, extra?: JsonObject, signal?: AbortSignal) => Promise<JsonObject>;
  readonly points: JsonObject[];
}

async function prepared(spec: ModelSpec, extra: JsonObject = {}): Promise<Run> {
  const folder = await mkdtemp(join(root, "job-"));
  await writeDatasetFile(folder, spec.schema, rows);
  const points: JsonObject[] = [];
  const body: JsonObject = { folder, spec: spec as never, seed: 7, strategy: "full", asOf: 1e12, ...extra };
  const step: Run["step"] = (type, more = {}, signal = new AbortController().signal) =>
    (JOB_HANDLERS[type] as NonNullable<(typeof JOB_HANDLERS)[string]>)(
      { ...body, ...more },
      { signal, progress: (point) => points.push(point) },
    );
  await step("prepare");
  return { folder, step, points };
}

/** A linear model of ours as an ONNX file with one input per feature: what a careful exporter writes. */
async function linearOnnx(): Promise<string> {
  const run = await prepared(customerSpec(customerSchema()));
  await run.step("train");
  await run.step("evaluate");
  const path = join(root, "linear.onnx");
  await writeFile(path, exportOnnx(await readArtifactFolder(join(run.folder, "artifact"))));
  return path;
}

describe("an external trainer", () => {
  it("becomes a version by its ONNX file: traced, vetted, evaluated, probed", async () => {
    const model = await linearOnnx();
    const run = await prepared(specOf({ how: "model", model }));
    const trained = await run.step("train");
    expect(trained).toMatchObject({ bestEpoch: 3, epochs: 3, metrics: { validationLoss: 1 / 3 } });
    expect(run.points.map(({ epoch, share }) => [epoch, share])).toEqual([
      [1, 1 / 3],
      [2, 2 / 3],
      [3, 1],
    ]);
    const { report } = (await run.step("evaluate")) as { report: { candidate: { rocAuc: number } } };
    expect(report.candidate.rocAuc).toBeGreaterThan(0.7);
    const artifact = await readArtifactFolder(join(run.folder, "artifact"));
    expect(artifact.probes.length).toBeGreaterThan(2);
    const ours = predictorOf(artifact);
    const probe = artifact.probes[0] as (typeof artifact.probes)[number];
    expect(ours.predictRow(probe.features).scores[1]).toBeCloseTo(probe.scores[1] as number, 6);
    expect(exportOnnx(artifact)).toEqual(new Uint8Array(await readFile(model)));
    expect(await readdir(run.folder)).not.toContain("external");
  });

  it("continues from the state of its base in a warm start", async () => {
    const model = await linearOnnx();
    const spec = specOf({ how: "model", model });
    const first = await prepared(spec);
    await first.step("train");
    await first.step("evaluate");
    const again = await prepared(spec, { strategy: "warm-start", baseFolder: join(first.folder, "artifact") });
    await again.step("train");
    await again.step("evaluate");
    const { weights } = await readArtifactFolder(join(again.folder, "artifact"));
    expect(new TextDecoder().decode(weights.arrays["state/rounds.txt"])).toBe("2");
  });

  it("may take the prepared matrix, and is then asked with it", async () => {
    const graph = new GraphBuilder();
    const bare = await prepared(specOf({ how: "files" }, { input: "codes" }));
    const columns = JSON.parse(await readFile(join(bare.folder, "preparation.json"), "utf8")).columns as string[];
    expect(columns).toEqual(["age", "balance", "job", "housing"]);
    graph.input("x", "float", 4);
    const zero = graph.node("Where", [graph.node("IsNaN", ["x"]), graph.scalar("float", 0), "x"]);
    const weights = graph.constant({ type: "float", dims: [4, 1], values: [0.01, 0, 0, 1] });
    graph.node("Sigmoid", [graph.node("MatMul", [zero, weights])], {}, { output: "probability" });
    graph.output("probability", "float", 1);
    const model = join(root, "matrix.onnx");
    await writeFile(model, graph.encode({ name: "g", producer: "t", notes: {} }));
    const run = await prepared(specOf({ how: "model", model }, { input: "codes", format: "arrow" }));
    await run.step("train");
    await run.step("evaluate");
    const predictor = predictorOf(await readArtifactFolder(join(run.folder, "artifact")));
    const { scores } = predictor.predictRow({ age: 50, balance: 1, job: null, housing: true });
    expect(scores[1]).toBeCloseTo(1 / (1 + Math.exp(-1.5)), 5);
  });

  it("that only predicts is compared, and cannot answer new rows", async () => {
    const run = await prepared(specOf({ how: "predictions" }));
    await run.step("train");
    const { report } = (await run.step("evaluate")) as {
      report: { candidate: { logLoss: number }; predictMicroseconds?: number };
    };
    expect(report.candidate.logLoss).toBeLessThan(0.75);
    expect(report.predictMicroseconds).toBeUndefined();
    const predictor = predictorOf(await readArtifactFolder(join(run.folder, "artifact")));
    expect(() => predictor.predictRow({})).toThrowError(expect.objectContaining({ code: "PREDICTIONS_ONLY" }));
  });

  it("is told the task, the features and its files in job.json; the holdout comes without labels", async () => {
    const run = await prepared(specOf({ how: "files" }));
    const error = await run.step("train").catch((thrown: Error) => thrown);
    const said = JSON.parse(/\{.*\}/.exec((error as Error).message)?.[0] ?? "{}");
    expect(said.job).toMatchObject({
      task: "binary",
      classes: [false, true],
      label: "label",
      columns: ["age", "balance", "job", "housing"],
      files: { train: "train.csv", validation: "validation.csv", holdout: "holdout.csv" },
      strategy: "full",
      seed: 7,
    });
    expect(said.train[0]).toBe('"age","balance","job","housing","label"');
    const kept = await readFile(join(run.folder, "external", "holdout.csv"), "utf8");
    expect(kept.split("\n")[0]).toBe('"age","balance","job","housing"');
  });

  it("sees the environment variables it was granted, and no others", async () => {
    process.env["RETRAIN_TEST_GRANTED"] = "yes";
    process.env["RETRAIN_TEST_SECRET"] = "hidden";
    const run = await prepared(specOf({ how: "environment" }, { environment: ["RETRAIN_TEST_GRANTED"] }));
    await expect(run.step("train")).rejects.toThrowError(/GRANTED=yes SECRET=undefined JOB=true/);
  });

  it("ends at once when the run is canceled", async () => {
    const run = await prepared(specOf({ how: "hang" }));
    const stop = new AbortController();
    const training = run.step("train", {}, stop.signal);
    await expect.poll(() => run.points.length, { timeout: 10_000 }).toBe(3);
    stop.abort();
    await expect(training).rejects.toMatchObject({ code: "TRAINER_CANCELED" });
  });

  it.each([
    [
      "ends with an error",
      { how: "fail" },
      {},
      "EXTERNAL_TRAINER_FAILED",
      /status 3 after .* s\. Its last lines:\nTraceback: the matrix is singular/,
    ],
    [
      "leaves nothing",
      { how: "nothing" },
      {},
      "EXTERNAL_TRAINER_FAILED",
      /left no out\/model\.onnx; in out\/ there is trace\.ndjson/,
    ],
    ["leaves no model", { how: "garbage" }, {}, "MODEL_INVALID", /is no ONNX model/],
    ["predicts too few rows", { how: "predictions", short: 1 }, {}, "EXTERNAL_TRAINER_FAILED", /were asked for/],
    ["is not there", {}, { run: ["no-such-program"] }, "EXTERNAL_TRAINER_FAILED", /could not be started: ENOENT/],
  ])("that %s fails its run, saying so", async (_what, params, change, code, text) => {
    const run = await prepared(specOf(params as JsonObject, change as JsonObject));
    const error = await run.step("train").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toMatch(text);
  });
});

describe("the tables of a job folder", () => {
  const texts = ["plain", 'with "quotes", and a comma', "", "line\nbreak", null];
  const columns = [
    {
      name: "n",
      type: "float32" as const,
      rows: 5,
      value: (row: number) => [1.5, null, -0.1, 3e10, 0][row] as number | null,
    },
    {
      name: "b",
      type: "bool" as const,
      rows: 5,
      value: (row: number) => [true, false, null, true, false][row] as boolean | null,
    },
    { name: "a text", type: "text" as const, rows: 5, value: (row: number) => texts[row] as string | null },
    { name: "label", type: "int32" as const, rows: 5, value: (row: number) => row % 2 },
  ];
  const wanted = [0, 1, 2, 3, 4].map((row) => columns.map((column) => column.value(row)));
  const near = (value: unknown) => (typeof value === "number" ? Math.fround(value) : value);

  it("keep values and missing cells in Arrow", async () => {
    const folder = await mkdtemp(join(root, "arrow-"));
    const name = await writeTable(folder, "train", columns, "arrow");
    const table = tableFromIPC(await readFile(join(folder, name)));
    const found = table.toArray().map((row) => columns.map((column) => near(row[column.name])));
    expect(found).toEqual(wanted.map((row) => row.map(near)));
  });

  it.each(["csv", "parquet"] as const)("keep values and missing cells in %s", async (format) => {
    const folder = await mkdtemp(join(root, "table-"));
    const file = join(folder, await writeTable(folder, "train", columns, format));
    const duckdb = await openDuckDb();
    const from =
      format === "parquet"
        ? `read_parquet('${file}')`
        : `read_csv('${file}', auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, columns = {'n': 'FLOAT', 'b': 'BOOLEAN', 'a text': 'VARCHAR', 'label': 'INTEGER'})`;
    const result = await duckdb.runAndReadAll(`SELECT * FROM ${from}`);
    expect(result.getRows().map((row) => row.map(near))).toEqual(wanted.map((row) => row.map(near)));
    expect(await readdir(folder)).toEqual([`train.${format}`]);
  });
});

describe("trace lines", () => {
  it.each([
    [
      '{"epoch": 2, "metrics": {"loss": 0.5, "bad": null}, "share": 0.25}',
      { epoch: 2, metrics: { loss: 0.5 }, share: 0.25 },
    ],
    ['{"epoch": 2, "metrics": {}, "share": 7}', { epoch: 2, metrics: {} }],
    ['{"epoch": 1.5, "metrics": {}}', undefined],
    ['{"metrics": {}}', undefined],
    ["NaN", undefined],
    ["not json", undefined],
  ])("%s is read as %o", (line, expected) => {
    expect(parseTraceLine(line)).toEqual(expected);
  });
});
