/** Models as ONNX files: one out, one in. An imported one is a candidate like any other, judged here before it can go live. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { definitionRevision } from "../config/index.ts";
import { fail, type JsonObject, sha256Hex, uuidV7, type VersionRecord } from "../core/index.ts";
import { exportOnnx, inspectOnnx, readArtifact } from "../model/index.ts";
import { type LoopContext, logSchemaOf, modelSpec } from "./context.ts";
import { waitForGate } from "./held.ts";
import { requireVersion } from "./promote.ts";
import { textOf } from "./run-record.ts";

export async function exportOnnxVersion(
  context: LoopContext,
  model: string,
  name: string,
  options?: Parameters<typeof exportOnnx>[1],
): Promise<Uint8Array> {
  modelSpec(context, model);
  const { artifact } = await requireVersion(context, model, name);
  const read = (file: string) => context.objects.get(`artifacts/${artifact}/${file}`);
  return exportOnnx(await readArtifact(read, artifact), options);
}

export async function importOnnxVersion(
  context: LoopContext,
  model: string,
  onnx: Uint8Array,
  actor: string,
): Promise<VersionRecord> {
  const spec = modelSpec(context, model);
  const { task } = spec.schema;
  if (task === "forecast" || task === "recommend") {
    throw fail("CONFLICT", {
      message: `Model ${model} is a ${task === "forecast" ? "forecaster" : "recommender"}, and an ONNX file answers rows of features: it could not follow new ${task === "forecast" ? "values" : "interactions"}.`,
      remedy: "Move versions of it between servers as archives (`retrain export`, `retrain import FILE.retrain`).",
    });
  }
  // Refused before a process is started for it.
  inspectOnnx(onnx);
  const now = context.worldClock.now();
  const folder = join(context.directory, "jobs", `import-${uuidV7(now)}`);
  await mkdir(folder, { recursive: true });
  try {
    await writeFile(join(folder, "import.onnx"), onnx);
    const file = await context.store.log.writeDataset({
      schema: logSchemaOf(spec),
      asOf: now,
      path: join(folder, "dataset.parquet"),
    });
    if (file.rows === 0) {
      throw fail("DATASET_EMPTY", {
        message: `Model ${model} has no labelled row yet, so nothing could say whether the imported model is any good.`,
        remedy: "Send some labelled rows first (`retrain ingest`), then import it again.",
      });
    }
    const { trainTimeoutMs, trainMemoryBytes } = spec.limits;
    const made = await context.jobs.run(
      {
        type: "import-onnx",
        affinity: folder,
        input: {
          folder,
          spec: spec as unknown as JsonObject,
          seed: 0,
          asOf: now,
          definitionRevision: definitionRevision(spec),
        },
      },
      { limits: { timeoutMs: trainTimeoutMs, memoryBytes: trainMemoryBytes } },
    );
    const artifact = textOf(made, "artifactHash");
    await context.objects.putFolder(`artifacts/${artifact}`, join(folder, "artifact"));
    return await register(context, { model, artifact, onnx, made, actor });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function register(
  context: LoopContext,
  parts: { model: string; artifact: string; onnx: Uint8Array; made: JsonObject; actor: string },
): Promise<VersionRecord> {
  const { model, artifact, onnx, made, actor } = parts;
  const spec = modelSpec(context, model);
  const { registry, settings } = context.store;
  const at = context.worldClock.now();
  const revision = definitionRevision(spec);
  const fileHash = sha256Hex(onnx);
  await registry.saveDefinition({ model, revision, definition: spec as never, createdAt: at });
  const version = await registry.register(
    {
      model,
      // Not a run of this server; the same for the same file, so a second import finds the first.
      runId: `import-${sha256Hex(`${model}\n${fileHash}`).slice(0, 32)}`,
      createdAt: at,
      artifact,
      definitionRevision: revision,
      trainer: "command",
      strategy: "full",
      datasetHash: textOf(made, "datasetHash"),
      datasetRows: Number(made.rows),
      trainedThrough: at,
      imported: { model: "onnx", version: fileHash.slice(0, 12), signedBy: "nobody", at },
      gate: { outcome: "hold", reason: "Imported as ONNX; this server has not judged it yet.", checks: [] },
      metrics: made.metrics as Readonly<Record<string, number | null>>,
    },
    0,
  );
  await settings.audit({
    at,
    actor,
    action: "version.import",
    subject: `${model}/${version.name}`,
    details: { from: "onnx", sha256: fileHash },
  });
  context.emit("version.registered", model, { version: version.name, runId: version.runId, gate: "hold" });
  if (version.role !== null || version.gateRunId !== undefined) return version;
  await waitForGate(context, {
    model,
    version: version.name,
    definitionRevision: revision,
    champion: (await registry.champion(model))?.name ?? null,
    why: "imported",
    reason: `${version.name} was imported as ONNX and is judged by the gates of this server.`,
  });
  return version;
}
