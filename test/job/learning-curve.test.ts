// The learning curve: labels chosen by score against those that were not, on held-out rows none of which was chosen.
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/core/index.ts";
import { openDuckDb } from "../../src/job/dataset-file.ts";
import { JOB_HANDLERS } from "../../src/job/handlers.ts";
import type { LearningCurve } from "../../src/loop/labeling/surface.ts";
import { customers, customerSchema, customerSpec, writeDatasetFile } from "./support/dataset.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "retrain-curve-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** @param isChosen SQL of the rows that were chosen by score */
async function draw(
  count: number,
  isChosen: string,
  task: "binary" | "regression" = "binary",
  { labelDelayMs = 0, asOf = 1e12 } = {},
): Promise<LearningCurve> {
  const folder = await mkdtemp(join(root, "job-"));
  const schema = customerSchema(task);
  await writeDatasetFile(folder, schema, customers(count, { task }));
  const file = join(folder, "dataset.parquet");
  const marked = join(folder, "marked.parquet");
  const duckdb = await openDuckDb();
  await duckdb.run(
    `COPY (SELECT *, 'expert' AS label_source, (${isChosen}) AS selective FROM read_parquet('${file}')) TO '${marked}' (FORMAT parquet)`,
  );
  await rename(marked, file);
  const metric = task === "regression" ? "mae" : "logLoss";
  const spec = { ...customerSpec(schema), labelDelayMs, gates: [{ kind: "noWorseThanChampion", metric }] };
  const input = { folder, spec, seed: 5, strategy: "full", definitionRevision: "r", asOf };
  const handler = JOB_HANDLERS["learning-curve"] as NonNullable<(typeof JOB_HANDLERS)[string]>;
  const control = { signal: new AbortController().signal, progress: () => {} };
  return (await handler(input as unknown as JsonObject, control)) as unknown as LearningCurve;
}

describe("the learning curve", () => {
  it.each(["binary", "regression"] as const)(
    "of a %s model doubles its labels and judges both orders alike",
    async (task) => {
      const curve = await draw(900, "hash(example_id) % 2 = 0", task);
      expect(curve).toMatchObject({ metric: task === "regression" ? "mae" : "logLoss", higherIsBetter: false });
      for (const points of [curve.strategy, curve.random]) {
        expect(points.length).toBeGreaterThanOrEqual(4);
        const sizes = points.map(({ labels }) => labels);
        expect(sizes[0]).toBeLessThanOrEqual(40);
        for (let i = 1; i < sizes.length; i++) {
          const ratio = (sizes[i] as number) / (sizes[i - 1] as number);
          expect(ratio).toBeGreaterThan(1.8);
          expect(ratio).toBeLessThan(2.2);
        }
        // It learns: more labels are better here.
        expect(points.at(-1)?.value).toBeLessThan(points[0]?.value as number);
      }
      expect(curve.lastGain?.low).toBeLessThanOrEqual(curve.lastGain?.mean as number);
      expect(curve.lastGain?.high).toBeGreaterThanOrEqual(curve.lastGain?.mean as number);
      expect(curve.lastGain?.mean).toBeGreaterThan(0);
    },
  );

  it("holds out no row that was chosen by score, however many there are", async () => {
    // A quarter of all rows is held out; only the 60 that were not chosen may be.
    const curve = await draw(400, "hash(example_id) % 20 >= 3");
    expect(curve.holdoutRows).toBeLessThanOrEqual(80);
    expect(curve.strategy.at(-1)?.labels).toBeGreaterThan(100);
  });

  it("has the answers of people who were asked about the newest rows alone", async () => {
    const curve = await draw(900, `"at" >= ${600 * 3_600_000}`);
    expect(curve.strategy.at(-1)?.labels).toBe(300);
    expect(curve.strategy.length).toBeGreaterThanOrEqual(4);
    expect(curve.random.at(-1)?.labels).toBeGreaterThan(300);
  });

  it("leaves out rows whose label is younger than the label delay", async () => {
    const days = 20;
    const curve = await draw(600, "false", "binary", { labelDelayMs: days * 86_400_000, asOf: 600 * 3_600_000 });
    // 25 days of rows, one an hour; the newest 20 are too young: 120 mature ones, of which at most half is held out.
    expect(curve.holdoutRows + (curve.random.at(-1)?.labels ?? 0)).toBeLessThanOrEqual(121);
    expect(curve.random.length).toBeGreaterThan(0);
  });

  it("is refused while there is too little to draw", async () => {
    await expect(draw(30, "hash(example_id) % 2 = 0")).rejects.toMatchObject({
      code: expect.stringMatching(/DATASET_TOO_SMALL|SPLIT_EMPTY/),
    });
  });
});
