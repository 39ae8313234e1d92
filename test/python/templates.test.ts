/**
 * The templates of external trainers, run for real: trained in Python, exported there, vetted and answered here. The environment
 * is made by scripts/python-environment.mjs; a template whose packages cannot be had is skipped, with the reason in its title.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/core/index.ts";
import { JOB_HANDLERS } from "../../src/job/handlers.ts";
import { readArtifactFolder } from "../../src/job/folder.ts";
import { predictorOf } from "../../src/model/index.ts";
import { customers, customerSchema, customerSpec, writeDatasetFile } from "../job/support/dataset.ts";

const python = process.env["RETRAIN_PYTHON"] ?? "";
const isInstalled = (modules: readonly string[]) =>
  existsSync(python) && spawnSync(python, ["-c", `import ${modules.join(", ")}`]).status === 0;

const TEMPLATES = [
  { file: "train_sklearn.py", input: "raw", params: {}, modules: ["sklearn", "skl2onnx", "pandas", "pyarrow"] },
  { file: "train_xgboost.py", input: "codes", params: { rounds: 60 }, modules: ["xgboost", "onnxmltools", "pyarrow"] },
  {
    file: "train_lightgbm.py",
    input: "codes",
    params: { rounds: 60 },
    modules: ["lightgbm", "onnxmltools", "pyarrow"],
  },
  { file: "train_pytorch.py", input: "prepared", params: { epochs: 15 }, modules: ["torch", "onnx", "pyarrow"] },
] as const;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "retrain-python-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

for (const { file, input, params, modules } of TEMPLATES) {
  const present = isInstalled(modules);
  const title = present
    ? file
    : `${file} (skipped: ${python === "" ? "no Python environment" : `needs ${modules.join(", ")}`})`;
  describe.skipIf(!present)(title, () => {
    it.each(["binary", "multiclass", "regression"] as const)(
      "trains a %s model that is better than its baseline",
      async (task) => {
        const schema = customerSchema(task);
        const folder = await mkdtemp(join(root, "job-"));
        await writeDatasetFile(folder, schema, customers(1_500, { task }));
        const script = fileURLToPath(new URL(`../../templates/${file}`, import.meta.url));
        const trainer = {
          name: "command",
          params: { run: [python, script], format: "arrow", input, environment: [], params },
        };
        const spec = customerSpec(schema, {
          trainer,
          ...(task === "binary" ? {} : { gates: [] }),
        } as never);
        const points: JsonObject[] = [];
        const body: JsonObject = { folder, spec: spec as never, seed: 7, strategy: "full", asOf: 1e12 };
        const control = { signal: new AbortController().signal, progress: (point: JsonObject) => points.push(point) };
        const step = (type: string) =>
          (JOB_HANDLERS[type] as NonNullable<(typeof JOB_HANDLERS)[string]>)(body, control);
        await step("prepare");
        await step("train");
        const { report } = (await step("evaluate")) as {
          report: { candidate: Record<string, number>; baseline: { metrics: Record<string, number> } };
        };
        const metric = task === "regression" ? "mae" : "logLoss";
        expect(report.candidate[metric]).toBeLessThan(report.baseline.metrics[metric] as number);
        expect(points.length).toBeGreaterThan(0);
        const predictor = predictorOf(await readArtifactFolder(join(folder, "artifact")));
        const { scores } = predictor.predictRow({ age: null, balance: 100, job: "never seen", housing: null });
        expect(scores.every(Number.isFinite)).toBe(true);
      },
    );
  });
}

it("the environment is known, or there is a reason why not", () => {
  if (python === "") console.warn("RETRAIN_PYTHON is not set: `npm run test:python` sets it.");
  expect(python === "" || existsSync(python)).toBe(true);
});
