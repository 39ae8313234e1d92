/**
 * The job folder: what each file is called and how it is read and written. A job is deterministic given its folder, so any
 * step may be run again; what a step makes appears by a rename and is whole.
 *
 * dataset.parquet        the frozen rows (snapshot)
 * splits.bin             one byte per row: which split it is in (prepare)
 * preparation.json       imputation, scaling, encoding (prepare)
 * prepare.json           counts, strategy, seed (prepare)
 * out/model.json, .bin   the weights; out/trained.json, out/trace.ndjson (train)
 * checkpoint/            the last checkpoint of a training under way (train)
 * artifact/              the version (evaluate)
 */
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Instant, TrainingStrategy } from "../core/index.ts";
import { fail, plural, secureBytes } from "../core/index.ts";
import type { ModelSpec } from "../config/spec.ts";
import type { Dataset, Preparation } from "../data/index.ts";
import { describeSplits } from "../data/index.ts";
import type { Splits } from "../data/index.ts";
import type { TrainedWeights } from "../learn/index.ts";
import { decodeWeights, encodeWeights, parseManifest, readArtifact } from "../model/index.ts";
import type { Artifact } from "../model/index.ts";
import { readDatasetFile } from "./dataset-file.ts";

/** In `splits.bin`: a training row that the strategy left out (seen by the base, not replayed). */
export const SPLIT_NOT_REPLAYED = 4;

export interface PreparedState {
  readonly strategy: TrainingStrategy;
  /** Why a warm start became a full training. */
  readonly fallback?: string;
  readonly seed: number;
  readonly asOf: Instant;
  readonly immatureRows: number;
  readonly embargoedRows: number;
  readonly newRows: number;
  readonly replayedRows: number;
}
export interface TrainedState {
  readonly bestEpoch: number;
  readonly epochs: number;
  readonly stoppedEarly: boolean;
  readonly modelHash: string;
  readonly metrics: Readonly<Record<string, number>>;
  /** The trainer left predictions, not a model. */
  readonly recorded?: boolean;
}

interface CachedDataset {
  readonly stamp: string;
  readonly dataset: Dataset;
}
/** Datasets of the last folders: the steps of a run come to the same child one after the other. Two, since each may be large. */
const CACHED_DATASETS = 2;
const cache = new Map<string, CachedDataset>();

/** @throws FILE_INVALID, DATASET_EMPTY */
export async function loadDataset(folder: string, spec: ModelSpec): Promise<Dataset> {
  const path = join(folder, "dataset.parquet");
  const { mtimeMs, size } = await stat(path);
  const stamp = `${mtimeMs}/${size}/${JSON.stringify(spec.schema)}`;
  const cached = cache.get(path);
  cache.delete(path);
  const entry = cached?.stamp === stamp ? cached : { stamp, dataset: await readDatasetFile(path, spec.schema) };
  cache.set(path, entry);
  for (const key of cache.keys()) {
    if (cache.size <= CACHED_DATASETS) break;
    cache.delete(key);
  }
  return entry.dataset;
}

/** Writes under another name first, so a reader never meets half a file. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, content);
  await rename(temporary, path);
}

/** Fills a folder under another name and puts it in the place of an earlier one. */
export async function writeFolderWhole<T>(path: string, fill: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = `${path}.${process.pid}.${Buffer.from(secureBytes(4)).toString("hex")}.tmp`;
  await mkdir(temporary, { recursive: true });
  try {
    const result = await fill(temporary);
    await rm(path, { recursive: true, force: true });
    await rename(temporary, path);
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

export async function readState<T>(folder: string, name: string, step: string): Promise<T> {
  const text = await readFile(join(folder, name), "utf8").catch(() => undefined);
  if (text === undefined) {
    throw fail("FILE_INVALID", {
      message: `The job folder has no ${name}: the step "${step}" has not been done there.`,
      remedy: `Run "${step}" first.`,
    });
  }
  return JSON.parse(text) as T;
}

export async function writePrepared(
  folder: string,
  prepared: { readonly assignment: Uint8Array; readonly preparation: Preparation; readonly state: PreparedState },
): Promise<void> {
  await Promise.all([
    writeWhole(join(folder, "splits.bin"), prepared.assignment),
    writeWhole(join(folder, "preparation.json"), JSON.stringify(prepared.preparation)),
  ]);
  // Last: its presence says that the step is done.
  await writeWhole(join(folder, "prepare.json"), JSON.stringify(prepared.state));
}

export async function readPrepared(
  folder: string,
  dataset: Dataset,
): Promise<{ readonly splits: Splits; readonly preparation: Preparation; readonly state: PreparedState }> {
  const state = await readState<PreparedState>(folder, "prepare.json", "prepare");
  const preparation = await readState<Preparation>(folder, "preparation.json", "prepare");
  const assignment = new Uint8Array(await readFile(join(folder, "splits.bin")));
  if (assignment.length !== dataset.rows) {
    throw fail("FILE_INVALID", {
      message: `splits.bin describes ${plural(assignment.length, "row")}; the dataset has ${dataset.rows}.`,
      remedy: 'Run "prepare" again.',
    });
  }
  const { immatureRows, embargoedRows } = state;
  return { splits: describeSplits(dataset, assignment, { immatureRows, embargoedRows }), preparation, state };
}

export async function writeTrained(
  folder: string,
  trained: { readonly weights: TrainedWeights; readonly state: TrainedState; readonly trace: readonly string[] },
): Promise<void> {
  await writeFolderWhole(join(folder, "out"), async (temporary) => {
    const { json, binary } = encodeWeights(trained.weights);
    await Promise.all([
      writeFile(join(temporary, "model.json"), json),
      writeFile(join(temporary, "model.bin"), binary),
      writeFile(join(temporary, "trained.json"), JSON.stringify(trained.state)),
      writeFile(join(temporary, "trace.ndjson"), trained.trace.map((line) => `${line}\n`).join("")),
    ]);
  });
}

export async function readTrained(
  folder: string,
): Promise<{ readonly weights: TrainedWeights; readonly state: TrainedState }> {
  const state = await readState<TrainedState>(folder, "out/trained.json", "train");
  const json = await readFile(join(folder, "out", "model.json"), "utf8");
  const binary = await readFile(join(folder, "out", "model.bin"));
  return { weights: decodeWeights(json, binary), state };
}

/** An artifact that lies in a local folder, hashes checked. @throws ARTIFACT_CORRUPT, ARTIFACT_UNSUPPORTED */
export function readArtifactFolder(folder: string): Promise<Artifact> {
  return readArtifact((name) => readFile(join(folder, name)));
}

/** All files of an artifact but the manifest, which lists them. */
export async function artifactBytes(folder: string): Promise<number> {
  const manifest = parseManifest(await readFile(join(folder, "manifest.json"), "utf8"));
  return Object.values(manifest.files).reduce((sum, file) => sum + file.sizeBytes, 0);
}
