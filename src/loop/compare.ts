/**
 * Two versions on the same rows, asked for by a person: the held-out rows of today that neither was trained on, scored in the
 * training process, with paired differences per metric and slice. Nothing is stored and nothing is decided.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ModelSpec } from "../config/spec.ts";
import {
  type EvaluationReport,
  fail,
  type Json,
  type JsonObject,
  nearestWord,
  uuidV7,
  type VersionRecord,
} from "../core/index.ts";
import type { GateSpec } from "../evaluate/index.ts";
import { metricsFor } from "../stats/index.ts";
import type { CompareRequest, VersionComparison } from "./compare-surface.ts";
import { type LoopContext, logSchemaOf, modelSpec } from "./context.ts";
import { primaryMetric } from "./performance.ts";
import { requireVersion } from "./promote.ts";
import { requireRowTask } from "./row-tasks.ts";
import { textOf } from "./run-record.ts";
import { materializeArtifact } from "./steps/job.ts";

export async function compareVersions(
  context: LoopContext,
  model: string,
  names: CompareRequest,
): Promise<VersionComparison> {
  requireRowTask(modelSpec(context, model), "a comparison of two versions");
  const metric = metricOf(modelSpec(context, model), names.metric);
  const [a, b] = [await requireVersion(context, model, names.a), await requireVersion(context, model, names.b)];
  if (a.name === b.name) {
    throw fail("BODY_INVALID", {
      message: `A version is compared with another one, not ${a.name} with itself.`,
      remedy: "Name two versions.",
    });
  }
  const revision = await context.store.registry.definition(model, b.definitionRevision);
  const spec = (revision?.definition ?? modelSpec(context, model)) as unknown as ModelSpec;
  const asOf = context.worldClock.now();
  const folder = join(context.directory, "jobs", `compare-${uuidV7(asOf)}`);
  await mkdir(folder, { recursive: true });
  try {
    const { windowMs, windowRows } = spec.data;
    await context.store.log.writeDataset({
      schema: logSchemaOf(spec),
      asOf,
      path: join(folder, "dataset.parquet"),
      ...(windowMs === undefined ? {} : { from: asOf - windowMs }),
      ...(windowRows === undefined ? {} : { maxRows: windowRows }),
    });
    const found = await runComparison(context, { folder, spec, asOf, a, b, metric });
    const { report, championThreshold, knownToChampion } = found as unknown as {
      report: EvaluationReport;
      championThreshold: number | null;
      knownToChampion: number;
    };
    if (report.championVersion === undefined) {
      throw fail("CONFLICT", {
        message: `${a.name} cannot answer the rows of ${b.name}: ${textOf(found, "championSkipped")}`,
        remedy: "Compare versions of definitions with the same features.",
      });
    }
    return {
      model,
      a: a.name,
      b: b.name,
      asOf,
      rows: report.rows,
      knownToA: knownToChampion,
      thresholds: { a: championThreshold, b: report.threshold ?? null },
      report,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @throws BODY_INVALID */
function metricOf(spec: ModelSpec, asked: string | undefined): string {
  if (asked === undefined) return primaryMetric(spec);
  const known = metricsFor(spec.schema.task);
  const found = known.find((one) => one === asked);
  if (found !== undefined) return found;
  const near = nearestWord(asked, known);
  throw fail("BODY_INVALID", {
    message: `"${asked}" is no metric of ${spec.name}, whose task is ${spec.schema.task}.`,
    remedy: near === undefined ? `Use one of ${known.join(", ")}.` : `Did you mean "${near}"?`,
  });
}

async function runComparison(
  context: LoopContext,
  about: {
    readonly folder: string;
    readonly spec: ModelSpec;
    readonly asOf: number;
    readonly a: VersionRecord;
    readonly b: VersionRecord;
    readonly metric: string;
  },
): Promise<JsonObject> {
  const { folder, spec, asOf, a, b, metric } = about;
  const gates: readonly GateSpec[] = [{ kind: "slices", metric, margin: 0, minRows: 50 }];
  const [aFolder, bFolder] = [
    await materializeArtifact(context, a.artifact),
    await materializeArtifact(context, b.artifact),
  ];
  const input: JsonObject = {
    folder,
    spec: { ...spec, gates } as unknown as Json,
    seed: spec.seed,
    asOf,
    strategy: "full",
    definitionRevision: b.definitionRevision,
    candidateFolder: bFolder,
    championFolder: aFolder,
    championVersion: a.name,
    gatedMetrics: metricsFor(spec.schema.task),
  };
  const { trainTimeoutMs, trainMemoryBytes } = spec.limits;
  const options = { limits: { timeoutMs: trainTimeoutMs, memoryBytes: trainMemoryBytes } };
  return context.jobs.run({ type: "regate", affinity: folder, input }, options);
}
