/** The learning curve of a model's labels: drawn on request in the training process, kept until the next one. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Json, seedFrom, uuidV7 } from "../../core/index.ts";
import { definitionRevision } from "../../config/index.ts";
import { placeBackbones } from "../backbones.ts";
import { type LoopContext, logSchemaOf, modelSpec } from "../context.ts";
import { requireRowTask } from "../row-tasks.ts";
import { curveKey } from "./insight.ts";
import type { LearningCurve } from "./surface.ts";

/** @throws DATASET_EMPTY, DATASET_TOO_SMALL, SPLIT_EMPTY while there is too little to draw */
export async function drawCurve(context: LoopContext, model: string): Promise<LearningCurve> {
  const spec = modelSpec(context, model);
  requireRowTask(spec, "a learning curve");
  const { store, jobs } = context;
  const asOf = context.worldClock.now();
  const id = uuidV7(asOf);
  const folder = join(context.directory, "jobs", `curve-${id}`);
  await mkdir(folder, { recursive: true });
  try {
    const { windowMs, windowRows } = spec.data;
    await store.log.writeDataset({
      schema: logSchemaOf(spec),
      asOf,
      path: join(folder, "dataset.parquet"),
      ...(windowMs === undefined ? {} : { from: asOf - windowMs }),
      ...(windowRows === undefined ? {} : { maxRows: windowRows }),
    });
    await placeBackbones(context, spec, folder);
    const input = {
      folder,
      spec: spec as unknown as Json,
      seed: seedFrom(spec.seed, model, "learning curve"),
      strategy: "full",
      definitionRevision: definitionRevision(spec),
      asOf,
    };
    const { trainTimeoutMs, trainMemoryBytes } = spec.limits;
    const drawn = await jobs.run(
      { type: "learning-curve", affinity: id, input },
      { limits: { timeoutMs: trainTimeoutMs, memoryBytes: trainMemoryBytes } },
    );
    const curve = { ...(drawn as unknown as Omit<LearningCurve, "at">), at: asOf };
    await store.settings.set(curveKey(model), curve as unknown as Json);
    return curve;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
