// The interval of the label: whether it holds the share it states, and whether its width finds the rows whose label is noisy. The
// truth is known here: rows are drawn with a noise that depends on the row (J. Friedman's function, 1991, with noise of our own).
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom, type JsonObject } from "../../src/core/index.ts";
import type { DataSchema } from "../../src/data/schema.ts";
import type { ExampleRow, Frame } from "../../src/data/index.ts";
import { readArtifactFolder } from "../../src/job/folder.ts";
import { JOB_HANDLERS } from "../../src/job/handlers.ts";
import { predictorOf } from "../../src/model/index.ts";
import {
  expectedErrors,
  labelIntervals,
  type LossModel,
  parseCalibration,
  quantileWidths,
  widening,
} from "../../src/monitor/index.ts";
import { customerSpec, writeDatasetFile } from "./support/dataset.ts";

const FEATURES = ["a", "b", "c", "d", "e"] as const;
const TEST_ROWS = 4_000;
const schema: DataSchema = {
  task: "regression",
  id: "customer",
  time: "at",
  labelColumn: "label",
  features: FEATURES.map((name) => ({ name, spec: { kind: "number" as const } })),
  label: { kind: "number" },
};

interface Drawn {
  readonly row: ExampleRow;
  /** Deviation of the label around its mean at this row. */
  readonly noise: number;
}

function draw(count: number, seed: number): Drawn[] {
  const random = createRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random.nextFloat())) * Math.cos(2 * Math.PI * random.nextFloat());
  return Array.from({ length: count }, (_, i) => {
    const [a, b, c, d, e] = FEATURES.map(() => random.nextFloat()) as [number, number, number, number, number];
    const noise = 0.3 + 3 * e * e + (a > 0.6 ? 1.5 : 0);
    const mean = 10 * Math.sin(Math.PI * a * b) + 20 * (c - 0.5) * (c - 0.5) + 10 * d;
    const label = mean + noise * normal();
    return { noise, row: { exampleId: `x${i}`, at: i * 60_000, label, features: { a, b, c, d, e } } };
  });
}

const TRAINERS = { gbdt: { epochs: 80 }, linear: { epochs: 10 }, mlp: { epochs: 20 } } as const;
const test = draw(TEST_ROWS, 77);
const frame: Frame = {
  rows: TEST_ROWS,
  columns: FEATURES.map((name) => ({
    kind: "number",
    name,
    values: Float32Array.from(test, ({ row }) => row.features[name] as number),
  })),
};
const rows = Uint32Array.from({ length: TEST_ROWS }, (_, i) => i);
const versions = new Map<string, { model: LossModel; answers: Float64Array }>();
let root: string;

/** Place of each value among all, from 0. */
function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from(values, (_, i) => i).sort((i, j) => (values[i] as number) - (values[j] as number) || i - j);
  const found = new Float64Array(values.length);
  order.forEach((i, place) => {
    found[i] = place;
  });
  return found;
}

/** Spearman's correlation of two lists without ties. */
function rankCorrelation(left: ArrayLike<number>, right: ArrayLike<number>): number {
  const [x, y] = [ranks(left), ranks(right)];
  const squares = x.reduce((sum, place, i) => sum + (place - (y[i] as number)) * (place - (y[i] as number)), 0);
  return 1 - (6 * squares) / (x.length * (x.length * x.length - 1));
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "retrain-interval-"));
  const signal = new AbortController().signal;
  for (const [name, params] of Object.entries(TRAINERS)) {
    const folder = await mkdtemp(join(root, "job-"));
    const spec = customerSpec(schema, {
      trainer: { name, params },
      slices: [],
      monitors: { falseAlarms: 1, conceptDrift: null, dataDrift: null },
    });
    const learned = draw(4_000, 5).map(({ row }) => row);
    await writeDatasetFile(folder, schema, learned);
    const body = { folder, spec: spec as unknown as JsonObject, seed: 5, strategy: "full", asOf: 1e12 };
    for (const step of ["open", "assess", "prepare", "train", "evaluate"] as const)
      await JOB_HANDLERS[step]?.(body, { signal, progress: () => {} });
    const artifact = await readArtifactFolder(join(folder, "artifact"));
    const model = parseCalibration(artifact.calibration)?.errors as LossModel;
    versions.set(name, { model, answers: predictorOf(artifact).scoreFrame(frame, rows) });
  }
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe.each(Object.keys(TRAINERS))("the interval of a label, for a version of %s", (name) => {
  const version = () => versions.get(name) as { model: LossModel; answers: Float64Array };

  it("holds about 80 % of labels it has not seen", () => {
    const { model, answers } = version();
    const { low, high } = labelIntervals(model, { frame, rows, answers }) ?? { low: [], high: [] };
    const held = test.filter(({ row }, i) => Number(row.label) >= (low[i] ?? 0) && Number(row.label) <= (high[i] ?? 0));
    // 200 rows measured how far to widen: ±2.6 deviations of their share, and of the test's.
    const deviation = Math.sqrt(0.8 * 0.2 * (1 / 200 + 1 / TEST_ROWS));
    expect(Math.abs(held.length / TEST_ROWS - 0.8)).toBeLessThan(2.6 * deviation);
  });

  it("is wide where labels are noisy", () => {
    const { model, answers } = version();
    const widths = quantileWidths(model, { frame, rows, answers }) as Float64Array;
    const noise = test.map((one) => one.noise);
    // A line leaves half of the function over, which is uncertainty about the label too, but not noise.
    expect(rankCorrelation(widths, noise)).toBeGreaterThan(name === "linear" ? 0.6 : 0.85);
    // And it is an interval: the tenth with the least noise has a far narrower one than the tenth with the most.
    const order = Array.from(rows).sort((i, j) => (noise[i] as number) - (noise[j] as number));
    const mean = (part: number[]) => part.reduce((sum, i) => sum + (widths[i] as number), 0) / part.length;
    expect(mean(order.slice(-400))).toBeGreaterThan((name === "linear" ? 1.5 : 2.5) * mean(order.slice(0, 400)));
  });

  it("stands beside the expected error, which is of the same rows", () => {
    const { model, answers } = version();
    const errors = expectedErrors(model, { frame, rows, answers });
    expect(Math.min(...errors)).toBeGreaterThanOrEqual(0);
    const off = test.map(({ row }, i) => Math.abs(Number(row.label) - (answers[i] as number)));
    const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, one) => sum + one, 0) / values.length;
    expect(mean(errors) / mean(off)).toBeGreaterThan(0.85);
    expect(mean(errors) / mean(off)).toBeLessThan(1.15);
  });
});

describe("what a version keeps", () => {
  it("has no interval where it was made before there was one", () => {
    const { model, answers } = versions.get("gbdt") as { model: LossModel; answers: Float64Array };
    const { quantiles: _, ...before } = model;
    expect(labelIntervals(before, { frame, rows, answers })).toBeUndefined();
    expect(quantileWidths(before, { frame, rows, answers })).toBeUndefined();
  });

  it("widens by the ⌈0.8 (n + 1)⌉-th smallest of the distances", () => {
    expect(widening(Float64Array.of(3, 1, 2, 0))).toBe(3);
    expect(widening(Float64Array.from({ length: 99 }, (_, i) => i + 1))).toBe(80);
    expect(widening(Float64Array.of(-2, -1))).toBe(-1);
    expect(widening(new Float64Array(0))).toBe(0);
  });
});
