/**
 * Training by a program of somebody else: its job folder is written, the program runs, and what it leaves in `out/` becomes the
 * weights of a version: an ONNX model, vetted before it is kept, or predictions that only compare. The contract for authors of
 * such programs is docs/external-trainers.md.
 */
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fail, plural } from "../core/index.ts";
import { cellValue, classCount, createPreparedWriter } from "../data/index.ts";
import type { Dataset, Preparation } from "../data/index.ts";
import type { CommandParams, TrainedWeights } from "../learn/index.ts";
import { bindSignature, externalOnnx, inspectOnnx, isOnnx, recordedPredictions } from "../model/index.ts";
import { runCommand } from "../train/index.ts";
import { writeTable } from "./external-files.ts";
import type { ExternalColumn } from "./external-files.ts";
import type { FitJob } from "./fit-job.ts";

/** State an external trainer may keep for its next warm start, in all. */
const MAX_STATE_BYTES = 268_435_456;
const STATE_PREFIX = "state/";
export const LABEL_COLUMN = "label";

/** @throws EXTERNAL_TRAINER_FAILED, MODEL_INVALID, OUTPUT_INVALID, TRAINER_CANCELED, DEPENDENCY_MISSING */
export async function fitExternal(job: FitJob): Promise<TrainedWeights> {
  const folder = join(job.folder, "external");
  const params = job.params as unknown as CommandParams;
  refuseRawWide(job);
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, "out"), { recursive: true });
  await writeInputs(folder, job, params);
  let epochs = 0;
  await runCommand({
    run: params.run,
    folder,
    traceFile: join(folder, "out", "trace.ndjson"),
    environment: params.environment,
    signal: job.signal,
    onTrace: async (line) => {
      epochs = Math.max(epochs, line.epoch);
      await job.onPoint(line);
    },
  });
  const weights = await readResult(folder, job, params, Math.max(1, epochs));
  // The tables may be as large as the dataset; of a failed job the run's folder goes as a whole.
  await rm(folder, { recursive: true, force: true });
  return weights;
}

/** Texts, vectors and images have no raw form in a job folder yet; prepared they are columns like any other. */
function refuseRawWide({ dataset, preparation }: Pick<FitJob, "dataset" | "preparation">): void {
  const [first] = dataset.frame.wide ?? [];
  if (preparation.input !== "none" || first === undefined) return;
  throw fail("CONFIG_INVALID", {
    message: `The feature "${first.name}" is a ${first.kind}, which an ONNX model with raw inputs cannot be given.`,
    remedy: 'Set `input: "prepared"` on the trainer, or leave the feature out.',
  });
}

async function writeInputs(folder: string, job: FitJob, params: CommandParams): Promise<void> {
  const { dataset, preparation, task } = job;
  const { format } = params;
  const parts = { train: job.train, validation: job.validation, holdout: job.holdout ?? new Uint32Array(0) };
  const files: Record<string, string> = {};
  for (const [name, rows] of Object.entries(parts)) {
    const columns = featureColumns(dataset, preparation, rows);
    const label = name === "holdout" ? [] : [labelColumn(job, rows)];
    files[name] = await writeTable(folder, name, [...columns, ...label], format);
  }
  const base = await writeBase(folder, job.base);
  const description = {
    format: 1,
    model: job.model ?? "",
    task,
    // A class is given and answered by its place in this list; a binary label 0 is false, 1 is true.
    classes: dataset.classes,
    label: LABEL_COLUMN,
    input: params.input,
    features: preparation.features.map((feature) => ({
      name: feature.name,
      kind: feature.kind,
      ...(feature.kind === "category" ? { categories: feature.categories } : {}),
    })),
    columns: preparation.input === "none" ? preparation.features.map(({ name }) => name) : preparation.columns,
    files,
    rows: Object.fromEntries(Object.entries(parts).map(([name, rows]) => [name, rows.length])),
    params: params.params,
    seed: job.seed,
    strategy: job.base === undefined ? "full" : "warm-start",
    ...(base === undefined ? {} : { base }),
  };
  await writeFile(join(folder, "job.json"), JSON.stringify(description, null, 2));
}

function labelColumn({ task, dataset }: FitJob, rows: Uint32Array): ExternalColumn {
  return {
    name: LABEL_COLUMN,
    type: task === "regression" ? "float64" : "int32",
    rows: rows.length,
    value: (row) => dataset.target[rows[row] as number] as number,
  };
}

const RAW_TYPES = { number: "float32", category: "text", boolean: "bool" } as const;

function featureColumns(dataset: Dataset, preparation: Preparation, rows: Uint32Array): ExternalColumn[] {
  if (preparation.input === "none") {
    return dataset.frame.columns.map((column) => ({
      name: column.name,
      type: RAW_TYPES[column.kind],
      rows: rows.length,
      value: (row) => cellValue(column, rows[row] as number),
    }));
  }
  const writer = createPreparedWriter(preparation);
  const values = writer.writeFrame(dataset.frame, rows);
  return preparation.columns.map((name, j) => ({
    name,
    type: "float32",
    rows: rows.length,
    value: (row) => {
      const value = values[row * writer.width + j] as number;
      return Number.isNaN(value) ? null : value;
    },
  }));
}

/** The base version's model and state, for a warm start. */
async function writeBase(folder: string, base: TrainedWeights | undefined): Promise<string | undefined> {
  if (base === undefined) return undefined;
  await mkdir(join(folder, "base", "state"), { recursive: true });
  if (isOnnx(base)) await writeFile(join(folder, "base", "model.onnx"), base.arrays["onnx"] as Uint8Array);
  for (const [name, bytes] of Object.entries(base.arrays)) {
    if (name.startsWith(STATE_PREFIX)) await writeFile(join(folder, "base", name), bytes as Uint8Array);
  }
  return "base";
}

const isThere = (path: string) =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

async function readResult(folder: string, job: FitJob, params: CommandParams, epochs: number): Promise<TrainedWeights> {
  const out = join(folder, "out");
  if (await isThere(join(out, "model.onnx"))) {
    const weights = vetOnnx(new Uint8Array(await readFile(join(out, "model.onnx"))), job, params.input, epochs);
    return { ...weights, arrays: { ...weights.arrays, ...(await readState(join(out, "state"))) } };
  }
  if (await isThere(join(out, "holdout-predictions.csv"))) return readPredictions(out, job, epochs);
  const left = await readdir(out);
  throw fail("EXTERNAL_TRAINER_FAILED", {
    message: `The external trainer "${params.run.join(" ")}" ended well, but left no out/model.onnx; in out/ there is ${left.length === 0 ? "nothing" : left.join(", ")}.`,
    remedy:
      "Write the model to out/model.onnx, or predictions to out/holdout-predictions.csv and out/validation-predictions.csv.",
  });
}

/** Reads, checks and binds an ONNX file to the features of a job. @throws MODEL_INVALID */
export function vetOnnx(
  bytes: Uint8Array,
  { task, dataset, preparation }: Pick<FitJob, "task" | "dataset" | "preparation">,
  form: CommandParams["input"],
  epochs: number,
): TrainedWeights {
  refuseRawWide({ dataset, preparation });
  const file = inspectOnnx(bytes);
  const signature = bindSignature({
    file,
    form,
    task,
    classes: classCount(task, dataset.classes),
    features: preparation.features.map(({ name, kind }) => ({ name, kind })),
    width: preparation.input === "none" ? preparation.features.length : preparation.columns.length,
  });
  return externalOnnx(file.bytes, signature, epochs);
}

async function readState(folder: string): Promise<Record<string, Uint8Array>> {
  const names = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const state: Record<string, Uint8Array> = {};
  let total = 0;
  for (const entry of names) {
    if (!entry.isFile()) continue;
    const bytes = new Uint8Array(await readFile(join(folder, entry.name)));
    total += bytes.length;
    if (total > MAX_STATE_BYTES) {
      throw fail("EXTERNAL_TRAINER_FAILED", {
        message: `The files in out/state/ hold more than ${MAX_STATE_BYTES} bytes.`,
        remedy: "Keep there only what the next warm start needs.",
      });
    }
    state[`${STATE_PREFIX}${entry.name}`] = bytes;
  }
  return state;
}

/** Lines of comma-separated numbers after a header, one per row in the row's order. */
async function readPredictions(out: string, job: FitJob, epochs: number): Promise<TrainedWeights> {
  const { task, dataset, validation, holdout = new Uint32Array(0) } = job;
  const width = task === "multiclass" ? dataset.classes.length : 1;
  const parts = [
    { name: "validation-predictions.csv", rows: validation },
    { name: "holdout-predictions.csv", rows: holdout },
  ];
  const found: { row: number; scores: readonly number[] }[] = [];
  for (const { name, rows } of parts) {
    const lines = (await readFile(join(out, name), "utf8").catch(() => "")).trim().split(/\r?\n/).slice(1);
    if (lines.length !== rows.length)
      throw badPredictions(
        `${name} has ${plural(lines.length, "row")} after its header; ${rows.length} were asked for`,
      );
    lines.forEach((line, i) => {
      const values = line.split(",").map(Number);
      // Two classes may be answered by both probabilities; the second is that of `true`.
      const scores = task === "binary" && values.length === 2 ? values.slice(1) : values;
      if (scores.length !== width || !scores.every(Number.isFinite)) {
        throw badPredictions(
          `line ${i + 2} of ${name} is "${line.slice(0, 60)}"; ${plural(width, "number was", "numbers were")} expected`,
        );
      }
      found.push({ row: rows[i] as number, scores });
    });
  }
  found.sort((left, right) => left.row - right.row);
  return recordedPredictions(
    Uint32Array.from(found, ({ row }) => row),
    Float64Array.from(found.flatMap(({ scores }) => scores)),
    epochs,
  );
}

function badPredictions(why: string) {
  return fail("EXTERNAL_TRAINER_FAILED", {
    message: `The predictions of the external trainer cannot be used: ${why}.`,
    remedy: "Write a header and one line per row, in the order of the rows: a probability per class, or the value.",
  });
}
