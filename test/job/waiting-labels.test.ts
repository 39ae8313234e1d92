// Labels chosen by score about the newest rows: they train once the holdout has moved on, and until then a run says that they wait.
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { JsonObject } from "../../src/core/index.ts";
import { openDuckDb } from "../../src/job/dataset-file.ts";
import { JOB_HANDLERS } from "../../src/job/handlers.ts";
import { customers, customerSchema, customerSpec, writeDatasetFile } from "./support/dataset.ts";

const HOUR = 3_600_000;
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "retrain-waiting-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** 400 rows, one an hour. @param isChosen SQL of the rows that were chosen by score */
async function prepare(isChosen: string, labelDelayMs = 0): Promise<JsonObject> {
  const folder = await mkdtemp(join(root, "job-"));
  const schema = customerSchema();
  await writeDatasetFile(folder, schema, customers(400));
  const file = join(folder, "dataset.parquet");
  const marked = join(folder, "marked.parquet");
  const duckdb = await openDuckDb();
  await duckdb.run(
    `COPY (SELECT *, 'expert' AS label_source, (${isChosen}) AS selective FROM read_parquet('${file}')) TO '${marked}' (FORMAT parquet)`,
  );
  await rename(marked, file);
  const spec = { ...customerSpec(schema), labelDelayMs };
  const body = { folder, spec: spec as unknown as JsonObject, seed: 5, strategy: "full", asOf: 400 * HOUR };
  const control = { signal: new AbortController().signal, progress: () => {} };
  const run = (step: "open" | "prepare") =>
    (JOB_HANDLERS[step] as NonNullable<(typeof JOB_HANDLERS)[string]>)(body, control);
  await run("open");
  return run("prepare");
}

it.each([
  // Of 300 fair rows the newest 75 are held out, from hour 225 on: what was chosen of the newest 100 hours is younger.
  ["of the newest hours wait", `"at" >= ${300 * HOUR}`, 0, 100],
  ["of the oldest hours train", `"at" < ${100 * HOUR}`, 0, 0],
  ["that are too young for the label delay are not mature, and do not wait", `"at" >= ${300 * HOUR}`, 100 * HOUR, 0],
  ["where there are none nothing waits", "false", 0, 0],
] as const)("labels chosen by score %s", async (_, isChosen, labelDelayMs, waiting) => {
  const { waitingRows, trainRows, validationRows, holdoutRows } = await prepare(isChosen, labelDelayMs);
  // The border of maturity itself may belong to either side.
  expect(Math.abs(Number(waitingRows) - waiting)).toBeLessThanOrEqual(1);
  if (labelDelayMs === 0)
    expect(Number(trainRows) + Number(validationRows) + Number(holdoutRows) + Number(waitingRows)).toBe(400);
});
