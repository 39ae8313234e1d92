/** Retention: whole segments, old counters, finished workflows. A dataset lives as long as a kept version needs it. */
import { DAY_MS, plural, type VersionRecord } from "../core/index.ts";
import { raiseAlert, resolveAlert } from "./alerts.ts";
import { pruneBackbones } from "./backbones.ts";
import type { LoopContext } from "./context.ts";

/** Counter deltas older than this are summed; older as-of questions are recomputed from the log. */
const COLLAPSE_AFTER_MS = 90 * DAY_MS;
/** Idempotency keys are promised for 24 h. */
const KEEP_KEYS_MS = 2 * DAY_MS;
/** A model has at most one open run, so this is a number of models; beyond it no backbone could be judged unused. */
const OPEN_RUNS = 10_000;

export async function applyRetention(context: LoopContext): Promise<void> {
  const { store, spec, worldClock, systemClock, engine } = context;
  const { keep } = spec.storage;
  const now = worldClock.now();
  for (const { name } of spec.models) {
    await store.log.deleteBefore(name, ["prediction"], now - keep.predictionsMs);
    await store.log.deleteBefore(name, ["observation", "label", "outcome"], now - keep.eventsMs);
    await store.folds.collapse(name, now - COLLAPSE_AFTER_MS);
    await dropOldVersions(context, name);
  }
  await store.decisions.deleteBefore(now - keep.decisionsMs);
  await store.log.maintain();
  for (const { name } of spec.models) await checkSegments(context, name);
  await store.settings.pruneIdempotent(systemClock.now() - KEEP_KEYS_MS);
  await engine.prune(systemClock.now() - keep.decisionsMs);
  await dropUnusedBackbones(context);
}

function keptVersions({ spec }: LoopContext, versions: readonly VersionRecord[]): readonly VersionRecord[] {
  return versions
    .toSorted((left, right) => right.number - left.number)
    .filter((version, index) => index < spec.storage.keep.versions || version.role !== null);
}

/**
 * Backbones named by no model of the configuration, no kept version and no open run. Definitions are searched as text: a hash
 * stands for nothing else. Of a model that the configuration no longer has every version counts, as none of them is dropped.
 */
async function dropUnusedBackbones(context: LoopContext): Promise<void> {
  const { store, spec } = context;
  const models = await store.registry.models();
  await pruneBackbones(context, async () => {
    const isServed = new Set(spec.models.map(({ name }) => name));
    const needed = new Map<string, { readonly model: string; readonly definitionRevision: string }>();
    const need = (one: { readonly model: string; readonly definitionRevision: string }) =>
      needed.set(`${one.model} ${one.definitionRevision}`, one);
    (await store.runs.list({ states: ["queued", "running"], limit: OPEN_RUNS })).forEach(need);
    for (const model of models) {
      const versions = await store.registry.list(model);
      (isServed.has(model) ? keptVersions(context, versions) : versions).forEach(need);
    }
    const revisions = [...needed.values()].map((one) => store.registry.definition(one.model, one.definitionRevision));
    return [spec.models, ...(await Promise.all(revisions))].map((one) => JSON.stringify(one ?? null));
  });
}

/** Artifacts and datasets of versions beyond the kept number, never those of a live or once live version. */
async function dropOldVersions(context: LoopContext, model: string): Promise<void> {
  const versions = await context.store.registry.list(model);
  const kept = keptVersions(context, versions);
  const neededDatasets = new Set(kept.map((version) => version.datasetHash));
  const neededArtifacts = new Set(kept.map((version) => version.artifact));
  for (const version of versions) {
    if (!neededArtifacts.has(version.artifact)) await context.objects.deletePrefix(`artifacts/${version.artifact}`);
    if (!neededDatasets.has(version.datasetHash))
      await context.objects.deletePrefix(`datasets/${version.datasetHash}.parquet`);
  }
}

/** A file that changed on the disk is told before somebody needs it; runs that read it fail by themselves. */
async function checkSegments(context: LoopContext, model: string): Promise<void> {
  const damaged = await context.store.log.damagedSegments(model);
  const key = `store.corrupt:${model}`;
  if (damaged.length === 0) {
    await resolveAlert(context, key, "Every segment matches its hash again.");
    return;
  }
  const list = damaged.map(({ path, problem }) => `${path} is ${problem}`);
  await raiseAlert(context, {
    model,
    key,
    type: "store.corrupt",
    severity: "critical",
    title: `${plural(damaged.length, "segment")} of ${model} ${damaged.length === 1 ? "is not as it was" : "are not as they were"} written`,
    message: `${list.slice(0, 5).join("; ")}. Restore them from a backup; predictions go on, runs that read them fail.`,
    evidence: { damaged: list },
  });
}
