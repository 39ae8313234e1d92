/**
 * The artifact: a folder that is a version. `writeArtifact` makes it, `readArtifact` checks every hash, `loadArtifact` also
 * asks the recorded probe rows and refuses a model that answers them differently: a right file read by a changed program is as
 * wrong as a broken file.
 */
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson, fail, sha256Hex } from "../core/index.ts";
import type { Features, Json, ModelHost } from "../core/index.ts";
import type { Preparation, ReferenceProfile } from "../data/index.ts";
import type { TrainedWeights } from "../learn/index.ts";
import { ARTIFACT_FORMAT, parseManifest } from "./manifest.ts";
import type { ArtifactFile, Manifest } from "./manifest.ts";
import { isExternal } from "./onnx/predictor.ts";
import { openEmbeddedPredictor, openRemotePredictor } from "./onnx/remote.ts";
import type { RemoteScorer } from "./onnx/remote.ts";
import { createPredictor } from "./predict.ts";
import type { Prediction, Predictor } from "./predictor.ts";
import { compareProbe } from "./probe.ts";
import type { Probe } from "./probe.ts";
import { decodeWeights, encodeWeights } from "./weights.ts";

/** Probe rows of an artifact at most: enough to hit every branch of a broken preparation, few enough to cost no time at load. */
export const MAX_PROBES = 20;

export interface ArtifactParts {
  readonly manifest: Omit<Manifest, "format" | "files" | "modelHash">;
  readonly weights: TrainedWeights;
  readonly preparation: Preparation;
  readonly profile: ReferenceProfile;
  readonly probes: readonly Probe[];
  readonly calibration: Json;
}
export interface Artifact {
  readonly manifest: Manifest;
  readonly manifestHash: string;
  readonly weights: TrainedWeights;
  readonly preparation: Preparation;
  readonly probes: readonly Probe[];
  readonly profile: ReferenceProfile;
  /** What the version knows of its own mistakes; its form belongs to the monitors. */
  readonly calibration: Json;
}
export type LoadedModel = Predictor & {
  readonly manifest: Manifest;
  readonly calibration: Json;
  /** A model in a process of its own: await this instead of asking in place. */
  readonly remote?: RemoteScorer;
  /** Ends that process. */
  close?(): void;
};
export type ReadFile = (name: string) => Promise<Uint8Array>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The hash of what decides answers: model.json, model.bin and preparation.json. */
export function modelHashOf(weights: TrainedWeights, preparation: Preparation): string {
  const { json, binary } = encodeWeights(weights);
  return sha256Hex(`${sha256Hex(json)}\n${sha256Hex(binary)}\n${sha256Hex(canonicalJson(preparation))}\n`);
}

/**
 * Writes every file and syncs it; the manifest comes last. The caller renames the folder into place.
 * @returns the SHA-256 of the manifest, which names the artifact, and the model hash.
 */
export async function writeArtifact(
  folder: string,
  parts: ArtifactParts,
): Promise<{ readonly artifactHash: string; readonly modelHash: string }> {
  await mkdir(folder, { recursive: true });
  const { json, binary } = encodeWeights(parts.weights);
  const contents: Record<string, Uint8Array> = {
    "model.json": encoder.encode(json),
    "model.bin": binary,
    "preparation.json": encoder.encode(canonicalJson(parts.preparation)),
    "profile.json": encoder.encode(canonicalJson(parts.profile)),
    "probes.json": encoder.encode(canonicalJson({ probes: parts.probes })),
    "calibration.json": encoder.encode(canonicalJson(parts.calibration)),
  };
  const files: Record<string, ArtifactFile> = {};
  for (const [name, content] of Object.entries(contents)) {
    files[name] = { sha256: sha256Hex(content), sizeBytes: content.byteLength };
  }
  const modelHash = modelHashOf(parts.weights, parts.preparation);
  const manifest = canonicalJson({ ...parts.manifest, format: ARTIFACT_FORMAT, files, modelHash });
  await Promise.all(Object.entries(contents).map(([name, content]) => writeSynced(join(folder, name), content)));
  await writeSynced(join(folder, "manifest.json"), encoder.encode(manifest));
  return { artifactHash: sha256Hex(manifest), modelHash };
}

async function writeSynced(path: string, content: Uint8Array): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

function corrupt(name: string, why: string) {
  return fail("ARTIFACT_CORRUPT", {
    message: `The file "${name}" of the artifact ${why}.`,
    remedy: "Restore the artifact from a backup, or go back to another version.",
    details: { file: name },
  });
}

async function readChecked(read: ReadFile, name: string, expected: ArtifactFile | undefined): Promise<Uint8Array> {
  if (expected === undefined) throw corrupt(name, "is not listed in the manifest");
  const content = await read(name);
  if (content.byteLength !== expected.sizeBytes) {
    throw corrupt(name, `has ${content.byteLength} bytes; the manifest says ${expected.sizeBytes}`);
  }
  const hash = sha256Hex(content);
  if (hash !== expected.sha256) {
    throw corrupt(name, `has the hash ${hash.slice(0, 12)}…; the manifest says ${expected.sha256.slice(0, 12)}…`);
  }
  return content;
}

/**
 * Reads an artifact and checks every file against the manifest, and the manifest against its own hash where it is known.
 * @throws ARTIFACT_CORRUPT, ARTIFACT_UNSUPPORTED
 */
export async function readArtifact(read: ReadFile, expectedHash?: string): Promise<Artifact> {
  const manifestBytes = await read("manifest.json");
  const manifestHash = sha256Hex(manifestBytes);
  if (expectedHash !== undefined && manifestHash !== expectedHash) {
    throw corrupt(
      "manifest.json",
      `has the hash ${manifestHash.slice(0, 12)}…; the registry says ${expectedHash.slice(0, 12)}…`,
    );
  }
  const manifest = parseManifest(decoder.decode(manifestBytes));
  const names = Object.keys(manifest.files);
  const contents = new Map(
    await Promise.all(names.map(async (name) => [name, await readChecked(read, name, manifest.files[name])] as const)),
  );
  const text = (name: string) => {
    const content = contents.get(name);
    if (content === undefined) throw corrupt(name, "is not listed in the manifest");
    return decoder.decode(content);
  };
  return {
    manifest,
    manifestHash,
    weights: decodeWeights(text("model.json"), contents.get("model.bin") ?? new Uint8Array(0)),
    preparation: JSON.parse(text("preparation.json")) as Preparation,
    probes: (JSON.parse(text("probes.json")) as { readonly probes: readonly Probe[] }).probes,
    profile: JSON.parse(text("profile.json")) as ReferenceProfile,
    calibration: JSON.parse(text("calibration.json")) as Json,
  };
}

function partsOf({ manifest, preparation, weights }: Pick<Artifact, "manifest" | "preparation" | "weights">) {
  const { task, classes, threshold } = manifest;
  return { task, classes, preparation, weights, ...(threshold === undefined ? {} : { threshold }) };
}

export function predictorOf(artifact: Pick<Artifact, "manifest" | "preparation" | "weights">): Predictor {
  return createPredictor(partsOf(artifact));
}

/** Answers of a loaded model, wherever it runs. @throws MODEL_HOST_FAILED, OUTPUT_INVALID for one in a process of its own */
export async function askModel(model: LoadedModel, rows: readonly Features[]): Promise<Prediction[]> {
  return model.remote === undefined ? model.predictRows(rows) : model.remote.predictRows(rows);
}

/** Asks every probe row. @throws PROBE_MISMATCH naming the row and both answers. Bits count, not closeness. */
export function checkProbes(model: Predictor, probes: readonly Probe[]): void {
  probes.forEach((probe, row) => compareProbe(row, probe, model.predictRow(probe.features).scores, model.tolerance));
}

/**
 * Reads, checks and probes. A model that came as ONNX, or begins with a backbone, is opened by `host`, and probed there before anybody sees it.
 * @throws ARTIFACT_CORRUPT, ARTIFACT_UNSUPPORTED, PROBE_MISMATCH; for ONNX also DEPENDENCY_MISSING, MODEL_HOST_FAILED, PREDICTIONS_ONLY
 */
export async function loadArtifact(read: ReadFile, expectedHash?: string, host?: ModelHost): Promise<LoadedModel> {
  const artifact = await readArtifact(read, expectedHash);
  const { manifest, calibration } = artifact;
  if (host !== undefined && isExternal(artifact.weights)) {
    return { ...(await openRemotePredictor(partsOf(artifact), host, artifact.probes)), manifest, calibration };
  }
  if (host !== undefined && artifact.preparation.embed !== undefined) {
    const { embed: _, ...preparation } = artifact.preparation;
    const parts = { ...partsOf(artifact), head: predictorOf({ ...artifact, preparation }) };
    return { ...(await openEmbeddedPredictor(parts, host, artifact.probes)), manifest, calibration };
  }
  const model = predictorOf(artifact);
  checkProbes(model, artifact.probes);
  return { ...model, manifest, calibration };
}
