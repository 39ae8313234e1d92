/** How steps talk to the training process: one folder, one affinity, the model's limits. */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { JobOptions, Json, JsonObject, TrainingStrategy } from "../../core/index.ts";
import type { ModelSpec } from "../../config/spec.ts";
import type { StepInput } from "../run-record.ts";
import type { LoopContext } from "../context.ts";

/** Fields every job gets. */
export function jobInput(input: StepInput, extra: JsonObject = {}): JsonObject {
  return {
    folder: input.folder,
    spec: usedSpec(input) as unknown as Json,
    seed: input.run.seed,
    strategy: usedStrategy(input),
    definitionRevision: input.run.definitionRevision,
    asOf: input.run.asOf,
    ...extra,
  };
}

/**
 * The strategy asked for, `full` where the champion could not be continued (another schema, another trainer), or after `best` has
 * trained the strategy of the winner.
 */
export function usedStrategy(input: StepInput): TrainingStrategy {
  const { train, prepare } = input.results;
  const used = train?.strategy ?? prepare?.strategy;
  return (used as TrainingStrategy | undefined) ?? input.run.strategy;
}

/** The definition with the trainer that made the candidate: after `best` has trained, the winner's. */
export function usedSpec(input: StepInput): ModelSpec {
  const trainer = input.results.train?.trainer as unknown as ModelSpec["trainer"] | undefined;
  return trainer === undefined ? input.spec : { ...input.spec, trainer };
}

export function jobOptions(input: StepInput, onProgress?: (message: JsonObject) => void): JobOptions {
  const { limits } = input.spec;
  return {
    signal: input.control.signal,
    limits: { timeoutMs: limits.trainTimeoutMs, memoryBytes: limits.trainMemoryBytes },
    ...(onProgress === undefined ? {} : { onProgress }),
  };
}

export async function runJob(
  input: StepInput,
  type: string,
  body: JsonObject,
  options: JobOptions,
): Promise<JsonObject> {
  return await input.context.jobs.run({ type, affinity: input.run.id, input: body }, options);
}

/** A version's artifact as a local folder, for the training process. Cached by hash; written whole or not at all. */
export async function materializeArtifact(context: LoopContext, artifact: string): Promise<string> {
  const folder = join(context.directory, "cache", artifact);
  const prefix = `artifacts/${artifact}`;
  const names = (await context.objects.list(prefix)).map((key) => key.slice(prefix.length + 1));
  const temporary = `${folder}.${context.systemClock.monotonicMs().toString(36).replace(".", "")}.tmp`;
  if (await isThere(join(folder, "manifest.json"))) return folder;
  for (const name of names) {
    const target = join(temporary, name);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, await context.objects.get(`${prefix}/${name}`));
  }
  await rename(temporary, folder).catch(async (error: NodeJS.ErrnoException) => {
    await rm(temporary, { recursive: true, force: true });
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
  return folder;
}

async function isThere(path: string): Promise<boolean> {
  const { access } = await import("node:fs/promises");
  return access(path).then(
    () => true,
    () => false,
  );
}

/** The champion at the start of the run, as a folder, when there is one. */
export async function championFolder(input: StepInput): Promise<{ folder: string; version: string } | undefined> {
  const { context, run } = input;
  if (run.champion === undefined) return undefined;
  const record = await context.store.registry.get(run.model, run.champion);
  if (record === undefined) return undefined;
  return { folder: await materializeArtifact(context, record.artifact), version: record.name };
}
