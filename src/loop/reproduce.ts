/**
 * Retrains a version from its manifest and frozen dataset, and compares the model hashes. A warm start is reproduced from its
 * base's artifact, and the base itself before it, down to the full training at the root: the whole chain has to come out alike.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fail, type JsonObject, uuidV7, type VersionRecord } from "../core/index.ts";
import { parseManifest } from "../model/index.ts";
import type { ModelSpec } from "../config/spec.ts";
import { placeOwnBackbone } from "./backbones.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import { requireVersion } from "./promote.ts";
import type { Reproduction } from "./transfer-surface.ts";
import { textOf } from "./run-record.ts";
import { reproduceLearned } from "./incremental/replay.ts";
import { findTransferBase } from "./steps/base.ts";
import { materializeArtifact } from "./steps/job.ts";

export async function reproduce(context: LoopContext, model: string, version: string): Promise<Reproduction> {
  modelSpec(context, model);
  const record = await requireVersion(context, model, version);
  if (record.imported !== undefined) {
    throw fail("CONFLICT", {
      message: `${model} ${version} was imported; it was trained elsewhere, and its dataset is not here.`,
      remedy: "Reproduce it on the server it comes from.",
    });
  }
  const { registry, runs } = context.store;
  const [revision, run] = await Promise.all([
    registry.definition(model, record.definitionRevision),
    runs.get(record.runId),
  ]);
  const dataset = `datasets/${record.datasetHash}.parquet`;
  if (revision === undefined || run === undefined || !(await context.objects.exists(dataset))) {
    throw fail("NOT_FOUND", {
      message: `The dataset or definition of ${model} ${version} is no longer kept.`,
      remedy: "Raise storage.keep.versions to keep the inputs of older versions.",
    });
  }
  const id = uuidV7(context.worldClock.now());
  const folder = join(context.directory, "jobs", `reproduce-${id}`);
  await mkdir(folder, { recursive: true });
  try {
    await writeFile(join(folder, "dataset.parquet"), await context.objects.get(dataset));
    const artifactFolder = await materializeArtifact(context, record.artifact);
    await placeOwnBackbone(artifactFolder, folder);
    const base = await baseOf(context, record, { artifactFolder, champion: run.champion });
    const below = base === undefined ? undefined : await reproduce(context, base.model, base.name);
    const baseVersion = base === undefined ? "" : base.model === model ? base.name : `${base.model}@${base.name}`;
    const bases =
      base === undefined ? [] : [{ version: baseVersion, equal: below?.equal === true }, ...(below?.bases ?? [])];
    const spec = await specOf(definitionOf(revision.definition), artifactFolder);
    const limits = (revision.definition as unknown as { limits: { trainTimeoutMs: number; trainMemoryBytes: number } })
      .limits;
    const input: JsonObject = {
      folder,
      spec: spec as unknown as JsonObject,
      seed: run.seed,
      strategy: record.strategy,
      asOf: run.asOf,
      artifactFolder,
      ...(base === undefined ? {} : { baseFolder: await materializeArtifact(context, base.artifact), baseVersion }),
    };
    const learned = await reproduceLearned(context, definitionOf(revision.definition), artifactFolder);
    if (learned !== undefined) {
      const { expected, actual } = learned;
      return { equal: expected === actual && bases.every((one) => one.equal), expected, actual, bases };
    }
    const options = { limits: { timeoutMs: limits.trainTimeoutMs, memoryBytes: limits.trainMemoryBytes } };
    const result = await context.jobs.run({ type: "reproduce", affinity: id, input }, options);
    return {
      equal: result.equal === true && bases.every((one) => one.equal),
      expected: textOf(result, "expectedModelHash"),
      actual: textOf(result, "modelHash"),
      bases,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const definitionOf = (definition: unknown) => definition as ModelSpec;

/** The definition, with the trainer that won where there were several. */
async function specOf(definition: ModelSpec, artifactFolder: string): Promise<ModelSpec> {
  if (definition.retrain.best === undefined) return definition;
  const { trainer, params, embed } = parseManifest(await readFile(join(artifactFolder, "manifest.json"), "utf8"));
  const candidates = definition.retrain.best.of.map((one) => one.trainer.embed);
  const backbone = embed === undefined ? undefined : candidates.find((one) => one?.sha256 === embed.sha256);
  return { ...definition, trainer: { name: trainer, params, ...(backbone === undefined ? {} : { embed: backbone }) } };
}

/** What the version started from: nothing, the champion of its run, or the version of another model its manifest names. */
async function baseOf(
  context: LoopContext,
  record: VersionRecord,
  of: { readonly artifactFolder: string; readonly champion: string | undefined },
): Promise<VersionRecord | undefined> {
  if (record.strategy === "full") return undefined;
  if (record.strategy !== "transfer")
    return of.champion === undefined ? undefined : await requireVersion(context, record.model, of.champion);
  const { transfer } = parseManifest(await readFile(join(of.artifactFolder, "manifest.json"), "utf8"));
  const [model, version] = (transfer?.from ?? "").split("@") as [string, string];
  return await findTransferBase(context, { model, version });
}
