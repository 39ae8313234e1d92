/**
 * The vectors of a dataset's rows, made once per job folder: by the first step that asks, in blocks of fixed size (the bits of a
 * sum depend on its batch), written down block by block. A later step, a second attempt after a kill and the other candidates of
 * `best` read them; what they were made of stands in the name of the file.
 */
import { appendFile, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson, fail, sha256Hex } from "../core/index.ts";
import type { Json } from "../core/index.ts";
import { embeddedFeatures, embeddingBlock, embeddingOf, fitPreparation, rowsOfFrame } from "../data/index.ts";
import type { Dataset, DataSchema, Embedding, Preparation } from "../data/index.ts";
import { takeTurn } from "../learn/turn.ts";
import { embed, giveEmbedding, knownEmbedding } from "../model/index.ts";
import { backboneFile, runFolder } from "../train/index.ts";
import type { TrainerSpec } from "../train/spec.ts";

/** @throws FILE_INVALID where the file is not the one of the definition */
export async function readBackbone(folder: string, { sha256 }: Embedding): Promise<Uint8Array> {
  const bytes = await readFile(backboneFile(folder, sha256)).catch((cause: unknown) => {
    throw fail("FILE_INVALID", {
      message: `The job folder has no backbone with the hash ${sha256.slice(0, 12)}….`,
      remedy: "Start the run again: its first step puts the file there.",
      cause,
    });
  });
  if (sha256Hex(bytes) === sha256) return new Uint8Array(bytes);
  throw fail("FILE_INVALID", {
    message: `The backbone in the job folder does not have the hash ${sha256.slice(0, 12)}… of the definition.`,
    remedy: "Start the run again: its first step puts the file there.",
  });
}

export interface EmbedOptions {
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Rows whose vectors are there, of all. */
  readonly onProgress?: (done: number, of: number) => void;
}

/** The dataset as a preparation with this embedding sees it. The same dataset where there is none. @throws TRAINER_CANCELED, OUTPUT_INVALID, MODEL_INVALID */
export async function embedDataset(
  dataset: Dataset,
  embedding: Embedding | undefined,
  options: EmbedOptions,
): Promise<Dataset> {
  if (embedding === undefined) return dataset;
  const known = knownEmbedding(dataset.frame, embedding);
  if (known !== undefined) return { ...dataset, frame: known };
  const { folder, signal, onProgress } = options;
  const key = sha256Hex(canonicalJson({ embedding, dataset: dataset.hash } as unknown as Json)).slice(0, 16);
  const file = join(runFolder(folder), `embedding-${key}.f32`);
  const { rows, frame } = dataset;
  const { size } = embedding;
  const block = embeddingBlock(embedding);
  const values = new Float32Array(rows * size);
  let done = await readVectors(file, values, { size, block });
  const backbone = done === rows ? new Uint8Array(0) : await readBackbone(folder, embedding);
  while (done < rows) {
    const some = Uint32Array.from({ length: Math.min(block, rows - done) }, (_, i) => done + i);
    const vectors = embed(embedding, backbone, rowsOfFrame(frame, some));
    values.set(vectors, done * size);
    await appendFile(file, new Uint8Array(vectors.buffer));
    done += some.length;
    onProgress?.(done, rows);
    await takeTurn(signal);
  }
  return { ...dataset, frame: giveEmbedding(frame, embedding, values) };
}

/** Reads the whole blocks of an earlier attempt; half a block is thrown away. @returns rows read */
async function readVectors(
  file: string,
  values: Float32Array,
  { size, block }: { size: number; block: number },
): Promise<number> {
  const bytes = await readFile(file).catch(() => undefined);
  if (bytes === undefined) return 0;
  const all = values.length * 4;
  const whole = bytes.length >= all ? all : bytes.length - (bytes.length % (block * size * 4));
  if (bytes.length > whole) await truncate(file, whole);
  new Uint8Array(values.buffer).set(bytes.subarray(0, whole));
  return whole / (size * 4);
}

/**
 * A place of the vector whose deviation is below this share of the vector's own size is constant: it differs by the rounding of
 * batches alone, and scaling would blow that up to the size of a signal. Rounding is about 1e-7 of it.
 */
const NOISE_SHARE = 1e-5;

export interface InputsRequest {
  /** With its vectors, where there is an embedding. */
  readonly dataset: Dataset;
  readonly rows: Uint32Array;
  readonly input: Preparation["input"];
  readonly features: DataSchema["features"];
  readonly embedding: Embedding | undefined;
}

/** Fits a preparation, of the vector of a backbone as of any other feature. */
export function fitInputs({ dataset, rows, input, features, embedding }: InputsRequest): Preparation {
  const { frame, classes } = dataset;
  if (embedding === undefined) return fitPreparation({ frame, rows, input, classes, wide: features });
  const wide = embeddedFeatures(features, embedding);
  const fitted = fitPreparation({ frame, rows, input, classes, wide });
  const steady = fitted.wide?.map((one) => {
    if (one.name !== embedding.column || one.kind === "text") return one;
    const { means, inverseDeviations } = one;
    const scale = Math.sqrt(means.reduce((sum, mean) => sum + mean * mean, 0) / means.length);
    const least = (mean: number) => NOISE_SHARE * Math.max(Math.abs(mean), scale);
    const kept = inverseDeviations.map((inverse, i) => (inverse * least(means[i] as number) > 1 ? 0 : inverse));
    return { ...one, inverseDeviations: kept };
  });
  return { ...fitted, ...(steady === undefined ? {} : { wide: steady }), embed: embedding };
}

/** The embedding of a trainer as preparations keep it. */
export const trainerEmbedding = ({ embed: spec }: TrainerSpec): Embedding | undefined =>
  spec === undefined ? undefined : embeddingOf(spec);

/** Whether two trainings see their rows through the same backbone in the same way. */
export const sameEmbedding = (left: Embedding | undefined, right: Embedding | undefined): boolean =>
  canonicalJson((left ?? null) as unknown as Json) === canonicalJson((right ?? null) as unknown as Json);
