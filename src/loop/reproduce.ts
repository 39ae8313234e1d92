/**
 * Retrains a version from its manifest and frozen dataset, and compares the model hashes. A warm start is reproduced from its
 * base's artifact, and the base itself before it, down to the full training at the root: the whole chain has to come out alike.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fail, type JsonObject, uuidV7 } from "../core/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import { requireVersion } from "./promote.ts";
import type { Reproduction } from "./transfer-surface.ts";
import { textOf } from "./run-record.ts";
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
    const base =
      record.strategy === "full" || run.champion === undefined
        ? undefined
        : await requireVersion(context, model, run.champion);
    const below = base === undefined ? undefined : await reproduce(context, model, base.name);
    const bases =
      base === undefined ? [] : [{ version: base.name, equal: below?.equal === true }, ...(below?.bases ?? [])];
    const spec = revision.definition as unknown as JsonObject;
    const limits = (revision.definition as unknown as { limits: { trainTimeoutMs: number; trainMemoryBytes: number } })
      .limits;
    const input: JsonObject = {
      folder,
      spec,
      seed: run.seed,
      strategy: record.strategy,
      asOf: run.asOf,
      artifactFolder: await materializeArtifact(context, record.artifact),
      ...(base === undefined ? {} : { baseFolder: await materializeArtifact(context, base.artifact) }),
    };
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
