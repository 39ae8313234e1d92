/** Retention: whole segments, old counters, finished workflows. A dataset lives as long as a kept version needs it. */
import { DAY_MS } from "../core/index.ts";
import { raiseAlert, resolveAlert } from "./alerts.ts";
import type { LoopContext } from "./context.ts";

/** Counter deltas older than this are summed; older as-of questions are recomputed from the log. */
const COLLAPSE_AFTER_MS = 90 * DAY_MS;
/** Idempotency keys are promised for 24 h. */
const KEEP_KEYS_MS = 2 * DAY_MS;

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
}

/** Artifacts and datasets of versions beyond the kept number, never those of a live or once live version. */
async function dropOldVersions(context: LoopContext, model: string): Promise<void> {
  const versions = [...(await context.store.registry.list(model))].sort((left, right) => right.number - left.number);
  const { versions: keepCount } = context.spec.storage.keep;
  const kept = versions.filter((version, index) => index < keepCount || version.role !== null);
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
    title: `${damaged.length} segments of ${model} are not as they were written`,
    message: `${list.slice(0, 5).join("; ")}. Restore them from a backup; predictions go on, runs that read them fail.`,
    evidence: { damaged: list },
  });
}
